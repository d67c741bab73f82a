"""Write the rows that broke a contract to files, with the rules that they broke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.storage.files import sink_parquet, write_record

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.quality.gate.inspection import Inspection
    from featurestore.storage.layout import Layout


def keep(inspection: Inspection, layout: Layout, name: str, path: Path, *, metadata: dict[str, str]) -> None:
    """Write the rows that passed to `path` with metadata, the bad rows to quarantine, and the verdict."""
    sink_parquet(inspection.passing, path, metadata=metadata)
    sink_parquet(inspection.failing, layout.quarantine(name))
    write_record(inspection.verdict.record(), layout.verdict(name))


def refuse(inspection: Inspection, layout: Layout, name: str) -> None:
    """Write the bad rows and the verdict of a refused dataset; the data in place stay unchanged."""
    folder = layout.refused(name)
    sink_parquet(inspection.failing, folder / "rows.parquet")
    write_record(inspection.verdict.record(), folder / "verdict.json")
