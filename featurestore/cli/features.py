"""Commands that look up features, and explain their values: get-online and explain."""

from __future__ import annotations

from typing import Annotated

import typer

from featurestore.cli.arguments import row_of
from featurestore.cli.options import HERE, Folder, Json, opened_at, timestamp_of_option, usage
from featurestore.cli.output import Output
from featurestore.cli.text import explained_record, explained_text, vector_record, vector_text

Service = Annotated[str, typer.Argument(help="A feature service, a feature view, or view:feature.")]


def get_online(
    service: Service,
    values: Annotated[
        list[str] | None, typer.Argument(help="Keys and request values, as name=value.", show_default=False)
    ] = None,
    project: Folder = HERE,
    *,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Timestamp of reading, such as 2013-12-31T12:00:00Z; the current time, if none is given."
        ),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Look up the last row of the training set.")
    ] = False,
    json: Json = False,
) -> None:
    """Look up one vector in the online store.

    Says so if all stored values are expired, as data of the past are without `as_of` in feature_store.yaml.

    Example: `featurestore get-online departure_delay --example`

    Example: `featurestore get-online buying customer=3 basket=10 --as-of 2024-01-09T12:00:00Z`

    Example: `featurestore get-online last_order:amount customer=3`
    """
    opened = opened_at(project)
    timestamp = timestamp_of_option("--as-of", as_of)
    if example:
        rows = opened.example(service)
    else:
        requested = opened.service(service)
        with usage():
            rows = row_of(values or [], requested)
    vector = opened.get_online(rows, service, as_of=timestamp, statuses=True)
    out = Output(json)
    out.result(vector_record(opened, service, vector), vector_text(opened, service, vector))
    expired = opened.only_expired(vector, service)
    out.warn(() if expired is None else (expired,))


def explain(
    service: Service,
    values: Annotated[
        list[str] | None, typer.Argument(help="Keys and request values, as name=value.", show_default=False)
    ] = None,
    project: Folder = HERE,
    *,
    at: Annotated[str, typer.Option(help="The timestamp of the entity row, such as 2013-07-01T11:00:00Z.")],
    limit: Annotated[
        int, typer.Option(min=0, help="Rows to show of each verdict: those nearest to the answer.")
    ] = 2,
    json: Json = False,
) -> None:
    """Show which stored row gave each feature at a timestamp, and why the others did not.

    Example: `featurestore explain departure_delay carrier=UA origin=EWR dest=IAH tailnum=N567UA
    scheduled_departure=2013-07-01T12:00:00Z route_bearing=244.73 --at 2013-07-01T11:00:00Z`
    """
    import polars as pl  # noqa: PLC0415 - `--help` answers at once

    opened = opened_at(project)
    timestamp = timestamp_of_option("--at", at)
    requested = opened.catalog.requested(service)
    with usage():
        row = row_of(values or [], requested).with_columns(event_timestamp=pl.lit(timestamp))
    answers = opened.explain(row, service)
    Output(json).result(explained_record(answers, limit), explained_text(answers, limit))
