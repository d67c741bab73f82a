"""Historical: join features to entity rows, each row at its own timestamp."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from featurestore.adapters.entity_rows import frame_of
from featurestore.errors import ContractError
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.storage.datasets import dataset_path, require_same_definition
from featurestore.vectors import historical as vectors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import polars as pl

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.workspace import Workspace


def historical(
    workspace: Workspace,
    entity_rows: Any = None,
    features: str | Sequence[str] | FeatureService = (),
    *,
    start: datetime | str | None = None,
    end: datetime | str | None = None,
    statuses: bool = False,
    times: bool = False,
    full_names: bool = False,
) -> pl.DataFrame:
    """Join features to entity rows, each at its ``event_timestamp``, as they were known then.

    Parameters
    ----------
    entity_rows
        A frame of Polars, pandas or Arrow; the path of a Parquet file; or SQL over the project's datasets. None: every
        key, at every timestamp after `start` and up to `end` at which a row of a feature became known; of windows, also at which an event left one.
    features
        A feature service or its name; or a list of ``"view:feature"`` and ``"view"``.
    start, end
        Only without entity rows; `end` is the current time, if none is given.
    statuses, times, full_names
        See `featurestore.vectors.historical.historical`.

    Raises
    ------
    ContractError
        If the entity rows cannot be used, or `start` or `end` is given with entity rows.
    MissingDataError
        If a view is not built yet.
    SkewError
        If another definition made a view, or a dataset that the SQL reads.
    """
    service = workspace.service(features, full_names=full_names)
    views = workspace.rows_of(service)
    if entity_rows is None:
        first = None if start is None else workspace.timestamp(start)
        rows = vectors.changes(service, views, start=first, end=workspace.timestamp(end))
    elif start is not None or end is not None:
        raise ContractError(
            "`start` and `end` are given, but entity rows have timestamps of their own",
            hint="leave out `start` and `end`, or the entity rows",
        )
    else:
        rows = frame_of(entity_rows, tables(workspace), partial(require_current, workspace))
    return vectors.historical(
        rows,
        service,
        views,
        workspace.engine,
        check=RequestGate(service).check_frame,
        statuses=statuses,
        times=times,
        full_names=full_names,
    )


def require_current(workspace: Workspace, name: str) -> None:
    """Refuse a dataset that SQL reads, if another definition made its rows. Raises as `require_same_definition`."""
    require_same_definition(workspace.catalog.node(name), workspace.layout)


def tables(workspace: Workspace) -> dict[str, Path]:
    """Return the Parquet files of all datasets, by the names that SQL can use."""
    return {name: dataset_path(node, workspace.layout) for name, node in workspace.catalog.nodes.items()}
