"""Mend: list what lies in quarantine, and let mended rows through the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError, MissingDataError
from featurestore.operations.validate import corrections_path, validate
from featurestore.quality.gate.corrections import (
    PLACE,
    apply_corrections,
    joined,
    read_corrections,
    rows_to_correct,
)
from featurestore.quality.gate.inspection import inspect
from featurestore.quality.rules.expectations import NO_CONTEXT, ValidationContext
from featurestore.storage.files import atomic_write, scan_parquet

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.source import Source
    from featurestore.ports import RawReader
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.storage.layout import Layout


def quarantined(name: str, layout: Layout, *, made_by: str) -> pl.DataFrame:
    """Read the rows that the last run set apart, of a dataset that was refused as well.

    Raises
    ------
    MissingDataError
        If the dataset never passed the gate.
    """
    kept, refused = layout.quarantine(name), layout.refused(name) / "rows.parquet"
    if refused.exists() and (not kept.exists() or refused.stat().st_mtime_ns > kept.stat().st_mtime_ns):
        return pl.read_parquet(refused)
    return scan_parquet(kept, made_by=made_by).collect()


def write_rows_to_correct(rows: pl.DataFrame, path: Path) -> None:
    """Write rows in quarantine as a CSV file to be mended."""
    with atomic_write(path) as partial:
        rows_to_correct(rows).write_csv(partial)


def resubmit(
    source: Source,
    mended: Path,
    root: Path,
    layout: Layout,
    *,
    reader: RawReader,
    context: ValidationContext = NO_CONTEXT,
) -> Verdict:
    """Let mended rows through the gate, in the place of those that they mend, and keep them beside the definitions.

    Raises
    ------
    ContractError
        If a mended row still breaks the contract, or is of other raw data; nothing is changed then.
    MissingDataError
        If the file is not there.
    """
    if not mended.is_file():
        raise MissingDataError(
            f"{mended}: not found", hint=f"featurestore quarantine {source.name} --out {mended}"
        )
    kept, new = corrections_path(source), read_corrections(mended)
    corrections = joined(read_corrections(kept), new) if kept.exists() else new
    rows = apply_corrections(reader.scan(source, root / source.path), corrections, dataset=source.name)
    inspection = inspect(rows, source.contract, dataset=source.name, context=context)
    places = new.select(PLACE).cast(inspection.failing.select(PLACE).collect_schema())
    still = inspection.failing.join(places.lazy(), on=list(PLACE), how="semi").collect()
    if still.height:
        told = "".join(
            f"\n  row {row} of {file}: {', '.join(rules)}"
            for file, row, rules in still.head(5).select(*PLACE, "broken_rules").rows()
        )
        raise ContractError(
            f"{source.name}: {still.height:,} mended rows still break schema {source.contract.name}:{told}",
            hint=f"mend them in {mended}, and submit it again",
        )
    with atomic_write(kept) as partial:
        corrections.write_csv(partial)
    return validate(source, root, layout, reader, context)
