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
    folder = layout.served(service.name)
    files = sorted(folder.rglob("*.parquet"))
    made_by = "featurestore serve --log-features 1"
    if not files:
        raise MissingDataError(f"{folder}: nothing was logged yet", hint=f"run: {made_by}")
    # Other definitions have other columns: files are told apart before they are put together.
    digest = service_digest(service)
    frames = (pl.scan_parquet(file).filter(~pl.col("stale"), definition=digest).collect() for file in files)
    matching = [frame for frame in frames if frame.height]
    if not matching:
        raise MissingDataError(f"{folder}: nothing was logged of this definition", hint=f"run: {made_by}")
    served = pl.concat(matching).sort(EVENT_TIMESTAMP, "request_id", maintain_order=True)
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
