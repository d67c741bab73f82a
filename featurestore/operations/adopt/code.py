"""The modules that `adopt` writes, as text."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

from featurestore.operations.adopt.columns import declared_dtype
from featurestore.operations.adopt.schemas import source_schemas, view_schemas
from featurestore.operations.adopt.text import (
    duration,
    mapping,
    one_line,
    prose,
    tuple_of,
    wrapped,
)
from featurestore.quality.profile.suggest import literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from featurestore.adapters.feast.inventory import FeastRead, FeastService
    from featurestore.operations.adopt.columns import AdoptedColumn
    from featurestore.operations.adopt.plan import AdoptedOnDemand, AdoptedView, AdoptPlan


def modules(plan: AdoptPlan) -> dict[str, str]:
    """Return the text of each module, by its path in the project."""
    texts = {
        "schemas/sources.py": source_schemas(plan),
        "schemas/features.py": view_schemas(plan),
        "feature_repo/sources.py": _sources(plan),
        "feature_repo/views.py": _views(plan),
    }
    if plan.on_demand:
        texts["feature_repo/on_demand.py"] = _on_demand(plan)
    if plan.services:
        texts["feature_repo/services.py"] = _services(plan)
    return {path: "\n".join(lines).rstrip() + "\n" for path, lines in texts.items()}


def _sources(plan: AdoptPlan) -> Iterator[str]:
    schemas = sorted(source.schema for source in plan.sources.values())
    yield from (
        '"""Entities, and the files of the features."""',
        "",
        f"from featurestore import {'Entity, ' if plan.entities else ''}source",
    )
    yield from (_imported("schemas.sources", schemas), "")
    descriptions = {plan.names["entity", e.name]: e.description for e in plan.inventory.entities}
    for name, keys in plan.entities.items():
        words = [literal(name), tuple_of(map(literal, keys))]
        words += [literal(one_line(descriptions[name]))] if descriptions.get(name) else []
        yield from wrapped(f"{name}_entity = Entity", words)
    for source in plan.sources.values():
        owner = literal(source.feast.owner or plan.inventory.project)
        words = [literal(source.name), source.schema, literal(source.path), f"owner={owner}"]
        yield from wrapped(f"{source.name} = source", words)


def _views(plan: AdoptPlan) -> Iterator[str]:
    views = plan.views.values()
    yield from ('"""Feature views."""', "", "from datetime import timedelta", "", "import polars as pl", "")
    yield "from featurestore import Frame, feature_view"
    if plan.entities:
        yield _imported("feature_repo.sources", {f"{name}_entity" for name in plan.entities})
    yield _imported("schemas.features", {view.schema for view in views})
    yield _imported("schemas.sources", {plan.sources[view.source].schema for view in views})
    yield ""
    for view in views:
        yield ""
        yield from _view(plan, view)
        yield ""


def _view(plan: AdoptPlan, view: AdoptedView) -> Iterator[str]:
    feast = view.feast
    entity = None if view.entity is None else f"{view.entity}_entity"
    words = [f"entity={entity}", f"owner={literal(_owner(plan, feast.owner, feast.tags))}"]
    words += [f"ttl={duration(feast.ttl)}"] if feast.ttl else []
    words += [f"delay={duration(view.delay)}"] if view.delay else []
    words += [f"tags={mapping(feast.tags)}"] if feast.tags else []
    yield from wrapped("@feature_view", words)
    yield f"def {view.name}(rows: Frame[{plan.sources[view.source].schema}]) -> Frame[{view.schema}]:"
    yield f'    """{prose(feast.description or f"Features of {feast.name}")}"""'
    rows = "rows"
    if view.latest_by:
        by = ", ".join(literal(column.raw) for column in (*view.keys, view.event))
        latest = f"pl.col({literal(view.latest_by)})"
        yield "    # Of the rows of one key and event, the one that was written last counts."
        yield f"    latest = rows.filter(({latest} == {latest}.max().over({by})).fill_null(value=True))"
        rows = "latest"
    yield f"    return {rows}.select("
    columns = [*view.keys, view.event, *([view.created] if view.created else []), *view.features]
    yield from (f"        {_selected(column)}," for column in columns)
    yield "    )"


def _selected(column: AdoptedColumn) -> str:
    if not column.expression and column.name == column.raw:
        return literal(column.name)
    value = column.expression or f"pl.col({literal(column.raw)})"
    return f"{value}.alias({literal(column.name)})"


def _on_demand(plan: AdoptPlan) -> Iterator[str]:
    written = [view for view in plan.on_demand.values() if view.expressions is not None]
    stubs = [view for view in plan.on_demand.values() if view.expressions is None]
    yield '"""On-demand views. A stub is a comment, with the original of Feast below it."""'
    if written:
        reads = {plan.views[read.view].name for view in written for read in view.reads}
        schemas = {name for view in written for name in (view.schema, f"{view.schema}Request")}
        yield from ("", *_on_demand_imports(reads, schemas), "")
    for view in written:
        assert view.expressions is not None  # noqa: S101 - chosen above
        dtypes = {item.name: declared_dtype(item.value_type) for item in view.feast.features}
        lines = [
            f"{text}.cast(pl.{dtypes[name]}).alias({literal(name)}),"
            for name, text in view.expressions.items()
        ]
        yield from ("", *_on_demand_function(plan, view, lines), "")
    for view in stubs:
        yield from ("", *_stub(plan, view), "")


def _on_demand_imports(views: set[str], schemas: set[str]) -> Iterator[str]:
    yield from ("import polars as pl", "", "from featurestore import Frame, on_demand_feature_view")
    if views:
        yield _imported("feature_repo.views", views)
    yield _imported("schemas.features", schemas)


def _on_demand_function(plan: AdoptPlan, view: AdoptedOnDemand, lines: list[str]) -> Iterator[str]:
    feast = view.feast
    words = [f"sources={tuple_of(_read(plan, read) for read in view.reads)}"] if view.reads else []
    words.append(f"owner={literal(feast.owner or plan.inventory.project)}")
    yield from wrapped("@on_demand_feature_view", words)
    yield f"def {view.name}(rows: Frame[{view.schema}Request]) -> Frame[{view.schema}]:"
    yield f'    """{prose(feast.description or f"Features of {feast.name}")}"""'
    yield "    return rows.select("
    yield from (f"        {line}" for line in lines)
    yield "    )"


def _stub(plan: AdoptPlan, view: AdoptedOnDemand) -> Iterator[str]:
    lines = [f"# {item.name}: {item.value_type}" for item in view.feast.features]
    reads = {plan.views[read.view].name for read in view.reads}
    stub = [
        *_on_demand_imports(reads, {view.schema, f"{view.schema}Request"}),
        "",
        "",
        *_on_demand_function(plan, view, lines),
        "",
        f"The original, for {view.feast.mode}:",
        "",
        *view.feast.code.rstrip().splitlines(),
    ]
    comment = indent("\n".join(stub), "# ", lambda _: True)
    yield from (line.rstrip() for line in comment.splitlines())


def _services(plan: AdoptPlan) -> Iterator[str]:
    used = {read.view for _, reads in plan.services.values() for read in reads}
    yield from ('"""Feature services."""', "", "from featurestore import feature_service")
    if computed := {plan.on_demand[name].name for name in used if name in plan.on_demand}:
        yield _imported("feature_repo.on_demand", computed)
    if stored := {plan.views[name].name for name in used if name in plan.views}:
        yield _imported("feature_repo.views", stored)
    for service, reads in plan.services.values():
        yield ""
        yield from _service(plan, service, reads)


def _service(plan: AdoptPlan, service: FeastService, reads: tuple[FeastRead, ...]) -> Iterator[str]:
    words = [literal(service.name), tuple_of(_read(plan, read) for read in reads)]
    words.append(f"owner={literal(_owner(plan, service.owner, service.tags))}")
    words += [f"description={literal(one_line(service.description))}"] if service.description else []
    yield from wrapped(f"{plan.names['service', service.name]} = feature_service", words)


def _read(plan: AdoptPlan, read: FeastRead) -> str:
    if read.view in plan.views:
        selected = plan.views[read.view].name
        every = tuple(column.name for column in plan.views[read.view].features)
    else:
        selected = plan.on_demand[read.view].name
        every = tuple(item.name for item in plan.on_demand[read.view].feast.features)
    if read.features != every:
        selected += f"[{', '.join(map(literal, read.features))}]"
    if read.alias:
        keys = f", {mapping(read.keys)}" if read.keys else ""
        selected += f".aliased({literal(read.alias)}{keys})"
    return selected


def _imported(module: str, names: set[str] | tuple[str, ...] | list[str]) -> str:
    return f"from {module} import {', '.join(sorted(names))}"


def _owner(plan: AdoptPlan, owner: str, tags: Mapping[str, str]) -> str:
    return owner or tags.get("owner") or tags.get("team") or plan.inventory.project
