"""Add: from a file of one's own to a source: a version, a drafted schema, and the line that declares the source."""

from __future__ import annotations

import getpass
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from featurestore.errors import ConfigError
from featurestore.operations.add.input import input_of, is_sql, result_of, settle
from featurestore.operations.add.read import declared_source, read_input
from featurestore.operations.add.version import add_pushed_version, add_served_version, add_version
from featurestore.operations.check.unversioned import PUSHED, SERVED
from featurestore.operations.pipeline.own_stages import own_stages
from featurestore.operations.pipeline.pipeline import update_pipeline
from featurestore.quality.profile.own_file import draft_for, texts_of
from featurestore.quality.profile.questions import assumptions, questions
from featurestore.quality.profile.text_columns import doubtful_words, null_words
from featurestore.storage.files import write_text
from featurestore.values.escapes import escaped, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from featurestore.operations.read.input import Input
    from featurestore.workspace import Workspace

PIPELINE = "dvc.yaml"


@dataclass(frozen=True)
class Added:
    """What was added.

    Attributes
    ----------
    name
        The source.
    path
        The path or pattern of its files, relative to the project.
    rows
        How many rows were read; 0 if only a new version was made.
    written
        The files that were written, relative to the project.
    versioned
        The records of DVC, relative to the project; they belong into git.
    assumptions
        What was taken for true without asking.
    questions
        What the data do not tell; the schema works without an answer.
    """

    name: str
    path: str
    rows: int
    written: tuple[str, ...]
    versioned: tuple[str, ...]
    assumptions: tuple[str, ...]
    questions: tuple[str, ...]


def add(workspace: Workspace, target: str, *, name: str | None = None, owner: str | None = None) -> Added:
    """Version a file, the files of a pattern or folder, or the result of a query, and draft a source for it.

    Data that a source declares already, and the folders of pushed rows and of answers, only get a new version. With the
    first version of such a folder, the stages of dvc.yaml that read it depend on it. A file outside of the project is copied
    into ``data/raw``. A query is run once, and its result is kept there.

    Parameters
    ----------
    target
        A CSV or Parquet file, a pattern, a folder of such files, or SQL for DuckDB.
    name
        The name of the source; by default that of the file or folder.
    owner
        Who is responsible for the data; by default the current user.

    Raises
    ------
    MissingDataError
        If no file exists, or no rows were pushed.
    ContractError
        If the data cannot be read, have no rows, or the query fails.
    ConfigError
        If a name is missing or taken, a file would be overwritten, or DVC cannot version the data.
    DefinitionError
        If a column has a name or a dtype that no source can have.
    MissingPackageError
        If DVC is not installed; nothing is written then.
    """
    root = workspace.root
    layout = workspace.layout
    logs = (
        (PUSHED, layout.all_pushed, add_pushed_version),
        (SERVED, layout.all_served, add_served_version),
    )
    for log, folder, version in logs:
        if not is_sql(target) and (root / target).resolve().is_relative_to(folder.resolve()):
            return _add_log(workspace, log, folder, version)
    if not is_sql(target) and (source := declared_source(workspace, target)) is not None:
        return _version_only(workspace, source.name, source.location(root / source.path)[0])
    data = result_of(workspace, target, name) if is_sql(target) else input_of(workspace, target, name, owner)
    _require_free(workspace, data)
    rows, words_by_column = read_input(workspace, data, owner=owner)
    words = null_words(words_by_column)
    drafted = draft_for(rows, dataset=data.name, name=_class_name(data.name), typed=data.typed)
    person = owner or getpass.getuser()
    texts = texts_of(rows)
    workspace.parts.versions.start(root)  # before a file is written: a machine without DVC gets none
    path = settle(data)
    versioned = _version(workspace, (root / path) if data.pattern is None else data.folder)
    written = _write(workspace, data, drafted.source, _declaration(data.name, path, person, words))
    return Added(
        name=data.name,
        path=path,
        rows=rows.height,
        written=written,
        versioned=versioned,
        assumptions=(*data.notes, f"the owner is {person}", *assumptions(drafted, words_by_column)),
        questions=questions(
            drafted,
            {column: doubtful_words(texts[column]) for column in texts.columns},
            is_csv=path.endswith(".csv"),
        ),
    )


def _require_free(workspace: Workspace, data: Input) -> None:
    taken = [*workspace.catalog.nodes, *workspace.catalog.training_sets]
    files = [path for path in _files(workspace, data.name) if path.exists()]
    if data.name in taken or files:
        what = f"a definition named {data.name!r}" if data.name in taken else str(files[0])
        raise ConfigError(f"{what} exists already", hint=_free_hint(workspace, data))


def _free_hint(workspace: Workspace, data: Input) -> str:
    new_name = "choose another name: --name NAME"
    source = workspace.catalog.sources.get(data.name)
    is_file = data.pattern is None and not data.query
    if source is None or not is_file or Path(source.path).suffix != data.files[0].suffix:
        return new_name
    if source.location(workspace.root / source.path)[1] is not None:
        return new_name
    copied = f"cp {shlex.quote(data.files[0].as_posix())} {shlex.quote(source.path)}"
    return (
        f"if it is new data of the source, run: {copied} && featurestore run; for another source, {new_name}"
    )


def _files(workspace: Workspace, name: str) -> tuple[Path, Path]:
    settings = workspace.settings
    return (
        settings.root.joinpath(*settings.schemas.split("."), f"{name}.py"),
        settings.feast_repo / f"{name}.py",
    )


def _write(workspace: Workspace, data: Input, schema: str, declaration: str) -> tuple[str, ...]:
    schema_file, definition_file = _files(workspace, data.name)
    write_text(schema, schema_file)
    query = "".join(f"# {escaped(line)}\n" for line in data.query.splitlines())
    class_name = _class_name(data.name)
    lines = (
        f'"""Source {data.name}: raw data under a contract."""\n',
        "from featurestore import source",
        f"from {workspace.settings.schemas}.{data.name} import {class_name}\n",
        f"{query}{declaration}",
    )
    write_text("\n".join(lines) + "\n", definition_file)
    return tuple(file.relative_to(workspace.root).as_posix() for file in (schema_file, definition_file))


def _declaration(name: str, path: str, owner: str, words: tuple[str, ...]) -> str:
    arguments = [quoted(name), _class_name(name), quoted(path), f"owner={quoted(owner)}"]
    if words:
        arguments.append(f"null_values=({', '.join(map(quoted, words))},)")
    return f"{name} = source({', '.join(arguments)})"


def _class_name(name: str) -> str:
    return "Raw" + "".join(part.title() for part in name.split("_"))


def _version_only(workspace: Workspace, name: str, path: Path) -> Added:
    workspace.parts.versions.start(workspace.root)
    records = _version(workspace, path)
    inside = path.relative_to(workspace.root).as_posix()
    return Added(name, inside, 0, (), records, (), ())


def _version(workspace: Workspace, path: Path) -> tuple[str, ...]:
    return add_version(workspace, path)


def _add_log(
    workspace: Workspace, name: str, folder: Path, version: Callable[[Workspace], tuple[str, ...]]
) -> Added:
    """Version the log of pushes, or that of answers; with its first version, the stages of dvc.yaml depend on it."""
    workspace.parts.versions.start(workspace.root)
    records = version(workspace)
    file = workspace.root / PIPELINE
    written = (PIPELINE,) if own_stages(file) and update_pipeline(workspace) else ()
    inside = folder.relative_to(workspace.root).as_posix()
    return Added(name, inside, 0, written, records, (), ())
