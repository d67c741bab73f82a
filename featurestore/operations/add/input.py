"""What is added: where its files are, and where they will be."""

from __future__ import annotations

import keyword
import re
import shlex
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from featurestore.definitions.source import FORMATS, fixed_part
from featurestore.errors import ConfigError, ContractError, MissingDataError
from featurestore.storage.files import atomic_write, write_parquet

if TYPE_CHECKING:
    from featurestore.workspace import Workspace

_SQL: Final = re.compile(r"(select|with|from)\s", re.IGNORECASE)


@dataclass(frozen=True)
class Input:
    """Data to add.

    Attributes
    ----------
    name
        The name of the source.
    folder
        The folder in the project that holds, or will hold, the files.
    pattern
        The pattern below the folder; None: the data are one file.
    files
        The files, as they are now.
    base
        The folder, as it is now.
    notes
        What was decided about their place.
    query
        The SQL whose result the file is; empty for files.
    """

    name: str
    root: Path
    folder: Path
    pattern: str | None
    files: tuple[Path, ...]
    base: Path
    notes: tuple[str, ...] = ()
    query: str = ""

    @property
    def source_path(self) -> Path:
        """The path or pattern of the files, as they are now."""
        return self.files[0] if self.pattern is None else self.base / self.pattern

    @property
    def typed(self) -> bool:
        """Whether the files have dtypes of their own."""
        return self.files[0].suffix == ".parquet"

    def settle(self) -> str:
        """Copy the files to their folder in the project if they are elsewhere; returns their path or pattern.

        Raises
        ------
        ConfigError
            If a file would be overwritten.
        StoreError
            If a file cannot be written.
        """
        if self.folder != self.base:
            targets = [self.folder / file.relative_to(self.base) for file in self.files]
            if existing := [target for target in targets if target.exists()]:
                raise ConfigError(
                    f"{existing[0]} exists already",
                    hint="choose another name: --name NAME, or remove the file",
                )
            for file, target in zip(self.files, targets, strict=True):
                with atomic_write(target) as partial:
                    shutil.copyfile(file, partial)
        inside = self.folder.relative_to(self.root)
        return (inside / (self.files[0].name if self.pattern is None else self.pattern)).as_posix()


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
    target = folder / f"{_identifier(name)}.parquet"
    if target.exists():
        raise ConfigError(f"{target} exists already", hint="choose another name: --name NAME")
    layout = workspace.layout
    tables = {
        node: layout.dataset(node) for node in (*workspace.catalog.sources, *workspace.catalog.datasets)
    }
    tables |= {view: layout.features(view) for view in workspace.catalog.views}
    write_parquet(query(sql, tables, files=True), target)
    note = f"the result of the query is kept in {target.relative_to(workspace.root).as_posix()}"
    return Input(_identifier(name), workspace.root, folder, None, (target,), folder, (note,), sql)


def input_of(workspace: Workspace, target: str, name: str | None, owner: str | None = None) -> Input:
    """Locate a file, the files of a pattern, or the files of a folder.

    Raises
    ------
    MissingDataError
        If no file exists.
    ContractError
        If a format is not supported.
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


def files_of(workspace: Workspace, target: str, name: str | None = None, owner: str | None = None) -> Input:
    """Locate a file, the files of a pattern, or the files of a folder, where they are.

    Raises
    ------
    MissingDataError
        If no file exists.
    ContractError
        If a format is not supported.
    """
    root = workspace.root
    base, pattern = _existing(root, target)
    if pattern is None and base.is_dir():
        pattern = _pattern_of(base)
    files = (base,) if pattern is None else tuple(sorted(f for f in base.glob(pattern) if f.is_file()))
    if not files or not files[0].is_file():
        raise MissingDataError(
            f"{target}: no such file", hint="name a CSV or Parquet file, a pattern, a folder or SQL"
        )
    if pattern is None:
        base = base.parent
    if wrong := [file for file in files if file.suffix not in FORMATS]:
        raise ContractError(
            f"{wrong[0]}: expected a file that ends in {' or '.join(FORMATS)}",
            hint=as_query(
                sql_text(wrong[0] if pattern is None else base / pattern),
                _identifier(name or (wrong[0].stem if pattern is None else base.name)),
                owner,
            ),
        )
    source = _identifier(name or (files[0].stem if pattern is None else base.name))
    return Input(source, root, base, pattern, files, base)


def as_query(relation: str, name: str, owner: str | None) -> str:
    """Return the command that adds what DuckDB reads and we do not, for a shell of POSIX."""
    query = f"FROM {relation}"
    quoted = shlex.quote(query) if set(query) & set('"$`!') else f'"{query}"'
    return f"run: featurestore add {quoted} --name {name}" + (
        f" --owner {shlex.quote(owner)}" if owner else ""
    )


def sql_text(path: Path) -> str:
    """Return a path as a text of SQL."""
    return "'{}'".format(path.as_posix().replace("'", "''"))


def _existing(root: Path, target: str) -> tuple[Path, str | None]:
    """Split a target into fixed part and pattern: relative to the project, or else to the current folder."""
    fixed, pattern = fixed_part(root / target, target)
    exists = fixed.exists() if pattern is None else any(fixed.glob(pattern))
    if not exists:
        fixed, pattern = fixed_part(Path(target).absolute(), target)
    return fixed.resolve(), pattern


def _pattern_of(folder: Path) -> str:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in FORMATS]
    suffixes = {path.suffix for path in files}
    if len(suffixes) > 1:
        raise ContractError(
            f"{folder} holds CSV and Parquet files", hint=f"name one kind: featurestore add '{folder}/*.csv'"
        )
    if not files:
        raise MissingDataError(f"{folder} holds no CSV or Parquet file", hint="put the files there")
    nested = any(path.parent != folder for path in files)
    return f"{'**/' if nested else ''}*{files[0].suffix}"


def _require_own_folder(base: Path, files: tuple[Path, ...], root: Path, raw: Path, name: str) -> None:
    others = [path for path in base.rglob("*") if path.is_file() and path not in files]
    if base in (root, raw) or others:
        folder = (raw / name).relative_to(root).as_posix()
        raise ConfigError(
            f"{base} holds other files too, such as {others[0].name if others else files[0].name}; DVC versions a folder "
            "as a whole",
            hint=f"give the files a folder of their own: {folder}, then run: featurestore add {folder}",
        )


def _identifier(name: str) -> str:
    cleaned = re.sub(r"\W+", "_", name.lower(), flags=re.ASCII).strip("_")
    is_module = cleaned[:1].isalpha() and not keyword.iskeyword(cleaned)
    return cleaned if is_module else f"source_{cleaned}".rstrip("_")
