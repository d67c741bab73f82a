"""A training set whose rows have labels of several labellers keeps one, and says how far they agree."""

from dataclasses import replace

import pytest
from labelled_shop import COLUMNS, HOUR, NOW, label_shop
from logged import log_answers
from runner import run
from shop import FILES

import featurestore
from featurestore import labelled_by
from featurestore.definitions.entity_rows import entity_rows
from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import ContractError, DefinitionError, UnknownNameError
from featurestore.labels.declare import Labellers
from featurestore.operations.card.sections import label_sections

ALL = ("request_id", "bought", "labeller", "labelled_at")
BY = 'labellers=labelled_by("labeller", policy={!r}), matures="labelled_at"'


def labelled(request, who, value, hours):
    return {
        "request_id": request,
        "labeller": who,
        "bought": value,
        "labelled_at": NOW - hours * HOUR,
    }


LABELS = (
    labelled("r1", "ann", True, 2),
    labelled("r1", "ben", False, 1.5),
    labelled("r1", "eve", False, 1),
    labelled("r2", "ann", True, 2),
    labelled("r2", "ben", True, 1),
    labelled("r3", "ann", True, 2),
    labelled("r3", "ben", False, 1),
)


@pytest.fixture
def served(shop):
    """Three answers."""
    shop.materialize(until=NOW - 4 * HOUR)
    for number, hours in enumerate((3.5, 3, 2.5), 1):
        log_answers(shop.settings.root, number, as_of=NOW - hours * HOUR, request_id=f"r{number}")
    return shop


def labels_of(project):
    return dict(project.read("answered").select("request_id", "bought").rows())


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("majority", {"r1": False, "r2": True}),
        ("unanimous", {"r2": True}),
        ("latest", {"r1": False, "r2": True, "r3": False}),
        ("first", {"r1": True, "r2": True, "r3": True}),
        ("priority", {"r1": False, "r2": True, "r3": True}),
    ],
)
def test_the_policy_decides_the_label_of_an_answer(served, policy, expected):
    """Rows that it does not decide are left out and counted; the column of labellers does not stay."""
    options = BY.format(policy)
    if policy == "priority":
        options = options.replace("'priority'", "'priority', order=('eve', 'ann', 'ben')")
    project = label_shop(served, *LABELS, columns=ALL, options=options)
    manifest = project.training_set("answered")
    assert labels_of(project) == expected
    assert (manifest.rows, manifest.agreement.undecided) == (len(expected), 3 - len(expected))
    assert (manifest.agreement.shared, manifest.agreement.equal) == (3, 1)
    assert manifest.agreement.measure == "fleiss"
    assert manifest.labellers.policy == policy
    assert "labeller" not in manifest.columns
    assert "labelled_at" in manifest.columns


def test_only_labels_that_were_known_count(served):
    """As of an earlier time the majority was another one, and fewer labellers had said something."""
    project = label_shop(served, *LABELS, columns=ALL, options=BY.format("majority"))
    manifest = project.training_set("answered", as_of=NOW - 2 * HOUR)
    assert labels_of(project) == {"r1": True, "r2": True, "r3": True}
    assert (manifest.immature, manifest.agreement.shared, manifest.agreement.kappa) == (4, 0, None)
    assert project.training_set("answered").agreement.kappa == pytest.approx(-1 / 3.5, abs=0.2)


def test_the_command_counts_labels_that_were_not_known(served):
    """They are labels and no rows: each row is in the set, by its other labels."""
    project = label_shop(served, *LABELS, columns=ALL, options=BY.format("majority"))
    done = run("training-set", "answered", "--as-of", (NOW - 2 * HOUR).isoformat(), cwd=project.settings.root)
    assert "answered: 3 rows" in done.stdout
    assert "  4 labels left out: bought was not known at" in done.stdout
    assert "4 labels left out: bought was not known at" in project.training_manifest("answered")._repr_html_()


def test_the_command_and_the_card_show_the_agreement(served):
    """Two labellers have Cohen's kappa; a tie is left out."""
    labels = [label for label in LABELS if label["labeller"] != "eve"]
    project = label_shop(served, *labels, columns=ALL, options=BY.format("majority"))
    done = run("training-set", "answered", cwd=project.settings.root)
    assert (
        "  2 labellers, policy majority: 3 rows, 3 with several labellers, who agree on 1; Cohen's kappa 0.00\n"
        "  2 rows left out: the policy does not decide the label\n"
    ) in done.stdout
    [labellers, answers] = label_sections(project.training_manifest("answered"))
    assert dict(labellers.rows)["rows on which they agree"] == "33.3%"
    assert dict(answers.rows)["answers without a label"] == "0"


def test_a_policy_that_decides_nothing(served):
    """A set without rows is refused."""
    project = label_shop(served, *LABELS[-2:], columns=ALL, options=BY.format("unanimous"))
    with pytest.raises(ContractError, match="the policy 'unanimous' decides the label of none of 1 row"):
        project.training_set("answered")


def test_a_labeller_that_the_order_does_not_name(served):
    """Its labels would silently count least."""
    options = 'labellers=labelled_by("labeller", policy="priority", order=("ann", "ben"))'
    project = label_shop(served, *LABELS, columns=ALL, options=options)
    with pytest.raises(ContractError, match="1 labeller not in the order of `labelled_by`: 'eve'"):
        project.training_set("answered")


def test_a_labeller_that_says_two_things_at_one_time(served):
    """Nothing says which is the correction; the error names the answer and the labeller."""
    labels = (*LABELS, labelled("r3", "ben", True, 1))
    project = label_shop(served, *labels, columns=ALL, options=BY.format("majority"))
    with pytest.raises(
        ContractError, match=r"two labels of one labeller at one time, first .*request_id=r3 labeller=ben"
    ):
        project.training_set("answered")
    corrected = (*LABELS, labelled("r3", "ben", True, 0.5))
    project = label_shop(served, *corrected, columns=ALL, options=BY.format("unanimous"))
    project.training_set("answered")
    assert labels_of(project) == {"r2": True, "r3": True}


def plain(shop, options):
    """Let two people label the shop's visits, without a served log."""
    text = FILES["feature_repo/shop.py"].replace(
        'label="bought", owner="shop"', f'label="bought", owner="shop", {options}'
    )
    text = text.replace("source, training_set", "source, training_set, labelled_by")
    text = text.replace(
        '.drop_nulls("basket")',
        '.drop_nulls("basket").join(pl.LazyFrame({"who": ["ann", "ben"]}), how="cross")'
        '.with_columns(bought=(pl.col("who") == "ann") | (pl.col("customer") == 3))',
    )
    (shop.settings.root / "feature_repo/shop.py").write_text(text)
    schemas = FILES["schemas/shop.py"] + '    who: pl.String = pa.Field(description="labeller")\n'
    (shop.settings.root / "schemas/shop.py").write_text(schemas)
    return featurestore.open(shop.settings.root)


def test_rows_that_the_function_returns_may_have_several_labels(shop):
    """Rows of equal keys, request values and time are one row."""
    before = shop.training_set("visits").rows
    project = plain(shop, 'labellers=labelled_by("who", policy="unanimous")')
    manifest = project.training_set("visits")
    rows = project.read("visits")
    assert set(rows["customer"]) == {3}
    assert manifest.agreement.rows == before
    assert manifest.rows == rows.height == before - manifest.agreement.undecided
    assert "who" not in rows.columns
    project.materialize()
    assert project.audit().mismatches == 0


def test_what_identifies_a_label_does_not_identify_its_row(shared_shop):
    """Another label of the row may count tomorrow: its number must not move the row to another split."""
    visits = shared_shop.catalog.training_set("visits")
    columns = tuple(replace(column, unique=column.name == "basket") for column in visits.contract.columns)
    contract = replace(visits.contract, columns=columns, uniques=(("basket",), ("customer", "bought")))
    assert contract.key == ("basket",)
    rows = entity_rows(contract, visits.service, served=False, labellers=Labellers("bought", "first"))
    assert (rows.key, rows.uniques) == (("customer",), (("customer",),))
    rows = entity_rows(
        replace(contract, uniques=()), visits.service, served=True, labellers=Labellers("bought", "first")
    )
    assert rows.key == ()
    assert entity_rows(contract, visits.service, served=False, labellers=None) is contract


def test_the_policy_is_part_of_the_definition(shop):
    """Another one makes another training set; without labellers, the digest stays what it was."""
    unanimous = plain(shop, 'labellers=labelled_by("who", policy="unanimous")').catalog.training_set("visits")
    majority = plain(shop, 'labellers=labelled_by("who", policy="majority")').catalog.training_set("visits")
    assert fingerprint(unanimous).digest != fingerprint(majority).digest
    parts = {part.name: part.value for part in fingerprint(majority).parts}
    assert "majority" in parts["labellers"]
    assert "served" not in parts


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"policy": "vote"}, UnknownNameError, "vote"),
        ({"policy": "priority"}, DefinitionError, "expected the labellers"),
        ({"policy": "majority", "order": ("ann",)}, DefinitionError, "expected no order"),
        ({"policy": "priority", "order": ("ann", "ann")}, DefinitionError, "named twice"),
        ({"policy": "priority", "order": (1, 2)}, DefinitionError, "expected names of labellers"),
        ({"column": 3, "policy": "first"}, DefinitionError, "column is 3"),
    ],
)
def test_a_policy_that_cannot_be_read(arguments, error, message):
    """Each wrong argument is named."""
    arguments = {"column": "labeller", **arguments}
    with pytest.raises(error, match=message):
        labelled_by(arguments.pop("column"), **arguments)


@pytest.mark.parametrize(
    ("options", "schema", "error", "message"),
    [
        ('labellers="labeller"', {}, DefinitionError, r"expected labelled_by\(...\)"),
        ('labellers=labelled_by("labelled", policy="majority")', {}, UnknownNameError, "did you mean 'labeller'"),
        ('labellers=labelled_by("bought", policy="majority")', {}, DefinitionError, "which is the label"),
        ('labellers=labelled_by("request_id", policy="majority")', {}, DefinitionError, "which is the label, a key"),
        ('labellers=labelled_by("labeller", policy="latest")', {}, DefinitionError, "needs the time of each label"),
        (
            'labellers=labelled_by("labeller", policy="first"), matures=timedelta(days=1)',
            {},
            DefinitionError,
            "needs the time of each label",
        ),
        (
            BY.format("majority"),
            {"labeller": COLUMNS["labeller"].replace("Field(", "Field(nullable=True, ")},
            DefinitionError,
            "'labeller' is nullable",
        ),
        (
            BY.format("majority"),
            {"bought": COLUMNS["bought"].replace("Field(", "Field(nullable=True, ")},
            DefinitionError,
            "'bought' is nullable",
        ),
    ],
)  # fmt: skip
def test_labellers_that_do_not_fit_the_schema(shop, options, schema, error, message):
    """The training set is refused when it is declared."""
    with pytest.raises(error, match=message):
        label_shop(shop, columns=ALL, options=options, **schema)


def test_a_policy_is_written_short():
    """As people read it in manifests."""
    assert labelled_by("who", policy="first") == Labellers("who", "first")
