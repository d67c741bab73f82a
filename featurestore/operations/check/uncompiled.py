"""Uncompiled: which on-demand views and fitted steps Polars computes at each request, and why."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from featurestore.errors import MissingDataError, SkewError
from featurestore.expressions.row_function import NotCompiled
from featurestore.vectors.compiled import compiled
from featurestore.vectors.fitted_steps import compiled_steps

if TYPE_CHECKING:
    from featurestore.workspace import Workspace


def uncompiled(workspace: Workspace) -> dict[str, str]:
    """Find on-demand views, and services with steps, that have no plain Python function; returns the reason by name.

    Polars computes them at each request, to the same values. It takes about 0.5 ms to plan a frame. A service whose steps
    are not fitted yet, or were fitted for a former definition, is left out.
    """
    functions = {name: compiled(view) for name, view in workspace.catalog.on_demand.items()}
    for name, service in workspace.catalog.services.items():
        if service.steps:
            with suppress(MissingDataError, SkewError):
                functions[name] = compiled_steps(workspace.fitted(service))
    return {name: result.reason for name, result in functions.items() if isinstance(result, NotCompiled)}
