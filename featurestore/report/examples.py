"""Examples of rows that broke a contract, so that a person sees what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from featurestore.quality.gate.partition import BROKEN_RULES, SOURCE_FILE, SOURCE_ROW
from featurestore.report.formatting import short
from featurestore.storage.parquet import scan_files
from featurestore.values.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.contract import Contract
    from featurestore.quality.gate.verdict import Verdict

MAX_ROWS = 10
MAX_COLUMNS = 12
ROWS_PER_RULE = 3
HIDDEN = "(personal, not shown)"


@dataclass(frozen=True)
class Examples:
    """Example rows as text.

    Attributes
    ----------
    broken
        For each row, the printed names of the rules that it broke.
    faults
        For each row, the columns that these rules read.
    numbers
        The columns that the contract declares as numbers.
    hidden_columns
        The number of further columns of the rows.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    broken: tuple[tuple[str, ...], ...] = ()
    faults: tuple[frozenset[str], ...] = ()
    numbers: frozenset[str] = frozenset()
    hidden_columns: int = 0


def examples(path: Path, verdict: Verdict, contract: Contract) -> Examples:
    """Read up to ten rows from quarantine: some rows for each broken rule.

    The columns that the rules read come first. Only columns of the contract are shown, because
    nothing declares whether other columns are personal.

    Parameters
    ----------
    path
        The Parquet file of the rows.
    """
    rules = [count for count in verdict.rules if not count.warning][:MAX_ROWS]
    if not rules or not verdict.rows_quarantined or not path.exists():
        return Examples()
    rows = scan_files(path)
    names = rows.collect_schema().names()
    personal = contract.personal
    suspects = dict.fromkeys(
        name for count in rules for name in count.rule.columns if name in contract and name in names
    )
    origin = [name for name in (SOURCE_FILE, SOURCE_ROW) if name in names]
    others = [name for name in names if name in contract and name not in (*origin, *suspects)]
    columns = [*suspects, *others][:MAX_COLUMNS]
    # A phone shows the first columns only: what is wrong, then where the row comes from.
    shown = [*columns[: len(suspects)], *origin, *columns[len(suspects) :]]
    quarantined = rows.select(*shown, BROKEN_RULES)
    per_rule = [
        quarantined.filter(pl.col(BROKEN_RULES).list.contains(count.name)).head(ROWS_PER_RULE)
        for count in rules
    ]
    collected = pl.collect_all([*per_rule, quarantined.head(MAX_ROWS)])
    chosen = pl.concat(collected).unique(subset=origin, keep="first", maintain_order=True).head(MAX_ROWS)
    broken = chosen[BROKEN_RULES].to_list()
    columns_of = {count.name: count.rule.columns for count in verdict.rules}
    return Examples(
        columns=tuple(shown),
        rows=tuple(
            tuple(HIDDEN if name in personal else short(v) for name, v in zip(shown, row, strict=True))
            for row in printable(chosen.select(shown)).iter_rows()
        ),
        broken=tuple(map(tuple, broken)),
        faults=tuple(frozenset(name for rule in row for name in columns_of.get(rule, ())) for row in broken),
        numbers=frozenset(
            name
            for name in shown
            if name == SOURCE_ROW or (name in contract and contract[name].dtype.is_numeric())
        ),
        hidden_columns=len(names) - len(shown) - 1,
    )
