"""Audit of the serving paths: some rows of each service, read as applications read them, at several timestamps."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.vector import shown_names_of
from featurestore.operations.audit.causes import path_cause
from featurestore.operations.audit.record import Compared, Difference, compare_cells
from featurestore.operations.audit.sample import later_timestamps, next_known, sample_rows
from featurestore.operations.audit.store import broken
from featurestore.preprocessing.fit import may_refuse, refused_rows
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.historical import historical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.operations.audit.store import AuditedView
    from featurestore.ports import ServingPath
    from featurestore.workspace import Workspace


def audit_paths(
    workspace: Workspace, service: FeatureService, views: Mapping[str, AuditedView], *, feast: bool = False
) -> Iterator[tuple[Compared, list[Difference]]]:
    """Compare what each serving path returns for rows of a service with the historical join.

    A service whose request values cannot be found or generated is left out. So are the features of a view whose rows
    in the store differ: each of these cells is counted once, where the store is compared. And so are those of a view
    with rows that became known after its watermark and before that of another view: history knows them, the store not.
    Rows that a fitted step refuses are left out.

    Parameters
    ----------
    views
        What was compared of each view.
    feast
        Also read through Feast's SDK.
    """
    rows = sample_rows(workspace, service, views)
    if rows is not None and feast:
        rows = rows.drop_nulls(list(service.key_schema))  # Feast's SDK takes no missing keys
    if rows is None or not rows.height:
        return
    watermark = max(views[selection.view.name].watermark for selection in service.reads)
    left_out = broken(views).keys() | _behind(workspace, service, views, watermark)
    features = [
        name
        for name in service.feature_names
        if not any(selection.view.name in left_out for selection in service.sources_of(name))
    ]
    rows = _not_refused(workspace, service, rows, [watermark])
    now = _joined(workspace, service, rows, [watermark], times=True)
    later = later_timestamps(workspace, service, now, watermark)
    kept = _not_refused(workspace, service, rows, later)
    if kept.height < rows.height:
        rows, now = kept, _joined(workspace, service, kept, [watermark], times=True)
    after = _joined(workspace, service, rows, later) if later else now
    joined = {watermark: now} | {
        as_of: after.slice(position * rows.height, rows.height) for position, as_of in enumerate(later)
    }
    for path in workspace.serving_paths(feast=feast):
        yield _audit_path(path, service, rows, joined, features)


def _behind(
    workspace: Workspace, service: FeatureService, views: Mapping[str, AuditedView], watermark: datetime
) -> set[str]:
    behind = set()
    for view in {selection.view.name: selection.view for selection in service.reads}.values():
        own = views[view.name].watermark
        if own < watermark:
            known = next_known(workspace, view, own)
            if known is not None and known <= watermark:
                behind.add(view.name)
    return behind


def _not_refused(
    workspace: Workspace, service: FeatureService, rows: pl.DataFrame, timestamps: Sequence[datetime]
) -> pl.DataFrame:
    """Leave out the rows that a fitted step refuses at one of some timestamps: no path answers them."""
    if service.fitted is None or not timestamps or not may_refuse(service.fitted.steps):
        return rows
    joined = _joined(workspace, service.joined, rows, timestamps)
    refused = refused_rows(joined.select(service.joined.feature_names), service.fitted.steps)
    parts = [refused.slice(position * rows.height, rows.height) for position in range(len(timestamps))]
    return rows.filter(~reduce(or_, parts))


def _joined(
    workspace: Workspace,
    service: FeatureService,
    rows: pl.DataFrame,
    timestamps: Sequence[datetime],
    *,
    times: bool = False,
) -> pl.DataFrame:
    at = [
        rows.with_columns(pl.lit(as_of, dtype=UTC_MICROSECONDS).alias(EVENT_TIMESTAMP))
        for as_of in timestamps
    ]
    views = workspace.rows_of(service)
    return historical(pl.concat(at), service, views, workspace.engine, statuses=True, times=times)


def _audit_path(
    path: ServingPath,
    service: FeatureService,
    rows: pl.DataFrame,
    joined: Mapping[datetime, pl.DataFrame],
    features: Sequence[str],
) -> tuple[Compared, list[Difference]]:
    parts = []
    differences: list[Difference] = []
    for as_of, offline in joined.items():
        served = path.read(rows, service, as_of)
        compared, different = compare_cells(
            service.name,
            (*service.key_schema, EVENT_TIMESTAMP),
            [name for name in features if name in served.columns],
            offline=offline,
            served=served,
            as_of=as_of,
            path=path.name,
            personal=service.personal,
            names=shown_names_of(service),
            cause_of=path_cause(service, {}, offline, served),
        )
        parts.append(compared)
        differences += different
    total = Compared(
        name=service.name,
        as_of=max(joined),
        rows=sum(part.rows for part in parts),
        cells=sum(part.cells for part in parts),
        mismatches=sum(part.mismatches for part in parts),
        path=path.name,
    )
    return total, differences
