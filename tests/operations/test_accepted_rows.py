"""Each method takes rows in the forms that the reference lists for it, and scalars of NumPy as Python values."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from runner import run

import featurestore
from featurestore.errors import ConfigError, ContractError, DefinitionError, UnknownNameError
from featurestore.testing import MemoryStore
from featurestore.values.accepted import value_check
from featurestore.values.json_rows import JsonColumn
from featurestore.vectors.reader import VectorReader

NOW = datetime(2024, 1, 10, tzinfo=UTC)
MICROSECONDS = pl.Datetime("us", "UTC")
ROWS = [{"customer": 1, "event_timestamp": NOW}]
FRAME = pl.DataFrame(ROWS, {"customer": pl.Int64, "event_timestamp": MICROSECONDS})
FRAMES = {
    "Polars": FRAME,
    "lazy": FRAME.lazy(),
    "Arrow": FRAME.to_arrow(),
    "pandas": FRAME.to_pandas(),
    "pandas, filtered": pl.concat([FRAME, FRAME]).to_pandas().iloc[1:],
}
LAST = ["last_order:amount"]


@pytest.fixture(scope="module")
def served(shared_shop):
    """The shop, materialized."""
    shared_shop.materialize()
    return shared_shop


@pytest.mark.parametrize("form", [*FRAMES, "dictionaries"])
def test_rows_of_each_form_are_the_same_rows(served, form):
    """Of Polars, Arrow or pandas, in lookups, joins, explanations and deletions; dictionaries where keys are asked."""
    rows = FRAMES.get(form, ROWS)
    [answer] = served.get_online(rows, LAST).rows()
    assert answer[0] == 1
    assert served.historical(rows, LAST).rows() == [answer]
    assert served.explain(rows, LAST)["last_order"].height == 3
    if form != "dictionaries":
        assert served.plan_delete("last_order", rows).keys == 1
        with pytest.raises(ContractError, match="lacks 'amount', 'coupon', 'ordered_at'"):
            served.push("last_order", rows)


@pytest.mark.parametrize("rows", [{"customer": [1]}, pl.Series([1]), np.array([1]), 7, [1]], ids=repr)
def test_what_are_no_rows_is_refused_with_what_to_give(served, rows):
    """Each method names what it takes."""
    for read in (served.get_online, served.historical, served.explain):
        with pytest.raises(ContractError, match="or a list of dictionaries"):
            read(rows, LAST)
    with pytest.raises(DefinitionError, match="expected a frame\n"):
        served.delete("last_order", rows)


@pytest.mark.parametrize(
    ("dtype", "scalar", "value"),
    [
        (pl.Int64(), np.int64(1), 1), (pl.Int64(), np.uint8(1), 1), (pl.UInt64(), np.uint64(2**64 - 1), 2**64 - 1),
        (pl.Int64(), np.array(5), 5), (pl.Int64(), np.uint64(2**63), None), (pl.Int64(), np.float64(1.0), None),
        (pl.Int64(), np.bool_(1), None), (pl.Int64(), np.datetime64(1, "ns"), None), (pl.Int64(), np.array([1]), None),
        (pl.Int64(), pl.Series([1]), None), (pl.Int64(), pd.NA, None), (pl.Boolean(), np.bool_(1), True),
        (pl.Boolean(), np.int64(1), None), (pl.Float64(), np.float32(0.5), 0.5), (pl.Float64(), np.int64(3), 3.0),
        (pl.Float32(), np.int64(2**24 + 1), None), (pl.Decimal(4, 1), np.int64(3), Decimal("3.0")),
        (pl.String(), np.str_("a"), "a"), (pl.Binary(), np.bytes_(b"a"), b"a"), (pl.String(), np.int64(1), None),
        (pl.Date(), np.datetime64("2024-02-29"), date(2024, 2, 29)),
        (MICROSECONDS, pd.Timestamp("2024-02-29", tz="UTC"), datetime(2024, 2, 29, tzinfo=UTC)),
        (MICROSECONDS, pd.Timestamp("2024-02-29T00:00:00.0000001", tz="UTC"), None),
        (MICROSECONDS, pd.Timestamp("2024-02-29"), None), (MICROSECONDS, np.datetime64("2024-02-29", "us"), None),
        (pl.List(pl.Int64()), [np.int64(1), None], [1, None]), (pl.List(pl.Float64()), np.array([0.5]), [0.5]),
        (pl.List(pl.Int64()), np.array([1.0]), None),
    ],
)  # fmt: skip
def test_a_scalar_of_numpy_or_pandas_is_the_python_value_it_stands_for(dtype, scalar, value):
    """As it is if that is exact, of the plain type; otherwise refused with what to give."""
    check = value_check("key", "k", dtype)
    if value is None:
        with pytest.raises(ContractError, match=r"^key 'k' is [^|]+, expected .*\n  hint: give ") as raised:
            check(scalar)
        assert raised.value.hint
    else:
        assert (check(scalar), type(check(scalar))) == (value, type(value))


def test_the_reader_takes_scalars_of_numpy_as_keys(shared_shop):
    """As every other method does: no `int(x)` is needed."""
    reader = VectorReader(shared_shop.service(LAST), MemoryStore())
    assert reader.wanted([[1]]) == reader.wanted([[reader._keys["customer"](np.int64(1))]])


def test_no_features_are_no_request(served):
    """Each method refuses an empty list, and a feature without a name, before it reads anything."""
    for read in (served.get_online, served.historical, served.explain):
        with pytest.raises(DefinitionError, match=r"^features: none are named"):
            read(ROWS, [])
        with pytest.raises(UnknownNameError, match="no feature named '' in view 'last_order'"):
            read(ROWS, ["last_order:"])
    with pytest.raises(DefinitionError, match=r"^features: none are named"):
        served.reader([])
    with pytest.raises(DefinitionError, match=r"^features: none are named"):
        served.historical(ROWS)


@pytest.mark.parametrize(
    ("timestamp", "is_exact"),
    [
        ("2024-01-10T00:00:00.0000001Z", False),
        ("2024-01-10T00:00:00,1234567+01:00", False),
        (pd.Timestamp("2024-01-10T00:00:00.0000001", tz="UTC"), False),
        ("2024-01-10T00:00:00.000000000Z", True),
        ("2024-01-10T00:00:00.1234560Z", True),
        (pd.Timestamp("2024-01-10T00:00:00.000001", tz="UTC"), True),
    ],
    ids=str,
)
def test_digits_below_a_microsecond_are_refused_and_not_cut(shared_shop, timestamp, is_exact):
    """As a time of reading, as a value and in JSON, at each door the same."""
    text = str(timestamp).replace(" ", "T")
    column = JsonColumn("rows", "x", MICROSECONDS)
    if is_exact:
        assert shared_shop.historical([{"customer": 1}], LAST, as_of=timestamp).height == 1
        assert len(column.read([text])) == 1
        return
    with pytest.raises(ConfigError, match=r"has digits below a microsecond"):
        shared_shop.historical([{"customer": 1}], LAST, as_of=timestamp)
    with pytest.raises(ContractError, match=r"^rows: row 1: 'x' is .*, which has digits below a microsecond"):
        column.read([None, text])
    done = run("get-online", "last_order", "customer=1", "--as-of", text, cwd=shared_shop.settings.root)
    assert (done.returncode, "microsecond" in done.stderr) == (2, True)


def test_a_number_beyond_64_bits_has_a_reason(shared_shop):
    """The message says what the dtype holds."""
    root = shared_shop.settings.root
    done = run("get-online", "last_order", f"customer={2**64}", cwd=root)
    assert done.returncode == 2
    assert "give an integer from -9,223,372,036,854,775,808 to" in " ".join(
        done.stderr.replace("│", "").split()
    )
    for value in (2**64, -(2**63) - 1):
        with pytest.raises(ContractError, match="hint: give an integer from -9,223"):
            featurestore.open(root).get_online([{"customer": value}], LAST)
