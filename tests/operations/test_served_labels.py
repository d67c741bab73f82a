"""Labels that arrive later find the answer that they are of; what has no partner is counted and named."""

import math

import polars as pl
import pytest
from labelled_shop import HOUR, NOW, label_shop
from logged import change_log, log_answers
from runner import run

import featurestore
from featurestore import training_set
from featurestore.errors import ContractError, DefinitionError, MissingDataError
from featurestore.operations.card.sections import label_sections
from featurestore.operations.training_set.served_labels import ServedCounts


@pytest.fixture
def served(shop):
    """Three requests: of customer 1, of customers 2 and 3 together, and of customer 3 an hour later."""
    shop.materialize(until=NOW - 4 * HOUR)
    root = shop.settings.root
    log_answers(root, 1, as_of=NOW - 3 * HOUR, request_id="r1")
    log_answers(root, 2, 3, as_of=NOW - 2 * HOUR, request_id="r2")
    log_answers(root, 3, as_of=NOW - HOUR, request_id="r3")
    return shop


def test_a_label_finds_its_answer_by_request_id(served):
    """The row has keys, request values and time of the answer, and features that are what was served."""
    project = label_shop(served, {"request_id": "r3", "bought": False}, {"request_id": "r1"})
    manifest = project.training_set("answered")
    rows = project.read("answered")
    assert rows.columns[:5] == ["customer", "basket", "event_timestamp", "request_id", "bought"]
    assert rows.select("customer", "basket", "event_timestamp", "request_id", "bought").rows() == [
        (1, 16.0, NOW - 3 * HOUR, "r1", True),
        (3, 16.0, NOW - HOUR, "r3", False),
    ]
    expected = project.historical(rows.select("customer", "basket", "event_timestamp"), "buying")
    assert rows.select(project.service("buying").feature_names).equals(
        expected.select(project.service("buying").feature_names)
    )
    assert manifest.served == ServedCounts(answers=4, unlabelled=2, different=0)
    assert list(manifest.inputs) == ["outcomes", "served:buying"]
    assert project.audit().mismatches == 0
    assert {"request_id", "bought"} <= {*project.quality.profile("answered").columns}


def test_a_label_finds_its_answer_by_key_and_time(served):
    """Both come back with the answer; a label a microsecond off is of no answer."""
    at = {"customer": 3, "event_timestamp": NOW - 2 * HOUR}
    project = label_shop(
        served,
        at,
        {"customer": 3, "event_timestamp": NOW - HOUR, "bought": False},
        {"customer": 1, "event_timestamp": NOW - 3 * HOUR + HOUR / 3_600_000_000},
        columns=("customer", "event_timestamp", "bought"),
    )
    counts = project.training_set("answered").served
    assert project.read("answered")["request_id"].to_list() == ["r2", "r3"]
    assert (counts.unserved, counts.unlabelled) == (1, 2)
    late = "customer=1 event_timestamp=2024-01-09 21:00:00.000001+00:00"
    assert counts.first_unserved == (late,)
    assert (counts.other_time, counts.first_other_time) == (1, f"{late}, answer at 2024-01-09T21:00:00Z")
    done = run("training-set", "answered", cwd=project.settings.root)
    assert (
        f"  1 label has no answer: {late}\n  1 of these has the keys of an answer at another time: {late}, answer at"
        in done.stdout
    )


def test_the_time_of_a_label_may_have_another_unit_or_zone(served):
    """It is the same time: the gate reads it as the schema declares it; a time without a zone is refused."""
    columns = ("customer", "event_timestamp", "bought")
    project = label_shop(served, {"customer": 3, "event_timestamp": NOW - 2 * HOUR}, columns=columns)
    definitions = project.settings.root / "feature_repo/outcomes.py"
    text = definitions.read_text()
    time = 'pl.col("event_timestamp")'
    for change in (
        '.dt.cast_time_unit("ms")',
        '.dt.convert_time_zone("Europe/Berlin")',
        '.dt.cast_time_unit("ns")',
    ):
        definitions.write_text(text.replace("'event_timestamp'", f"{time}{change}"))
        manifest = featurestore.open(project.settings.root).training_set("answered")
        assert (manifest.rows, manifest.served.unserved) == (1, 0)
    definitions.write_text(text.replace("'event_timestamp'", f"{time}.dt.replace_time_zone(None)"))
    with pytest.raises(ContractError, match="event_timestamp"):
        featurestore.open(project.settings.root).training_set("answered")


def test_what_several_labellers_labelled_is_named_once(served):
    """Two labels of no answer, by two people, name one answer."""
    orphans = [{"request_id": "r9", "labeller": name} for name in ("ann", "bob")]
    columns = ("request_id", "labeller", "bought")
    options = 'labellers=labelled_by("labeller", policy="majority")'
    project = label_shop(served, {"request_id": "r1"}, *orphans, columns=columns, options=options)
    counts = project.training_set("answered").served
    assert (counts.unserved, counts.unserved_answers, counts.first_unserved) == (2, 1, ("request_id=r9",))
    done = run("training-set", "answered", cwd=project.settings.root)
    assert "  2 labels have no answer: request_id=r9\n" in done.stdout


def test_one_request_of_several_rows_needs_a_key(served):
    """A label by request id alone is of two answers; with the key it is of one."""
    project = label_shop(served, {"request_id": "r2"})
    with pytest.raises(
        ContractError, match=r"1 label of several answers, first request_id=r2.*differ in customer"
    ):
        project.training_set("answered")
    project = label_shop(
        served, {"request_id": "r2", "customer": 3}, columns=("request_id", "customer", "bought")
    )
    assert project.training_set("answered").rows == 1


def test_several_labels_of_one_answer_are_refused(served):
    """Also two that say the same; a policy would decide."""
    project = label_shop(served, {"request_id": "r1"}, {"request_id": "r3"}, {"request_id": "r3"})
    with pytest.raises(ContractError, match=r"1 answer with several labels, first request_id=r3"):
        project.training_set("answered")
    assert not project.layout.training("answered").exists()


def test_no_label_is_of_an_answer(served):
    """The error shows what a label and an answer look like."""
    project = label_shop(served, {"request_id": "R1"})
    message = r"none of 1 label is of one of the 4 answers .* such as that of request_id=r1; the first label is of request_id=R1"
    with pytest.raises(ContractError, match=message):
        project.training_set("answered")


def test_nothing_was_served(shop):
    """The error names the command that logs answers."""
    project = label_shop(shop, {"request_id": "r1"})
    with pytest.raises(MissingDataError, match=r"nothing was logged yet") as error:
        project.training_set("answered")
    assert "--log-features" in error.value.hint


def test_a_repeated_request_counts_once(served):
    """A caller that tries again with its request id uses the newest answer."""
    log_answers(served.settings.root, 1, as_of=NOW - HOUR, request_id="r1")
    project = label_shop(served, {"request_id": "r1"})
    manifest = project.training_set("answered")
    assert (manifest.served.repeated, manifest.served.answers) == (1, 4)
    assert project.read("answered")["event_timestamp"].to_list() == [NOW - HOUR]


def test_a_label_that_is_not_known_yet_leaves_its_answer_without_one(served):
    """By the column of its time, before the gate; or by a time after the answer; as of a time, from the answers up to then."""
    columns = ("request_id", "bought", "labelled_at")
    labels = (
        {"request_id": "r1", "labelled_at": NOW - 2 * HOUR},
        {"request_id": "r3", "labelled_at": NOW + HOUR},
        {"request_id": "r0", "bought": None},
    )
    project = label_shop(served, *labels, columns=columns, options='matures="labelled_at"')
    manifest = project.training_set("answered")
    assert (manifest.rows, manifest.immature, manifest.served.unlabelled) == (1, 2, 3)
    assert manifest.served.unserved == 0
    early = project.training_set("answered", as_of=NOW - 1.5 * HOUR)
    assert (early.rows, early.served.answers) == (1, 3)
    project = label_shop(served, *labels[:2], options="matures=timedelta(hours=2)")
    manifest = project.training_set("answered")
    assert (manifest.rows, manifest.immature, manifest.served.unlabelled) == (1, 1, 3)
    with pytest.raises(ContractError, match="no label was known at 2024-01-09T22:30"):
        project.training_set("answered", as_of=NOW - 1.5 * HOUR)


def test_answers_of_another_definition_are_named(served):
    """They are used with the features of now; if they lack a request value, they are left out."""
    text = (served.settings.root / "feature_repo/shop.py").read_text()
    changed = text.replace('pl.col("basket") / pl.col("amount")', 'pl.col("basket") * 2 / pl.col("amount")')
    (served.settings.root / "feature_repo/shop.py").write_text(changed)
    project = label_shop(featurestore.open(served.settings.root), {"request_id": "r1"})
    counts = project.training_set("answered").served
    [before] = counts.others
    assert (before.release, before.answers, before.lacking) == ("working", 4, ())
    assert counts.different is None
    change_log(project, pl.col("customer").cast(pl.Int32))
    log_answers(project.settings.root, 1, as_of=NOW, request_id="r1")
    counts = project.training_set("answered").served
    assert (counts.answers, counts.others[0].lacking, counts.different) == (1, ("customer",), 0)


def test_a_value_that_is_not_what_was_served_is_counted(served):
    """A cell of the log that differs from the training set is a warning: `replay` says why."""
    change_log(served, (pl.col("ratio") + 1).alias("ratio"))
    project = label_shop(served, {"request_id": "r1"}, {"request_id": "r3"})
    assert project.training_set("answered").served.different == 1
    done = run("training-set", "answered", cwd=project.settings.root)
    assert "warning: 1 cell is not what was served; run: featurestore replay buying" in done.stdout


def test_negative_zero_is_the_bits_that_were_served(served):
    """It is compared with its sign, among several rows."""
    labels = [{"request_id": "r2", "customer": customer} for customer in (2, 3)]
    project = label_shop(served, *labels, columns=("request_id", "customer", "bought"))
    assert project.training_set("answered").served.different == 0
    amounts = dict(project.read("answered").select("customer", "amount").rows())
    assert math.copysign(1, amounts[2]) == -1
    change_log(project, pl.col("amount").abs())
    assert project.training_set("answered").served.different == 1


def test_the_command_and_the_card_show_what_has_no_partner(served):
    """Answers without a label, labels without an answer, and answers of another definition."""
    project = label_shop(served, {"request_id": "r1"}, {"request_id": "r9"})
    root = project.settings.root
    done = run("training-set", "answered", cwd=root)
    assert "  1 of 4 answers in the served log has a label; 3 have none\n" in done.stdout
    assert "  1 label has no answer: request_id=r9\n" in done.stdout
    [answers] = label_sections(project.training_manifest("answered"))
    assert dict(answers.rows)["labels without an answer"] == "1"


def test_more_answers_change_a_split_by_name(served):
    """A frozen split may change, because the log did; the cause is named."""
    root = served.settings.root
    labels = [
        {"customer": n % 20, "event_timestamp": NOW - HOUR / (1 + n // 20), "bought": n % 2 == 0}
        for n in range(40)
    ]
    columns = ("customer", "event_timestamp", "bought")
    project = label_shop(served, *labels, columns=columns, options="split=random_split(test=0.5, seed=3)")
    log_answers(root, *range(20), as_of=NOW - HOUR)
    project.training_set("answered")
    log_answers(root, *range(20), as_of=NOW - HOUR / 2)
    changes = []
    project.training_set("answered", on_split_change=changes.append)
    assert [change.causes for change in changes] == [("version of served:buying",)]


def test_the_label_is_not_a_column_of_an_answer(shop):
    """Labels would be matched by the value to predict."""
    service = shop.catalog.service("buying")
    visits = shop.catalog.training_set("visits")
    declare = training_set(service=service, label="basket", owner="shop", served=True)
    with pytest.raises(DefinitionError, match="the label 'basket' is a column of the answers"):
        declare(visits.function)


def test_its_card_and_its_leaks_are_like_those_of_other_sets(served):
    """A label that was known before its answer is a leak."""
    columns = ("request_id", "bought", "labelled_at")
    labels = [{"request_id": name, "labelled_at": NOW - 2.5 * HOUR} for name in ("r1", "r3")]
    project = label_shop(served, *labels, columns=columns, options='matures="labelled_at"')
    project.training_set("answered")
    [checked] = project.check_leaks(["answered"]).training_sets
    assert [(leak.kind, leak.column, leak.rows) for leak in checked.leaks] == [
        ("label_known_before", "bought", 1)
    ]
    with pytest.raises(DefinitionError, match="licence"):
        project.card("answered")


@pytest.mark.parametrize(
    ("columns", "schema", "message"),
    [
        (("customer", "bought"), {}, "does not say which answer a label is of"),
        (("event_timestamp", "bought"), {}, "does not say which answer a label is of"),
        (
            ("request_id", "bought"),
            {"request_id": 'request_id: pl.Int64 = pa.Field(description="request")'},
            "'request_id' is Int64 in schema Outcomes, but String",
        ),
        (
            ("request_id", "customer", "bought"),
            {"customer": 'customer: pl.String = pa.Field(description="who")'},
            "'customer' is String in schema Outcomes, but Int64",
        ),
    ],
)
def test_labels_that_cannot_find_an_answer_are_refused(shop, columns, schema, message):
    """When the training set is declared."""
    with pytest.raises(DefinitionError, match=message):
        label_shop(shop, columns=columns, **schema)
