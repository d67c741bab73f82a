"""Experiments with plain Feast: values on their way to training and serving, and the form of answers.

Each takes an empty folder, and returns what Feast answers and what is right.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
from feast.types import Array, Bool, Float32, Float64, Int64, String, UnixTimestamp
from feast.types import Decimal as FeastDecimal
from feast_repository import EXPERIMENTS, Outcome, Repository, days_ago, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WHOLE = datetime(2024, 1, 9, 20, 0, tzinfo=UTC)
LOCAL = WHOLE.replace(microsecond=1)


def _both_ways(feast_type: Any, dtype: pl.DataType, *values: Any) -> Callable[[Path], Outcome]:
    """Write values of one feature, one for each key, and read them from both sides."""

    def experiment(folder: Path) -> Outcome:
        rows = [{"k": number, "event": days_ago(1), "x": value} for number, value in enumerate(values)]
        repository = Repository(folder, rows_of(*rows, x=dtype), types={"x": feast_type})
        repository.materialize()
        online = [repository.online(number)[0] for number in range(len(values))]
        # As in a training set, where values and nulls are in one column.
        history = repository.histories(range(len(values)))
        return (online, history), (list(values), list(values))

    return experiment


def _alias(folder: Path) -> Outcome:
    repository = Repository(
        folder, rows_of({"event": days_ago(1), "x": 1}, {"k": 2, "event": days_ago(1), "x": 2})
    )
    repository.materialize()
    # A view and an alias of it in one service end in a TypeError of Feast.
    buyer = repository.view.with_name("buyer").with_join_key_map({"k": "bought_by"})
    referrer = repository.view.with_name("referrer").with_join_key_map({"k": "referred_by"})
    return repository.through_service(
        [buyer, referrer], {"bought_by": 1, "referred_by": 2}, full_names=True
    ), [1, 2]


def _order(folder: Path) -> Outcome:
    rows = rows_of({"event": days_ago(1), "x": 1, "y": 2})
    repository = Repository(folder, rows, types={"x": Int64, "y": Int64})
    repository.materialize()
    answer = repository.store.get_online_features(["view:y", "view:x"], [{"k": 1}]).to_dict()
    return list(answer), ["k", "y", "x"]


def _unknown(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of({"event": days_ago(1), "x": 1}))
    repository.materialize()
    return repository.status(7), "3"


def _clash(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of({"event": days_ago(1), "x": 1}))
    second = repository.view_of("other", repository.path)
    return repository.through_service([repository.view, second], {"k": 1}), "a refusal"


def _wire(folder: Path) -> Outcome:
    rows = rows_of({"event": days_ago(1), "x": 1}, {"k": 2, "event": days_ago(1), "x": 2})
    repository = Repository(folder, rows)
    repository.materialize()
    return repository.json([{"k": 2}, {"k": 1}]), [2, 1]


def _wire_value(feast_type: Any, dtype: pl.DataType, value: Any, expected: Any) -> Callable[[Path], Outcome]:
    def experiment(folder: Path) -> Outcome:
        repository = Repository(
            folder, rows_of({"event": days_ago(1), "x": value}, x=dtype), types={"x": feast_type}
        )
        repository.materialize()
        return repository.json([{"k": 1}]), [expected]

    return experiment


EXPERIMENTS |= {
    "Float64 stored as Float32": _both_ways(Float64, pl.Float64(), 0.1, 0.30000000000000004, None),
    "Float32 rounded to half precision": _both_ways(Float32, pl.Float32(), 10.100000381469727, None),
    "floats through text of six digits": _both_ways(Float64, pl.Float64(), 16777216.5, 1e-300),
    "-0.0 becomes 0.0": _both_ways(Float64, pl.Float64(), -0.0, 0.0),
    "integers through Float64": _both_ways(Int64, pl.Int64(), 2**53 + 1, None),
    "unsigned integers lose their highest bit": _both_ways(Int64, pl.UInt64(), 2**64 - 1),
    "decimals lose digits of their scale": _both_ways(FeastDecimal, pl.Decimal(18, 4), Decimal("1.0050"), Decimal("12345678901234.5678")),
    "timestamps cut to milliseconds": _both_ways(UnixTimestamp, pl.Datetime("us", "UTC"), LOCAL),
    "local times taken for UTC": _both_ways(UnixTimestamp, pl.Datetime("us", "America/New_York"), LOCAL),
    "dates off by one": _both_ways(UnixTimestamp, pl.Date(), date(2024, 2, 29)),
    "null becomes zero": _both_ways(Int64, pl.Int64(), None, 1),
    "null becomes the last value": _both_ways(Bool, pl.Boolean(), True, None),  # noqa: FBT003 - a value
    "an empty list becomes null": _both_ways(Array(String), pl.List(pl.String), ["a"], []),
    "nulls inside lists are lost": _both_ways(Array(String), pl.List(pl.String), ["a", None]),
    "lists come back sorted": _both_ways(Array(Float64), pl.List(pl.Float64), [2.5, -0.0, 0.1]),
    "text cut to three characters": _both_ways(String, pl.String(), "north\0😀", ""),
    "NaN in raw data": lambda folder: (_both_ways(Float64, pl.Float64(), float("nan"))(folder)[0], "a refusal"),
    "NaN inside a list": lambda folder: (_both_ways(Array(Float64), pl.List(pl.Float64), [float("nan")])(folder)[0], "a refusal"),
    "an integer that a short float cannot hold": _both_ways(Float32, pl.Int64(), 2**24 + 1),
    "an integer that a float cannot hold": _both_ways(Float64, pl.Int64(), 2**53 + 1),
    "an unknown key answers NULL_VALUE": _unknown,
    "features in the order stored": _order,
    "features of a selection in the order of the view": _order,
    "an alias reads the keys of the view itself": _alias,
    "one feature name in two views": _clash,
    "HTTP cuts integers above 2**53": _wire_value(Int64, pl.Int64(), 2**53 + 1, 2**53 + 1),
    "HTTP sends local times without their zone": _wire_value(UnixTimestamp, pl.Datetime("us", "America/New_York"), WHOLE, int(WHOLE.timestamp())),
    "Feast's wire swaps rows": _wire,
}  # fmt: skip
