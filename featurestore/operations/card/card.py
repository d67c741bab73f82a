"""Card: write what people declared about a training set, and what was measured, for those who use it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from featurestore.errors import DefinitionError
from featurestore.operations.card.sections import sections
from featurestore.operations.training_set.build_record import last_record, upstream
from featurestore.operations.training_set.training_set import require_same_definition
from featurestore.operations.verdict.verdict import verdict
from featurestore.report.card import Card, CardColumn, html, markdown
from featurestore.report.croissant import croissant
from featurestore.storage.files import require_parquet, write_text
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from featurestore.definitions.contract import Contract
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.definitions.source import Source
    from featurestore.workspace import Workspace

LICENCE = "licence"
# What the schema of a training set declares, and an example of each.
DECLARED = {
    LICENCE: "CC-BY-4.0",
    "permitted_use": "forecasts of delays",
    "limits": "no flights that were cancelled",
    "url": "https://example.org/departures",
}


class CardFiles(msgspec.Struct, frozen=True):
    """The files of a data card, each of the same content in its own format."""

    html: Path
    markdown: Path
    croissant: Path


def card(workspace: Workspace, name: str) -> CardFiles:
    """Write the data card of a training set that is built, as HTML, Markdown and Croissant 1.1.

    Raises
    ------
    DefinitionError
        If a text that only a person can write is empty; names all of them.
    MissingDataError
        If the training set, its record, or the verdict of a dataset that it reads, is missing.
    SkewError
        If another definition made the training set, or fitted the steps of its service.
    """
    layout = workspace.layout
    training = workspace.catalog.training_set(name)
    command = f"featurestore training-set {name}"
    path = require_parquet(layout.training(name), made_by=command)
    require_same_definition(workspace, name)
    record = last_record(workspace, name)
    sources, derived = upstream(workspace, training)
    if empty := list(missing_texts(training, sources)):
        missing = {*_undeclared(training.contract, DECLARED)}
        missing |= {key for source in sources for key in _undeclared(source.contract, (LICENCE,))}
        examples = {key: text for key, text in DECLARED.items() if key in missing}
        metadata = f"write metadata = {examples} in the class Config of a schema; " if examples else ""
        raise DefinitionError(
            f"data card of training set {name!r}: {counted(len(empty), 'text')} that only a person can write "
            f"{'is' if len(empty) == 1 else 'are'} empty: {', '.join(empty)}",
            hint=f"{metadata}a docstring describes a schema or training set, and pa.Field(description=...) a column",
        )
    declared = {key: str(training.contract.metadata[key]) for key in DECLARED}
    verdicts = [(node, verdict(workspace, node.name)) for node in (*sources, *derived)]
    target = layout.card(name)
    content = Card(
        name=name,
        description=training.description,
        owner=training.owner,
        built_at=record.built_at,
        file=Path(os.path.relpath(path, target.parent)).as_posix(),
        sha256=record.file or file_fingerprint(path),
        size=path.stat().st_size,
        columns=tuple(
            CardColumn(column.name, column.description or "", column.dtype)
            for column in training.joined.columns
        ),
        splits=tuple(record.manifest.splits),
        version=record.manifest.digest,
        sections=tuple(
            sections(
                training,
                record,
                declared,
                sources=sources,
                verdicts=verdicts,
                fitted=workspace.fitted(training.service).fitted,
            )
        ),
        **declared,
    )
    files = CardFiles(target, target.with_suffix(".md"), target.with_suffix(".croissant.json"))
    write_text(html(content), files.html)
    write_text(markdown(content), files.markdown)
    text = msgspec.json.format(msgspec.json.encode(croissant(content)), indent=2)
    write_text(f"{text.decode()}\n", files.croissant)
    return files


def missing_texts(training: TrainingSet, sources: list[Source]) -> Iterator[str]:
    """Name the texts that are empty: of the training set, of its sources, and of its columns."""
    where = f"schema {training.contract.name}"
    if not training.description.strip():
        yield f"description of {training.name}"
    if not training.owner.strip():
        yield f"owner of {training.name}"
    for key in _undeclared(training.contract, DECLARED):
        yield f"{key} in {where}"
    for source in sources:
        if not source.description.strip():
            yield f"description of schema {source.contract.name}"
        for key in _undeclared(source.contract, (LICENCE,)):
            yield f"{key} in schema {source.contract.name}"
    for column in training.joined.columns:
        if not (column.description or "").strip():
            yield f"description of column {column.name}"


def _undeclared(contract: Contract, keys: Iterable[str]) -> list[str]:
    """Return the keys whose text a schema leaves empty."""
    return [key for key in keys if not str(contract.metadata.get(key, "")).strip()]
