"""Uncompiled: which on-demand views, fitted steps and checks of requests Polars computes at each request, and why."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from featurestore.errors import MissingDataError, SkewError
from featurestore.expressions.row_function import NotCompiled
from featurestore.quality.gate.row_gate import row_gate
from featurestore.vectors.compiled import compiled
from featurestore.vectors.fitted_steps import compiled_steps

if TYPE_CHECKING:
    from featurestore.workspace import Workspace


def uncompiled(workspace: Workspace) -> dict[str, str]:
    """Find what has no plain Python function: on-demand views, checks of their requests, and services with steps.

    Polars computes them at each request, to the same values. It takes about 0.5 ms to plan a frame. A service whose steps
    are not fitted yet, or were fitted for a former definition, is left out.

    Returns
    -------
    dict of str to str
        The reason, by the name of the view or service, or by the schema and the rule: ``"Basket: basket.is_even"``.
    """
    functions = {name: compiled(view) for name, view in workspace.catalog.on_demand.items()}
    for name, service in workspace.catalog.services.items():
        if service.steps:
            with suppress(MissingDataError, SkewError):
                functions[name] = compiled_steps(workspace.fitted(service))
    reasons = {name: result.reason for name, result in functions.items() if isinstance(result, NotCompiled)}
    for contract in dict.fromkeys(view.request for view in workspace.catalog.on_demand.values()):
        for rule, reason in row_gate(contract).uncompiled.items():
            reasons[f"{contract.name}: {rule.name}"] = reason
    return reasons
