"""The serving paths of HTTP (see `featurestore.ports.ServingPath`).

Each request goes through the application that `featurestore serve` runs, with its guard, routes and
endpoints. Only the socket is left out.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import polars as pl

from featurestore.definitions.vector import untouched_features
from featurestore.errors import ContractError, SkewError, StoreError
from featurestore.service.app import create_app
from featurestore.service.lookup.active_release import ProjectAsOf
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.keys import OneKey
from featurestore.service.runtime.options import Options
from featurestore.timing.join import Status, status_column
from featurestore.values.feast_wire import PLACEHOLDER_KEY, from_wire
from featurestore.values.json_rows import JsonColumn
from featurestore.values.key_columns import select_columns
from featurestore.values.plain import in_utc_zone
from featurestore.vectors.answered import answered, other_dtype
from featurestore.vectors.references import references

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from starlette.types import Message

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.project import Project

OK = 200
INVALID = 422
UNAVAILABLE = 503
ROWS_PER_REQUEST = 100
MAX_BYTES = 1 << 30
MAX_SHOWN = 500  # characters of a refusal
# A proof waits for a slow machine, which a caller does not.
SECONDS = 120.0


class Reply(NamedTuple):
    """The status and the body of an answer."""

    status: int
    body: bytes


class VectorsPath:
    """``POST /v1/vectors/{service}`` of the server of a project."""

    name = "HTTP /v1/vectors"

    def __init__(self, project: Project) -> None:
        self._project = project

    def read(self, entity_rows: pl.DataFrame, service: FeatureService, as_of: datetime) -> pl.DataFrame:
        """Ask for the vector of each entity row.

        Raises
        ------
        SkewError
            If the server cannot start, or refuses the rows.
        StoreError
            If the online store does not answer.
        """
        bodies = [{"rows": in_utc_zone(part).to_dicts(), "as_of": as_of} for part in _parts(entity_rows)]
        replies = post(self._project, service, as_of, f"/v1/vectors/{service.name}", bodies)
        answers = [msgspec.json.decode(_body(self.name, reply)) for reply in replies]
        names = service.feature_names
        values: list[list[Any]] = [[] for _ in names]
        statuses: list[list[int]] = [[] for _ in names]
        for answer in answers:
            positions = [answer["features"].index(name) for name in names]
            for column, codes, position in zip(values, statuses, positions, strict=True):
                column += [row[position] for row in answer["values"]]
                codes += [row[position] for row in answer["statuses"]]
        return _frame(
            self.name,
            service,
            dict(zip(names, values, strict=True)),
            dict(zip(names, statuses, strict=True)),
        )


class FeastWirePath:
    """``POST /get-online-features`` of the server of a project, in the wire format of Feast.

    The wire has whole seconds: if it refuses the timestamps of some rows, the path asks again, without
    features that are timestamps or have an alias, which only a feature service can name.
    """

    name = "HTTP /get-online-features"

    def __init__(self, project: Project) -> None:
        self._project = project

    def read(self, entity_rows: pl.DataFrame, service: FeatureService, as_of: datetime) -> pl.DataFrame:
        """Ask for the vector of each entity row. Errors as of `VectorsPath.read`."""
        replies = self._ask(entity_rows, service, as_of, {"feature_service": service.name})
        timestamps = _timestamps(service)
        schema = service.feature_schema
        if timestamps and any(reply.status == INVALID for reply in replies):
            # Features that are asked for one by one are as they are joined, before the steps of the service.
            features = references(service.joined, without=_timestamps(service.joined))
            schema = pl.Schema({name: schema[name] for name in untouched_features(service)})
            part = self._project.catalog.request(features)
            columns = (*part.key_schema, *part.request_schema)
            replies = (
                self._ask(select_columns(entity_rows, columns), service, as_of, {"features": features})
                if features
                else []
            )
        answers = [msgspec.json.decode(_body(self.name, reply)) for reply in replies]
        plain = {name: from_wire(dtype) for name, dtype in schema.items()}
        values: dict[str, list[Any]] = {}
        statuses: dict[str, list[int]] = {}
        for answer in answers:
            for name, column in zip(answer["metadata"]["feature_names"], answer["results"], strict=True):
                if name in plain:
                    convert = plain[name]
                    read = column["values"]
                    if convert is not None:
                        read = [None if value is None else convert(value) for value in read]
                    values.setdefault(name, []).extend(read)
                    codes = [Status[status].value for status in column["statuses"]]
                    statuses.setdefault(name, []).extend(codes)
        return _frame(self.name, service, values, statuses)

    def _ask(
        self, entity_rows: pl.DataFrame, service: FeatureService, as_of: datetime, features: dict[str, Any]
    ) -> list[Reply]:
        bodies = [{**features, "entities": _columns_of(part)} for part in _parts(entity_rows)]
        return post(self._project, service, as_of, "/get-online-features", bodies)


def post(
    project: Project, service: FeatureService, as_of: datetime, path: str, bodies: Sequence[Any]
) -> list[Reply]:
    """Send requests to a server of a project, one after the other, and return its answers.

    Parameters
    ----------
    service
        The feature service that the server serves.
    as_of
        The timestamp of the server's clock.

    Raises
    ------
    FeatureStoreError
        If the definitions, training sets and online store do not belong together.
    """
    options = Options(
        root=str(project.settings.root),
        services=(service.name,),
        max_bytes=MAX_BYTES,
        timeout=SECONDS,
        log_requests=False,
    )
    app = create_app(options, ProjectAsOf(project, as_of))
    state = app.state
    headers = [(b"host", b"localhost")]
    if state.keys.required:
        key = OneKey((KeyScope.READ,))
        state.keys = key
        headers.append((b"authorization", f"Bearer {key.secret}".encode()))

    async def answer(body: Any) -> Reply:
        content = msgspec.json.encode(body)
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [*headers, (b"content-length", str(len(content)).encode())],
        }
        await app(scope, receive, send)
        sent = b"".join(message.get("body", b"") for message in messages)
        return Reply(messages[0]["status"], sent)

    async def all_answers() -> list[Reply]:
        return [await answer(body) for body in bodies]

    try:
        # The caller may have an event loop of its own, in a notebook for example: it is in another thread.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, all_answers()).result()
    finally:
        state.lookups.close(SECONDS)


def _body(path: str, reply: Reply) -> bytes:
    if reply.status == OK:
        return reply.body
    message = f"{path} refuses the rows with status {reply.status}: {reply.body.decode()[:MAX_SHOWN]}"
    if reply.status == UNAVAILABLE:
        raise StoreError(message, hint="check the online store, then run the command again", retry=True)
    raise SkewError(message, hint="training has values for these rows, so serving must answer them")


def _columns_of(entity_rows: pl.DataFrame) -> dict[str, list[Any]]:
    if not entity_rows.width:
        return {PLACEHOLDER_KEY: [""] * entity_rows.height}
    return in_utc_zone(entity_rows).to_dict(as_series=False)


def _parts(entity_rows: pl.DataFrame) -> list[pl.DataFrame]:
    return list(entity_rows.iter_slices(ROWS_PER_REQUEST))


def _timestamps(service: FeatureService) -> set[str]:
    schema = service.feature_schema
    return {name for name, dtype in schema.items() if isinstance(_scalar(dtype), pl.Datetime)}


def _scalar(dtype: pl.DataType) -> pl.DataType:
    return pl.Series(dtype=dtype.inner).dtype if isinstance(dtype, pl.List | pl.Array) else dtype


def _frame(
    path: str,
    service: FeatureService,
    values: Mapping[str, list[Any]],
    statuses: Mapping[str, list[int]],
) -> pl.DataFrame:
    columns = []
    for name, dtype in service.feature_schema.items():
        if name in values:
            try:
                read = JsonColumn(path, name, dtype).read(values[name])
            except ContractError as error:
                raise other_dtype(path, name, dtype, error.message) from error
            columns.append(answered(path, name, read, dtype))
            columns.append(pl.Series(status_column(name), statuses[name], dtype=pl.UInt8))
    return pl.DataFrame(columns)
