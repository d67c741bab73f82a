"""Constants count by their values, as text that is the same in every process."""

import datetime as dt
import re
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import polars as pl
import pytest

from featurestore.definitions.fingerprint.plain_values import Encoder, UnknownValueError, printed

ROOT = Path("/project")


class Rate(Enum):
    LOW = 1
    HIGH = 2


@dataclass(frozen=True)
class Limits:
    low: float
    high: float


class Step(msgspec.Struct):
    size: int


def written(value: object) -> list[str]:
    encoder = Encoder(ROOT)
    encoder.write(value)
    return encoder.tokens


@pytest.mark.parametrize(
    ("value", "different"),
    [
        (1, 2),
        (1, 1.0),
        (1, True),
        (None, ...),
        ("a", b"a"),
        (0.0, -0.0),
        ((1, 2), [1, 2]),
        ((1, (2, 3)), ((1, 2), 3)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1, 2}, frozenset({1, 2})),
        ({1, 2}, {1, 3}),
        (range(3), range(4)),
        (slice(1), slice(2)),
        (dt.timedelta(1), dt.timedelta(2)),
        (dt.date(2026, 1, 1), dt.datetime(2026, 1, 1)),  # noqa: DTZ001 - a value without zone is a value
        (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))),
        (ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")),
        (Decimal("1.0"), Decimal("1.00")),
        (Fraction(1, 2), Fraction(1, 3)),
        (re.compile("a"), re.compile("a", re.IGNORECASE)),
        (Rate.LOW, Rate.HIGH),
        (Limits(1, 2), Limits(1, 3)),
        (Step(1), Step(2)),
        (SimpleNamespace(a=1), SimpleNamespace(a=2)),
        (MappingProxyType({"a": 1}), MappingProxyType({"a": 2})),
        (OrderedDict(a=1), OrderedDict(a=2)),
        (Counter("a"), Counter("aa")),
        (deque([1]), deque([2])),
        (defaultdict(int, a=1), defaultdict(float, a=1)),
        (partial(max, 1), partial(max, 2)),
        (np.array([1, 2]), np.array([1, 3])),
        (np.float32(1), np.float64(1)),
        (pl.Int64, pl.Int32),
        (pl.Datetime("us", "UTC"), pl.Datetime("us")),
        (pl.Enum(["a", "b"]), pl.Enum(["a", "c"])),
        (pl.col("a") + 1, pl.col("a") + 2),
        (pl.Series([1, 2]), pl.Series([1, 3])),
        (pl.DataFrame({"a": [1]}), pl.DataFrame({"b": [1]})),
        ([{"a": (pl.col("a"), Rate.LOW)}], [{"a": (pl.col("b"), Rate.LOW)}]),
    ],
)
def test_values_that_differ_are_written_differently(value, different):
    """Two values that compute differently have different text, and each has the same text twice."""
    assert written(value) == written(value)
    assert written(value) != written(different)


def test_a_set_is_written_in_one_order():
    """The order of a set differs from process to process, its text does not."""
    words = [f"word{i}" for i in range(50)]
    assert written(set(words)) == written({*reversed(words)})
    encoder = Encoder(ROOT)
    encoder.write({"b", "a"})
    assert printed({"b", "a"}, encoder) == "{'a', 'b'}"


def test_paths_below_the_project_do_not_tell_where_it_stands():
    """Two checkouts have equal constants, though ``Path(__file__)`` differs."""
    assert written(ROOT / "data/x.csv") == ["path:'<root>/data/x.csv'"]
    assert written(f"file://{ROOT}/x") == ["str:'file://<root>/x'"]


@pytest.mark.parametrize(
    "value", [object(), iter([1]), (i for i in [1]), pl.LazyFrame({"a": [1]}), [object()]]
)
def test_what_has_no_stable_text_is_refused(value):
    """An address in memory never counts; the statement that makes the value does."""
    with pytest.raises(UnknownValueError):
        written(value)


def test_a_list_that_contains_itself_is_refused():
    """Endless values have no text."""
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(UnknownValueError):
        written(endless)


def test_functions_and_classes_in_values_are_references():
    """Their code is counted separately."""
    encoder = Encoder(ROOT)
    encoder.write({"f": written, "c": [Limits]})
    assert encoder.references == [written, Limits]
