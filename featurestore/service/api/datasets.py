"""``/v1/datasets``: validates uploaded rows against the contract of a dataset, and answers with verdicts and histories."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from featurestore.adapters.bodies import FORMATS
from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.fingerprint import fingerprint
from featurestore.definitions.source import Source
from featurestore.quality.change.history import Run
from featurestore.quality.gate.verdict import Verdict
from featurestore.service.api.permissions import require_datasets
from featurestore.service.api.validation import Job, validated_elsewhere
from featurestore.service.runtime.refused import RefusedError

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Node
    from featurestore.project import Project
    from featurestore.service.call import Call
    from featurestore.service.runtime.uploads import Upload

T = TypeVar("T")
MAX_RUNS = 10_000
ENCODINGS = frozenset({"", "utf-8", "utf8", "us-ascii"})


class ValidationResult(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on uploaded rows.

    Attributes
    ----------
    id
        Name of the folder in ``data/uploads/DATASET`` that has the verdict and the bad rows.
    quarantine
        Path of the bad rows, relative to the project's folder. Null: there are no bad rows.
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
        The last verdict on the project's own data. Null: they were not validated yet.
    """

    name: str
    kind: str
    contract: str
    description: str
    verdict: Verdict | None


class DatasetListing(msgspec.Struct, frozen=True):
    """All datasets."""

    release: str
    datasets: list[Dataset]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of a dataset, newest last."""

    dataset: str
    runs: list[Run]


class ValidateQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of a validation."""

    environment: Annotated[
        str | None,
        Meta(description="Environment of the rows. Columns that are not expected there are not required."),
    ] = None


class HistoryQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of a history."""

    limit: Annotated[int, Meta(ge=1, le=MAX_RUNS, description="Maximum number of runs.")] = 100


async def validate(call: Call) -> bytes:
    """Answer ``POST /v1/datasets/{dataset}/validate`` with a verdict. The status is 200 for every verdict.

    Raises
    ------
    RefusedError
        If the key is for certain services, or the environment or the format of the body is unknown.
    UnknownNameError
        If the dataset does not exist.
    ContractError
        If no row can be validated: columns are missing, or the body cannot be read.
    """
    require_datasets(call)
    node = _node(call)
    query = _query(call, ValidateQuery)
    known = _project(call).quality.environments(node.name)
    if query.environment is not None and query.environment not in known:
        raise RefusedError(
            422, "InvalidRequest", "the environment does not exist", hint=f"known: {', '.join(known)}"
        )
    state = call.state
    work = partial(
        _validated,
        call=call,
        node=node,
        media=_media(dict(call.scope["headers"])),
        environment=query.environment,
    )
    result = await state.uploads.run(state.layout.uploads(node.name), call.receive, work)
    call.entry.verdict = result.verdict
    call.entry.row_count = result.verdict.rows_in
    return msgspec.json.encode(result)


async def history(call: Call) -> bytes:
    """Answer ``GET /v1/datasets/{dataset}/history`` with the last runs.

    Raises
    ------
    RefusedError
        If the key is for certain services.
    UnknownNameError
        If the dataset does not exist.
    msgspec.ValidationError
        If a query parameter is wrong.
    """
    require_datasets(call)
    node = _node(call)
    query = _query(call, HistoryQuery)
    runs = await asyncio.to_thread(_project(call).quality.history, node.name)
    return msgspec.json.encode(History(dataset=node.name, runs=runs[-query.limit :]))


async def listing(call: Call) -> bytes:
    """Answer ``GET /v1/datasets`` with the last verdict on each dataset.

    Raises
    ------
    RefusedError
        If the key is for certain services.
    """
    require_datasets(call)
    return await asyncio.to_thread(_listing, call)


def _listing(call: Call) -> bytes:
    project = _project(call)
    verdicts = project.quality.verdicts()
    datasets = [
        Dataset(
            name=node.name,
            kind=_kind(node),
            contract=node.contract.name,
            description=node.description,
            verdict=verdicts.get(node.name),
        )
        for node in project.catalog.nodes.values()
    ]
    return msgspec.json.encode(DatasetListing(call.release.name, datasets))


async def _validated(
    upload: Upload, *, call: Call, node: Node, media: str, environment: str | None
) -> ValidationResult:
    state = call.state
    job = Job(
        root=str(call.release.root),
        data=str(state.layout.data),
        dataset=node.name,
        definition=fingerprint(node).digest,
        media=media,
        environment=environment,
        body=str(upload.body),
        results=str(upload.results),
        limits=state.options.body_limits,
    )
    verdict = await validated_elsewhere(job, state.validators, memory=state.options.upload_memory)
    folder = await asyncio.to_thread(upload.keep)
    quarantine = _relative(folder / "rows.parquet", state.options.root) if verdict.rows_quarantined else None
    return ValidationResult(id=upload.id, dataset=node.name, quarantine=quarantine, verdict=verdict)


def _relative(path: Path, root: str) -> str:
    return os.path.relpath(path.resolve(), Path(root).resolve())


def _kind(node: Node) -> str:
    if isinstance(node, Source):
        return "source"
    return "feature view" if isinstance(node, FeatureView) else "dataset"


def _project(call: Call) -> Project:
    """Return the served definitions with the data of the project, because a release holds features and no other data."""
    return call.release.project.with_data(call.state.layout.data)


def _node(call: Call) -> Node:
    return call.release.project.catalog.node(call.parameter("dataset"))


def _query(call: Call, kind: type[T]) -> T:
    parameters = dict(parse_qsl(call.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return msgspec.convert(parameters, kind, strict=False)


def _media(headers: dict[bytes, bytes]) -> str:
    """Return the media type of a body.

    Raises
    ------
    RefusedError
        If the server cannot read the media type, its charset or its content encoding.
    """
    content_type = headers.get(b"content-type", b"").decode("latin-1").lower()
    media, _, parameters = content_type.partition(";")
    charset = dict(part.strip().partition("=")[::2] for part in parameters.split(";")).get("charset", "")
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").lower()
    if media.strip() not in FORMATS or charset.strip('"') not in ENCODINGS or encoding != "identity":
        raise RefusedError(
            415,
            "UnsupportedMediaType",
            "the server cannot read the format of the body",
            hint=f"send it without compression, text in UTF-8, with Content-Type {', '.join(FORMATS)}",
        )
    return media.strip()
