"""Bring raw data in, and let them through the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.quality.gate import Inspection, inspect, require
from featurestore.quality.quarantine import keep, refuse
from featurestore.storage.files import readable

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.source import Source
    from featurestore.ports import RawReader
    from featurestore.quality.verdict import Verdict
    from featurestore.storage.layout import Layout


def ingest(source: Source, root: Path, reader: RawReader) -> Path:
    """Fetch a source's raw file from its origin; returns where it lies."""
    target = root / source.path
    reader.fetch(source, target)
    return target


def validate(source: Source, root: Path, layout: Layout, reader: RawReader) -> Verdict:
    """Check a source's raw file on its values and keep the good rows as Parquet.

    Raises
    ------
    MissingDataError
        If the raw file is not there.
    ContractError
        If the file cannot be read or is refused; the last good data stay as they were, and what was refused lies in
        ``data/refused``.
    """
    path = root / source.path
    rows = reader.scan(source, path)
    with readable(source.name, path):
        inspection = inspect(rows, source.contract, dataset=source.name)
        return settle(inspection, layout, source.name, layout.dataset(source.name))


def settle(inspection: Inspection, layout: Layout, name: str, path: Path) -> Verdict:
    """Keep what passed at `path` and what did not in quarantine, or refuse all of it."""
    if inspection.verdict.decision == "refused":
        refuse(inspection, layout, name)
        require(inspection.verdict)
    keep(inspection, layout, name, path)
    return inspection.verdict
