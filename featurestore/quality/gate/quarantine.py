"""Write the rows that broke a contract to files, with the rules that they broke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.storage.files import sink_parquet, write_record

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.quality.gate.inspection import Inspection
    from featurestore.storage.layout import Layout
    from featurestore.storage.together import FileGroup


def keep(
    inspection: Inspection,
    layout: Layout,
    name: str,
    path: Path,
    files: FileGroup,
    *,
    metadata: dict[str, str],
) -> None:
    """Write the passing rows to `path` with metadata, the bad rows, and the verdict, as files of a group."""
    sink_parquet(inspection.passing, files.aside(path), metadata=metadata)
    sink_parquet(inspection.failing, files.aside(layout.quarantine(name)))
    write_record(inspection.verdict.record(), files.aside(layout.verdict(name)))


def refuse(inspection: Inspection, layout: Layout, name: str, files: FileGroup) -> None:
    """Write the bad rows and the verdict of a refused dataset; the data in place stay unchanged."""
    folder = layout.refused(name)
    sink_parquet(inspection.failing, files.aside(folder / "rows.parquet"))
    write_record(inspection.verdict.record(), files.aside(folder / "verdict.json"))
