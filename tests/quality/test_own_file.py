"""Any file passes the draft that was made from it, and the draft says how its text is read."""

import csv
import io
import math
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from polars.testing.parametric import column, dataframes

from featurestore.errors import ContractError
from featurestore.quality.profile.keys import key_of
from featurestore.quality.profile.own_file import draft_for, texts_of, with_null_words
from featurestore.quality.profile.text_columns import Reading, null_words, read_columns
from featurestore.storage.csv_files import scan_csv

DATES = st.dates(date(1990, 1, 1), date(2030, 12, 31))
CELLS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
    DATES.map(lambda day: day.strftime("%d.%m.%Y")),
    DATES.map(str),
    st.sampled_from(
        ["", "NA", ".", "?", "true", "F", "007", "1,5", "a\nb", '"', " 3 ", "inf", "24:00", "2024-02-30"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=4),
)
# A column of one kind, and here and there a cell of another one.
COLUMNS = st.sampled_from(
    [
        st.integers(-9, 9).map(str),
        st.integers(0, 2**63).map(str),
        st.floats(allow_nan=False, allow_infinity=False).map(str),
        DATES.map(lambda day: day.strftime("%d.%m.%Y")),
        DATES.map(lambda day: day.strftime("%d/%m/%Y %H:%M")),
        DATES.map(str),
        st.sampled_from(["a", "b"]),
        CELLS,
    ]
)
NAMES = st.lists(
    st.one_of(
        st.sampled_from(
            ["id", "class", "_id", "pl", "pa", "Config", "validate", "two words", "a-b", "ª", "Annotated"]
        ),
        st.text(
            st.characters(codec="ascii", categories=["L", "N", "P"], exclude_characters='*^";|'),
            min_size=1,
            max_size=5,
        ),
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


@st.composite
def tables(draw):
    names = draw(NAMES)
    height = draw(st.sampled_from([1, 2, 5, 70]))
    columns = [
        draw(st.lists(draw(COLUMNS) | st.just(draw(CELLS)), min_size=height, max_size=height)) for _ in names
    ]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([names, *zip(*columns, strict=True)])
    return out.getvalue()


def drafted(rows):
    """Draft as `add` does for a CSV file."""
    words = {name: reading.null_words for name, reading in read_columns(texts_of(rows)).items()}
    return draft_for(with_null_words(rows, null_words(words)), dataset="own", name="RawOwn", typed=False)


def of_parquet(frame):
    """Draft as `add` does for a Parquet file."""
    return draft_for(frame, dataset="own", name="RawOwn", typed=True)


@given(tables())
@examples(10)
def test_any_csv_file_passes_its_draft(tmp_path_factory, text):
    """The gate admits every complete row; a file without one is refused with the reason."""
    path = tmp_path_factory.mktemp("own") / "own.csv"
    path.write_text(text)
    rows = scan_csv(path, "own").collect()
    if rows.is_empty() or ("__incomplete__" in rows.columns and rows["__incomplete__"].all()):
        with pytest.raises(ContractError):
            drafted(rows)
        return
    verdict = drafted(rows).verdict
    incomplete = rows["__incomplete__"].sum() if "__incomplete__" in rows.columns else 0
    assert verdict.rows_passed == rows.height - incomplete, text


PARQUET = dataframes(
    cols=[column("x"), column("y"), column("z", dtype=pl.Float64, strategy=st.floats())],
    min_size=1,
    max_size=70,
    allowed_dtypes=[
        *(pl.Boolean, pl.String, pl.Binary, pl.Null, pl.Date, pl.Time, pl.Duration, pl.Datetime, pl.Enum),
        *(pl.Int8, pl.Int64, pl.UInt64, pl.Float32, pl.Float64, pl.Decimal(20, 3)),
    ],
    allow_null=True,
)


@given(PARQUET)
@examples(10)
def test_any_parquet_file_passes_its_draft(frame):
    """Columns of every kind: NaN is missing, a row with infinity is in quarantine, a column of nulls is text."""
    floats = pl.selectors.float()
    infinite = frame.select(pl.any_horizontal(pl.lit(value=False), floats.is_infinite())).to_series().sum()
    if infinite == frame.height:
        with pytest.raises(ContractError, match="can admit no row"):
            of_parquet(frame)
    else:
        verdict = of_parquet(frame).verdict
        assert (verdict.rows_passed, verdict.rows_quarantined) == (frame.height - infinite, infinite)


@pytest.mark.parametrize(
    ("values", "reading"),
    [
        (["1", ".", "3"], Reading(pl.Int64(), null_words=(".",))),
        (["1.5", "NA", "n/a"], Reading(pl.Float64(), null_words=("NA", "n/a"))),
        (["01.02.2024", "31.12.2024"], Reading(pl.Date(), "%d.%m.%Y")),
        (["01.02.2024", "11.12.2024"], Reading(pl.Date(), "%d.%m.%Y")),
        (["01/02/2024"], Reading(pl.Date(), "%d/%m/%Y", other_format="%m/%d/%Y")),
        (["01/22/2024"], Reading(pl.Date(), "%m/%d/%Y")),
        (["01.02.24"], Reading(pl.String())),
        (["2024-02-03"], Reading(pl.Date())),
        (["2024-02-03T10:00:00Z"], Reading(pl.Datetime("us", "UTC"))),
        (["2024-02-03 10:00:00"], Reading(pl.Datetime("us", "UTC"), "%Y-%m-%d %H:%M:%S")),
        (["2024-02-03 10:00:00.123"], Reading(pl.Datetime("us", "UTC"), "%Y-%m-%d %H:%M:%S%.f")),
        (["03.02.2024 10:00"], Reading(pl.Datetime("us", "UTC"), "%d.%m.%Y %H:%M")),
        (["00123", "10115"], Reading(pl.String())),
        (["TRUE", "false"], Reading(pl.Boolean())),
        (["yes", "NA"], Reading(pl.String())),
        (["NA"], Reading(pl.String())),
        ([str(2**63)], Reading(pl.Float64())),
    ],
    ids=str,
)
def test_how_text_is_read(values, reading):
    """Null words, formats of dates, codes with leading zeros: the reading that fits every value."""
    assert read_columns(pl.DataFrame({"x": values}))["x"] == reading


def test_keys_of_several_columns():
    """The smallest set of columns that identifies a row, without floats and columns with missing values."""
    rows = pl.DataFrame(
        {
            "value": [n / 7 for n in range(90)],
            "clinic": ["A", "B", "C"] * 30,
            "visit": [n // 3 for n in range(90)],
        }
    )
    assert key_of(rows) == ("clinic", "visit")
    assert key_of(rows.with_columns(visit=pl.lit(1))) == ()
    assert key_of(rows.head(50)) == ()


def test_a_key_of_several_columns_is_not_taken_from_chance():
    """A price that almost never repeats makes any column beside it a key in few rows, by chance."""
    rows = pl.DataFrame({"shop": ["A", "B", "C"] * 30, "price": [n * 37 % 88 * 1_000 for n in range(90)]})
    assert not rows.is_duplicated().any()
    assert key_of(rows) == ()


def test_rows_with_too_few_fields_go_to_quarantine(tmp_path):
    """They cannot pass any schema: the draft admits the others, and says so."""
    path = tmp_path / "own.csv"
    path.write_text("a,b\n" + "1,2\n" * 99 + "3\n4,5\n")
    done = drafted(scan_csv(path, "own").collect())
    assert (done.verdict.decision, done.verdict.rows_quarantined, done.draft.tolerance) == (
        "quarantined",
        1,
        0.05,
    )


def test_not_a_number_is_missing_and_infinity_goes_to_quarantine():
    """A Parquet file may hold both."""
    frame = pl.DataFrame({"x": [1.0, math.nan, math.inf], "at": [datetime(2024, 1, 1, tzinfo=UTC)] * 3})
    done = of_parquet(frame)
    assert done.draft.fields[0].metadata == {"unit": "?", "nan": "null"}
    assert (done.verdict.decision, done.verdict.nulls) == ("quarantined", {"x": 1})


def test_a_duration_near_the_end_of_all_durations_has_no_limit():
    """The limit would be ten times the largest value, which is beyond what Python can say."""
    frame = pl.DataFrame({"y": [timedelta(0)] * 20 + [timedelta(days=106_000_000)]})
    assert of_parquet(frame).verdict.decision == "passed"
