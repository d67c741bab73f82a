"""Historical: join features to entity rows, each row at its own timestamp."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.adapters.entity_rows import EntityRows
from featurestore.errors import ContractError
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.storage.datasets import dataset_path, require_same_definition
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors import historical as vectors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.ports import ViewRows
    from featurestore.workspace import Workspace

NOW: Final = "now"


def historical(
    workspace: Workspace,
    entity_rows: Any = None,
    features: str | Sequence[str] | FeatureService = (),
    *,
    start: datetime | str | None = None,
    end: datetime | str | None = None,
    as_of: datetime | str | None = None,
    statuses: bool = False,
    times: bool = False,
    full_names: bool = False,
) -> pl.DataFrame:
    """Join features to entity rows, each at its ``event_timestamp``, as they were known then.

    Parameters
    ----------
    entity_rows
        A frame of Polars, pandas or Arrow; the path of a file (Parquet, CSV, JSON lines); or SQL over the project's
        datasets. None: every key, at every timestamp after `start` and up to `end` at which a row of a feature became
        known; of windows, also at which an event left one.
    features
        A feature service or its name; or a list of ``"view:feature"`` and ``"view"``.
    start, end
        Only without entity rows; `end` is the current time, if none is given.
    as_of
        One timestamp for all entity rows, which have none of their own; ``"now"``: the current time.
    statuses, times, full_names
        See `featurestore.vectors.historical.historical`.

    Raises
    ------
    ContractError
        If the entity rows cannot be used, or they have timestamps beside `start`, `end` or `as_of`.
    MissingDataError
        If a view is not built yet.
    SkewError
        If another definition made a view, or a dataset that the SQL reads.
    """
    service = workspace.service(features, full_names=full_names)
    views = workspace.rows_of(service)
    timestamp = timestamp_of(workspace, as_of)
    rows = entity_rows_of(workspace, service, views, entity_rows, start=start, end=end, as_of=timestamp)
    return vectors.historical(
        at_timestamp(rows.frame(), timestamp),
        service,
        views,
        workspace.engine,
        check=RequestGate(service).check_frame,
        statuses=statuses,
        times=times,
        full_names=full_names,
    )


def timestamp_of(workspace: Workspace, as_of: datetime | str | None) -> datetime | None:
    """Return the timestamp for all entity rows, in UTC; None: each row has its own.

    Raises
    ------
    ConfigError
        If `as_of` is neither a timestamp with a time zone nor ``"now"``.
    """
    if as_of is None:
        return None
    return workspace.now() if as_of == NOW else workspace.timestamp(as_of)


def entity_rows_of(
    workspace: Workspace,
    service: FeatureService,
    views: Sequence[ViewRows],
    entity_rows: Any,
    *,
    start: datetime | str | None,
    end: datetime | str | None,
    as_of: datetime | None,
) -> EntityRows:
    """Return the entity rows that the parameters of `historical` name; nothing of them is read yet.

    Raises
    ------
    ContractError
        If `start`, `end` or `as_of` is given beside rows with timestamps, or the changes cannot be listed.
    """
    schema = {**service.key_schema, **service.request_schema, EVENT_TIMESTAMP: UTC_MICROSECONDS}
    if entity_rows is None:
        if as_of is not None:
            raise ContractError(
                "`as_of` is given without entity rows", hint="give entity rows, or `end` in place of `as_of`"
            )
        first = None if start is None else workspace.timestamp(start)
        changed = vectors.changes(service, views, start=first, end=workspace.timestamp(end))
        return EntityRows(changed, schema, {})
    if start is not None or end is not None:
        raise ContractError(
            "`start` and `end` are given, but entity rows have timestamps of their own",
            hint="leave out `start` and `end`, or the entity rows",
        )
    return EntityRows(entity_rows, schema, tables(workspace), partial(require_current, workspace))


def at_timestamp(rows: pl.DataFrame, as_of: datetime | None) -> pl.DataFrame:
    """Add one timestamp to all entity rows; None: they have their own.

    Raises
    ------
    ContractError
        If the rows have timestamps already.
    """
    if as_of is None:
        return rows
    if EVENT_TIMESTAMP in rows.columns:
        raise ContractError(
            f"`as_of` is given, but the entity rows have a column {EVENT_TIMESTAMP!r}",
            hint="leave out `as_of` to read each row at its own time, or drop the column",
        )
    return rows.with_columns(pl.lit(as_of, dtype=UTC_MICROSECONDS).alias(EVENT_TIMESTAMP))


def require_current(workspace: Workspace, name: str) -> None:
    """Refuse a dataset that SQL reads, if another definition made its rows. Raises as `require_same_definition`."""
    require_same_definition(workspace.catalog.node(name), workspace.layout)


def tables(workspace: Workspace) -> dict[str, Path]:
    """Return the Parquet files of all datasets, by the names that SQL can use."""
    return {name: dataset_path(node, workspace.layout) for name, node in workspace.catalog.nodes.items()}
