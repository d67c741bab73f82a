"""Suggest: draft a Pandera schema from data."""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING

from featurestore.errors import ConfigError
from featurestore.operations.locate import located
from featurestore.quality.profile import suggest as drafting
from featurestore.storage.files import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.workspace import Workspace


def suggest(workspace: Workspace, reference: str, *, name: str | None = None, out: Path | None = None) -> str:
    """Draft a Pandera schema, as Python code.

    Parameters
    ----------
    reference
        A dataset, a version of one (``flights@HEAD~1``), or a Parquet or CSV file.
    name
        Name of the schema class; by default the name of the dataset or file.
    out
        Also write the draft to this file.

    Raises
    ------
    MissingDataError
        If the data do not exist.
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
    with located(workspace, reference) as (data,):
        profile = data.profile
        schema = data.rows.collect_schema()
    title = "".join(part.title() for part in profile.dataset.replace("-", "_").split("_"))
    draft = drafting.suggest(profile, schema, name=name or title)
    if out is not None:
        write_text(draft, out)
    return draft
