"""Sample rows: made up from a contract, and checked by its gate. No data are read, so no sample is a real row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from featurestore.quality.gate.row_gate import row_gate
from featurestore.service.api.sample_values import sample_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from featurestore.definitions.contract import Contract
    from featurestore.quality.gate.row_gate import RowGate

Row: TypeAlias = "dict[str, Any]"
MAX_ROUNDS = 16
MIXED = 200


def sample_row(contract: Contract, now: datetime) -> Row | None:
    """Make up a row that keeps every rule of a contract that one row can break.

    Returns
    -------
    dict or None
        A value of Python for each column; None if the search finds no row that keeps all rules.
    """
    day = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=1)
    row = _sample_row(contract, day + timedelta(hours=9, minutes=30))
    return None if row is None else dict(row)


@lru_cache(maxsize=1_024)
def _sample_row(contract: Contract, at: datetime) -> Row | None:
    """Start from the most plausible values, and change the columns of broken rules until none is broken."""
    gate = row_gate(contract)
    choices = {column.name: sample_values(column, at) for column in contract.columns}
    row = {name: values[0] for name, values in choices.items()}
    for name, values in choices.items():
        # Rules of one column first: almost every value is found here, in the order of plausibility.
        rows = [row | {name: value} for value in values]
        flags = [flags for columns, flags in gate.broken_rows(_frame(gate, rows)) if columns == (name,)]
        counts = _weighed(flags, [1] * len(flags), len(rows))
        kept = [value for value, count in zip(values, counts, strict=True) if not count]
        choices[name] = kept or values
        row[name] = choices[name][0]
    choose = Random(0)  # noqa: S311 - the same sample at every call
    weights = [0] * len(gate.rules)
    for _ in range(MAX_ROUNDS):
        # A row alone: rules that compare rows see no other.
        alone = gate.broken_rows(_frame(gate, [row]))
        names = sorted({name for columns, flags in alone if flags[0] for name in columns})
        if not names:
            return row
        # A rule that stays broken weighs more each round, until it is worth to break another one for it.
        weights = [weight + (1 + flags[0]) for weight, (_, flags) in zip(weights, alone, strict=True)]
        rows = [row | {name: None for name in names if None in choices[name]}]
        rows += [row | {name: value} for name in names for value in choices[name]]
        rows += [
            row | {name: choose.choice(choices[name]) for name in choose.sample(names, min(len(names), 3))}
            for _ in range(MIXED)
        ]
        counts = _weighed([flags for _, flags in gate.broken_rows(_frame(gate, rows))], weights, len(rows))
        fewest = min(counts)
        row = choose.choice([row for row, count in zip(rows, counts, strict=True) if count == fewest])
    return None


def _weighed(flags: Sequence[pl.Series], weights: Sequence[int], rows: int) -> list[int]:
    """Add up the weights of the rules that each row breaks."""
    broken = [flag.cast(pl.Int64) * weight for flag, weight in zip(flags, weights, strict=True)]
    return pl.DataFrame(broken).sum_horizontal().to_list() if broken else [0] * rows


def _frame(gate: RowGate, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            name: pl.Series([row[name] for row in rows], dtype=dtype)
            for name, dtype in gate.contract.schema.items()
        }
    )
