"""Run the functions of definitions, and report errors with the line of the user's code."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.definitions.ordered import ordered_execution
from featurestore.errors import DefinitionError, FeatureStoreError

if TYPE_CHECKING:
    from featurestore.definitions.signature import Transformation


def call(name: str, function: Transformation, *inputs: pl.LazyFrame) -> pl.LazyFrame:
    """Run the function of a definition.

    Raises
    ------
    DefinitionError
        If the function raises, or does not return a frame. Names the definition, the file and the
        line.
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
            f"{name!r} returns a {type(result).__name__}, expected a frame",
            hint="return the frame that it builds",
        )
    return result


def run(name: str, function: Transformation, *inputs: pl.LazyFrame) -> pl.DataFrame:
    """Run the function of a definition on data, and collect the result.

    The result depends on the rows of the inputs and their order, not on threads or chunks
    (`featurestore.definitions.ordered`).

    Raises
    ------
    DefinitionError
        If the function fails. Names the definition and the file, and the line if Python knows it.
    """
    try:
        with ordered_execution():
            return call(name, function, *inputs).collect()
    except pl.exceptions.PolarsError as error:
        raise DefinitionError(
            f"{name!r} fails on its data: {reason(error)}", hint=f"see {function.__code__.co_filename}"
        ) from error
    except FeatureStoreError:
        raise
    except Exception as error:  # The user's own function, called by Polars.
        raise DefinitionError(
            f"{name!r} fails on its data: {reason(error)}", hint=f"see {place(error)}"
        ) from error


def reason(error: BaseException) -> str:
    """Return an error as one line, without the query plan that Polars adds."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def add_place(error: FeatureStoreError) -> None:
    """Add to the hint of an error where the user's code raised it: a declaration inside another one does not know its name."""
    where = f"see {place(error)}"
    error.hint = where if error.hint is None else f"{error.hint}; {where}"
    error.args = (f"{error.message}\n  hint: {error.hint}",)


def place(error: BaseException) -> str:
    """Return the file and line where an error arose: the last line of the user's code."""
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
