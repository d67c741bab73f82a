"""Add: from a file of one's own to a source: a version, a drafted schema, and the line that declares the source."""

from __future__ import annotations

import getpass
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.definitions.source import RESERVED, Source
from featurestore.errors import ConfigError, ContractError, DefinitionError
from featurestore.operations.add_input import Input, as_query, input_of, is_sql, result_of
from featurestore.operations.gitignore import show_records
from featurestore.quality.profile.own_file import draft_for, texts_of, with_null_words
from featurestore.quality.profile.questions import assumptions, questions
from featurestore.quality.profile.text_columns import doubtful_words, null_words, read_columns
from featurestore.storage.files import translated_read_errors, write_text

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.workspace import Workspace


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

    Data that a source declares already, and the folder of pushed rows, only get a new version. A file outside of the
    project is copied into ``data/raw``; a query is run once, and its result is kept there.

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
        If no file exists.
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
    if not is_sql(target) and (root / target).resolve() == layout.all_pushed.resolve():
        return _version_only(workspace, "pushed rows", layout.all_pushed)
    for source in workspace.catalog.sources.values():
        fixed, _ = source.location(root / source.path)
        if not is_sql(target) and (root / target).resolve() in (
            fixed.resolve(),
            (root / source.path).resolve(),
        ):
            return _version_only(workspace, source.name, fixed)
    data = result_of(workspace, target, name) if is_sql(target) else input_of(workspace, target, name)
    _require_free(workspace, data)
    rows, words_by_column = _read(workspace, data)
    words = null_words(words_by_column)
    drafted = draft_for(
        rows, dataset=data.name, name=_class_name(data.name), grows=data.pattern is not None, typed=data.typed
    )
    person = owner or getpass.getuser()
    texts = texts_of(rows)
    workspace.parts.versions.start(root)  # before a file is written: a machine without DVC gets none
    path = data.settle()
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


def _read(workspace: Workspace, data: Input) -> tuple[pl.DataFrame, dict[str, tuple[str, ...]]]:
    """Read the raw rows, with the words for a missing value as null; also returns these words, by column."""
    no_contract: Any = None  # the reader needs none, and there is none yet
    path = data.source_path
    source = Source(data.name, no_contract, path.as_posix(), None, (), "", workspace.root)
    with translated_read_errors(data.name, data.files[0]):
        columns = _columns_of(data.files[0])
    if len(columns) == 1 and not data.typed and (wrong := re.search(r"[;\t|]", columns.names()[0])):
        raise ContractError(
            f"{data.name}: the columns are separated by {wrong[0]!r}; expected commas",
            hint=as_query(f"read_csv('{path}', delim='{wrong[0]}')", data.name),
        )
    if taken := [column for column in RESERVED if column in columns]:
        raise DefinitionError(
            f"{data.name}: the quarantine uses the column name {taken[0]!r}",
            hint="rename the column in the file",
        )
    rows = workspace.reader.scan(source, path).lazy().collect(engine="streaming")
    if data.typed:
        return rows, {}
    texts = texts_of(rows)
    words = {
        column: reading.null_words for column, reading in read_columns(texts).items() if reading.null_words
    }
    return with_null_words(rows, null_words(words)), words


def _columns_of(file: Path) -> pl.Schema:
    if file.suffix == ".parquet":
        return pl.Schema(pl.read_parquet_schema(file))
    return pl.scan_csv(file, infer_schema=False, glob=False).collect_schema()


def _require_free(workspace: Workspace, data: Input) -> None:
    taken = [*workspace.catalog.nodes, *workspace.catalog.training_sets]
    files = [path for path in _files(workspace, data.name) if path.exists()]
    if data.name in taken or files:
        what = f"a definition named {data.name!r}" if data.name in taken else str(files[0])
        raise ConfigError(f"{what} exists already", hint="choose another name: --name NAME")


def _files(workspace: Workspace, name: str) -> tuple[Path, Path]:
    settings = workspace.settings
    return (
        settings.root.joinpath(*settings.schemas.split("."), f"{name}.py"),
        settings.feast_repo / f"{name}.py",
    )


def _write(workspace: Workspace, data: Input, schema: str, declaration: str) -> tuple[str, ...]:
    schema_file, definition_file = _files(workspace, data.name)
    write_text(schema, schema_file)
    query = "".join(f"# {line}\n" for line in data.query.splitlines())
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
    arguments = [_quoted(name), _class_name(name), _quoted(path), f"owner={_quoted(owner)}"]
    if words:
        arguments.append(f"null_values=({', '.join(map(_quoted, words))},)")
    return f"{name} = source({', '.join(arguments)})"


def _class_name(name: str) -> str:
    return "Raw" + "".join(part.title() for part in name.split("_"))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _version_only(workspace: Workspace, name: str, path: Path) -> Added:
    workspace.parts.versions.start(workspace.root)
    records = _version(workspace, path)
    inside = path.relative_to(workspace.root).as_posix()
    return Added(name, inside, 0, (), records, (), ())


def _version(workspace: Workspace, path: Path) -> tuple[str, ...]:
    root = workspace.root
    show_records(root, workspace.settings.data.relative_to(root).as_posix())
    return tuple(record.relative_to(root).as_posix() for record in workspace.parts.versions.add(root, [path]))
