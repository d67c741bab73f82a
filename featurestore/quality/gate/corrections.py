"""Mended rows: what a person made of rows in quarantine, put in their place before the gate.

They are kept beside the definitions, in ``corrections/<source>.csv``, as text that can be reviewed: from the raw data and the
mends the dataset follows again on any machine. A mend names the row it mends by file, row number and digest, so that it
never touches another row where the raw data have changed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError
from featurestore.quality.gate.compiled_contract import BROKEN_RULES, SOURCE_FILE, SOURCE_ROW

if TYPE_CHECKING:
    from pathlib import Path

ROW_DIGEST = "row_digest"
PLACE = (SOURCE_FILE, SOURCE_ROW)
_MENDED = "__mended__"


def rows_to_correct(quarantined: pl.DataFrame) -> pl.DataFrame:
    """Write rows in quarantine in the form in which they are mended: text, with why they are there.

    Raises
    ------
    ContractError
        If a column is nested, or binary.
    """
    raw = [name for name in quarantined.columns if name not in (*PLACE, BROKEN_RULES)]
    if nested := [
        name for name in raw if quarantined.schema[name].is_nested() or quarantined.schema[name] == pl.Binary
    ]:
        raise ContractError(
            f"{nested[0]!r} is {quarantined.schema[nested[0]]}, which a line of text does not hold",
            hint="mend the raw file itself",
        )
    return quarantined.select(
        *PLACE,
        _digests(quarantined.select(raw)),
        pl.col(BROKEN_RULES).list.join("; "),
        *(pl.col(name).cast(pl.String) for name in raw),
    )


def read_corrections(path: Path) -> pl.DataFrame:
    """Read mended rows.

    Raises
    ------
    ContractError
        If it is no CSV file of mended rows.
    """
    try:
        rows = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ContractError(f"{path}: cannot be read as CSV: {str(error).splitlines()[0]}") from error
    if missing := [name for name in (*PLACE, ROW_DIGEST) if name not in rows.columns]:
        raise ContractError(
            f"{path}: lacks {', '.join(missing)}",
            hint="mend the file that `featurestore quarantine NAME --out FILE` writes",
        )
    return rows.drop(BROKEN_RULES, strict=False)


def joined(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Add mends to those there are; a row mended again is mended as said last."""
    return (
        pl.concat([before, after], how="diagonal").unique(PLACE, keep="last", maintain_order=True).sort(PLACE)
    )


def apply_corrections(
    rows: pl.DataFrame | pl.LazyFrame, corrections: pl.DataFrame, *, dataset: str
) -> pl.DataFrame | pl.LazyFrame:
    """Put mended rows in the place of those that they mend.

    Parameters
    ----------
    rows
        Raw rows, with ``source_file`` and ``source_row``.

    Raises
    ------
    ContractError
        If a mend is of a row that is not there, or that is no longer what it was; or a value cannot be read.
    """
    schema = rows.lazy().collect_schema()
    raw = [name for name in schema if name not in PLACE]
    if unknown := [name for name in corrections.columns if name not in (*schema, ROW_DIGEST)]:
        raise ContractError(
            f"{dataset}: mended rows have columns that raw rows have not: {', '.join(unknown)}"
        )
    try:
        typed = corrections.with_columns(
            pl.col(name).cast(schema[name]) for name in corrections.columns if name in schema
        )
    except pl.exceptions.PolarsError as error:
        raise ContractError(
            f"{dataset}: a mended value cannot be read: {str(error).splitlines()[0]}"
        ) from error
    _require_same(rows, typed, raw, dataset)
    names = [name for name in raw if name in typed.columns]
    right = typed.select(
        *PLACE, *(pl.col(n).alias(f"{_MENDED}{n}") for n in names), pl.lit(value=True).alias(_MENDED)
    )
    mended = (
        rows.lazy()
        .join(right.lazy(), on=list(PLACE), how="left", maintain_order="left")
        .with_columns(
            pl.when(_MENDED).then(pl.col(f"{_MENDED}{n}")).otherwise(pl.col(n)).alias(n) for n in names
        )
        .select(schema.names())
    )
    return mended.collect() if isinstance(rows, pl.DataFrame) else mended


def _require_same(
    rows: pl.DataFrame | pl.LazyFrame, corrections: pl.DataFrame, raw: list[str], dataset: str
) -> None:
    there = (
        rows.lazy()
        .join(corrections.lazy().select(PLACE), on=list(PLACE), how="semi")
        .collect(engine="streaming")
    )
    found = there.select(*PLACE, _digests(there.select(raw)).alias("found"))
    told = corrections.join(found, on=list(PLACE), how="left")
    changed = told.filter(pl.col("found").is_null() | (pl.col("found") != pl.col(ROW_DIGEST)))
    if changed.height:
        file, row = changed.select(PLACE).row(0)
        raise ContractError(
            f"{dataset}: {changed.height:,} mended rows are not the raw rows that they were, first row {row} of {file}",
            hint="the raw data changed: take their lines out of feature_repo/corrections, list the quarantine again, and mend "
            "what is in it now",
        )


def _digests(raw: pl.DataFrame) -> pl.Series:
    # Rows to mend are few: a person reads them.
    texts = raw.select(pl.struct(pl.all()).struct.json_encode()).to_series()
    return pl.Series(
        ROW_DIGEST, [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts], dtype=pl.String
    )
