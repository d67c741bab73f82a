"""Some of the rows that broke a contract, so that a person sees what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from featurestore.quality.gate.partition import BROKEN_RULES, SOURCE_FILE, SOURCE_ROW
from featurestore.report.words import short

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.contract import Contract
    from featurestore.quality.gate.verdict import Verdict

MAX_ROWS = 10
MAX_COLUMNS = 12
_OF_EACH = 3
HIDDEN = "(personal, not shown)"


@dataclass(frozen=True)
class Examples:
    """Rows as text.

    Attributes
    ----------
    broken
        For each row, the rules it broke.
    faults
        For each row, the columns that these rules speak of.
    left_out
        How many more columns the rows have.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    broken: tuple[tuple[str, ...], ...] = ()
    faults: tuple[frozenset[str], ...] = ()
    left_out: int = 0


def examples(path: Path, verdict: Verdict, contract: Contract) -> Examples:
    """Take up to ten rows, of each broken rule some, the worst rule first; the columns at fault stand before the others.

    Only columns of the contract are shown: of others nobody said whether they are personal.
    """
    rules = [count for count in verdict.rules if not count.warning][:MAX_ROWS]
    if not rules or not verdict.rows_quarantined or not path.exists():
        return Examples()
    rows = pl.scan_parquet(path)
    names = rows.collect_schema().names()
    personal = {column.name for column in contract.columns if column.personal}
    suspects = dict.fromkeys(
        name for count in rules for name in count.rule.columns if name in contract and name in names
    )
    origin = [name for name in (SOURCE_FILE, SOURCE_ROW) if name in names]
    others = [name for name in names if name in contract and name not in (*origin, *suspects)]
    columns = [*suspects, *others][:MAX_COLUMNS]
    # On a phone the first columns are seen at once: what is wrong, then where it stands.
    shown = [*columns[: len(suspects)], *origin, *columns[len(suspects) :]]
    told, breaking = rows.select(*shown, BROKEN_RULES), pl.col(BROKEN_RULES)
    of_each = [told.filter(breaking.list.contains(count.name)).head(_OF_EACH) for count in rules]
    found = pl.collect_all([*of_each, told.head(MAX_ROWS)])
    taken = pl.concat(found).unique(subset=origin, keep="first", maintain_order=True).head(MAX_ROWS)
    values, broken = taken.select(shown).iter_rows(), taken[BROKEN_RULES].to_list()
    columns_of = {count.name: count.rule.columns for count in verdict.rules}
    return Examples(
        columns=tuple(shown),
        rows=tuple(
            tuple(HIDDEN if name in personal else short(v) for name, v in zip(shown, row, strict=True))
            for row in values
        ),
        broken=tuple(map(tuple, broken)),
        faults=tuple(frozenset(name for rule in row for name in columns_of.get(rule, ())) for row in broken),
        left_out=len(names) - len(shown) - 1,
    )
