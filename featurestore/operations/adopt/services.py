"""How on-demand views and feature services of Feast become definitions here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from featurestore.operations.adopt.pandas_code import columns_of, translated
from featurestore.operations.adopt.plan import AdoptedOnDemand
from featurestore.operations.adopt.text import class_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from featurestore.adapters.feast.inventory import FeastOnDemandView, FeastRead, FeastService
    from featurestore.operations.adopt.plan import AdoptPlan


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
    inputs = Counter([*(f for read in reads for f in read.features), *(item.name for item in view.request)])
    reason = f"its function for {view.mode} has no certain translation"
    if clashes := [name for name, count in inputs.items() if count > 1]:
        expressions = None
        reason = f"two of its inputs are named {clashes[0]!r}"
    name = plan.names["on-demand view", view.name]
    plan.on_demand[view.name] = AdoptedOnDemand(name, class_name(name), view, reads, expressions)
    if expressions is None:
        plan.note(
            "left_out",
            label,
            f"{reason}; feature_repo/on_demand.py holds a stub with the original",
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
    stored, computed = [], []
    for read in service.reads:
        left = [read.view]
        if read.view in plan.views:
            known = {column.name for column in plan.views[read.view].features}
            left = [f"{read.view}:{name}" for name in read.features if name not in known]
            features = tuple(name for name in read.features if name in known)
            stored += [msgspec.structs.replace(read, features=features)] if features else []
        elif read.view in plan.on_demand and plan.on_demand[read.view].expressions is not None:
            left = []
            computed.append(read)
        for name in left:
            plan.note("left_out", f"{name} in {label}", "it is left out itself")
    kept = _without_clashes(plan, label, _with_prefixes(plan, label, stored), computed)
    if service.tags:
        plan.note("left_out", f"tags of {label}", "services have no tags here")
    if not kept:
        plan.note("left_out", label, "none of its features can be adopted")
        return
    plan.services[service.name] = (service, tuple(kept))


def _with_prefixes(plan: AdoptPlan, label: str, reads: list[FeastRead]) -> list[FeastRead]:
    """Put the name of the view in front of features that have the name of another view's feature."""
    counts = Counter(feature for read in reads if read.alias is None for feature in read.features)
    repeated = {name for name, count in counts.items() if count > 1}
    if not repeated:
        return reads
    plan.note(
        "changed", label, f"{', '.join(sorted(repeated))} are in two views: their names have the view in front, as in "
        "Feast's full feature names with one underscore",
    )  # fmt: skip
    return [
        msgspec.structs.replace(read, alias=read.view)
        if read.alias is None and repeated & set(read.features)
        else read
        for read in reads
    ]


def _without_clashes(
    plan: AdoptPlan, label: str, stored: list[FeastRead], computed: list[FeastRead]
) -> list[FeastRead]:
    """Leave out reads whose names or keys a service cannot hold beside the earlier ones, each with a note."""
    owners: dict[str, str] = {}
    dtypes: dict[str, pl.DataType] = {}
    kept = []
    for read in (*stored, *computed):
        if read.view in plan.views:
            inputs = [read]
            outputs: dict[str, str] = {}
        else:
            inputs = list(plan.on_demand[read.view].reads)
            outputs = dict.fromkeys(read.features, read.view)
        names = {**{name: owner for part in inputs for name, owner in _names(part).items()}, **outputs}
        keys = {column: dtype for part in inputs for column, dtype in _keys(plan, part).items()}
        taken = [name for name, owner in names.items() if owners.get(name, owner) != owner]
        wrong = [column for column, dtype in keys.items() if dtypes.get(column, dtype) != dtype]
        if taken:
            reason = f"its feature {taken[0]!r} has the name of a feature of {owners[taken[0]]}"
            plan.note("left_out", f"{read.view} in {label}", reason, "rename one of them")
        elif wrong:
            reason = f"its key {wrong[0]!r} is {keys[wrong[0]]}, and {dtypes[wrong[0]]} in another view"
            plan.note("left_out", f"{read.view} in {label}", reason, "write the key with one dtype")
        else:
            owners |= names
            dtypes |= keys
            kept.append(read)
    return kept


def _names(read: FeastRead) -> dict[str, str]:
    """Return the names of a read in the vector, each with the view or alias that it is from."""
    prefix = f"{read.alias}_" if read.alias else ""
    return {f"{prefix}{name}": read.alias or read.view for name in read.features}


def _keys(plan: AdoptPlan, read: FeastRead) -> dict[str, pl.DataType]:
    return {read.keys.get(key.name, key.name): key.dtype for key in plan.views[read.view].keys}
