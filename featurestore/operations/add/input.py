"""What is added: where its files are, and where they will be."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from featurestore.errors import ConfigError
from featurestore.operations.read.input import Input, files_of, identifier
from featurestore.storage.files import atomic_write, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.workspace import Workspace

_SQL: Final = re.compile(r"(select|with|from)\s", re.IGNORECASE)


def settle(data: Input) -> str:
    """Copy the files of data to their folder in the project if they are elsewhere; returns their path or pattern.

    Raises
    ------
    ConfigError
        If a file would be overwritten.
    StoreError
        If a file cannot be written.
    """
    if data.folder != data.base:
        targets = [data.folder / file.relative_to(data.base) for file in data.files]
        if existing := [target for target in targets if target.exists()]:
            raise ConfigError(
                f"{existing[0]} exists already",
                hint="choose another name: --name NAME, or remove the file",
            )
        for file, target in zip(data.files, targets, strict=True):
            with atomic_write(target) as partial:
                shutil.copyfile(file, partial)
    inside = data.folder.relative_to(data.root)
    return (inside / (data.files[0].name if data.pattern is None else data.pattern)).as_posix()


def is_sql(target: str) -> bool:
    """Return whether a target is a query, and not a path."""
    return _SQL.match(target.lstrip()) is not None


def result_of(workspace: Workspace, sql: str, name: str | None) -> Input:
    """Run a query, and keep its result as a Parquet file in the folder of raw data.

    The query can name the project's datasets, and files that DuckDB reads.

    Raises
    ------
    ConfigError
        If the name is missing, or the file exists.
    ContractError
        If the query fails.
    """
    from featurestore.adapters.duckdb import query  # noqa: PLC0415 - only SQL needs DuckDB

    if name is None:
        raise ConfigError("a query has no name", hint="name its result: --name NAME")
    folder = workspace.layout.raw
    target = folder / f"{identifier(name)}.parquet"
    if target.exists():
        raise ConfigError(f"{target} exists already", hint="choose another name: --name NAME")
    layout = workspace.layout
    tables = {
        node: layout.dataset(node) for node in (*workspace.catalog.sources, *workspace.catalog.datasets)
    }
    tables |= {view: layout.features(view) for view in workspace.catalog.views}
    write_parquet(query(sql, tables, files=True), target)
    note = f"the result of the query is kept in {target.relative_to(workspace.root).as_posix()}"
    return Input(identifier(name), workspace.root, folder, None, (target,), folder, (note,), sql)


def input_of(workspace: Workspace, target: str, name: str | None, owner: str | None = None) -> Input:
    """Locate files as `files_of` does, and decide where the project keeps them.

    Raises
    ------
    MissingDataError, ContractError
        As `files_of`.
    ConfigError
        If the folder of several files holds other files too: DVC versions a folder as a whole.
    """
    data = files_of(workspace, target, name, owner)
    base, pattern, files = data.base, data.pattern, data.files
    root, source, raw = workspace.root, data.name, workspace.layout.raw
    if not base.is_relative_to(root):
        folder = raw if pattern is None else raw / source
        note = f"a copy is kept in {folder.relative_to(root).as_posix()}"
        return replace(data, folder=folder, notes=(note,))
    if pattern is not None:
        _require_own_folder(base, files, root, raw, source)
    return data


def _require_own_folder(base: Path, files: tuple[Path, ...], root: Path, raw: Path, name: str) -> None:
    others = [path for path in base.rglob("*") if path.is_file() and path not in files]
    if base in (root, raw) or others:
        folder = (raw / name).relative_to(root).as_posix()
        raise ConfigError(
            f"{base} holds other files too, such as {others[0].name if others else files[0].name}; DVC versions a folder "
            "as a whole",
            hint=f"give the files a folder of their own: {folder}, then run: featurestore add {folder}",
        )
