"""Delta tables, by the package deltalake, which nothing else needs: a project's own sources are Parquet and CSV."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.definitions.call import reason
from featurestore.errors import ContractError, package_needed_by

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE: Final = "deltalake"


def can_read_delta() -> bool:
    """Return whether the package that reads Delta tables is installed."""
    return find_spec(PACKAGE) is not None


def is_delta_table(path: Path) -> bool:
    """Return whether a folder has the log of a Delta table."""
    return (path / "_delta_log").is_dir()


def scan_delta(path: Path) -> pl.LazyFrame:
    """Scan the rows of the newest version of a Delta table.

    Raises
    ------
    ContractError
        If the table cannot be read.
    MissingPackageError
        If deltalake is not installed.
    """
    with package_needed_by(f"the Delta table {path}"):
        from deltalake import DeltaTable  # noqa: PLC0415 - only Delta tables need it
        from deltalake.exceptions import DeltaError  # noqa: PLC0415 - as above
    try:
        return pl.scan_delta(DeltaTable(path))
    except (DeltaError, OSError, pl.exceptions.PolarsError) as error:
        raise ContractError(
            f"{path}: cannot be read as a Delta table: {reason(error)}",
            hint="write the table again",
        ) from error
