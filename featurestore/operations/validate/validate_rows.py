"""Validate rows that are sent: check them against the contract of a dataset. The data in place do not change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from featurestore.definitions.feature_view import FeatureView
from featurestore.errors import ContractError
from featurestore.operations.validate.context import validation_context
from featurestore.quality.gate.inspection import Inspection, inspect
from featurestore.quality.gate.partition import BROKEN_RULES, SOURCE_ROW
from featurestore.quality.gate.view_rows import inspect_view
from featurestore.storage.files import sink_parquet, write_record

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from featurestore.definitions.catalog import Node
    from featurestore.definitions.contract import Contract
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.workspace import Workspace

ENVIRONMENTS = ("serving", "training")
ROWS = "rows.parquet"
VERDICT = "verdict.json"


def validate_rows(
    workspace: Workspace,
    name: str,
    rows: pl.LazyFrame,
    *,
    environment: str | None = None,
    folder: Path | None = None,
) -> Verdict:
    """Check rows against the contract of a source, dataset or feature view.

    Corrected rows of a quarantine file can be checked as they are, with their row numbers and broken rules.

    Parameters
    ----------
    environment
        Where the rows come from; columns that the schema does not expect there may be absent. None: all are expected.
    folder
        Where the verdict (``verdict.json``) and the bad rows (``rows.parquet``, if there are any) are written.

    Raises
    ------
    ContractError
        If columns are missing, unexpected or of a wrong type: then no row can be checked.
    """
    inspection = _inspect(workspace, workspace.catalog.node(name), rows, environment)
    if folder is not None:
        write_record(inspection.verdict.record(), folder / VERDICT)
        if inspection.verdict.rows_quarantined:
            sink_parquet(inspection.failing, folder / ROWS)
    return inspection.verdict


def environments(workspace: Workspace, name: str) -> tuple[str, ...]:
    """Return the names of the environments in which rows of a dataset can be checked."""
    columns = workspace.catalog.node(name).contract.columns
    declared = (environment for column in columns for environment in column.metadata.get("environments", ()))
    return tuple(sorted({*ENVIRONMENTS, *declared}))


def _inspect(workspace: Workspace, node: Node, rows: pl.LazyFrame, environment: str | None) -> Inspection:
    context = validation_context(workspace, node.name)
    contract = node.contract.within(environment)
    if BROKEN_RULES not in contract:
        rows = rows.drop(BROKEN_RULES, strict=False)
    _require_columns(rows, contract, node.name)
    if not isinstance(node, FeatureView):
        return inspect(rows, contract, dataset=node.name, context=context)
    if SOURCE_ROW not in rows.collect_schema():
        # The view's gate sorts the rows: number them before.
        rows = rows.with_row_index(SOURCE_ROW, offset=1)
    return inspect_view(replace(node, contract=contract), rows, context)


def _require_columns(rows: pl.LazyFrame, contract: Contract, dataset: str) -> None:
    """Name only the missing columns of personal data: in a file without a header, the column names are values."""
    columns = rows.collect_schema()
    missing = [column.name for column in contract.columns if column.name not in columns]
    if missing and contract.personal:
        raise ContractError(
            f"{dataset}: breaks schema {contract.name}: lacks {', '.join(map(repr, missing))}",
            hint="send these columns; a CSV file needs their names in its first line",
        )
