"""Raw data may be in many files, hive partitions included."""

import csv
import io
import shutil

import hypothesis.strategies as st
import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given
from laws import examples
from polars.testing import assert_frame_equal

import featurestore
from featurestore.adapters.files import MAX_SCANS, NULL_PARTITION, FileReader
from featurestore.definitions.source import Source, source
from featurestore.errors import ContractError, MissingDataError
from featurestore.storage import csv_files

HEADER = "order,customer,ordered_at,loaded_at,amount"


@pytest.fixture
def many(shop_files):
    """The shop's orders, one file for each coupon, named by its folder."""
    definitions = shop_files / "feature_repo/shop.py"
    definitions.write_text(definitions.read_text().replace("raw/orders.csv", "raw/orders/**/*.csv"))
    for coupon, rows in {
        "SPRING": "1,1,2024-01-01T00:00:00Z,,10.5\n2,1,2024-01-02T00:00:00Z,,11",
        "A%2FB": "3,2,2024-01-03T00:00:00Z,,12",
    }.items():
        folder = shop_files / f"data/raw/orders/coupon={coupon}"
        folder.mkdir(parents=True)
        (folder / "part.csv").write_text(f"{HEADER}\n{rows}\n")
    return shop_files


def test_files_are_read_in_the_order_of_their_names(many):
    """Partition values become columns of the declared dtype."""
    project = featurestore.open(many)
    assert project.validate("orders").rows_in == 3
    rows = project.dataset("orders").select("order", "coupon").collect().rows()
    assert rows == [(3, "A/B"), (1, "SPRING"), (2, "SPRING")]
    assert "data/raw/orders\n" in project.pipeline()


def test_a_folder_in_the_place_of_a_file_is_refused(shop_files):
    """The message says how a source names the files of a folder."""
    (shop_files / "data/raw/orders.csv").unlink()
    (shop_files / "data/raw/orders.csv").mkdir()
    with pytest.raises(ContractError, match=r"is a folder, expected a file"):
        featurestore.open(shop_files).validate("orders")


def test_a_file_with_other_columns_is_named(many):
    """A wrong value is refused, and not replaced by a guess."""
    (many / "data/raw/orders/coupon=SPRING/part.csv").write_text("order\n1\n")
    with pytest.raises(ContractError, match=r"coupon=SPRING/part.csv has columns \['order', 'coupon'\], but"):
        featurestore.open(many).validate("orders")


def test_no_file_is_missing_data(many):
    """A pattern that names nothing is not an empty dataset."""
    for file in (many / "data/raw/orders").glob("**/*.csv"):
        file.unlink()
    with pytest.raises(MissingDataError, match="does not exist"):
        featurestore.open(many).validate("orders")


def write(project, *rows, header=f"{HEADER},coupon"):
    path = project.settings.root / "data/raw/orders.csv"
    path.unlink(missing_ok=True)
    path.write_text("\n".join((header, *rows)) + "\n")


GOOD = "1,1,2024-01-01T00:00:00Z,,10.5,"


@pytest.mark.parametrize("bad", ["4,1,2024-01-02T00:00:00Z", "", "4", "\r"])
def test_a_row_with_too_few_fields_is_a_bad_row(shop, bad):
    """A blank line too; the row number is that of the file, and a line break in quotes ends no row."""
    quoted = '2,1,2024-01-02T00:00:00Z,,11,"A\nB"'
    write(shop, GOOD, quoted, bad, GOOD.replace("1,1", "3,1", 1))
    assert (shop.validate("orders").rows_passed, shop.quality.verdict("orders", last_run=True).rows_in) == (
        3,
        4,
    )
    [(row, rules)] = shop.quality.quarantine("orders").select("source_row", "broken_rules").rows()
    assert row == 3
    assert "complete_row" in rules


def test_a_corrected_row_is_complete(shop, tmp_path):
    """A row that lacked fields passes once a person has completed it."""
    write(shop, GOOD, "2,1,2024-01-02T00:00:00Z")
    assert "complete_row" in {count.name for count in shop.validate("orders").rules}
    file = tmp_path / "corrected.csv"
    shop.quality.quarantine("orders", out=file)
    rows = pl.read_csv(file, infer_schema=False).with_columns(amount=pl.lit("7"))
    rows.write_csv(file)
    assert shop.quality.resubmit("orders", file).rows_passed == 2


@pytest.mark.parametrize("chunk", [7, 40, 1 << 20])
def test_rows_are_counted_across_chunks(tmp_path, monkeypatch, chunk):
    """The size of the chunks in which a file is read does not matter."""
    monkeypatch.setattr(csv_files, "CHUNK_BYTES", chunk)
    path = tmp_path / "rows.csv"
    path.write_bytes(b'\xef\xbb\xbfid,"na\nme"\r\n1\r\n\r\n2,"b\n,"\r\n3,"x""y"\r\n,\r\n4\r\n5,')
    assert csv_files.incomplete_rows(path, "rows").to_list() == [1, 2, 6]
    assert csv_files.scan_csv(path, "rows").collect()[csv_files.INCOMPLETE].arg_true().to_list() == [0, 1, 5]


ROWS = st.lists(
    st.lists(st.sampled_from(["", "a", '"x,y"', '"p\nq"', '"r""s"']), min_size=1, max_size=3), min_size=1
)


@examples(100)
@given(ROWS)
def test_the_fields_of_each_row_are_counted_as_python_counts_them(tmp_path_factory, rows):
    """Each row has the mark if Python's reader finds fewer fields; and there are as many rows as Polars reads."""
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    text = "\n".join(["a,b,c", *(",".join(row) for row in rows)]) + "\n"
    path.write_text(text)
    fields = [len(row) for row in csv.reader(io.StringIO(text, newline=""))][1:]
    assert csv_files.incomplete_rows(path, "x").to_list() == [i for i, n in enumerate(fields, 1) if n < 3]
    assert csv_files.scan_csv(path, "x").collect().height == len(fields)


def test_a_column_that_occurs_twice_is_refused(shop):
    """Neither of two columns of one name is lost."""
    write(shop, f"{GOOD},9", header=f"{HEADER},coupon,amount")
    with pytest.raises(ContractError, match="the header has 1 name more than once: 'amount'"):
        shop.validate("orders")


def test_a_quote_that_is_not_closed_is_refused(shop, monkeypatch):
    """A file that is one long row is not read into memory."""
    monkeypatch.setattr(csv_files, "CHUNK_BYTES", 100)
    monkeypatch.setattr(csv_files, "MAX_ROW_BYTES", 200)
    write(shop, GOOD, '2,"', *[GOOD] * 20)
    with pytest.raises(ContractError, match="a quote may not be closed"):
        shop.validate("orders")


@pytest.mark.parametrize("hidden", ["._a.csv", ".ipynb_checkpoints/part.csv", "coupon=X/.part.csv"])
def test_hidden_files_are_not_data(many, hidden):
    """They are left out, and a warning says so."""
    path = many / "data/raw/orders" / hidden
    path.parent.mkdir(exist_ok=True)
    path.write_text("no data\n")
    with pytest.warns(UserWarning, match="orders: left out 1 hidden file, such as") as caught:
        assert featurestore.open(many).validate("orders").rows_in == 3
    assert len(caught) == 1


def test_a_null_partition_is_null(many):
    """Hive writes the null of a partition column as the name of a folder."""
    folders = many / "data/raw/orders"
    (folders / "coupon=SPRING").rename(folders / "coupon=__HIVE_DEFAULT_PARTITION__")
    project = featurestore.open(many)
    project.validate("orders")
    assert project.dataset("orders").select("coupon").collect().to_series().to_list() == ["A/B", None, None]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_null_partitions_of_numbers_and_timestamps_are_null(shop_files, suffix):
    """The folder of the null has a null of the declared dtype, also where no other folder has a value."""
    definitions = shop_files / "feature_repo/shop.py"
    definitions.write_text(definitions.read_text().replace("raw/orders.csv", f"raw/orders/**/*.{suffix}"))
    null = "__HIVE_DEFAULT_PARTITION__"
    for number, (amount, loaded) in enumerate(
        [("10.5", "2024-01-09T00%3A00%3A00Z"), (null, null), ("7", null)], 1
    ):
        folder = shop_files / f"data/raw/orders/amount={amount}/loaded_at={loaded}"
        folder.mkdir(parents=True)
        rows = pl.DataFrame(
            {"order": str(number), "customer": "1", "ordered_at": "2024-01-01T00:00:00Z", "coupon": "x"}
        )
        rows.write_csv(folder / "a.csv") if suffix == "csv" else rows.write_parquet(folder / "a.parquet")
    project = featurestore.open(shop_files)

    def read():
        assert project.validate("orders").rules == ()
        frame = project.dataset("orders").select("order", "amount", pl.col("loaded_at").is_null()).collect()
        return sorted(frame.rows())

    assert read() == [(1, 10.5, False), (2, None, True), (3, 7.0, True)]
    for amount in ("10.5", "7"):
        shutil.rmtree(shop_files / f"data/raw/orders/amount={amount}")
    assert read() == [(2, None, True)]


def test_a_partition_that_repeats_a_column_is_refused(many):
    """Which of two values is right cannot be known."""
    file = many / "data/raw/orders/coupon=SPRING/part.csv"
    file.write_text(f"{HEADER},coupon\n{GOOD}\n")
    with pytest.raises(ContractError, match="has a column 'coupon', and its folder names"):
        featurestore.open(many).validate("orders")


def test_files_of_other_dtypes_are_refused(shop_files):
    """The error names the column, both files and both dtypes."""
    definitions = shop_files / "feature_repo/shop.py"
    definitions.write_text(definitions.read_text().replace("raw/orders.csv", "raw/orders/*.parquet"))
    folder = shop_files / "data/raw/orders"
    folder.mkdir(parents=True)
    for name, amount in (("a", 1.0), ("b", 1)):
        pl.DataFrame({"order": [1], "amount": [amount]}).write_parquet(folder / f"{name}.parquet")
    with pytest.raises(ContractError, match=r"'amount' is Int64 in .*b.parquet, but Float64 in .*a.parquet"):
        featurestore.open(shop_files).validate("orders")


class Numbers(pa.DataFrameModel):
    """Numbers."""

    n: pl.Int64


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
def test_many_files_are_read_as_one(tmp_path, in_memory):
    """Rows of more files than one query reads have their file and their row in it, in the order of the names."""
    heights = [i % 3 for i in range(MAX_SCANS + 3)]
    names = [f"{i:03}.parquet" for i in range(len(heights))]
    for name, height in zip(names, heights, strict=True):
        pl.DataFrame({"n": range(height)}, schema={"n": pl.Int64}).write_parquet(tmp_path / name)
    numbers = source("numbers", Numbers, "*.parquet", owner="shop")
    rows = FileReader(in_memory).scan(numbers, tmp_path / "*.parquet")
    assert isinstance(rows, pl.DataFrame) == bool(in_memory)
    expected = [(name, i + 1, i) for name, height in zip(names, heights, strict=True) for i in range(height)]
    assert rows.lazy().collect().rows() == expected
    assert rows.lazy().head(3).collect().rows() == expected[:3]
    seconds = rows.lazy().filter(pl.col("n") == 1).select("n", "source_file").head(2)
    assert seconds.collect().rows() == [(1, "002.parquet"), (1, "005.parquet")]
    assert rows.lazy().select(pl.len()).collect().item() == len(expected)


def test_the_name_of_a_file_is_not_a_pattern(tmp_path):
    """A file with brackets or a star in its name is read, and no other file for it."""
    for number, name in enumerate(["a[1].parquet", "b*.parquet", "b2.parquet"]):
        pl.DataFrame({"n": [number]}).write_parquet(tmp_path / name)
    numbers = source("numbers", Numbers, "*.parquet", owner="shop")
    rows = (
        FileReader().scan(numbers, tmp_path / "*.parquet").lazy().select("source_file", "n").collect().rows()
    )
    assert rows == [("a[1].parquet", 0), ("b*.parquet", 1), ("b2.parquet", 2)]


def test_one_of_many_files_with_another_dtype_is_named(tmp_path):
    """The message names the file, the column and both dtypes."""
    for i in range(3):
        pl.DataFrame({"n": [i]}, schema={"n": pl.Int32 if i == 2 else pl.Int64}).write_parquet(
            tmp_path / f"{i}.parquet"
        )
    numbers = source("numbers", Numbers, "*.parquet", owner="shop")
    with pytest.raises(ContractError, match=r"'n' is Int32 in .*2\.parquet, but Int64 in .*0\.parquet"):
        FileReader().scan(numbers, tmp_path / "*.parquet")


@pytest.mark.parametrize("name", ["source_row", "source_file"])
def test_a_column_that_the_reader_adds_is_refused(tmp_path, name):
    """The message names the file and the column."""
    pl.DataFrame({"n": [1], name: ["1"]}).write_parquet(tmp_path / "n.parquet")
    numbers = source("numbers", Numbers, "n.parquet", owner="shop")
    with pytest.raises(ContractError, match=rf"n\.parquet has a column '{name}'"):
        FileReader().scan(numbers, tmp_path / "n.parquet")


def test_parquet_files_that_are_read_together_have_the_rows_of_each(tmp_path):
    """Small Parquet files are read by one query: each row has the place that a query of its file gives it."""
    folder = tmp_path / "raw"
    rows = pl.DataFrame(
        {
            "n": pl.Series([1, None, 3], dtype=pl.Int16),
            "word": ["é", None, ""],
            "level": pl.Series(["low", "high", None], dtype=pl.Enum(["low", "high"])),
            "tags": [["a"], [], None],
        }
    )
    places = ("day=1%2F2/b c%20[1].parquet", f"day={NULL_PARTITION}/ü?.parquet", "day=1%2F2/*.parquet")
    for number, place in enumerate(places):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        # The second file has no rows, and each has row groups of one row.
        rows.head(3 - number if number != 1 else 0).write_parquet(folder / place, row_group_size=1)
    numbers = source("numbers", type("Rows", (pa.DataFrameModel,), {}), "raw/**/*.parquet", owner="me")
    together = FileReader().scan(numbers, folder / "**/*.parquet")
    in_turn = FileReader(in_memory=0).scan(numbers, folder / "**/*.parquet").collect()
    assert_frame_equal(together, in_turn)
    assert together["source_file"].to_list() == [places[2], places[0], places[0], places[0]]
    assert together["day"].to_list() == ["1/2"] * 4
    for place in (places[0], places[2]):
        (folder / place).unlink()
    empty = FileReader().scan(numbers, folder / "**/*.parquet")
    assert_frame_equal(empty, in_turn.clear())


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("in_memory", [0, 1 << 20], ids=["scanned", "read"])
def test_files_with_their_columns_in_another_order_are_read_by_name(tmp_path, suffix, in_memory):
    """In the order of the first file, beside the columns of folders and the mark of incomplete rows."""
    rows = pl.DataFrame({"a": ["1", "2"], "b": ["x", "y"]})
    for day, frame in (("1", rows), ("2", rows.select("b", "a"))):
        (tmp_path / f"day={day}").mkdir()
        getattr(frame, f"write_{suffix}")(tmp_path / f"day={day}/rows.{suffix}")
    pattern = f"*/*.{suffix}"
    declared = Source("rows", None, pattern, None, (), "", tmp_path)
    expected = [("1", "x", "1"), ("2", "y", "1"), ("1", "x", "2"), ("2", "y", "2")]
    read = FileReader(in_memory).scan(declared, tmp_path / pattern).lazy().collect()
    assert read.select("a", "b", "day").rows() == expected
    assert read.columns == ["source_file", "source_row", "a", "b", "day"]
    if suffix == "csv":
        with (tmp_path / "day=2/rows.csv").open("a") as file:
            file.write("z\n")
        marked = FileReader(in_memory).scan(declared, tmp_path / pattern).lazy().collect()
        assert marked.select("a", "b", "day", csv_files.INCOMPLETE).rows()[-2:] == [
            ("2", "y", "2", False),
            (None, "z", "2", True),
        ]
    (tmp_path / f"day=2/rows.{suffix}").unlink()
    getattr(rows.rename({"b": "c"}), f"write_{suffix}")(tmp_path / f"day=2/rows.{suffix}")
    with pytest.raises(
        ContractError, match=r"has columns \['a', 'c', 'day'\], but .* has \['a', 'b', 'day'\]"
    ):
        FileReader(in_memory).scan(declared, tmp_path / pattern)
