"""The first import of Feast."""

from __future__ import annotations

import importlib
import sys
from typing import TypeVar

F = TypeVar("F")


def load_feast() -> None:
    """Import Feast without the type checks that it adds to its own functions.

    To add them, typeguard parses a module again for each of its functions. This takes three quarters of the time of
    the import. Nothing changes if Feast is imported already.

    Raises
    ------
    ImportError
        If Feast is not installed.
    """
    if "feast" in sys.modules:
        return
    typeguard = importlib.import_module("typeguard")
    typechecked = typeguard.typechecked
    typeguard.__dict__["typechecked"] = _unchecked
    try:
        importlib.import_module("feast")
    finally:
        typeguard.__dict__["typechecked"] = typechecked


def _unchecked(function: F) -> F:
    return function
