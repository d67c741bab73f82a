"""A kept training set, asked again: each cell is joined again, and a difference names its cause."""

from datetime import UTC, datetime
from math import copysign

import msgspec
import polars as pl
import pytest

import featurestore
from featurestore.errors import SkewError
from featurestore.operations.audit.causes import Cause
from featurestore.storage.files import write_parquet, write_record
from featurestore.storage.fingerprint import content_fingerprint, fingerprint

ORDERS = "data/raw/orders.csv"
FIRST = "1,1,2024-01-01T00:00:00Z,,10.5,\n"


@pytest.fixture
def trained(shop):
    """The shop, with a training set and a store."""
    shop.training_set("visits")
    shop.materialize()
    return shop


def rebuild(shop, before, after):
    """Change a raw row, and build and materialize again, but not the training set."""
    path = shop.settings.root / ORDERS
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    shop.validate("orders")
    shop.build("last_order")
    shop.materialize()


def rewrite(shop, *changes, is_noticed):
    """Change the kept rows; unless it is noticed, the manifest says that they were made so."""
    path = shop.layout.training("visits")
    rows = pl.read_parquet(path).with_columns(changes)
    write_parquet(rows, path)
    if not is_noticed:
        manifest = shop.training_manifest("visits")
        changed = msgspec.structs.replace(manifest, digest=fingerprint(rows))
        write_record(changed, shop.layout.training_manifest("visits"))


def kept(shop):
    """Audit, and return what differs in the training set: the feature, both values and the cause."""
    record = shop.audit()
    [compared] = record.training_sets
    different = [d for d in record.differences if d.path == "training set"]
    assert compared.mismatches == len(different) == record.mismatches
    return [(d.feature, d.offline, d.online, d.cause) for d in different]


def test_every_cell_is_joined_again(trained):
    """Each feature of each row is compared; a training set that was just built is equal."""
    record = trained.audit()
    [compared] = record.training_sets
    assert (compared.name, compared.rows, compared.cells, compared.mismatches) == ("visits", 5, 20, 0)
    assert compared.path == "training set"
    record.require_parity()


def test_an_edited_cell_is_found(trained):
    """The digest of the manifest and the join disagree with the file."""
    rewrite(trained, pl.col("amount") + 1, is_noticed=True)
    differences = kept(trained)
    assert differences[0][0] == "content"
    assert ("amount", "10.5 (PRESENT)", "11.5 (PRESENT)", Cause.EDITED) in differences
    assert {cause for *_, cause in differences} == {Cause.EDITED}


def test_an_edited_label_is_found(trained):
    """The join says nothing about labels, and the digest does."""
    rewrite(trained, ~pl.col("bought"), is_noticed=True)
    assert [(feature, cause) for feature, *_, cause in kept(trained)] == [("content", Cause.EDITED)]


@pytest.mark.parametrize(
    ("change", "online"),
    [
        (pl.when(pl.col("amount") == 0).then(pl.lit(0.0, pl.Float32)).otherwise("amount"), "0.0 (PRESENT)"),
        (pl.when(pl.col("amount") != 0).then("amount"), "None (NULL_VALUE)"),
    ],
)
def test_cells_are_compared_by_their_bits(shop, change, online):
    """0.0 is not -0.0, and null is neither."""
    path = shop.settings.root / ORDERS
    path.write_text(path.read_text() + "8,2,2024-01-09T23:00:00Z,,3,\n")
    shop.validate("orders")
    shop.build("last_order")
    shop.training_set("visits")
    shop.materialize()
    amounts = pl.read_parquet(shop.layout.training("visits"))["amount"].drop_nulls()
    [zero] = amounts.filter(amounts == 0)
    assert copysign(1, zero) == -1
    rewrite(shop, change.alias("amount"), is_noticed=False)
    assert [(offline, kept_value) for _, offline, kept_value, _ in kept(shop)] == [("-0.0 (PRESENT)", online)]


def test_rewritten_data_are_named(trained):
    """A raw value that was corrected gives the features another value than the model was trained on."""
    rebuild(trained, FIRST, FIRST.replace("10.5", "11.5"))
    different = kept(trained)
    assert ("amount", "11.5 (PRESENT)", "10.5 (PRESENT)", Cause.OTHER_DATA) in different
    assert {cause for *_, cause in different} == {Cause.OTHER_DATA}


def test_a_late_row_is_named(trained):
    """A row that says that it was known before the training rows, and came after they were joined."""
    rebuild(trained, FIRST, FIRST + "9,1,2024-01-02T12:00:00Z,,5.5,\n")
    different = kept(trained)
    assert ("amount", "5.5 (PRESENT)", "10.5 (PRESENT)", Cause.LATE_DATA) in different


def test_data_that_became_known_later_are_no_difference(trained):
    """New rows of later events, and late rows with the time at which they came, leave the past as it was."""
    rebuild(
        trained,
        FIRST,
        FIRST + "8,1,2024-01-09T13:00:00Z,,5.5,\n9,1,2024-01-02T12:00:00Z,2024-01-09T14:00:00Z,6.5,\n",
    )
    record = trained.audit()
    assert record.training_sets[0].mismatches == 0


def test_a_push_is_named(shop):
    """A training row of a later time knows a row that was pushed before it."""
    path = shop.settings.root / ORDERS
    path.write_text(path.read_text() + "8,3,2024-01-10T05:00:00Z,,7,\n")
    shop.validate("orders")
    shop.build("last_order")
    shop.training_set("visits")
    shop.materialize()
    event = datetime(2024, 1, 9, 22, tzinfo=UTC)
    row = {
        "customer": [3],
        "event_timestamp": [event],
        "amount": [9.5],
        "coupon": [None],
        "ordered_at": [event],
    }
    shop.push("last_order", pl.DataFrame(row, schema_overrides={"coupon": pl.String}))
    assert ("amount", "9.5 (PRESENT)", "8.0 (PRESENT)", Cause.PUSHED_LATER) in kept(shop)


def test_other_code_is_named(trained):
    """The error names what changed, and the training set."""
    path = trained.settings.root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace('pl.col("basket") / pl.col("amount")', 'pl.col("basket") * 2'))
    import featurestore  # noqa: PLC0415 - opened again, with the changed code

    with pytest.raises(SkewError, match="training set visits was made with another definition") as caught:
        featurestore.open(trained.settings.root).audit()
    assert caught.value.definition == "visits"
    assert caught.value.commands == ("featurestore training-set visits",)


def test_counts_of_statuses_are_compared(trained):
    """A null that was never known and a null that was known are two things."""
    manifest = trained.training_manifest("visits")
    statuses = {**manifest.statuses, "coupon": {"NULL_VALUE": 5}}
    write_record(
        msgspec.structs.replace(manifest, statuses=statuses), trained.layout.training_manifest("visits")
    )
    assert [(feature, kept_counts) for feature, _, kept_counts, _ in kept(trained)] == [
        ("coupon (statuses)", "{'NULL_VALUE': 5}")
    ]


def test_a_column_of_another_dtype_is_found(trained):
    """A file that was written again by another tool is named, and not joined."""
    rewrite(trained, pl.col("amount").cast(pl.Float64), is_noticed=True)
    assert [(feature, offline, online) for feature, offline, online, _ in kept(trained)][1:] == [
        ("amount", "Float32", "Float64")
    ]


def test_the_error_names_the_command(trained):
    """What to run is a field, and in the hint."""
    rewrite(trained, pl.col("amount") + 1, is_noticed=True)
    with pytest.raises(SkewError, match=r"training set 11\.5 \(PRESENT\); cause: file edited") as caught:
        trained.audit().require_parity()
    assert caught.value.commands == ("featurestore training-set visits",)


def test_the_digest_of_a_file_is_that_of_its_rows(trained):
    """It is computed column by column."""
    path = trained.layout.training("visits")
    assert content_fingerprint(path) == fingerprint(pl.read_parquet(path))


def test_another_function_of_the_training_set_is_named(trained):
    """Labels and timestamps are trained on too: audit and release refuse rows that the function would not give now."""
    path = trained.settings.root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace("timedelta(hours=1)", "timedelta(hours=2)"))
    changed = featurestore.open(trained.settings.root)
    for verb in (changed.audit, changed.release, changed.plan_release):
        with pytest.raises(SkewError, match="body of visits changed") as caught:
            verb()
        assert caught.value.commands == ("featurestore training-set visits",)
    changed.training_set("visits")
    assert changed.audit().mismatches == 0


@pytest.fixture
def private(shop_files):
    """A trained shop whose customers and amounts are personal."""
    schemas = shop_files / "schemas/shop.py"
    before, view, after = schemas.read_text().partition("class LastOrder")
    own, basket, rest = after.partition("class Basket")
    own = own.replace('description="who ordered"', 'description="who", metadata={"personal": True}')
    own = own.replace('{"unit": "EUR"}', '{"unit": "EUR", "personal": True}')
    schemas.write_text(before + view + own + basket + rest)
    project = featurestore.open(shop_files)
    project.validate("orders")
    project.build("last_order")
    project.apply()
    project.training_set("visits")
    project.materialize()
    return project


def test_personal_values_are_not_shown(private):
    """A difference names its row and its feature; a key or a value that is personal is not in it."""
    rewrite(private, pl.col("amount") + 1, is_noticed=True)
    cells = [difference for difference in private.audit().differences if difference.feature == "amount"]
    assert {(cell.offline, cell.online) for cell in cells} <= {
        (f"(personal) ({status})", f"(personal) ({status})") for status in ("PRESENT", "NULL_VALUE")
    }
    assert cells[0].key.startswith("customer=(personal) event_timestamp=2024-01-")
    assert "11.5" not in str(cells[0])
