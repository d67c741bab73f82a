"""Rows of a feature view in a file: Parquet, CSV or JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from featurestore.errors import ContractError
from featurestore.storage.csv_files import read_complete_csv
from featurestore.storage.empty_files import require_content
from featurestore.storage.parquet import read_files
from featurestore.values.json_keys import require_unique_keys_of_lines
from featurestore.vectors.pushed_rows import pushed_rows

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.feature_view import FeatureView


SUFFIXES: Final = (".parquet", ".csv", ".jsonl", ".ndjson")
# A date, with or without a time of day, and nothing after it.
_WITHOUT_ZONE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]*)?)?)?$"


def read_rows(path: Path, view: FeatureView) -> pl.DataFrame:
    """Read rows of a view; the view's gate checks the values.

    Raises
    ------
    ContractError
        If the file is empty or cannot be read, has an unknown suffix, has columns that the view does not have, or a JSON
        object names a key twice.
    """
    if path.suffix not in SUFFIXES:
        raise ContractError(
            f"{path}: the format {path.suffix!r} is unknown", hint="use a file named .parquet, .csv or .jsonl"
        )
    require_content(path, str(path))
    try:
        if path.suffix == ".parquet":
            return read_files(path)
        if path.suffix == ".csv":
            return _with_zones(read_complete_csv(path, str(path)), path, view)
        content = path.read_bytes()
        rows = _json_rows(msgspec.json.Decoder(dict).decode_lines(content), path, view)
        require_unique_keys_of_lines(content.split(b"\n"), str(path))
    except (pl.exceptions.PolarsError, msgspec.DecodeError, OSError) as error:
        raise ContractError(
            f"{path}: cannot be read: {str(error).splitlines()[0]}",
            hint=f"check that it exists and is a complete {path.suffix} file, then push it again",
        ) from error
    return rows


def _with_zones(rows: pl.DataFrame, path: Path, view: FeatureView) -> pl.DataFrame:
    """Refuse text of a timestamp that names no time zone: it could be of any.

    Raises
    ------
    ContractError
        If there is one; names the first.
    """
    for name, dtype in view.contract.schema.items():
        if name not in rows.columns or not isinstance(rows.schema[name], pl.String):
            continue
        if (
            not isinstance(dtype, pl.Datetime)
            or dtype.time_zone is None
            or view.contract[name].metadata.get("format")
        ):
            continue
        without = rows[name].str.contains(_WITHOUT_ZONE).fill_null(value=False)
        if without.any():
            row = without.arg_max() or 0
            day, time = str(rows[name][row])[:10], str(rows[name][row])[11:] or "00:00"
            example = f"{day}T{time}{':00' if len(time) == len('00:00') else ''}"
            raise ContractError(
                f"{path}: row {row + 1:,}: {name!r} has no time zone; expected a timestamp with one",
                hint=f"write {example}Z for UTC, or {example}+01:00 for another zone",
            )
    return rows


def _json_rows(lines: list[dict[str, Any]], path: Path, view: FeatureView) -> pl.DataFrame:
    if not lines:
        raise ContractError(f"{path}: holds no rows", hint="write one JSON object a line")
    names = {name: None for line in lines for name in line}
    # Refuses unknown columns before they are filled: lines with a key of their own each make a square of values.
    pushed_rows(view, {name: [] for name in names})
    return pushed_rows(view, {name: [line.get(name) for line in lines] for name in names})
