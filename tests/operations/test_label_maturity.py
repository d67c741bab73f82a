"""A row whose label is not known when a training set is built is left out and counted, never called negative."""

from datetime import UTC, datetime, timedelta

import pytest
from runner import run

import featurestore
from featurestore import training_set
from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import ConfigError, ContractError, DefinitionError

TIME = datetime(2024, 1, 9, tzinfo=UTC)
DECORATOR = '@training_set(service=buying, label="bought", owner="shop")'


def edited(shop, *changes: tuple[str, str, str]) -> featurestore.Project:
    """Replace texts in the shop's files, and open it again."""
    for name, old, new in changes:
        path = shop.settings.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
    return featurestore.open(shop.settings.root)


def maturing(shop, matures: str) -> featurestore.Project:
    """Let the labels of the visits mature."""
    return edited(
        shop, ("feature_repo/shop.py", DECORATOR, DECORATOR.replace(", owner", f", matures={matures}, owner"))
    )


def with_column(shop, metadata: str = "", matures: str = "") -> featurestore.Project:
    """Give the visits a column with the time at which the label is known: when the order was loaded."""
    known = 'known_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when")'
    return edited(
        shop,
        ("schemas/shop.py", 'pa.Field(description="label")', f'pa.Field(description="label"{metadata})\n    {known}'),
        ("feature_repo/shop.py", "bought=pl.lit(True),", "bought=pl.lit(True), known_at=pl.col('loaded_at'),"),
        ("feature_repo/shop.py", DECORATOR, DECORATOR.replace(", owner", f"{matures}, owner")),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("matures", "as_of", "rows"),
    [
        ("timedelta(0)", None, 5),
        ("timedelta(days=1)", None, 4),
        ("timedelta(days=2, hours=1)", None, 4),
        ("timedelta(days=2, hours=1, microseconds=1)", None, 2),
        ("timedelta(days=2)", "2024-01-04T23:00:00Z", 2),
        ("timedelta(days=2)", "2024-01-04T22:59:59.999999Z", 1),
        ('"always"', None, 5),
        ('("event_timestamp", timedelta(days=2, hours=1))', None, 4),
    ],
)
def test_a_label_is_known_from_its_time_on(shop, matures, as_of, rows):
    """Rows whose label is known at the time stay, exactly; the manifest counts the others and names the time."""
    project = maturing(shop, matures)
    manifest = project.training_set("visits", as_of=as_of)
    kept = project.read("visits")
    assert (manifest.rows, manifest.immature, kept.height) == (rows, 5 - rows, rows)
    assert manifest.as_of == (project.settings.now() if as_of is None else datetime.fromisoformat(as_of))
    assert sum(manifest.labels.values()) == rows


@pytest.mark.parametrize(
    "how",
    [
        {"metadata": ', metadata={"known": "known_at"}'},
        {"matures": ', matures="known_at"'},
        {"metadata": ', metadata={"known": ("known_at",)}', "matures": ', matures="known_at"'},
    ],
)
def test_a_column_says_when_a_label_is_known(shop, how):
    """A row without such a time, or with a later one, is left out; the schema and `matures` say the same."""
    project = with_column(shop, **how)
    manifest = project.training_set("visits")
    assert project.read("visits")["customer"].to_list() == [1, 3, 2]
    assert (manifest.rows, manifest.immature) == (3, 2)
    assert project.training_set("visits", as_of="2024-01-09T12:59:59Z").rows == 2
    assert project.training_manifest("visits").immature == 3


def test_the_gate_does_not_see_labels_that_are_not_known(shop):
    """A label that is missing because it is not known breaks no rule; one that is known and missing does."""
    project = edited(
        maturing(shop, "timedelta(days=1)"),
        ("feature_repo/shop.py", "bought=pl.lit(True)", "bought=pl.when(pl.col('customer') != 2).then(True)"),
    )
    assert project.training_set("visits").labels == {"True": 4}
    project = edited(project, ("feature_repo/shop.py", "!= 2).then", "!= 3).then"))
    with pytest.raises(ContractError, match="bought"):
        project.training_set("visits")


def test_no_label_is_known(shop):
    """A set whose labels are all unknown is refused, and the one on disk stays."""
    digest = shop.training_set("visits").digest
    project = maturing(shop, "timedelta(days=30)")
    with pytest.raises(ContractError, match=r"no label was known at 2024-01-10T00:00:00.*; all 5 rows"):
        project.training_set("visits")
    assert project.training_manifest("visits").digest == digest


def test_what_could_have_been_built(shop):
    """Without maturity, ``as_of`` leaves out the rows of later times; without it, all rows stay and nothing is counted."""
    assert shop.training_set("visits").rows == 5
    assert '"immature"' not in shop.layout.training_manifest("visits").read_text()
    then = shop.training_set("visits", as_of=TIME)
    assert (then.rows, then.immature, then.as_of) == (4, 1, TIME)
    unfixed = edited(shop, ("feature_repo/feature_store.yaml", '  as_of: "2024-01-10T00:00:00Z"\n', ""))
    with pytest.raises(ConfigError, match=r"is in the future.*no label of the future is known"):
        unfixed.training_set("visits", as_of=datetime.now(UTC) + timedelta(days=1))


def test_the_command_counts_rows_that_are_left_out(shop):
    """The command and the summary say how many rows were left out, and at which time."""
    maturing(shop, "timedelta(days=1)")
    root = shop.settings.root
    done = run("training-set", "visits", cwd=root)
    assert (
        "visits: 4 rows x 8 columns\n  1 row left out: bought was not known at 2024-01-10T00:00:00+00:00\n"
        in done.stdout
    )
    done = run("training-set", "visits", "--as-of", "2024-01-04T00:00:00Z", cwd=root)
    assert "visits: 2 rows x 8 columns\n  3 rows left out" in done.stdout
    assert run("training-set", "visits", "--as-of", "soon", cwd=root).returncode == 2


def test_maturity_is_part_of_the_definition(shop):
    """A kept training set whose labels matured otherwise is the set of another definition."""
    before = fingerprint(shop.catalog.training_set("visits")).digest
    after = fingerprint(maturing(shop, "timedelta(days=1)").catalog.training_set("visits"))
    assert after.digest != before
    assert any(part.name == "matures" for part in after.parts)


def test_the_schema_and_matures_share_their_forms(shop):
    """Several columns with a delay say when a label is known: the first that is not missing counts, and then the delay."""
    known = '("known_at", "event_timestamp", timedelta(hours=11))'
    project = with_column(shop, matures=f", matures={known}")
    assert project.training_set("visits").rows == 5
    assert project.training_set("visits", as_of="2024-01-09T23:59:59Z").rows == 4
    visits = project.catalog.training_set("visits")
    assert str(visits.matures) == "known_at or else event_timestamp + 11 hours"


@pytest.mark.parametrize(
    ("matures", "message"),
    [
        (timedelta(-1), "known 1 day.* before 'event_timestamp'; expected a time after"),
        (("event_timestamp", timedelta(-1)), "known 1 day.* before 'event_timestamp'; expected a time after"),
        ("nowhere", "matures names 'nowhere', which is not a column of the schema Visits"),
        ("basket", "matures names 'basket', which is Float64"),
        (3, "matures is 3; expected a column"),
    ],
)
def test_a_maturity_that_says_nothing(shared_shop, matures, message):
    """A time before the row, and anything but a time or a column of timestamps, is refused at definition."""
    visits = shared_shop.catalog.training_set("visits")
    declare = training_set(service=visits.service, label="bought", owner="shop", matures=matures)
    with pytest.raises(DefinitionError, match=message):
        declare(visits.function)


def test_two_maturities_of_one_label(shop):
    """`matures` and the metadata of the label must not differ."""
    project = with_column(shop, metadata=', metadata={"known": "known_at"}', matures=", matures=timedelta(1)")
    with pytest.raises(
        DefinitionError, match=r"matures is .*, but the schema Visits says that 'bought' is known"
    ):
        project.training_set("visits")


def test_a_label_that_is_a_quantity_has_no_classes(shop):
    """Its values are not counted one by one, and the command says so."""
    decorator = DECORATOR.replace('label="bought"', 'label="basket"')
    project = edited(shop, ("feature_repo/shop.py", DECORATOR, decorator))
    assert project.training_set("visits").labels == {}
    assert "basket: a quantity" in project.training_manifest("visits")._repr_html_()
