"""Bring raw data in, and let them through the gate."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from featurestore.quality.change.history import run_of
from featurestore.quality.change.schema_changes import promised
from featurestore.quality.gate.corrections import apply_corrections, read_corrections
from featurestore.quality.gate.inspection import Inspection, inspect, require
from featurestore.quality.gate.quarantine import keep, refuse
from featurestore.quality.profile.documentation import require_documentation
from featurestore.quality.profile.profile import Profile, profile
from featurestore.quality.rules.expectations import NO_CONTEXT, ValidationContext
from featurestore.storage.files import append_record, translated_read_errors, write_bytes, write_record

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.contract import Contract
    from featurestore.definitions.source import Source
    from featurestore.ports import RawReader
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.storage.layout import Layout


def ingest(source: Source, root: Path, reader: RawReader) -> Path:
    """Fetch a source's raw file from its origin; returns where it lies."""
    target = root / source.path
    reader.fetch(source, target)
    return target


def validate(
    source: Source, root: Path, layout: Layout, reader: RawReader, context: ValidationContext = NO_CONTEXT
) -> Verdict:
    """Check a source's raw file on its values and keep the good rows as Parquet.

    Raises
    ------
    MissingDataError
        If the raw file is not there.
    DefinitionError
        If a column does not say what it means, or in what unit it is.
    ContractError
        If the file cannot be read or is refused; the last good data stay as they were, and what was refused lies in
        ``data/refused``.
    """
    path = root / source.path
    require_documentation(source.contract, source.name)
    rows, mended = reader.scan(source, path), corrections_path(source)
    with translated_read_errors(source.name, path):
        if mended.exists():
            rows = apply_corrections(rows, read_corrections(mended), dataset=source.name)
        inspection = inspect(rows, source.contract, dataset=source.name, context=context)
        return settle(inspection, source.contract, layout, source.name, layout.dataset(source.name))


def corrections_path(source: Source) -> Path:
    """Say where a source's mended rows are kept: beside its definition."""
    return source.defined_in.parent / "mended" / f"{source.name}.csv"


def settle(inspection: Inspection, contract: Contract, layout: Layout, name: str, path: Path) -> Verdict:
    """Keep what passed at `path`, with its profile, and what did not in quarantine; or refuse all of it."""
    verdict, at = inspection.verdict, datetime.now(UTC)
    if verdict.decision == "refused":
        refuse(inspection, layout, name)
        append_record(run_of(verdict, None, at), layout.history(name))
        require(verdict)
    before = layout.profile(name).read_bytes() if layout.profile(name).exists() else None
    keep(inspection, layout, name, path)
    write_record(promised(contract), layout.contract(name))
    made = profiled(path, contract, layout.profile(name), dataset=name)
    if before is not None and before != layout.profile(name).read_bytes():
        write_bytes(before, layout.profile_before(name))
    append_record(run_of(verdict, made, at), layout.history(name))
    return verdict


def profiled(rows: Path, contract: Contract, target: Path, *, dataset: str) -> Profile:
    """Profile a Parquet file and keep the profile at `target`."""
    made = profile(pl.scan_parquet(rows), dataset=dataset, contract=contract)
    write_record(made, target, indent=0)
    return made
