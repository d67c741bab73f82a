"""A pushed row reaches serving and training at once, and the past does not change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from shop import build_shop, move_store

import featurestore
from featurestore.errors import ConfigError, ContractError, DefinitionError
from featurestore.quality.gate.ahead import MAX_EVENT_AHEAD, AheadError
from featurestore.storage.files import write_parquet
from featurestore.storage.made_by import metadata_of
from featurestore.storage.views import log_rows
from featurestore.timing.clock import MAX_SKEW

NOW = datetime(2024, 1, 10, tzinfo=UTC)  # the shop's clock
EVENT = datetime(2024, 1, 9, 22, tzinfo=UTC)
HEAD = "customer,event_timestamp,amount,coupon,ordered_at\n"
ROW = {
    "customer": [1],
    "event_timestamp": [EVENT],
    "amount": [99.5],
    "coupon": ["NEW"],
    "ordered_at": [EVENT],
}


def test_training_and_serving_see_it_from_now_on(shop):
    """An event of ten o'clock that is pushed at midnight is not known at eleven."""
    shop.materialize(until="2024-01-09T23:00:00Z")
    done = shop.push("last_order", pl.DataFrame(ROW))
    assert (done.rows_applied, done.full) == (1, False)
    assert shop.get_online([{"customer": 1}], ["last_order:amount"])["amount"].to_list() == [99.5]
    entity_rows = pl.DataFrame(
        {"customer": [1, 1], "event_timestamp": [datetime(2024, 1, 9, 23, tzinfo=UTC), NOW]}
    )
    assert shop.historical(entity_rows, ["last_order:amount"])["amount"].to_list() == [None, 99.5]
    assert shop.audit().mismatches == 0
    shop.materialize(full=True)
    assert shop.audit().mismatches == 0


def test_moments_may_be_text(shop):
    """Values may be text, as in CSV; `created_timestamp` is never before the push."""
    shop.materialize(until="2024-01-09T23:00:00Z")
    text = {"event_timestamp": ["2024-01-09T22:00:00Z"], "ordered_at": ["2024-01-09T22:00:00Z"]}
    for created in ("2024-01-09T22:30:00Z", None):
        rows = pl.DataFrame({**ROW, **text, "created_timestamp": [created]}, strict=False)
        shop.push("last_order", rows.cast({"created_timestamp": pl.String}))
    assert shop.dataset("last_order").filter(coupon="NEW").collect()["created_timestamp"].to_list() == [NOW]


def test_a_row_pushed_twice_is_one(shop):
    """A row that is pushed twice is logged once, because the log is named by content."""
    shop.materialize(until="2024-01-09T23:00:00Z")
    for _ in range(2):
        shop.push("last_order", pl.DataFrame(ROW))
    assert len(list(shop.layout.pushed("last_order").iterdir())) == 1
    assert shop.dataset("last_order").filter(coupon="NEW").collect().height == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"customer": [None]}, "customer.not_null"),
        ({"amount": ["dear"]}, r"amount.dtype\(Float32\)"),
        ({"created_timestamp": ["soon"]}, r"1 of 1 .*\n  1 x created_timestamp.dtype\(.*\), such as 'soon'"),
        ({"cupon": ["X"], "coupon": None}, "lacks 'coupon'"),
        ({"customer": None}, "lacks 'customer'"),
    ],
)
def test_a_bad_row_writes_nothing(shop, change, message):
    """A bad row is written neither to the online store nor to the log."""
    row = {name: value for name, value in {**ROW, **change}.items() if value is not None}
    with pytest.raises(ContractError, match=message):
        shop.push("last_order", pl.DataFrame(row))
    assert not shop.layout.pushed("last_order").exists()


def named(shop_files):
    """Build the shop with text in place of numbers as the key."""
    path = shop_files / "schemas/shop.py"
    before = 'customer: pl.Int64 = pa.Field(description="who ordered")'
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, before.replace("Int64", "String")))
    path = shop_files / "feature_repo/shop.py"
    path.write_text(
        path.read_text()
        .replace('"customer", "amount", "coupon"', 'pl.col("customer").cast(str), "amount", "coupon"')
        .partition("@training_set")[0]
    )
    project = featurestore.open(shop_files)
    project.validate("orders")
    project.build("last_order")
    return project


def test_a_key_too_long_for_a_store_does_not_pass_the_build(shop_files):
    """A build refuses a key that is too long for a store."""
    path = shop_files / "feature_repo/shop.py"
    shop = named(shop_files)
    path.write_text(path.read_text().replace(".cast(str)", '.cast(str) + pl.lit("L" * 520)'))
    again = featurestore.open(shop_files)
    with pytest.raises(ContractError, match=r"6 x key\.at_most_511_bytes"):
        again.build("last_order")
    assert shop.dataset("last_order").collect().height == 6


@pytest.mark.parametrize("kind", ["lmdb", "redis", "postgres"])
def test_a_key_too_long_for_a_store_is_refused_alike_by_all(shop_files, kind, request):
    """A key of more than 511 bytes writes nothing, and later rows are written."""
    if kind != "lmdb":
        move_store(shop_files, kind, request.getfixturevalue(f"{kind}_url"))
    shop = named(shop_files)
    shop.materialize(until="2024-01-09T23:00:00Z")
    # A text of 507 bytes has three more for its length, and the key one for being an array.
    for length in (508, 600, 6_000):
        with pytest.raises(ContractError, match=r"key\.at_most_511_bytes"):
            shop.push("last_order", pl.DataFrame({**ROW, "customer": ["L" * length]}))
        assert not shop.layout.pushed("last_order").exists()
        with pytest.raises(ContractError, match="an entity key takes"):
            shop.delete("last_order", pl.DataFrame({"customer": ["L" * length]}))
    longest = "L" * 507
    shop.push("last_order", pl.DataFrame({**ROW, "customer": [longest]}))
    entity_rows = [{"customer": longest}, {"customer": "L" * 6_000}]
    assert shop.get_online(entity_rows, ["last_order:amount"])["amount"].to_list() == [99.5, None]
    shop.materialize(full=True)
    assert shop.audit().mismatches == 0


def test_a_view_without_created_timestamp_is_not_pushed_to(shop_files):
    """A view without `created_timestamp` is refused: training would take a row as known since its event."""
    for name, before, after in (
        (
            "schemas/shop.py",
            '    created_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when known")\n',
            "",
        ),
        ("feature_repo/shop.py", ', created_timestamp="loaded_at"', ""),
    ):
        path = shop_files / name
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))
    with pytest.raises(DefinitionError, match="cannot be pushed to: its schema has no 'created_timestamp'"):
        featurestore.open(shop_files).push("last_order", pl.DataFrame(ROW))


def amounts(shop, customers=(1,)):
    """Return the amounts of customers as training and serving read them at the project's clock."""
    rows = pl.DataFrame({"customer": customers})
    now = shop.settings.now()
    joined = shop.historical(rows.with_columns(event_timestamp=now), ["last_order:amount"])
    served = shop.get_online(rows, ["last_order:amount"])
    return joined["amount"].to_list(), served["amount"].to_list()


@pytest.mark.parametrize("kind", ["lmdb", "redis", "postgres"])
def test_corrections_at_one_timestamp_are_applied_in_their_order(shop_files, kind, request):
    """Under a fixed clock each correction of an event wins over the last, in the log and in every store of it."""
    if kind != "lmdb":
        move_store(shop_files, kind, request.getfixturevalue(f"{kind}_url"))
    shop = build_shop(shop_files)
    shop.materialize()
    customers = list(range(40))
    times = pl.lit(EVENT, pl.Datetime("us", "UTC"))
    many = pl.DataFrame({"customer": customers}).with_columns(
        event_timestamp=times, ordered_at=times, coupon=pl.lit("NEW")
    )
    pushed = [1.5, 2.5, -0.0, 0.0, 1.5]
    for amount in pushed:
        shop.push("last_order", many.with_columns(amount=pl.lit(amount)))
        assert amounts(shop, customers) == ([amount] * 40,) * 2
    files = len(list(shop.layout.pushed("last_order").glob("*.parquet")))
    shop.push("last_order", many.with_columns(amount=pl.lit(1.5)))
    assert files == len(pushed)
    assert len(list(shop.layout.pushed("last_order").glob("*.parquet"))) == files
    # Another store of the same log, written from scratch, holds the same.
    shop.store().drop(["last_order"])
    shop.materialize()
    assert amounts(shop, customers) == ([1.5] * 40,) * 2
    shop.materialize(full=True)
    assert amounts(shop, customers) == ([1.5] * 40,) * 2
    assert shop.audit().mismatches == 0
    # What was known at the fixed timestamp does not change: the first push.
    first = shop.historical(pl.DataFrame({"customer": [7], "event_timestamp": [NOW]}), ["last_order:amount"])
    assert first["amount"].to_list() == [pushed[0]]


def test_corrections_through_a_release_and_the_project_have_one_order(shop):
    """A project and its release share the log: the last push wins in both, after either is brought up to date."""
    shop.training_set("visits")
    shop.materialize()
    release = featurestore.open(shop.layout.releases / shop.release().name)
    last = 0.0
    for project in (shop, release, shop, release):
        last += 1.0
        project.push("last_order", pl.DataFrame({**ROW, "amount": [last]}))
        assert amounts(project) == ([last], [last])
    shop.materialize()
    assert amounts(shop) == amounts(release) == ([last], [last])


def test_corrections_in_a_store_ahead_of_the_clock_are_applied(shop):
    """A store whose watermark is after the clock takes each correction of an event."""
    shop.materialize(until="2024-01-11T00:00:00Z")
    for amount in (1.0, 2.0, 3.0):
        shop.push("last_order", pl.DataFrame({**ROW, "amount": [amount]}))
        assert amounts(shop) == ([amount], [amount])
    shop.materialize()
    assert amounts(shop) == ([3.0], [3.0])


def test_a_row_that_was_created_a_little_later_is_created_now(shop):
    """Clocks may differ by `MAX_SKEW`: a row of a writer that is a little ahead is readable at once."""
    shop.materialize()
    for created, amount in ((NOW + MAX_SKEW, 5.0), (None, 6.0), (NOW + MAX_SKEW / 2, 7.0)):
        done = shop.push(
            "last_order", pl.DataFrame({**ROW, "amount": [amount], "created_timestamp": [created]})
        )
        assert (done.rows_applied, done.pending, amounts(shop)) == (1, 0, ([amount], [amount]))


@pytest.mark.parametrize(
    ("column", "limit"), [("created_timestamp", MAX_SKEW), ("event_timestamp", MAX_EVENT_AHEAD)]
)
@pytest.mark.parametrize("text", [False, True])
def test_a_row_too_far_ahead_of_the_clock_is_refused_and_stops_no_other(shop, column, limit, text):
    """The error says which column, how many rows and how far; a row at the limit is accepted, and others pass."""
    shop.materialize()
    timestamps = [NOW + limit, NOW + limit + timedelta(microseconds=1), datetime.max.replace(tzinfo=UTC)]
    rows = pl.DataFrame([{name: value for name, [value] in ROW.items()} | {column: at} for at in timestamps])
    if text:
        rows = rows.with_columns(pl.col(column).dt.to_string("iso:strict"))
    with pytest.raises(AheadError, match=rf"{column!r} of 2 rows is ahead of the clock") as caught:
        shop.push("last_order", rows)
    error = caught.value
    assert "; expected at most " + ("366 days" if column == "event_timestamp" else "1 minute") in str(error)
    assert (error.column, error.rows, error.timestamp, error.now, error.limit) == (
        column,
        2,
        timestamps[2],
        NOW,
        limit,
    )
    assert shop.push("last_order", rows[:1]).rows == 1
    shop.push("last_order", pl.DataFrame({**ROW, "amount": [5.0]}))
    assert amounts(shop) == ([5.0], [5.0])


def test_rows_of_the_last_year_that_a_former_version_logged_stop_no_push(shop):
    """An event at the end of the year 9999 waits for ever, and nothing else does."""
    view = shop.catalog.view("last_order")
    last = datetime.max.replace(tzinfo=UTC)
    row = pl.DataFrame({**ROW, "event_timestamp": [last], "created_timestamp": [NOW]})
    schema = {**view.contract.schema}
    log_rows(view, row.cast(schema).select(*schema), shop.layout)
    shop.materialize()
    for amount in (5.0, 6.0):
        shop.push("last_order", pl.DataFrame({**ROW, "amount": [amount]}))
        assert amounts(shop) == ([amount], [amount])
    assert shop.audit().mismatches == 0


def test_a_push_never_ties_with_a_built_row(shop):
    """A correction of a built row that has the push's timestamp already is created after it."""
    orders = pl.read_parquet(shop.layout.dataset("orders")).filter(customer=1).head(1)
    built = orders.with_columns(ordered_at=EVENT, loaded_at=NOW, amount=pl.lit(7.0), coupon=pl.lit("OLD"))
    write_parquet(built, shop.layout.dataset("orders"), metadata=metadata_of(shop.catalog.node("orders")))
    shop.build("last_order")
    shop.materialize()
    assert amounts(shop) == ([7.0], [7.0])
    shop.push("last_order", pl.DataFrame(ROW))
    assert amounts(shop) == ([99.5], [99.5])


def test_the_clock_of_another_fixed_timestamp_counts_for_nothing(shop):
    """Pushes advance the clock of the fixed timestamp under which they were made."""
    shop.materialize()
    for amount in (1.0, 2.0):
        shop.push("last_order", pl.DataFrame({**ROW, "amount": [amount]}))
    assert shop.settings.now() == NOW + timedelta(microseconds=1)
    earlier = replace(shop.settings, as_of=NOW - timedelta(days=1))
    assert earlier.now() == NOW - timedelta(days=1)
    shop.settings.fixed_clock.write_text("{")
    with pytest.raises(ConfigError, match=r"clock\.json: cannot be read"):
        shop.settings.now()


def test_a_line_of_json_that_names_a_key_twice_is_not_pushed(shared_shop, tmp_path):
    """One of the values would be lost; the message names the line, and nothing is written."""
    path = tmp_path / "rows.jsonl"
    row = '"customer":1,"event_timestamp":"2024-01-09T22:00:00Z","amount":1,"coupon":null'
    line = f'{{{row},"ordered_at":"2024-01-09T22:00:00Z"}}'
    path.write_text(f'{line}\n{line[:-1]},"amount":2}}\n')
    with pytest.raises(
        ContractError, match=r"rows\.jsonl: line 2: an object has the key 'amount' more than once"
    ):
        shared_shop.push("last_order", path)
    assert not shared_shop.layout.pushed("last_order").exists()


@pytest.mark.parametrize(
    "text", ["2024-01-09 22:00:00+00:00", "2024-01-09 23:00:00+01:00", "2024-01-09T22:00:00Z"]
)
def test_a_csv_of_pandas_is_pushed(shop, tmp_path, text):
    """A space in place of T, with an offset, is as clear."""
    shop.materialize(until="2024-01-09T23:00:00Z")
    (tmp_path / "rows.csv").write_text(f"{HEAD}1,{text},99.5,NEW,{text}\n")
    assert shop.push("last_order", tmp_path / "rows.csv").rows_applied == 1
    rows = shop.dataset("last_order").filter(coupon="NEW").collect()
    assert rows.select("event_timestamp", "ordered_at").rows() == [(EVENT, EVENT)]


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("2024-01-09 22:00:00", "2024-01-09T22:00:00Z"),
        ("2024-01-09T22:00:00.5", "2024-01-09T22:00:00.5Z"),
        ("2024-01-09 22:00", "2024-01-09T22:00:00Z"),
        ("2024-01-09", "2024-01-09T00:00:00Z"),
    ],
)
def test_a_csv_without_time_zones_is_refused(shop, tmp_path, text, example):
    """It says which value, and how to write it."""
    (tmp_path / "rows.csv").write_text(f"{HEAD}1,{EVENT:%FT%TZ},1,A,\n1,{text},99.5,NEW,{EVENT:%FT%TZ}\n")
    with pytest.raises(ContractError, match="row 2: 'event_timestamp' has no time zone") as refused:
        shop.push("last_order", tmp_path / "rows.csv")
    assert f"write {example} for UTC" in refused.value.hint
