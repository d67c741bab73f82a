"""Judge: let rows that belong to nothing yet through the gate of a dataset. No data in place are changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from featurestore.definitions.feature_view import FeatureView
from featurestore.errors import ContractError
from featurestore.quality.gate.inspection import Inspection, inspect
from featurestore.quality.gate.partition import BROKEN_RULES, SOURCE_ROW
from featurestore.quality.gate.view_rows import inspect_view
from featurestore.quality.rules.expectations import NO_CONTEXT, ValidationContext
from featurestore.storage.files import sink_parquet, write_record

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from featurestore.definitions.catalog import Node
    from featurestore.definitions.contract import Contract

ENVIRONMENTS = ("serving", "training")
ROWS, VERDICT = "rows.parquet", "verdict.json"


def judge(
    node: Node, rows: pl.LazyFrame, context: ValidationContext = NO_CONTEXT, *, environment: str | None = None
) -> Inspection:
    """Check rows against the contract of a source, dataset or feature view.

    Rows that were quarantined and mended can be judged as they are, with their numbers and the rules that they broke.

    Parameters
    ----------
    environment
        Where the rows are; columns that are not expected there are not asked for. None: all are.

    Raises
    ------
    ContractError
        If columns are missing, unexpected or of a wrong kind: then no row can be judged.
    """
    contract = node.contract.within(environment)
    if BROKEN_RULES not in contract:
        rows = rows.drop(BROKEN_RULES, strict=False)
    _require_names(rows, contract, node.name)
    if not isinstance(node, FeatureView):
        return inspect(rows, contract, dataset=node.name, context=context)
    if SOURCE_ROW not in rows.collect_schema():
        # Before they are sorted.
        rows = rows.with_row_index(SOURCE_ROW, offset=1)
    return inspect_view(replace(node, contract=contract), rows, context)


def environments_of(contract: Contract) -> tuple[str, ...]:
    """Name the environments that a contract can be judged in."""
    declared = (name for column in contract.columns for name in column.metadata.get("environments", ()))
    return tuple(sorted({*ENVIRONMENTS, *declared}))


def keep_judged(inspection: Inspection, folder: Path) -> Path | None:
    """Write the verdict, and the bad rows where there are any; returns where they lie."""
    write_record(inspection.verdict.record(), folder / VERDICT)
    if not inspection.verdict.rows_quarantined:
        return None
    sink_parquet(inspection.failing, folder / ROWS)
    return folder / ROWS


def _require_names(rows: pl.LazyFrame, contract: Contract, dataset: str) -> None:
    """Name what is missing of personal data, and nothing else: of a file without header the first row stands for names."""
    given = rows.collect_schema()
    missing = [column.name for column in contract.columns if column.name not in given]
    if missing and any(column.personal for column in contract.columns):
        raise ContractError(
            f"{dataset}: breaks schema {contract.name}: lacks {', '.join(map(repr, missing))}"
        )
