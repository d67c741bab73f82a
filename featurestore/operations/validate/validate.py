"""Validate: let raw data through the gate, or check a built dataset again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from featurestore.definitions.source import Source
from featurestore.operations.validate.context import validation_context
from featurestore.operations.validate.outcome import record_outcome, recorded_failure
from featurestore.quality.gate.corrections import (
    apply_corrections,
    outdated_file,
    read_corrections,
    require_unchanged,
)
from featurestore.quality.gate.inspection import inspect, require
from featurestore.quality.profile.documentation import require_documentation
from featurestore.storage.datasets import corrections_path, scan_dataset
from featurestore.storage.files import translated_read_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

    from featurestore.definitions.catalog import Derived
    from featurestore.quality.gate.inspection import Inspection
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.workspace import Workspace


def validate(workspace: Workspace, name: str) -> Verdict:
    """Check the raw file of a source and keep the good rows as Parquet; or check a built dataset in place.

    Raises
    ------
    MissingDataError
        If the raw file does not exist, or the dataset is not built yet.
    DefinitionError
        If a column has no description or no unit.
    ContractError
        If the data cannot be read or are refused. The rows in place do not change; the refused rows of a source are in
        ``data/refused``.
    SkewError
        If the definition changed after this process read it.
    """
    node = workspace.catalog.node(name)
    workspace.require_current(node)
    return _source(workspace, node) if isinstance(node, Source) else _built(workspace, node)


def _source(workspace: Workspace, source: Source) -> Verdict:
    path = corrections_path(source)
    with recorded_failure(source, workspace.layout):
        corrections = read_corrections(path) if path.exists() else None
        with inspected(workspace, source, corrections) as inspection:
            return record_outcome(inspection, source, workspace.layout)


@contextmanager
def inspected(
    workspace: Workspace,
    source: Source,
    corrections: pl.DataFrame | None,
    *,
    submitted: tuple[Path, pl.DataFrame] | None = None,
) -> Iterator[Inspection]:
    """Check the raw rows of a source, with corrections in the place of bad rows. Nothing is written.

    Parameters
    ----------
    corrections
        All corrections; None: there are none.
    submitted
        Those of the corrections that are new, and their file.

    Raises
    ------
    MissingDataError
        If the raw file does not exist.
    DefinitionError
        If a column has no description or no unit.
    ContractError
        If the rows cannot be read, in the block too, or a correction belongs to other raw data.
    """
    require_documentation(source.contract, source.name)
    path = workspace.root / source.path
    rows = workspace.reader.scan(source, path)
    with translated_read_errors(source.name, path):
        if submitted is not None:
            require_unchanged(rows, submitted[1], outdated_file(source.name, submitted[0]))
        if corrections is not None:
            rows = apply_corrections(rows, corrections, dataset=source.name, path=corrections_path(source))
        context = validation_context(workspace, source.name)
        yield inspect(rows, source.contract, dataset=source.name, context=context)


def _built(workspace: Workspace, node: Derived) -> Verdict:
    inspection = inspect(
        scan_dataset(node, workspace.layout, any_definition=True),
        node.contract,
        dataset=node.name,
        context=validation_context(workspace, node.name),
    )
    require(inspection.verdict)
    return inspection.verdict
