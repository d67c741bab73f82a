"""Replay: every vector that was served, against the historical join at the moment it was served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.digest import service_digest
from featurestore.errors import MissingDataError
from featurestore.operations.audit import AuditRecord, compare
from featurestore.storage.views import rows_of
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.vectors.historical import historical

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.ports import ComputeEngine
    from featurestore.storage.layout import Layout


def replay(service: FeatureService, layout: Layout, engine: ComputeEngine) -> AuditRecord:
    """Compare the served-feature log of a service with the historical join, values bit for bit and statuses.

    Vectors served by another definition of the service, and those marked stale, are left out. A cell that differs
    was served late: the store did not yet hold what was known.

    Raises
    ------
    MissingDataError
        If nothing of this definition was logged.
    """
    rows = logged(service, layout).filter(~pl.col("stale")).collect()
    if not rows.height:
        raise _nothing_logged(service, layout, "of this definition")
    served = rows.sort(EVENT_TIMESTAMP, "request_id", maintain_order=True)
    asked = served.select(*service.key_schema, *service.request_schema, EVENT_TIMESTAMP)
    offline = historical(
        asked, service, [rows_of(selection, layout) for selection in service.reads], engine, statuses=True
    )
    compared, differences = compare(
        service.name,
        (*service.key_schema, EVENT_TIMESTAMP),
        service.feature_names,
        offline=offline,
        served=served,
        moment=served[EVENT_TIMESTAMP][-1],
    )
    return AuditRecord(
        cells=compared.cells,
        mismatches=compared.mismatches,
        views=(),
        services=(compared,),
        differences=tuple(differences),
    )


def logged(service: FeatureService, layout: Layout) -> pl.LazyFrame:
    """Scan the served-feature log of a service, as far as this definition of it was served.

    Raises
    ------
    MissingDataError
        If nothing of this definition was logged.
    """
    files = sorted(layout.served(service.name).rglob("*.parquet"))
    if not files:
        raise _nothing_logged(service, layout, "yet")
    # Other definitions have other columns: files, each of one definition, are told apart before they are put together.
    digest = service_digest(service)
    scans = [pl.scan_parquet(file) for file in files]
    found = [scan for scan in scans if digest in scan.select("definition").head(1).collect().to_series()]
    if not found:
        raise _nothing_logged(service, layout, "of this definition")
    return pl.concat(found)


def _nothing_logged(service: FeatureService, layout: Layout, what: str) -> MissingDataError:
    return MissingDataError(
        f"{layout.served(service.name)}: nothing was logged {what}",
        hint="run: featurestore serve --log-features 1",
    )
