"""Resubmit: let corrected rows of a source through the gate, and keep the corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.source import Source
from featurestore.errors import ContractError, DefinitionError, MissingDataError
from featurestore.operations.validate.outcome import record_outcome
from featurestore.operations.validate.validate import inspected
from featurestore.quality.gate.corrections import PLACE, merge_corrections, read_corrections
from featurestore.quality.gate.inspection import Inspection, require
from featurestore.storage.datasets import corrections_path
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from featurestore.quality.gate.verdict import Verdict
    from featurestore.workspace import Workspace

MAX_SHOWN = 5


def resubmit(workspace: Workspace, name: str, file: Path) -> Verdict:
    """Replace raw rows of a source by corrected rows, and let all rows through the gate.

    The corrections are kept in ``corrections/NAME.csv`` beside the definition of the source; every later run applies
    them.

    Parameters
    ----------
    file
        The CSV file that `quarantine` wrote, with corrected values.

    Raises
    ------
    DefinitionError
        If `name` is not a source.
    MissingDataError
        If the file does not exist.
    ContractError
        If a corrected row still breaks the contract or belongs to other raw data, or the dataset is refused for other
        rows; nothing changes then.
    StoreError
        If a file cannot be written; nothing changes then.
    """
    source = workspace.catalog.node(name)
    if not isinstance(source, Source):
        raise DefinitionError(
            f"{name!r} is computed: its rows cannot be corrected",
            hint="correct the rows of its source, or the function that computes it",
        )
    if not file.is_file():
        raise MissingDataError(f"{file}: not found", hint=f"run: featurestore quarantine {name} --out {file}")
    path = corrections_path(source)
    submitted = read_corrections(file)
    corrections = merge_corrections(read_corrections(path), submitted) if path.exists() else submitted
    content = {path: corrections.write_csv().encode()}
    with inspected(workspace, source, corrections, submitted=(file, submitted)) as inspection:
        _require_corrected(inspection, submitted, source, file)
        _require_accepted(inspection.verdict, source, file)
        return record_outcome(inspection, source, workspace.layout, also=content)


def _require_accepted(verdict: Verdict, source: Source, file: Path) -> None:
    try:
        require(verdict)
    except ContractError as error:
        raise ContractError(
            f"{error.message}\nnothing was changed: neither the corrections nor the rows in place",
            hint=f"correct the other bad rows in {file} too, or the raw file, then run: "
            f"featurestore resubmit {source.name} {file}",
            verdict=verdict,
        ) from error


def _require_corrected(inspection: Inspection, submitted: pl.DataFrame, source: Source, file: Path) -> None:
    places = submitted.select(PLACE).cast(inspection.failing.select(PLACE).collect_schema())
    failing = inspection.failing.join(places.lazy(), on=list(PLACE), how="semi").collect()
    if not failing.height:
        return
    listing = "".join(
        f"\n  row {row:,} of {name}: {', '.join(rules)}"
        for name, row, rules in failing.head(MAX_SHOWN).select(*PLACE, "broken_rules").rows()
    )
    raise ContractError(
        f"{source.name}: schema {source.contract.name} still refuses {counted(failing.height, 'corrected row')}:{listing}",
        hint=f"correct them in {file}, then run: featurestore resubmit {source.name} {file}",
    )
