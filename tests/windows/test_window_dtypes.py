"""Each aggregate of each dtype: refused when it is defined, or the same and exact offline and online."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

import pandera.polars as pa
import polars as pl
import pytest

from featurestore import Entity, Frame, feature_service, feature_view, windows
from featurestore.adapters.polars import PolarsEngine
from featurestore.errors import ContractError, DefinitionError
from featurestore.ports import ViewRows
from featurestore.storage.files import write_parquet
from featurestore.storage.layout import Layout
from featurestore.storage.made_by import metadata_of
from featurestore.storage.online import advance_to
from featurestore.testing import MemoryStore
from featurestore.testing.cases import CaseMaker
from featurestore.testing.oracle import bits
from featurestore.testing.window_oracle import window
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.known_at import Timing
from featurestore.vectors.historical import historical
from featurestore.vectors.reader import VectorReader

KEY = Entity("key", ("k",), "a key")
START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
UTC_MICROSECONDS = pl.Datetime("us", "UTC")
NUMBERS = ("sum", "mean", "variance", "deviation", "approximate_quantile")
OF_ORDER = ("min", "max", "first", "last", "last_n", "distinct", "quantile", "approximate_distinct")
ALL = (*NUMBERS, *OF_ORDER)
# The values of the events of a key, one an hour, and the aggregates that can be declared over them.
TABLE = {
    pl.Boolean: ([True, None, False, True], OF_ORDER),
    pl.Int8: ([-128, 127, None, 3], ALL),
    pl.Int32: ([-(2**31), None, 2**31 - 1, 5], ALL),
    pl.Int64: ([2**62, -(2**62), 5, 2**53 + 1], ALL),
    pl.UInt32: ([2**32 - 1, 0, 1, 1], ALL),
    pl.UInt64: ([2**64 - 1, 2**63, None, 2**63 + 1], OF_ORDER),
    pl.Float32: ([0.1, None, -0.0, 16_777_216.0], ALL),
    pl.Float64: ([1e16, 0.6, -0.0, 5e-324], ALL),
    pl.String: (["b", "B", "ß", "\U0001f600"], OF_ORDER),
    pl.Binary: ([b"\x80", b"\x7f\x00", None, b"\x7f"], OF_ORDER),
    pl.Decimal(10, 2): ([Decimal("9.50"), Decimal("10.00"), None, Decimal("-3.00")], OF_ORDER),
    pl.Date: ([date(1969, 12, 31), date(2024, 2, 29), None, date(1, 1, 1)], OF_ORDER),
    UTC_MICROSECONDS: ([START, None, START - HOUR, datetime(1900, 1, 1, tzinfo=UTC)], OF_ORDER),
    pl.Datetime("ms", "Europe/Paris"): ([START, START + HOUR, None, START - HOUR], OF_ORDER),
    pl.Datetime("ns", "UTC"): ([], ()),
    pl.Datetime("us"): ([], ()),
    pl.Duration("us"): ([], ()),
    pl.Time: ([], ()),
    pl.Enum(["low", "high"]): ([], ()),
    pl.Categorical: ([], ()),
    pl.List(pl.Int64): ([[1], None, [], [1, 2]], ("first", "last")),
    pl.List(pl.Float64): ([[0.1], None, [], [1e16, 2.0]], ("first", "last")),
    pl.Array(pl.Int64, 2): ([[1, 2], None, [0, 1]], ("first", "last")),
    pl.Struct({"a": pl.Int64}): ([], ()),
}


def declared(kind, n=2):
    """The window over four hours of a kind."""
    if kind == "last_n":
        return windows.last_n("v", n, over="4h")
    quantile = (0.7,) if kind.endswith("quantile") else ()
    bound = {"error": 0.02} if kind.startswith("approximate") else {}
    return getattr(windows, kind)("v", *quantile, over="4h", **bound)


def result(kind, dtype):
    """The dtype of a feature, as it has to be declared."""
    if kind in ("distinct", "approximate_distinct"):
        return pl.Int64
    if kind in ("mean", "variance", "deviation", "approximate_quantile"):
        return pl.Float64
    if kind == "sum":
        return pl.Float64 if dtype in (pl.Float32, pl.Float64) else pl.Int64
    return pl.List(dtype) if kind == "last_n" else dtype


def schema(name, columns):
    """A schema with a description and a unit for each column."""
    fields = {
        column: pa.Field(
            nullable=column not in ("k", EVENT_TIMESTAMP), description=column, metadata={"unit": "1"}
        )
        for column in columns
    }
    return type(name, (pa.DataFrameModel,), {"__annotations__": columns, "__module__": __name__, **fields})


def view_of(dtype, kinds, feature_dtype=None):
    """A view whose windows aggregate a column of a dtype."""
    events = schema("Events", {"k": pl.Int64, EVENT_TIMESTAMP: UTC_MICROSECONDS, "v": dtype})
    features = schema(
        "Features", {"k": pl.Int64, **{kind: feature_dtype or result(kind, dtype) for kind in kinds}}
    )

    def aggregated(rows):
        """Windows over a column."""
        return rows

    aggregated.__annotations__ = {"rows": Frame[events], "return": Frame[events]}
    declare = feature_view(
        entity=KEY, owner="test", schema=features, windows={kind: declared(kind) for kind in kinds}
    )
    # Without inputs it needs no project around it.
    return replace(declare(aggregated), inputs=(), function=pl.LazyFrame)


def reads(view, values, folder):
    """The events of the values, an hour apart, and the functions that read their windows offline and online."""
    frame = pl.DataFrame(
        {
            "k": [1] * len(values),
            EVENT_TIMESTAMP: [START + number * HOUR for number in range(len(values))],
            "v": pl.Series(values, dtype=view.contract.schema["v"]),
        },
        schema=view.contract.schema,
    )
    layout, store = Layout(folder), MemoryStore()
    path = layout.features(view.name)
    write_parquet(frame, path, metadata=metadata_of(view))
    service = feature_service("service", (view,), owner="test")

    def offline(now):
        question = pl.DataFrame(
            {"k": [1], EVENT_TIMESTAMP: [now]}, schema_overrides={EVENT_TIMESTAMP: UTC_MICROSECONDS}
        )
        rows = [ViewRows(view[view.feature_names], (path,), ())]
        return list(historical(question, service, rows, PolarsEngine()).select(view.feature_names).row(0))

    def online(now):
        advance_to(now, view, layout, store)
        return VectorReader(service, store).read([{"k": 1}], as_of=now).values[0]

    return frame.to_dicts(), offline, online


@pytest.mark.parametrize("dtype", TABLE, ids=str)
def test_an_aggregate_is_refused_when_it_is_defined_or_it_is_exact(dtype, tmp_path):
    """Offline and online give the value of the obvious loop, while events come, as they leave, and when the windows are empty."""
    values, allowed = TABLE[dtype]
    for kind in ALL:
        if kind not in allowed:
            with pytest.raises(DefinitionError, match=f"'aggregated', column '{kind}'"):
                view_of(dtype, [kind])
    if not allowed:
        return
    view = view_of(dtype, allowed)
    events, offline, online = reads(view, values, tmp_path)
    for hour in (2, len(values), len(values) + 4):
        now = START + hour * HOUR
        known = [event for event in events if event[EVENT_TIMESTAMP] <= now]
        expected = [window(view.windows[kind], now, known, Timing()) for kind in allowed]
        expected = [
            float(value) if value is not None and result(kind, dtype) == pl.Float64 else value
            for kind, value in zip(allowed, expected, strict=True)
        ]
        assert bits(offline(now)) == bits(expected), (now, "offline")
        assert bits(online(now)) == bits(expected), (now, "online")


@pytest.mark.parametrize(
    ("kind", "dtype", "feature_dtype", "values"),
    [
        ("sum", pl.Int64, pl.Int64, [2**62, 2**62]),
        ("sum", pl.Int8, pl.Int8, [100, 100]),
        ("max", pl.Int64, pl.Int32, [2**31]),
        ("sum", pl.Float64, pl.Float32, [3e38, 3e38]),
        ("sum", pl.Float64, pl.Float64, [1.7e308, 1.7e308]),
        ("mean", pl.Float64, pl.Float32, [-1e300]),
        ("variance", pl.Float64, pl.Float64, [1e200, -1e200]),
        ("deviation", pl.Float64, pl.Float64, [1e200, -1e200]),
        ("last", pl.Float64, pl.Float32, [1e39]),
        ("quantile", pl.Int64, pl.Int32, [2**31]),
        ("approximate_quantile", pl.Float64, pl.Float32, [3.4028234e38]),
    ],
)
def test_a_value_beyond_its_dtype_is_an_error_and_not_another_value(
    kind, dtype, feature_dtype, values, tmp_path
):
    """An infinite value is not served, and `prove` makes no such events."""
    view = view_of(dtype, [kind], feature_dtype)
    _, offline, online = reads(view, values, tmp_path)
    now = START + HOUR
    for read in (offline, online):
        with pytest.raises(ContractError, match="fit into") as caught:
            read(now)
        is_widest = feature_dtype in (pl.Int64, pl.Float64)
        assert ("declare a wider dtype" in caught.value.hint) == (not is_widest)
        assert ("as a mean" in caught.value.hint) == (is_widest and kind == "sum")
        assert "a sum of integers" not in caught.value.message or kind == "sum"
    cases = CaseMaker(view, Random(1)).cases(START, 20)  # noqa: S311 - cases, not secrets
    sizes = [abs(row["v"]) for row in cases.rows if row["v"] is not None]
    assert len(set(sizes)) > 1
    _, offline, _ = reads(view, sorted(sizes)[-4:], tmp_path / "cases")
    assert all(math.isfinite(value) for value in offline(START + 3 * HOUR))


@pytest.mark.parametrize("values", [[1.0, math.inf], [math.inf, -math.inf], [-math.inf]])
def test_infinities_are_in_order_and_are_not_added_up(values, tmp_path):
    """A schema that warns lets them pass: they are read as they are, and a sum says what is wrong, on both sides."""
    now = START + HOUR
    ordered = ("min", "max", "quantile", "approximate_quantile", "distinct", "approximate_distinct")
    _, offline, online = reads(view_of(pl.Float64, ordered), values, tmp_path / "ordered")
    assert bits(offline(now)) == bits(online(now))
    assert offline(now)[:4] == [min(values), max(values), max(values), max(values)]
    for kind in ("sum", "mean", "variance"):
        _, offline, online = reads(view_of(pl.Float64, [kind]), values, tmp_path / kind)
        for read in (offline, online):
            with pytest.raises(ContractError, match="a window adds up"):
                read(now)


def test_a_caller_may_change_a_list_that_it_read(tmp_path):
    """The list is that of an old block of events, which stays in memory for later reads."""
    view = replace(
        view_of(pl.List(pl.Int64), ["first"]), windows={"first": windows.first("v", over=timedelta(hours=80))}
    )
    hours = range(100)
    frame = pl.DataFrame(
        {"k": [1] * 100, EVENT_TIMESTAMP: [START + n * HOUR for n in hours], "v": [[n] for n in hours]},
        schema=view.contract.schema,
    )
    layout, store = Layout(tmp_path), MemoryStore()
    write_parquet(frame, layout.features(view.name), metadata=metadata_of(view))
    advance_to(START + 99 * HOUR, view, layout, store)
    reader = VectorReader(feature_service("service", (view,), owner="test"), store)
    for _ in range(2):
        [[first]] = reader.read([{"k": 1}], as_of=START + 104 * HOUR).values
        assert first == [25]
        first.append(0)
