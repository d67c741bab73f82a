"""Rows of a feature view in a file: Parquet, CSV or JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from featurestore.errors import ContractError
from featurestore.storage.csv_files import read_complete_csv
from featurestore.values.json_keys import require_unique_keys_of_lines
from featurestore.vectors.pushed_rows import pushed_rows

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.feature_view import FeatureView


def read_rows(path: Path, view: FeatureView) -> pl.DataFrame:
    """Read rows of a view; the view's gate checks the values.

    Raises
    ------
    ContractError
        If the file cannot be read, has an unknown suffix, has columns that the view does not have, or a JSON object
        names a key twice.
    """
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        if path.suffix == ".csv":
            return read_complete_csv(path, str(path))
        if path.suffix in (".jsonl", ".ndjson"):
            content = path.read_bytes()
            rows = _json_rows(msgspec.json.Decoder(dict).decode_lines(content), path, view)
            require_unique_keys_of_lines(content.split(b"\n"), str(path))
            return rows
    except (pl.exceptions.PolarsError, msgspec.DecodeError, OSError) as error:
        raise ContractError(
            f"{path}: cannot be read: {str(error).splitlines()[0]}",
            hint=f"check that it exists and is a complete {path.suffix} file, then push it again",
        ) from error
    raise ContractError(
        f"{path}: the format {path.suffix!r} is unknown", hint="use a file named .parquet, .csv or .jsonl"
    )


def _json_rows(lines: list[dict[str, Any]], path: Path, view: FeatureView) -> pl.DataFrame:
    if not lines:
        raise ContractError(f"{path}: holds no rows", hint="write one JSON object a line")
    names = {name: None for line in lines for name in line}
    # Refuses unknown columns before they are filled: lines with a key of their own each make a square of values.
    pushed_rows(view, {name: [] for name in names})
    return pushed_rows(view, {name: [line.get(name) for line in lines] for name in names})
