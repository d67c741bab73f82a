"""A join to a file gives the rows of a join in memory, a batch at a time, or leaves the old file."""

import shutil
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from polars.testing import assert_frame_equal
from runner import run

from featurestore.errors import ContractError, StoreError
from featurestore.operations.join import join
from featurestore.workspace import Workspace

START = datetime(2023, 12, 31, tzinfo=UTC)
SCHEMA = {
    "id": pl.String(),
    "customer": pl.Int64(),
    "basket": pl.Float64(),
    "event_timestamp": pl.Datetime("us", "UTC"),
}
TEXTS = [None, "", "01", 'a"b,c', "d\ne"]
ROWS = pl.DataFrame(
    [
        (TEXTS[i % 5], [1, 3, 9, None, 2][i % 5], i + 0.5, START + timedelta(hours=17 * i, microseconds=i))
        for i in range(14)
    ],
    schema=SCHEMA,
    orient="row",
)
TIMES = "%Y-%m-%dT%H:%M:%S%.6fZ"
one_row = st.tuples(
    st.sampled_from(TEXTS),
    st.sampled_from([None, 0, 1, 2, 3, 9]),
    st.floats(0, 12),
    st.timedeltas(timedelta(0), timedelta(days=12)).map(START.__add__),
)


@pytest.fixture(scope="module")
def space(shared_shop, tmp_path_factory) -> Workspace:
    """The shop, and a folder of its own beside it."""
    return shared_shop._workspace


def test_a_join_to_a_file_is_the_join_in_memory(shared_shop, space, tmp_path_factory):
    """For all entity rows, in each form, and all sizes of batches: the same rows, values and order."""
    folder = tmp_path_factory.mktemp("join")
    out = folder / "out.parquet"

    @examples(12)
    @given(st.lists(one_row, max_size=9), st.integers(1, 10), st.sampled_from(["frame", *FORMS]))
    def holds(rows, size, form):
        frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        if form == "rows.jsonl" and frame["id"].null_count() == frame.height:
            form = "frame"  # a column of JSON lines without a value has no dtype
        expected = shared_shop.historical(frame, "buying", statuses=True, times=True)
        source = frame if form == "frame" else FORMS[form](frame, folder / form)
        record = join(space, source, "buying", out, statuses=True, times=True, batch_rows=size)
        assert_frame_equal(pl.read_parquet(out), expected)
        assert record.rows == frame.height
        assert record.columns == tuple(expected.columns)

    holds()


def _parquet(frame, path):
    frame.write_parquet(path, row_group_size=3)
    return path


def _csv(frame, path):
    frame.write_csv(path, datetime_format=TIMES)
    return str(path)


def _json_lines(frame, path):
    frame.write_ndjson(path)
    return str(path)


FORMS = {
    "rows.parquet": _parquet,
    "rows.csv": _csv,
    "rows.jsonl": _json_lines,
    "lazy": lambda frame, _: frame.lazy(),
    "pandas": lambda frame, _: frame.to_arrow(),
}


def test_the_size_of_the_batches_changes_no_byte(space, tmp_path):
    """Each format has the same bytes, however the rows were cut."""
    for name in ("out.parquet", "out.csv", "out.jsonl"):
        contents = set()
        for size in (1, 4, 100):
            join(space, ROWS, "buying", tmp_path / name, batch_rows=size)
            contents.add((tmp_path / name).read_bytes())
        assert len(contents) == 1


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_text_holds_every_value(shared_shop, tmp_path, name):
    """A join to CSV or JSON lines has the rows of the join in memory, read back in their dtypes."""
    expected = shared_shop.historical(ROWS, "buying")
    shared_shop.historical(ROWS, "buying", sink=tmp_path / name)
    read = pl.read_csv if name == "out.csv" else pl.read_ndjson
    back = read(tmp_path / name, schema_overrides={"id": pl.String, "coupon": pl.String})
    times = pl.col("event_timestamp", "ordered_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.6fZ", time_zone="UTC")
    assert_frame_equal(back.with_columns(times).cast(dict(expected.schema)), expected)


def test_sql_larger_than_a_batch(shared_shop, space, tmp_path):
    """The result of a query is joined a batch at a time, in its order; an error in a late row names the query."""
    sql = "SELECT i % 4 AS customer, '2024-01-08'::TIMESTAMPTZ + to_hours(i) AS event_timestamp FROM range(5000) t(i)"
    out = tmp_path / "out.parquet"
    record = join(space, sql, "last_order", out, batch_rows=700)
    assert record.rows == 5000
    assert_frame_equal(pl.read_parquet(out), shared_shop.historical(sql, "last_order"))
    late = sql.replace("i % 4", "CASE WHEN i > 4000 THEN error('late') ELSE i END")
    before = out.read_bytes()
    with pytest.raises(ContractError, match=r"the query fails: .*late"):
        join(space, late, "last_order", out, batch_rows=700)
    assert out.read_bytes() == before


def test_one_timestamp_for_all_rows_is_what_serving_answers(shop, tmp_path):
    """``as_of="now"`` gives stored keys the values of the online store at that time."""
    shop.materialize()
    keys = pl.DataFrame({"customer": [3, 1, 2, 9, None], "basket": 5.0})
    served = shop.get_online(keys, "buying", statuses=True)
    for as_of in ("now", "2024-01-10T00:00:00Z"):
        shop.historical(keys, "buying", as_of=as_of, statuses=True, sink=tmp_path / "out.parquet")
        scored = pl.read_parquet(tmp_path / "out.parquet")
        assert_frame_equal(scored.drop("event_timestamp"), served)
        assert_frame_equal(scored, shop.historical(keys, "buying", as_of=as_of, statuses=True))
    with pytest.raises(ContractError, match="`as_of` is given, but the entity rows have a column 'event_tim"):
        shop.historical(ROWS, "buying", as_of="now")
    with pytest.raises(ContractError, match="`as_of` is given without entity rows"):
        shop.historical(None, "last_order", as_of="now")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"basket": -1.0}, "basket.*; rows are counted from entity row 12 on"),
        ({"event_timestamp": None}, "'event_timestamp' is missing in 1 row, .* from entity row 12 on"),
    ],
)
def test_a_failed_join_leaves_the_old_file(space, tmp_path, broken, message):
    """An error in a late batch names the row, and the file keeps its content; nothing else is left in the folder."""
    late = pl.DataFrame([{**ROWS.row(0, named=True), **broken}], schema=SCHEMA)
    out = tmp_path / "out.parquet"
    out.write_text("old")
    with pytest.raises(ContractError, match=message):
        join(space, pl.concat([ROWS[:13], late]), "buying", out, batch_rows=4)
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_a_view_that_is_built_again_during_a_join_stops_it(shop, tmp_path):
    """One half of the rows is never joined to other rows of a view than the other half."""
    out = tmp_path / "out.parquet"

    def build_again(*_):
        path = shop.layout.features("last_order")
        shutil.copy(path, tmp_path / "copy")
        (tmp_path / "copy").replace(path)

    with pytest.raises(StoreError, match="view 'last_order' were replaced during the join") as raised:
        join(shop._workspace, ROWS, "buying", out, batch_rows=4, progress=build_again)
    assert raised.value.retry
    assert not out.exists()


def test_progress_counts_rows(space, tmp_path):
    """Progress has the rows done and all rows, for each form."""
    for form, make in FORMS.items():
        steps = []
        source = make(ROWS, tmp_path / form)
        join(space, source, "buying", tmp_path / "out.csv", batch_rows=5, progress=_to(steps))
        assert steps == [("buying", 5, 14), ("buying", 10, 14), ("buying", 14, 14)]


def _to(steps):
    return lambda *step: steps.append(step)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("customer,basket,event_timestamp\n1,2,2024-01-01T00:00:00Z\n1.5,2,2024-01-01T00:00:00Z\n", "r.csv", "row 2: 'customer' cannot be read as Int64"),
        ("customer,basket,event_timestamp\n1,2,2024-01-01T00:00:00\n", "r.csv", "row 1: 'event_timestamp' cannot be read"),
        ("customer,basket,event_timestamp\n1,2\n1,2,2024-01-01T00:00:00Z\n", "r.csv", "fewer fields"),
        ('{"customer": "1", "basket": 2, "event_timestamp": "2024-01-01T00:00:00Z"}\n', "r.jsonl", "row 1: 'customer' cannot be read"),
        ('{"customer": 1, "customer": 2, "basket": 2}\n', "r.jsonl", "customer"),
        ("", "r.txt", "the format '.txt' is unknown"),
        ("", "r.parquet", "r.parquet: the file is empty"),
    ],
)  # fmt: skip
def test_files_that_hold_no_entity_rows(shared_shop, tmp_path, content, name, message):
    """A value, a row or a file that cannot be read is refused with its place, in memory and to a file."""
    (tmp_path / name).write_text(content)
    for sink in (None, tmp_path / "out.csv"):
        with pytest.raises(ContractError, match=message):
            shared_shop.historical(str(tmp_path / name), "buying", sink=sink)


def test_results_that_cannot_be_written(shared_shop, tmp_path):
    """An unknown format, a column that the format cannot hold, and the file of the entity rows itself are refused."""
    rows = ROWS.with_columns(tags=pl.lit([1, 2]), raw=pl.lit(b"x"))
    rows.write_parquet(tmp_path / "rows.parquet")
    for name, message in (
        ("out.txt", "the format '.txt' is unknown"),
        ("out.csv", "'tags' is List"),
        ("out.jsonl", "'raw' is Binary"),
        ("rows.parquet", "the result would replace the entity rows"),
    ):
        with pytest.raises(ContractError, match=message):
            shared_shop.historical(tmp_path / "rows.parquet", "buying", sink=tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_the_command(shared_shop, tmp_path):
    """The command joins a file or a query, and says how many values have each status."""
    ROWS.write_csv(tmp_path / "rows.csv", datetime_format=TIMES)
    root = shared_shop.settings.root
    done = run("join", str(tmp_path / "rows.csv"), "--service", "buying", "--out", str(tmp_path / "out.parquet"), cwd=root)  # fmt: skip
    assert done.stdout == (
        f"{tmp_path}/out.parquet: 14 rows x 8 columns\n  values: NOT_FOUND 36, NULL_VALUE 16, PRESENT 4\n"
    )
    assert_frame_equal(pl.read_parquet(tmp_path / "out.parquet"), shared_shop.historical(ROWS, "buying"))
    sql = "SELECT DISTINCT customer FROM last_order"
    done = run("join", sql, "--service", "last_order", "--as-of", "now", "--out", str(tmp_path / "o.csv"), "--statuses", cwd=root)  # fmt: skip
    assert "o.csv: 3 rows x 8 columns\n  as of 2024-01-10T00:00:00+00:00\n" in done.stdout
    done = run("join", sql, "--service", "last_order", "--as-of", "soon", "--out", "o.csv", cwd=root)
    assert done.returncode == 2
    done = run("join", sql, "--service", "last_order", "--out", str(tmp_path / "o.csv"), cwd=root)
    assert done.returncode == ContractError.exit_code
    assert "'event_timestamp'" in done.stderr
