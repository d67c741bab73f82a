"""The rows and timestamps at which an audit reads through the serving paths."""

from __future__ import annotations

from datetime import MAXYEAR, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.errors import ContractError
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.storage.parquet import scan_files
from featurestore.storage.views import deleted_keys, scan_view
from featurestore.timing.columns import EVENT_SUFFIX, EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.epoch import MICROSECOND
from featurestore.timing.known_at import known_at
from featurestore.values.key_columns import frame_of_columns, select_columns
from featurestore.values.table import UTC_MICROSECONDS, integer_limits
from featurestore.vectors.own_rows import generated_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.operations.audit.store import AuditedView
    from featurestore.workspace import Workspace

SPREAD_ROWS = 24
LAST_ROWS = 25
LATER = timedelta(seconds=1)
UNKNOWN_TEXT = "a key that no row has"


def sample_rows(
    workspace: Workspace, service: FeatureService, views: Mapping[str, AuditedView]
) -> pl.DataFrame | None:
    """Choose rows of keys and request values: of the training set, or of the views; and one of unknown keys.

    Keys of the views are those that the audit of the store compared, without deleted ones; a training set may have
    deleted keys too.

    Returns
    -------
    pl.DataFrame or None
        None: the service needs request values, no training set is built, and none can be generated.
    """
    rows = _training_rows(workspace, service)
    if rows is None:
        rows = _rows_of_views(service, views)
        values = _request_values(service)
        if values is None:
            return None
        rows = rows.hstack(_repeated(values, rows.height))
    return pl.concat([rows, _unknown(rows, service, views)])


def later_timestamps(
    workspace: Workspace, service: FeatureService, joined: pl.DataFrame, watermark: datetime
) -> tuple[datetime, ...]:
    """Choose timestamps after the watermark at which values expire, before another row becomes known.

    At the first, a value is as old as its time-to-live; a microsecond later, it is expired. If nothing expires, it is
    one timestamp that is later.

    Parameters
    ----------
    joined
        The historical join of the rows at the watermark, with the times of their events.
    """
    known = [next_known(workspace, selection.view, watermark) for selection in service.reads]
    until = min((timestamp for timestamp in known if timestamp is not None), default=None)
    ends = {
        end
        for selection in service.selections
        if (ttl := selection.view.timing.ttl) is not None
        for end in _ends(joined[f"{selection.names[0]}{EVENT_SUFFIX}"], ttl)
        if watermark <= end and (until is None or end + MICROSECOND < until)
    }
    if not ends:
        later = watermark + LATER
        return (later,) if until is None or later < until else ()
    first = min(ends)
    return tuple(at for at in (first, first + MICROSECOND) if at != watermark)


def _training_rows(workspace: Workspace, service: FeatureService) -> pl.DataFrame | None:
    paths = [
        workspace.layout.training(training.name)
        for training in workspace.catalog.training_sets.values()
        if training.service.name == service.name and workspace.layout.training(training.name).exists()
    ]
    if not paths:
        return None
    columns = [*service.key_schema, *service.request_schema]
    rows = scan_files(paths[0]).select(*columns, EVENT_TIMESTAMP)
    height = rows.select(pl.len()).collect().item()
    spread = rows.gather_every(max(height // SPREAD_ROWS, 1)).head(SPREAD_ROWS)
    return select_columns(pl.concat([spread, rows.tail(LAST_ROWS)]).collect(), columns)


def _rows_of_views(service: FeatureService, views: Mapping[str, AuditedView]) -> pl.DataFrame:
    """Choose keys of each view, side by side. A column that several views share has the keys of the first."""
    largest = max(views[selection.view.name].keys.height for selection in service.reads)
    height = max(min(largest, SPREAD_ROWS), 1)
    columns: dict[str, pl.Series] = {}
    for selection in service.reads:
        keys = views[selection.view.name].keys
        if not keys.height:
            keys = keys.clear(1) if keys.width else pl.DataFrame(height=1)
        chosen = keys.gather_every(max(keys.height // SPREAD_ROWS, 1)).head(SPREAD_ROWS)
        for name, values in zip(selection.keys, _repeated(chosen, height).get_columns(), strict=True):
            columns.setdefault(name, values.alias(name))
    return frame_of_columns([columns[name] for name in service.key_schema], height)


def _request_values(service: FeatureService) -> pl.DataFrame | None:
    """Generate request values that keep their contracts; None: none was found."""
    schema = service.request_schema
    if not schema:
        return pl.DataFrame(height=1)
    columns: dict[str, pl.Series] = {}
    for view in service.on_demand:
        for values in generated_rows(view).select(view.request.schema.names()).get_columns():
            columns.setdefault(values.name, values)
    gate = RequestGate(service)
    rows = []
    for row in pl.DataFrame(columns).select(schema.names()).iter_slices(1):
        try:
            gate.check_frame(row)
        except ContractError:
            continue
        rows.append(row)
    return pl.concat(rows) if rows else None


def _unknown(rows: pl.DataFrame, service: FeatureService, views: Mapping[str, AuditedView]) -> pl.DataFrame:
    known: dict[str, pl.Series] = {}
    for selection in service.reads:
        keys = views[selection.view.name].keys
        known |= dict(zip(selection.keys, keys.get_columns(), strict=True))
    return rows.head(1).with_columns(
        pl.Series(name, [_unknown_key(known[name])], dtype=dtype)
        for name, dtype in service.key_schema.items()
    )


def _unknown_key(known: pl.Series) -> Any:
    if known.dtype == pl.String:
        return UNKNOWN_TEXT
    if known.dtype.is_integer():
        _, limit = integer_limits(known.dtype)
        return next(
            (value for value in range(limit, limit - known.len() - 1, -1) if value not in known), None
        )
    return None


def _repeated(rows: pl.DataFrame, height: int) -> pl.DataFrame:
    return rows[[position % rows.height for position in range(height)]]


def next_known(workspace: Workspace, view: FeatureView, after: datetime) -> datetime | None:
    """Return the first timestamp after another at which history changes; None: it does not change until the year 9999 ends.

    History changes when a row of the view becomes known, and when a key is deleted.
    """
    rows = scan_view(view, workspace.layout).select(known_at(view.timing).alias(KNOWN_AT))
    deleted = deleted_keys(view, workspace.layout).lazy().select(pl.col(EVENT_TIMESTAMP).alias(KNOWN_AT))
    later = pl.concat([rows, deleted]).filter(
        pl.col(KNOWN_AT) > pl.lit(after, dtype=UTC_MICROSECONDS), pl.col(KNOWN_AT).dt.year() <= MAXYEAR
    )
    first: datetime | None = later.select(pl.col(KNOWN_AT).min()).collect().item()
    return first


def _ends(events: pl.Series, ttl: timedelta) -> list[datetime]:
    ends = []
    for event in events.drop_nulls().unique():
        try:
            ends.append(event + ttl)
        except OverflowError:  # the value never expires
            continue
    return ends
