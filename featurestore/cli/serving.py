"""Commands of serving: the server and its keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json
from featurestore.cli.output import Output, table
from featurestore.service.runtime.options import KeyScope

key = typer.Typer(no_args_is_help=True, help="API keys of the server.")


def serve(
    services: Annotated[
        list[str] | None, typer.Argument(help="Feature services; all, if none are given.", show_default=False)
    ] = None,
    project: Folder = HERE,
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 6566,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    max_rows: Annotated[int, typer.Option(min=1, help="Rows in one request.")] = 1_000,
    max_bytes: Annotated[int, typer.Option(min=1, help="Bytes of one request.")] = 1 << 20,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds for one request.")] = 5.0,
    max_upload: Annotated[
        int, typer.Option(min=1, help="Bytes of a dataset that is sent to be judged.")
    ] = 256 << 20,
    upload_timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds for a dataset that is sent to be judged.")
    ] = 300.0,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at once; more get 503.")] = 256,
    threads: Annotated[int, typer.Option(min=1, help="Lookups in a remote store at once.")] = 16,
    stale_cache_keys: Annotated[
        int, typer.Option(min=0, help="Keys whose last values answer, marked stale, while the store is away.")
    ] = 0,
    log_features: Annotated[
        float, typer.Option(min=0, max=1, help="Share of answers that are logged as Parquet.")
    ] = 0.0,
    log_keys: Annotated[bool, typer.Option("--log-keys", help="Name entity keys in log lines.")] = False,
    log_requests: Annotated[
        bool, typer.Option("--log-requests/--no-log-requests", help="One log line for each request.")
    ] = True,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM file.", show_default=False)] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file.", show_default=False)] = None,
    allow_anonymous: Annotated[
        bool, typer.Option("--keyless", help="Answer whoever asks although there are no API keys.")
    ] = False,
) -> None:
    """Serve features over HTTP: Feast's wire format, and POST /v1/vectors/SERVICE.

    Serves the current release, or the project itself where none was made; follows `release` and `rollback`.
    The documentation of what is served is at /docs.

    Example: `featurestore serve departure_delay --port 6566`
    """
    from featurestore.service.run import serve as run  # noqa: PLC0415
    from featurestore.service.runtime.options import Options  # noqa: PLC0415

    options = Options(
        root=str(project.resolve()),
        services=tuple(services or ()),
        host=host,
        port=port,
        workers=workers,
        max_rows=max_rows,
        max_bytes=max_bytes,
        timeout=timeout,
        max_upload=max_upload,
        upload_timeout=upload_timeout,
        concurrency=concurrency,
        threads=threads,
        stale_cache_keys=stale_cache_keys,
        log_features=log_features,
        log_keys=log_keys,
        log_requests=log_requests,
        allow_anonymous=allow_anonymous,
        tls_certificate=None if tls_certificate is None else str(tls_certificate),
        tls_key=None if tls_key is None else str(tls_key),
    )
    run(options)


COMMANDS = (serve,)


@key.command()
def add(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    project: Folder = HERE,
    *,
    scope: Annotated[
        list[KeyScope] | None,
        typer.Option(help="What it may do; read, if none is given.", show_default=False),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(help="Feature services it is for; all, if none are given.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Make a key, and print it this once: only its digest is kept.

    Example: `featurestore key add checkout --scope read --service departure_delay`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415
    from featurestore.service.runtime.keys import add_key  # noqa: PLC0415

    opened = open_project(project)
    services = tuple(opened.catalog.service(found).name for found in service or ())
    secret = add_key(opened.layout.keys, name, scopes=tuple(scope or (KeyScope.READ,)), services=services)
    Output(json).result({"name": name, "key": secret}, secret)


@key.command("list")
def list_keys(project: Folder = HERE, *, json: Json = False) -> None:
    """List the keys, without their secrets.

    Example: `featurestore key list`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415
    from featurestore.service.runtime.keys import read_keys  # noqa: PLC0415

    found = read_keys(open_project(project).layout.keys)
    rows = [("key", "scopes", "services")]
    rows += [(k.name, ", ".join(k.scopes), ", ".join(k.services) or "all") for k in found]
    record = [{"name": k.name, "scopes": k.scopes, "services": k.services} for k in found]
    Output(json).result(record, table(rows) if found else "there are no API keys")


@key.command()
def remove(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Forget a key; a running server does so within a second.

    Example: `featurestore key remove checkout`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415
    from featurestore.service.runtime.keys import remove_key  # noqa: PLC0415

    remove_key(open_project(project).layout.keys, name)
    Output(json).result({"removed": name}, f"removed {name}")
