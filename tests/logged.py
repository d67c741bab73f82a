"""Answers logged as a server logs them, without a server."""

import time

import polars as pl

from featurestore.project import open_served
from featurestore.service.lookup.endpoint import Endpoint
from featurestore.service.telemetry.journal import Entry
from featurestore.service.telemetry.served_log import ServedLog

BASKET = 16.0


def log_answers(root, *customers, as_of=None, stale=False, store=None, service="buying", request_id=None):
    """Answer requests for customers by what the project in `root` serves, and log the answers; returns the vectors."""
    project, release = open_served(root)
    endpoint = Endpoint(
        project.catalog.service(service), store or project.store(), stale_cache=None, max_rows=100
    )
    arrived = time.time()
    as_of = as_of or project.settings.now()
    rows = [(customer, BASKET) for customer in customers]
    vectors = endpoint.reader.read_checked(rows, as_of=as_of)
    log = ServedLog(project.layout, 1.0)
    log(
        [
            Entry(
                request_id=request_id or f"request-{arrived}",
                at=arrived,
                method="POST",
                release="working" if release is None else release.name,
                stale=stale,
                endpoint=endpoint,
                as_of=as_of,
                row_count=len(rows),
                request_rows=rows,
                vectors=vectors,
            )
        ]
    )
    log.close()
    return vectors


def change_log(project, *columns, service="buying"):
    """Rewrite the log of a service with other columns: a fault of the path that served."""
    for path in project.layout.served(service).rglob("*.parquet"):
        pl.read_parquet(path).with_columns(*columns).write_parquet(path)
