"""How a view of Feast with stored rows becomes a feature view and a source here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from featurestore.adapters.delta import PACKAGE, can_read_delta, is_delta_table
from featurestore.adapters.feast.inventory import FeastField
from featurestore.operations.adopt.columns import (
    AdoptedColumn,
    Refusal,
    adopted_column,
    adopted_key,
    in_utc,
    scan,
)
from featurestore.operations.adopt.plan import AdoptedSource, AdoptedView
from featurestore.operations.adopt.text import class_name
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, TIME_COLUMNS
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from featurestore.adapters.feast.inventory import FeastSource, FeastView
    from featurestore.operations.adopt.plan import AdoptPlan


def plan_view(plan: AdoptPlan, view: FeastView, backfill: timedelta | None) -> None:
    """Add a view and its source to the plan, or a note why they are left out."""
    label = f"view {view.name}"
    if reason := _unreadable(view):
        plan.note("left_out", label, *reason)
        return
    source = view.source
    assert source is not None and source.path is not None  # noqa: S101, PT018 - `_unreadable` refuses it
    rows = scan(source.path, source.format)
    adopted = _columns(plan, view, source, rows)
    if adopted is None:
        return
    keys, features, event, created = adopted
    view_name = plan.names["view", view.name]
    latest_by = ""
    if backfill is not None and created is not None:
        latest_by, created = created.raw, None
    entity = "_".join(plan.names["entity", name] for name in view.entities) or None
    if entity is not None:
        plan.entities[entity] = tuple(key.name for key in keys)
    conflicting = _conflicting_share(
        rows, keys=keys, features=features, event=event, latest_by=latest_by, created=created
    )
    if conflicting:
        plan.note(
            "trap",
            label,
            f"{conflicting:.2%} of the rows have the timestamps of another row of their key and other values: Feast "
            "answers with either; here they go to quarantine",
            "correct the file, or add a created timestamp that orders them",
        )
    plan.views[view.name] = AdoptedView(
        name=view_name,
        schema=class_name(view_name),
        feast=view,
        source=source.name,
        entity=entity,
        keys=keys,
        features=features,
        event=event,
        created=created,
        delay=backfill or timedelta(0),
        latest_by=latest_by,
        conflicting_share=conflicting,
    )
    _plan_source(plan, source, rows, plan.views[view.name])
    _note_kind(plan, view, has_created=created is not None)


def _unreadable(view: FeastView) -> tuple[str, str] | None:
    """Say why a view cannot be adopted, and what to do."""
    source = view.source
    if source is None:
        return "it has no batch source", "write its rows to a Parquet file, and name the file as its source"
    if view.transformation:
        kind = f"Feast computes its rows by a function of the {view.kind}"
        return kind, "write the function as a feature view in Polars"
    return _unreadable_source(source)


def _unreadable_source(source: FeastSource) -> tuple[str, str] | None:
    path = source.path
    reasons = {
        "kind": (
            f"its source is {source.kind}; a source here is a Parquet or CSV file, or a Delta table",
            "export the table to Parquet",
        ),
        "remote": (
            f"{source.uri} is not on this machine",
            "copy the files here, and name their path in the source",
        ),
        "delta": (
            f"{source.uri} is a Delta table, and the package {PACKAGE}, which reads it, is not installed",
            f"install {PACKAGE} and adopt again, or write the table to Parquet",
        ),
        "no table": (
            f"{source.uri} should be a Delta table, and has no _delta_log",
            "write the table, or correct the path of the source",
        ),
        "missing": (f"there is no file {path}", "write the file, or correct the path of the source"),
        "empty": (f"{source.uri} has no rows", "adopt it when it has some: a dataset here is never empty"),
    }
    problem = ""
    if source.kind != "FileSource":
        problem = "kind"
    elif path is None:
        problem = "remote"
    elif source.format == "delta" and not can_read_delta():
        problem = "delta"
    elif source.format == "delta" and not is_delta_table(path):
        problem = "no table"
    elif not path.exists() or (path.is_dir() and not any(path.rglob("*.parquet"))):
        problem = "missing"
    elif not scan(path, source.format).select(pl.len()).collect().item():
        problem = "empty"
    return reasons.get(problem)


def _columns(
    plan: AdoptPlan, view: FeastView, source: FeastSource, rows: pl.LazyFrame
) -> tuple[tuple[AdoptedColumn, ...], tuple[AdoptedColumn, ...], AdoptedColumn, AdoptedColumn | None] | None:
    """Decide the columns of a view; None: it is left out, with a note."""
    label = f"view {view.name}"
    entities = {entity.name: entity for entity in plan.inventory.entities}
    if unknown := [name for name in view.entities if name not in entities]:
        plan.note("left_out", label, f"entity {unknown[0]!r} is not defined", "define it in the repository")
        return None
    raw_names = {name: raw for raw, name in source.columns.items()}
    schema = rows.collect_schema()
    keys = []
    for name in view.entities:
        key = entities[name].key
        column = adopted_key(key, raw_names.get(key, key), rows)
        if isinstance(column, Refusal):
            plan.note("left_out", label, column.reason, "write the key as text or as an integer")
            return None
        keys.append(column)
    times = []
    for name, raw in ((EVENT_TIMESTAMP, source.timestamp), (CREATED_TIMESTAMP, source.created)):
        raw = raw_names.get(raw, raw)  # noqa: PLW2901 - Feast maps names of times, too
        if raw and not isinstance(schema.get(raw), pl.Datetime | pl.Date):
            actual = f"it is {schema[raw]}" if raw in schema else f"the file has {', '.join(schema)}"
            plan.note(
                "left_out", label, f"column {raw!r} should hold timestamps; {actual}", "write timestamps"
            )
            return None
        times.append(
            AdoptedColumn(name, raw, schema[raw], pl.Datetime("us", "UTC"), in_utc(raw, schema[raw]))
            if raw
            else None
        )
    event, created = times
    if event is None:
        plan.note(
            "left_out", label, "its source has no timestamp_field", "name the column of the event timestamps"
        )
        return None
    features = _features(plan, view, rows, raw_names, {*(k.raw for k in keys), event.raw, source.created})
    if not features:
        plan.note("left_out", label, "none of its features can be adopted")
        return None
    return tuple(keys), features, event, created


def _features(
    plan: AdoptPlan, view: FeastView, rows: pl.LazyFrame, raw_names: Mapping[str, str], others: set[str]
) -> tuple[AdoptedColumn, ...]:
    names = {raw: name for name, raw in raw_names.items()}
    declared = view.features or tuple(
        FeastField(name=names.get(raw, raw), value_type="UNKNOWN")
        for raw in rows.collect_schema()
        if raw not in others and not raw.startswith("__index_level_")
    )
    features = []
    for item in declared:
        label = f"feature {view.name}:{item.name}"
        column = adopted_column(item.name, raw_names.get(item.name, item.name), item.value_type, rows)
        if isinstance(column, Refusal):
            plan.note("left_out", label, column.reason)
        elif "__" in item.name or item.name in TIME_COLUMNS:
            plan.note("left_out", label, f"the name {item.name!r} is reserved", "map it to another name")
        else:
            features.append(column)
            if column.change:
                plan.note("changed", label, column.change)
    return tuple(features)


def warn_of_created(plan: AdoptPlan, source: AdoptedSource) -> None:
    """Name the trap of created timestamps that are later than the events, as a backfill writes them."""
    views = [v for v in plan.views.values() if v.source == source.feast.name and v.created is not None]
    if not views or source.feast.path is None or views[0].created is None:
        return
    created = views[0].created.raw
    event_time = pl.col(views[0].event.raw).dt.epoch("us")
    created_time = pl.col(created).dt.epoch("us")
    facts = (
        scan(source.feast.path, source.feast.format)
        .select(
            created_time.count(),
            late=(created_time > event_time).sum(),
            after_all=created_time.min() > event_time.max(),
        )
        .collect()
    )
    count, late, after_all = facts.row(0)
    if not count or not late:
        return
    if after_all:
        reason = (
            f"{created!r} is later than every event: no row is known before it, so every historical value is null here "
            "where Feast gives values"
        )
    else:
        reason = (
            f"{created!r} is later than the event in {late:,} of {counted(count, 'row')}: Feast shows such a row before it was "
            "known; here the value is null or of an older row until then"
        )
    options = " ".join(f"--backfill {view.feast.name}=DELAY" for view in views)
    plan.note(
        "trap",
        f"view {', '.join(view.feast.name for view in views)}",
        reason,
        f"if {created!r} is the time of a backfill, adopt with {options}, where DELAY is how long after its event a row "
        "is really known, such as 0s or 1h",
    )


def _conflicting_share(
    rows: pl.LazyFrame,
    *,
    keys: tuple[AdoptedColumn, ...],
    features: tuple[AdoptedColumn, ...],
    event: AdoptedColumn,
    latest_by: str,
    created: AdoptedColumn | None,
) -> float:
    """Return the share of rows whose key and timestamps occur with other values."""
    version = [*(key.raw for key in keys), event.raw, *([created.raw] if created else [])]
    version += [latest_by] if latest_by else []
    values = [f.raw for f in features if f.raw not in version]
    complete = rows.drop_nulls([*(key.raw for key in keys), event.raw])
    different = complete.select(*version, *values).unique().group_by(version).len().filter(pl.col("len") > 1)
    conflicting = complete.join(different, on=version, how="semi", nulls_equal=True)
    counts = pl.collect_all([conflicting.select(pl.len()), complete.select(pl.len())])
    bad, total = (count.item() for count in counts)
    return float(bad / total) if total else 0.0


def _plan_source(plan: AdoptPlan, source: FeastSource, rows: pl.LazyFrame, view: AdoptedView) -> None:
    known = plan.sources.get(source.name)
    columns = dict(known.columns) if known else {}
    times = [column for column in (view.event, view.created) if column is not None]
    for column in (*view.keys, *view.features, *times):
        has_nan = column.has_nan or columns.get(column.raw, (None, False))[1]
        columns[column.raw] = (column.raw_dtype, has_nan)
    if view.latest_by:
        columns[view.latest_by] = (rows.collect_schema()[view.latest_by], False)
    required = frozenset({*(key.raw for key in view.keys), view.event.raw}) | (
        known.required if known else frozenset()
    )
    name = plan.names["source", source.name]
    assert source.path is not None  # noqa: S101 - `_unreadable` refuses it
    suffix = f".{source.format}"
    if source.format == "delta":
        suffix = ".parquet"
    elif source.path.is_dir():
        suffix = "/**/*.parquet"
    share = (
        rows.select(pl.any_horizontal(pl.col(column).is_null() for column in sorted(required)).mean())
        .collect()
        .item()
    )
    plan.sources[source.name] = AdoptedSource(
        name=name,
        schema=f"{class_name(name)}Rows",
        feast=source,
        path=f"data/raw/{name}{suffix}",
        columns=columns,
        required=required,
        missing_share=share or 0.0,
    )


def _note_kind(plan: AdoptPlan, view: FeastView, *, has_created: bool) -> None:
    label = f"view {view.name}"
    if view.stream == "PushSource":
        if not has_created:
            plan.note(
                "changed", f"push source of {label}", "a push needs a created timestamp, which this view does not have",
                "add `created_timestamp` to its schema",
            )  # fmt: skip
    elif view.stream:
        plan.note(
            "left_out",
            f"{view.stream} of {label}",
            "streams are read outside of featurestore",
            "push the rows: featurestore push",
        )
    if view.kind == "LabelView":
        plan.note(
            "changed", label, "a label view is a feature view here; the last write wins, as in Feast's default",
            "read labels in the function of a training set, so that no model is served its own label",
        )  # fmt: skip
    for item in view.features:
        if set(item.tags) - {"unit"}:
            plan.note(
                "left_out",
                f"tags of feature {view.name}:{item.name}",
                "features have a unit here, and no tags",
            )
