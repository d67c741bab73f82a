"""Add, and suggest: the raw rows of files that have no contract yet, read as the reader of the project reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.definitions.source import RESERVED
from featurestore.errors import ContractError, DefinitionError
from featurestore.operations.read.input import as_query, scan_input, sql_text
from featurestore.quality.profile.own_file import texts_of, with_null_words
from featurestore.quality.profile.text_columns import null_words, read_columns
from featurestore.storage.files import translated_read_errors
from featurestore.storage.parquet import schema_of_file

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.source import Source
    from featurestore.operations.read.input import Input
    from featurestore.workspace import Workspace

_HEAD_BYTES: Final = 1 << 16
# A field that is a number with a comma, between other separators than the comma.
_DECIMAL_COMMA: Final = r"(?:^|[;\t|])[+-]?[0-9]+,[0-9]+(?:[;\t|]|\r?$)"


def declared_source(workspace: Workspace, target: str) -> Source | None:
    """Return the source that declares a file, a folder or a pattern; None: none does."""
    root = workspace.root
    for source in workspace.catalog.sources.values():
        path = root / source.path
        if (root / target).resolve() in (source.location(path)[0].resolve(), path.resolve()):
            return source
    return None


def read_input(
    workspace: Workspace, data: Input, *, owner: str | None = None, null_values: tuple[str, ...] = ()
) -> tuple[pl.DataFrame, dict[str, tuple[str, ...]]]:
    """Read the raw rows, with the words for a missing value as null; also returns these words, by column.

    Parameters
    ----------
    owner
        Who is responsible for the data: part of the command that a hint names.
    null_values
        Words that stand for a missing value, as a source declares them.

    Raises
    ------
    ContractError
        If the data cannot be read.
    DefinitionError
        If a column has a name that the quarantine uses.
    """
    with translated_read_errors(data.name, data.files[0]):
        columns = _columns_of(data.files[0])
    if len(columns) == 1 and not data.typed and (wrong := re.search(r"[;\t|]", columns.names()[0])):
        raise ContractError(
            f"{data.name}: the columns are separated by {wrong[0]!r}; expected commas",
            hint=as_query(_csv_relation(data, wrong[0]), data.name, owner),
        )
    if taken := [column for column in RESERVED if column in columns]:
        raise DefinitionError(
            f"{data.name}: the quarantine uses the column name {taken[0]!r}",
            hint="rename the column in the file",
        )
    rows = scan_input(workspace, data, null_values).collect(engine="streaming")
    if data.typed:
        return rows, {}
    texts = texts_of(rows)
    words = {
        column: reading.null_words for column, reading in read_columns(texts).items() if reading.null_words
    }
    return with_null_words(rows, null_words(words)), words


def _csv_relation(data: Input, separator: str) -> str:
    """Return the call by which DuckDB reads CSV files with another separator, and their decimal commas."""
    with data.files[0].open("rb") as file:
        head = file.read(_HEAD_BYTES).decode(errors="replace")
    has_decimal_comma = separator != "," and re.search(_DECIMAL_COMMA, head, flags=re.MULTILINE) is not None
    options = ", decimal_separator=','" if has_decimal_comma else ""
    written = "\\t" if separator == "\t" else separator
    return f"read_csv({sql_text(data.source_path)}, delim='{written}'{options})"


def _columns_of(file: Path) -> pl.Schema:
    if file.suffix == ".parquet":
        return schema_of_file(file)
    return pl.scan_csv(file, infer_schema=False, glob=False).collect_schema()
