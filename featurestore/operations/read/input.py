"""The files of a reference: one file, those of a pattern, or those of a folder, where they are."""

from __future__ import annotations

import keyword
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featurestore.definitions.source import FORMATS, Source, fixed_part
from featurestore.errors import ContractError, MissingDataError

if TYPE_CHECKING:
    import polars as pl

    from featurestore.workspace import Workspace


@dataclass(frozen=True)
class Input:
    """Raw data in files, or data to add.

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
            f"{target}: no such file",
            hint="name a CSV or Parquet file, a pattern or a folder; add takes SQL too",
        )
    if pattern is None:
        base = base.parent
    if wrong := [file for file in files if file.suffix not in FORMATS]:
        raise ContractError(
            f"{wrong[0]}: expected a file that ends in {' or '.join(FORMATS)}",
            hint=as_query(
                sql_text(wrong[0] if pattern is None else base / pattern),
                identifier(name or (wrong[0].stem if pattern is None else base.name)),
                owner,
            ),
        )
    source = identifier(name or (files[0].stem if pattern is None else base.name))
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


def scan_input(workspace: Workspace, data: Input, null_values: tuple[str, ...] = ()) -> pl.LazyFrame:
    """Scan the raw rows by the reader of the project, each with its file and its number there."""
    no_contract: Any = None  # the reader needs none, and there is none yet
    path = data.source_path
    source = Source(data.name, no_contract, path.as_posix(), None, null_values, "", workspace.root)
    return workspace.reader.scan(source, path).lazy()


def identifier(name: str) -> str:
    """Return the name of a source for a name of a file or folder: one that a Python module can have."""
    cleaned = re.sub(r"\W+", "_", name.lower(), flags=re.ASCII).strip("_")
    is_module = cleaned[:1].isalpha() and not keyword.iskeyword(cleaned)
    return cleaned if is_module else f"source_{cleaned}".rstrip("_")
