"""Datasets over HTTP: rows that are sent are judged by a dataset's contract; what is known of datasets is told."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from featurestore.adapters.bodies import FORMATS, legible, scan_body
from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.source import Source
from featurestore.quality.change.history import Run
from featurestore.quality.gate.personal import redact
from featurestore.quality.gate.verdict import Verdict
from featurestore.report.records import records_of
from featurestore.service.api.problems import RefusedError

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Node
    from featurestore.project import Project
    from featurestore.service.app import Call
    from featurestore.service.runtime.uploads import Upload

T = TypeVar("T")
MAX_RUNS = 10_000
ENCODINGS = frozenset({"", "utf-8", "utf8", "us-ascii"})


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of rows that were sent.

    Attributes
    ----------
    id
        Names the folder in ``data/uploads`` that holds the verdict and the bad rows.
    quarantine
        Where the bad rows lie, seen from the project's folder; null: there are none.
    """

    id: str
    dataset: str
    quarantine: str | None
    verdict: Verdict


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A source, dataset or feature view.

    Attributes
    ----------
    kind
        ``"source"``, ``"dataset"`` or ``"feature view"``.
    contract
        Name of its schema.
    verdict
        The last verdict on the project's own data; null: they were not judged yet.
    """

    name: str
    kind: str
    contract: str
    description: str
    verdict: Verdict | None


class Datasets(msgspec.Struct, frozen=True):
    """All datasets."""

    release: str
    datasets: list[Dataset]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What each run found of a dataset, the newest last."""

    dataset: str
    runs: list[Run]


class ValidateQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be said of an upload besides its rows."""

    environment: str | None = None


class HistoryQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of a history."""

    most: Annotated[int, Meta(ge=1, le=MAX_RUNS)] = 100


async def validate(call: Call) -> bytes:
    """Answer ``POST /v1/datasets/{dataset}/validate``: whatever the verdict, it is an answer."""
    _permit(call)
    node, asked = _node(call), _query(call, ValidateQuery)
    known = _project(call).quality.environments(node.name)
    if asked.environment is not None and asked.environment not in known:
        raise RefusedError(
            422, "InvalidRequest", "there is no such environment", hint=f"known: {', '.join(known)}"
        )
    media, state = _media(dict(call.scope["headers"])), call.state
    work = partial(
        _judged,
        node=node,
        media=media,
        environment=asked.environment,
        project=_project(call),
        root=state.options.root,
    )
    found = await state.uploads.judged(state.layout.uploads(node.name), call.receive, work)
    call.entry.verdict, call.entry.rows = found.verdict, found.verdict.rows_in
    return msgspec.json.encode(found)


async def history(call: Call) -> bytes:
    """Answer ``GET /v1/datasets/{dataset}/history``."""
    _permit(call)
    node, asked = _node(call), _query(call, HistoryQuery)
    runs = await asyncio.to_thread(_project(call).quality.history, node.name)
    told = [structs.replace(run, metrics=shown_metrics(run.metrics, node.contract)) for run in runs[-asked.most :]]
    return msgspec.json.encode(History(dataset=node.name, runs=told))


async def listing(call: Call) -> bytes:
    """Answer ``GET /v1/datasets``."""
    _permit(call)
    return await asyncio.to_thread(_listed, call)


def _listed(call: Call) -> bytes:
    nodes, layout = call.serving.project.catalog.nodes.values(), call.state.layout
    records = [records_of(node, layout, made_by="featurestore validate") for node in nodes]
    datasets = [
        Dataset(
            name=of.name,
            kind=_kind(of.node),
            contract=of.node.contract.name,
            description=of.node.description,
            verdict=redact(of.verdict, of.node.contract) if of.has_verdict else None,
        )
        for of in records
    ]
    return msgspec.json.encode(Datasets(call.serving.release, datasets))


def _judged(
    upload: Upload, *, node: Node, media: str, environment: str | None, project: Project, root: str
) -> Judged:
    rows = scan_body(upload.body, media, node)
    with legible(node, media):
        verdict = project.quality.validate_rows(node.name, rows, environment=environment, folder=upload.found)
    place = upload.keep()
    bad = None if place is None or not verdict.rows_quarantined else place / "rows.parquet"
    lies = None if bad is None else os.path.relpath(bad, Path(root).resolve())
    return Judged(
        id=upload.id,
        dataset=node.name,
        quarantine=lies,
        verdict=redact(verdict.record(), node.contract),
    )


def _kind(node: Node) -> str:
    if isinstance(node, Source):
        return "source"
    return "feature view" if isinstance(node, FeatureView) else "dataset"


def _permit(call: Call) -> None:
    caller = call.scope["caller"]
    if caller is not None and caller.services:
        raise RefusedError(
            403,
            "Forbidden",
            f"API key {caller.name!r} is for {', '.join(caller.services)}, and not for datasets",
            hint="use a key that is for no services: featurestore key add NAME --scope validate",
        )


def _project(call: Call) -> Project:
    """Return the served definitions with the data of the project: a release has no data but features."""
    return call.serving.project.with_data(call.state.layout.data)


def _node(call: Call) -> Node:
    return call.serving.project.catalog.node(call.scope["path_params"]["dataset"])


def _query(call: Call, kind: type[T]) -> T:
    given = dict(parse_qsl(call.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return msgspec.convert(given, kind, strict=False)


def _media(headers: dict[bytes, bytes]) -> str:
    """Read of which format a body is.

    Raises
    ------
    RefusedError
        If none is named that can be read, or the body is packed.
    """
    given = headers.get(b"content-type", b"").decode("latin-1").lower()
    media, _, parameters = given.partition(";")
    charset = dict(part.strip().partition("=")[::2] for part in parameters.split(";")).get("charset", "")
    packed = headers.get(b"content-encoding", b"identity").decode("latin-1").lower()
    if media.strip() not in FORMATS or charset.strip('"') not in ENCODINGS or packed != "identity":
        raise RefusedError(
            415,
            "UnsupportedMediaType",
            "the body is of no format that can be read",
            hint=f"send it as it is, text in UTF-8, with Content-Type {', '.join(FORMATS)}",
        )
    return media.strip()
