"""Entity rows in files: Parquet, CSV and JSON lines, each scanned so that a part can be read at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.errors import ContractError
from featurestore.storage.csv_files import MAX_COLUMNS, MAX_ROW_BYTES, require_complete_csv
from featurestore.storage.empty_files import require_content
from featurestore.storage.parquet import scan_files
from featurestore.values.accepted import accepted_hint
from featurestore.values.casts import cast_values
from featurestore.values.json_lines import read_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

PARQUET: Final = (".parquet", ".pq")
JSON_LINES: Final = (".jsonl", ".ndjson")
SUFFIXES: Final = (*PARQUET, ".csv", *JSON_LINES)


@dataclass(frozen=True)
class ScannedRows:
    """Entity rows that are not read yet.

    Attributes
    ----------
    title
        Names the rows in messages.
    declared
        The dtypes to cast columns of text to; other columns keep their dtypes.
    """

    rows: pl.LazyFrame
    title: str
    declared: Mapping[str, pl.DataType] = field(default_factory=dict)

    def typed(self, frame: pl.DataFrame, first: int = 0) -> pl.DataFrame:
        """Cast the text of a part of the rows to the declared dtypes.

        Parameters
        ----------
        first
            The number of rows before this part, for messages.

        Raises
        ------
        ContractError
            If a value cannot be read as its dtype.
        """
        casts = {
            name: cast
            for name, dtype in self.declared.items()
            if name in frame.columns
            and (cast := cast_values(pl.col(name), frame.schema[name], dtype, None)) is not None
        }
        failed = frame.select(
            cast.failed.alias(name) for name, cast in casts.items() if cast.failed is not None
        )
        for flags in failed.iter_columns():
            if flags.any():
                row = first + (flags.arg_max() or 0) + 1
                raise ContractError(
                    f"{self.title}: row {row:,}: {flags.name!r} cannot be read as {self.declared[flags.name]}",
                    hint=accepted_hint(self.declared[flags.name]),
                )
        return frame.with_columns(cast.value.alias(name) for name, cast in casts.items())


def is_file(source: Any) -> bool:
    """Return whether entity rows are the path of a file, and not SQL: SQL has several words."""
    if isinstance(source, str):
        return source.endswith(SUFFIXES) or len(source.split()) == 1
    return isinstance(source, Path)


def scan_file(path: str | Path, schema: Mapping[str, pl.DataType]) -> ScannedRows:
    """Scan a file of entity rows. In CSV, columns that are not in the schema stay text.

    Parameters
    ----------
    schema
        The columns that a request needs, and their dtypes.

    Raises
    ------
    ContractError
        If the file is empty, has another suffix or cannot be read, a row of a CSV file has too few fields, or a JSON object
        names a key twice.
    """
    title = f"entity rows {path}"
    suffix = Path(path).suffix
    is_parquet = suffix in PARQUET or Path(path).is_dir()
    if not is_parquet and suffix not in SUFFIXES:
        raise ContractError(
            f"{title}: the format {suffix!r} is unknown",
            hint="use a file named .parquet, .csv or .jsonl, or SQL over the project's datasets",
        )
    require_content(Path(path), title)
    if is_parquet:
        return ScannedRows(scan_files(path), title)
    try:
        rows = _csv(Path(path), title) if suffix == ".csv" else _json_lines(Path(path), title, schema)
    except (OSError, pl.exceptions.PolarsError) as error:
        if isinstance(error, ContractError):
            raise
        raise unreadable(title, error) from error
    return ScannedRows(rows, title, schema)


def unreadable(title: str, error: Exception) -> ContractError:
    """Return the error for entity rows that cannot be read."""
    return ContractError(
        f"{title}: cannot be read: {str(error).partition(chr(10))[0]}",
        hint="check that it exists and is complete",
    )


def _csv(path: Path, title: str) -> pl.LazyFrame:
    require_complete_csv(path, title)
    return pl.scan_csv(path, infer_schema=False, glob=False)


def _json_lines(path: Path, title: str, schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    nested = [name for name, dtype in schema.items() if dtype.is_nested()]
    with path.open("rb") as file:
        lines = read_lines(
            file, schema, title, inferred=nested, max_keys=MAX_COLUMNS, max_bytes=MAX_ROW_BYTES
        )
    exact = escape(str(path))
    inferred = pl.scan_ndjson(exact, infer_schema_length=None).collect_schema()
    lines.schema |= {name: inferred[name] for name in lines.schema if name not in schema}
    return lines.marked(pl.scan_ndjson(exact, schema=lines.schema))
