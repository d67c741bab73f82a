"""Replay: compare every logged vector with the historical join at the timestamp at which it was served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import MissingDataError
from featurestore.operations.audit import AuditRecord, compare_cells
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.vectors.historical import historical

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.storage.layout import Layout
    from featurestore.workspace import Workspace


def replay(workspace: Workspace, features: str | FeatureService) -> AuditRecord:
    """Compare the log of served vectors with the historical join: values bit for bit, and statuses.

    Vectors of another definition of the service, and vectors marked stale, are left out. A cell that differs was served
    late: the store did not hold yet what was known.

    Parameters
    ----------
    features
        A feature service or its name.

    Raises
    ------
    MissingDataError
        If no vector of this definition was logged.
    """
    service = workspace.service(features)
    rows = served_rows(workspace, service).filter(~pl.col("stale")).collect()
    if not rows.height:
        raise _nothing_logged(service, workspace.layout, "of this definition")
    served = rows.sort(EVENT_TIMESTAMP, "request_id", maintain_order=True)
    entity_rows = served.select(*service.key_schema, *service.request_schema, EVENT_TIMESTAMP)
    offline = historical(entity_rows, service, workspace.rows_of(service), workspace.engine, statuses=True)
    compared, differences = compare_cells(
        service.name,
        (*service.key_schema, EVENT_TIMESTAMP),
        service.feature_names,
        offline=offline,
        served=served,
        as_of=served[EVENT_TIMESTAMP][-1],
    )
    return AuditRecord(
        cells=compared.cells,
        mismatches=compared.mismatches,
        views=(),
        services=(compared,),
        differences=tuple(differences),
    )


def served_rows(workspace: Workspace, service: FeatureService) -> pl.LazyFrame:
    """Scan the log of served vectors of a service: the vectors of its current definition.

    Raises
    ------
    MissingDataError
        If no vector of this definition was logged.
    """
    layout = workspace.layout
    files = sorted(layout.served(service.name).rglob("*.parquet"))
    if not files:
        raise _nothing_logged(service, layout, "yet")
    # Each file holds one definition; other definitions have other columns, so these files are left out before scanning.
    digest = fingerprint(service).digest
    scans = [pl.scan_parquet(file) for file in files]
    matches = [scan for scan in scans if digest in scan.select("definition").head(1).collect().to_series()]
    if not matches:
        raise _nothing_logged(service, layout, "of this definition")
    return pl.concat(matches)


def _nothing_logged(service: FeatureService, layout: Layout, which: str) -> MissingDataError:
    return MissingDataError(
        f"{layout.served(service.name)}: nothing was logged {which}",
        hint="run: featurestore serve --log-features 1",
    )
