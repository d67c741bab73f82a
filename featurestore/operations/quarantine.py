"""Quarantine: read the rows that broke their contract, and write them to be corrected by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import ContractError
from featurestore.quality.gate.corrections import rows_to_correct
from featurestore.report.records import records_of
from featurestore.storage.datasets import build_command
from featurestore.storage.files import atomic_write, scan_required

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from featurestore.workspace import Workspace


def quarantine(workspace: Workspace, name: str, *, out: Path | None = None) -> pl.DataFrame:
    """Read the rows that the last run put in quarantine, or that it refused.

    Parameters
    ----------
    out
        Also write the rows to this CSV file, to be corrected by hand and passed to `resubmit`.

    Returns
    -------
    pl.DataFrame
        The rows as they arrived, each with ``source_file``, ``source_row`` and ``broken_rules``.

    Raises
    ------
    MissingDataError
        If the dataset never passed the gate.
    ContractError
        If the last run could not read its rows, or a column cannot be written as text to `out`.
    """
    node = workspace.catalog.node(name)
    command = build_command(node)
    records = records_of(node, workspace.layout, made_by=command)
    if records.unread is not None:
        raise ContractError(
            f"{name}: the last run could not read its rows, so it put none in quarantine: {records.unread.reason}",
            hint=f"correct what it read, then run: {command}",
        )
    rows = scan_required(records.quarantine_file, made_by=command).collect()
    if out is not None:
        with atomic_write(out) as partial:
            rows_to_correct(rows).write_csv(partial)
    return rows
