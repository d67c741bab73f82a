"""Corrections: rows that a person corrected by hand, which replace the raw rows before the gate.

They are kept beside the definitions as a CSV file, as text that can be reviewed: the raw data and
the corrections give the same dataset on any machine. A correction identifies its raw row by file,
row number and digest, so that it never replaces another row after the raw data have changed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError
from featurestore.quality.gate.partition import BROKEN_RULES, SOURCE_FILE, SOURCE_ROW
from featurestore.storage.csv_files import INCOMPLETE, read_complete_csv
from featurestore.values.printable import as_text, printable
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from pathlib import Path

ROW_DIGEST = "row_digest"
PLACE = (SOURCE_FILE, SOURCE_ROW)
_CORRECTED = "__corrected__"


def rows_to_correct(quarantined: pl.DataFrame) -> pl.DataFrame:
    """Write rows in quarantine as text for a person to correct, with their broken rules.

    Raises
    ------
    ContractError
        If a column is nested or binary.
    """
    raw = [name for name in quarantined.columns if name not in (*PLACE, BROKEN_RULES)]
    unwritable = [
        name for name in raw if quarantined.schema[name].is_nested() or quarantined.schema[name] == pl.Binary
    ]
    if unwritable:
        raise ContractError(
            f"column {unwritable[0]!r} is {quarantined.schema[unwritable[0]]}, which a CSV file cannot hold",
            hint="correct the raw file",
        )
    return quarantined.select(
        *PLACE,
        _digests(quarantined.select(raw)),
        pl.col(BROKEN_RULES).list.join("; "),
        *(as_text(name, quarantined.schema[name]) for name in raw),
    )


def read_corrections(path: Path) -> pl.DataFrame:
    """Read corrected rows.

    Raises
    ------
    ContractError
        If the file is not a CSV file of corrected rows, or a row lacks fields.
    """
    try:
        rows = read_complete_csv(path, str(path))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ContractError(
            f"{path}: cannot be read as CSV: {str(error).splitlines()[0]}",
            hint="write the file with: featurestore quarantine NAME --out FILE, and correct the values in it",
        ) from error
    if missing := [name for name in (*PLACE, ROW_DIGEST) if name not in rows.columns]:
        raise ContractError(
            f"{path}: lacks {', '.join(missing)}",
            hint="correct the rows in the file that `featurestore quarantine NAME --out FILE` writes",
        )
    return rows.drop(BROKEN_RULES, strict=False)


def merge_corrections(earlier: pl.DataFrame, later: pl.DataFrame) -> pl.DataFrame:
    """Merge corrections; of two corrections of one row the later wins."""
    return (
        pl.concat([earlier, later], how="diagonal")
        .unique(PLACE, keep="last", maintain_order=True)
        .sort(PLACE)
    )


def apply_corrections(
    rows: pl.DataFrame | pl.LazyFrame, corrections: pl.DataFrame, *, dataset: str, path: Path
) -> pl.DataFrame | pl.LazyFrame:
    """Replace raw rows by their corrections.

    Parameters
    ----------
    rows
        Raw rows, with ``source_file`` and ``source_row``.
    path
        The file that keeps the corrections.

    Raises
    ------
    ContractError
        If the raw row of a correction is missing or has changed, or a corrected value cannot be
        read.
    """
    schema = rows.lazy().collect_schema()
    raw = [name for name in schema if name not in (*PLACE, INCOMPLETE)]
    if unknown := [name for name in corrections.columns if name not in (*schema, ROW_DIGEST)]:
        raise ContractError(
            f"{dataset}: corrections have columns that the raw rows do not have: {', '.join(unknown)}",
            hint=f"columns of the raw rows: {', '.join(raw)}",
        )
    try:
        typed = corrections.with_columns(
            pl.col(name).cast(schema[name]) for name in corrections.columns if name in schema
        )
    except pl.exceptions.PolarsError as error:
        raise ContractError(
            f"{dataset}: a corrected value cannot be read: {str(error).splitlines()[0]}",
            hint=f"correct the value in {path}",
        ) from error
    require_unchanged(rows, typed, outdated_corrections(dataset, path))
    names = [name for name in raw if name in typed.columns]
    replacements = typed.select(
        *PLACE,
        *(pl.col(name).alias(f"{_CORRECTED}{name}") for name in names),
        pl.lit(value=True).alias(_CORRECTED),
    )
    corrected = (
        rows.lazy()
        .join(replacements.lazy(), on=list(PLACE), how="left", maintain_order="left")
        .with_columns(
            pl.when(_CORRECTED).then(pl.col(f"{_CORRECTED}{name}")).otherwise(pl.col(name)).alias(name)
            for name in names
        )
        .with_columns(pl.col(mark) & pl.col(_CORRECTED).is_null() for mark in (INCOMPLETE,) if mark in schema)
        .select(schema.names())
    )
    return corrected.collect() if isinstance(rows, pl.DataFrame) else corrected


def outdated_corrections(dataset: str, path: Path) -> ContractError:
    """Return the error for corrections that were kept, and whose raw rows have changed since."""
    return ContractError(
        f"{dataset}: the raw rows of corrections in {path} have changed",
        hint=f"remove these corrections from {path}, or the file if none is left, then run: featurestore pipeline "
        f"--write && featurestore validate {dataset}; correct the rows that are in quarantine then",
    )


def outdated_file(dataset: str, file: Path) -> ContractError:
    """Return the error for a file to resubmit that was written from other raw rows."""
    return ContractError(
        f"{file}: its rows are not those of the raw data of {dataset!r}: the file was written before the data changed",
        hint=f"run: featurestore validate {dataset} && featurestore quarantine {dataset} --out {file}; correct the "
        f"rows, then run: featurestore resubmit {dataset} {file}",
    )


def require_unchanged(
    rows: pl.DataFrame | pl.LazyFrame, corrections: pl.DataFrame, error: ContractError
) -> None:
    """Refuse corrections of raw rows that are missing or have changed.

    Parameters
    ----------
    error
        The error to raise; the number of corrections and the first row are added to its message.

    Raises
    ------
    ContractError
        If a raw row is missing or has changed.
    """
    schema = rows.lazy().collect_schema()
    raw = [name for name in schema if name not in (*PLACE, INCOMPLETE)]
    places = corrections.select(pl.col(name).cast(schema[name], strict=False) for name in PLACE)
    current = rows.lazy().join(places.lazy(), on=list(PLACE), how="semi").collect(engine="streaming")
    digests = current.select(*PLACE, _digests(current.select(raw)).alias("current_digest"))
    compared = places.with_columns(corrections[ROW_DIGEST]).join(digests, on=list(PLACE), how="left")
    changed = compared.filter(
        pl.col("current_digest").is_null()
        | (pl.col("current_digest") != pl.col(ROW_DIGEST)).fill_null(value=True)
    )
    if changed.height:
        file, row = changed.select(PLACE).row(0)
        where = "without a row number" if row is None else f"row {row:,} of {file}"
        raise ContractError(
            f"{error.message} ({counted(changed.height, 'row')}, the first is {where})", hint=error.hint
        )


def _digests(raw: pl.DataFrame) -> pl.Series:
    # Corrected rows are few: a person reads them.
    texts = printable(raw).select(pl.struct(pl.all()).struct.json_encode()).to_series()
    return pl.Series(
        ROW_DIGEST, [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts], dtype=pl.String
    )
