"""How on-demand views and feature services of Feast become definitions here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from featurestore.operations.adopt_pandas import columns_of, translated
from featurestore.operations.adopt_plan import AdoptedOnDemand
from featurestore.operations.adopt_text import class_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from featurestore.adapters.feast.inventory import FeastOnDemandView, FeastRead, FeastService
    from featurestore.operations.adopt_plan import AdoptPlan


def plan_on_demand(plan: AdoptPlan, view: FeastOnDemandView) -> None:
    """Add an on-demand view to the plan: translated, or as a stub."""
    label = f"on-demand view {view.name}"
    expressions = None
    reads = view.reads
    if view.mode == "pandas":
        floats = {item.name: item.value_type in {"FLOAT", "DOUBLE"} for item in view.features}
        expressions = translated(view.code, floats)
    if expressions is not None:
        used = columns_of(view.code)
        narrow = (
            msgspec.structs.replace(r, features=tuple(f for f in r.features if f in used)) for r in reads
        )
        reads = tuple(read for read in narrow if read.features)
    if missing := _missing(plan, reads):
        plan.note("left_out", label, f"it reads {missing[0]}, which is left out")
        return
    name = plan.names["on-demand view", view.name]
    plan.on_demand[view.name] = AdoptedOnDemand(name, class_name(name), view, reads, expressions)
    if expressions is None:
        plan.note(
            "left_out",
            label,
            f"its function for {view.mode} has no certain translation; feature_repo/on_demand.py holds a stub with the "
            "original",
            "write the function in Polars there, and add it to its services",
        )


def _missing(plan: AdoptPlan, reads: Iterable[FeastRead]) -> list[str]:
    """Name the features that cannot be read, because they are left out."""
    missing = []
    for read in reads:
        if read.view not in plan.views:
            missing.append(f"view {read.view}")
        else:
            known = {column.name for column in plan.views[read.view].features}
            missing += [f"feature {read.view}:{name}" for name in read.features if name not in known]
    return missing


def plan_service(plan: AdoptPlan, service: FeastService) -> None:
    """Add a service to the plan, without the features that are left out."""
    label = f"service {service.name}"
    kept = []
    for read in service.reads:
        if read.view in plan.views:
            known = {column.name for column in plan.views[read.view].features}
            kept.append(
                msgspec.structs.replace(read, features=tuple(name for name in read.features if name in known))
            )
            left = [f"{read.view}:{name}" for name in read.features if name not in known]
        elif (computed := plan.on_demand.get(read.view)) is not None and computed.expressions is not None:
            kept.append(read)
            left = []
        else:
            left = [read.view]
        for name in left:
            plan.note("left_out", f"{name} in {label}", "it is left out itself")
    repeated = [
        name
        for name, count in Counter(f for read in kept if read.alias is None for f in read.features).items()
        if count > 1
    ]
    if repeated:
        kept = [
            read
            if read.alias or not set(read.features) & set(repeated)
            else msgspec.structs.replace(read, alias=read.view)
            for read in kept
        ]
        plan.note(
            "changed", label, f"{', '.join(repeated)} are in two views: their names have the view in front, as in Feast's "
            "full feature names with one underscore",
        )  # fmt: skip
    if service.tags:
        plan.note("left_out", f"tags of {label}", "services have no tags here")
    if not kept:
        plan.note("left_out", label, "none of its features can be adopted")
        return
    plan.services[service.name] = (service, tuple(kept))
