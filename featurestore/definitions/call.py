"""Running what users write: whatever it raises is said with its place in their file."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.errors import DefinitionError, FeatureStoreError

if TYPE_CHECKING:
    from featurestore.definitions.signature import Transformation


def call(name: str, function: Transformation, *inputs: pl.LazyFrame) -> pl.LazyFrame:
    """Run the function of a definition.

    Raises
    ------
    DefinitionError
        If it raises, or gives no frame; names the definition, the file and the line.
    """
    try:
        result: Any = function(*inputs)
    except FeatureStoreError:
        raise
    except Exception as error:
        raise DefinitionError(f"{name!r} fails: {reason(error)}", hint=f"see {place(error)}") from error
    if isinstance(result, pl.DataFrame):
        return result.lazy()
    if not isinstance(result, pl.LazyFrame):
        raise DefinitionError(
            f"{name!r} gives a {type(result).__name__}, not a frame", hint="return the frame it builds"
        )
    return result


def run(name: str, function: Transformation, *inputs: pl.LazyFrame) -> pl.DataFrame:
    """Run the function of a definition on data.

    Raises
    ------
    DefinitionError
        If it fails; names the definition, the file and the line where Python knows it.
    """
    frame = call(name, function, *inputs)
    try:
        return frame.collect()
    except pl.exceptions.PolarsError as error:
        raise DefinitionError(
            f"{name!r} fails on its data: {reason(error)}", hint=f"see {function.__code__.co_filename}"
        ) from error


def reason(error: BaseException) -> str:
    """Say an error in one line: Polars adds its whole plan."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def place(error: BaseException) -> str:
    """Say where an error arose: the last line that is no library's."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    package = str(Path(__file__).parents[1])
    own = [
        f
        for f in frames
        if "site-packages" not in f.filename and not f.filename.startswith((package, "<frozen"))
    ]
    own = [f for f in own if "/lib/python" not in f.filename] or frames[-1:]
    return f"{own[-1].filename}, line {own[-1].lineno}"
