"""Commands that ask for features, and for why they are what they are."""

from __future__ import annotations

from typing import Annotated

import typer

from featurestore.cli.arguments import row_of
from featurestore.cli.options import HERE, Folder, Json, opened_at
from featurestore.cli.output import Output
from featurestore.cli.text import explained_record, explained_text, vector_record, vector_text


def get(
    service: Annotated[str, typer.Argument(help="A feature service.")],
    values: Annotated[
        list[str] | None, typer.Argument(help="Keys and request values, as name=value.", show_default=False)
    ] = None,
    project: Folder = HERE,
    *,
    as_of: Annotated[str | None, typer.Option(help="Read as of a moment; now, if none is given.")] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Ask for the last row of the training set.")
    ] = False,
    json: Json = False,
) -> None:
    """Look up one vector in the online store.

    Example: `featurestore get departure_delay --example`
    """
    opened = opened_at(project)
    rows = opened.example(service) if example else row_of(values or [], opened.catalog.service(service))
    vector = opened.online(rows, service, as_of=as_of, statuses=True)
    Output(json).result(vector_record(opened, service, vector), vector_text(opened, service, vector))


def explain(
    service: Annotated[str, typer.Argument(help="A feature service.")],
    values: Annotated[list[str], typer.Argument(help="Keys and request values, as name=value.")],
    at: Annotated[str, typer.Option(help="The moment asked, such as 2013-07-01T11:00:00Z.")],
    project: Folder = HERE,
    *,
    most: Annotated[int, typer.Option(help="Show at most so many rows with one verdict, the nearest.")] = 2,
    json: Json = False,
) -> None:
    """Show which stored row gave each feature at a moment, and why the others did not.

    Example: `featurestore explain departure_delay carrier=UA origin=EWR dest=IAH tailnum=N567UA
    scheduled_departure=2013-07-01T12:00:00Z route_bearing=244.73 --at 2013-07-01T11:00:00Z`
    """
    import polars as pl  # noqa: PLC0415

    from featurestore.config import parse_timestamp  # noqa: PLC0415

    opened = opened_at(project)
    row = row_of(values, opened.catalog.service(service)).with_columns(
        event_timestamp=pl.lit(parse_timestamp(at))
    )
    found = opened.explain(row, service)
    Output(json).result(explained_record(found, most), explained_text(found, most))


COMMANDS = (get, explain)
