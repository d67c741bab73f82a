"""Suggest: draft a Pandera schema from data."""

from __future__ import annotations

import re
from keyword import iskeyword
from typing import TYPE_CHECKING

from featurestore.errors import ConfigError
from featurestore.operations.add.read import declared_source, read_input
from featurestore.operations.read.files import is_path
from featurestore.operations.read.input import files_of
from featurestore.operations.read.locate import located
from featurestore.quality.profile import suggest as drafting
from featurestore.quality.profile.own_file import draft_for
from featurestore.quality.profile.suggest import literal
from featurestore.quality.profile.text_columns import null_words
from featurestore.storage.files import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.workspace import Workspace


def suggest(workspace: Workspace, reference: str, *, name: str | None = None, out: Path | None = None) -> str:
    """Draft a Pandera schema, as Python code.

    Parameters
    ----------
    reference
        A dataset, a version of one (``flights@HEAD~1``), a Parquet or CSV file, or a pattern or folder of such files.
    name
        Name of the schema class; by default the name of the dataset or file.
    out
        Also write the draft to this file.

    Raises
    ------
    MissingDataError
        If the data do not exist.
    ContractError
        If a file cannot be read, or has no rows.
    DefinitionError
        If a column has a name or a dtype that no source can have.
    UnknownNameError
        If `reference` is neither a file nor a dataset.
    ConfigError
        If `name` cannot be the name of a class.
    """
    if name is not None and (not name.isidentifier() or iskeyword(name)):
        raise ConfigError(
            f"the name of the schema is {name!r}, expected the name of a Python class",
            hint="use letters, digits and underscores, and begin with a letter",
        )
    if is_path(workspace, reference):
        draft = _of_files(workspace, reference, name)
    else:
        with located(workspace, reference) as (data,):
            profile = data.profile
            schema = data.rows.collect_schema()
        draft = drafting.suggest(profile, schema, name=name or _title(profile.dataset))
    if out is not None:
        write_text(draft, out)
    return draft


def _of_files(workspace: Workspace, target: str, name: str | None) -> str:
    """Draft as `add` does, and keep nothing. A declared source tells which words stand for a missing value."""
    data = files_of(workspace, target)
    source = declared_source(workspace, target)
    declared = () if source is None else source.null_values
    rows, words = read_input(workspace, data, null_values=declared)
    drafted = draft_for(rows, dataset=data.name, name=name or _title(data.name), typed=data.typed)
    missing = (*declared, *(word for word in null_words(words) if word not in declared))
    if not missing:
        return drafted.source
    return f"{drafted.source}\n\n# The source of these rows needs null_values={literal(list(missing))}\n"


def _title(dataset: str) -> str:
    title = "".join(part.title() for part in re.split(r"\W+|_", dataset))
    return title if title.isidentifier() and not iskeyword(title) else f"Rows{title}"
