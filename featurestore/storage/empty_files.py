"""Empty files: a file without a byte says nothing of its format, so each reader refuses it in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import ContractError

if TYPE_CHECKING:
    from pathlib import Path


def require_content(path: Path, title: str) -> None:
    """Refuse an empty file of rows. A file that does not exist is left to its reader.

    Raises
    ------
    ContractError
        If the file has no bytes.
    """
    if path.is_file() and path.stat().st_size == 0:
        raise ContractError(
            f"{title}: the file is empty; expected rows",
            hint="write the rows again; a CSV file begins with the names of its columns",
        )
