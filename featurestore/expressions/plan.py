"""The steps of a query, as Polars writes them down."""

from __future__ import annotations

import json
import pickle
import warnings
from typing import Any

import polars as pl


def plan_tree(plan: pl.LazyFrame) -> Any:
    """Return the tree of a query's steps; None: a function of the user's in it cannot be serialized."""
    with warnings.catch_warnings():
        # Polars may change the form between versions; this project pins one.
        warnings.simplefilter("ignore")
        try:
            return json.loads(plan.serialize(format="json"), object_hook=_step)
        except (pl.exceptions.PolarsError, pickle.PicklingError, TypeError, AttributeError):
            return None


def _step(part: dict[str, Any]) -> Any:
    """Return a step as it was written: Polars wraps one whose schema was asked for, together with what it found."""
    if part.keys() == {"IR"} and isinstance(part["IR"], dict) and part["IR"].keys() == {"dsl", "version"}:
        return part["IR"]["dsl"]
    return part
