"""A source: raw data as they arrive, under a contract."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featurestore.definitions.contract import Contract, contract_of
from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    from pandera.polars import DataFrameModel

RESERVED = (
    "source_file",
    "source_row",
    "broken_rules",
)  # where a quarantined row comes from, and why it is there
FORMATS = (".csv", ".parquet")


@dataclass(frozen=True)
class PackageFile:
    """A data file inside an installed Python package, fetched by ``featurestore ingest``.

    Parameters
    ----------
    package
        Import name of the package; it is located, never imported.
    member
        Path inside the package; a ``.zip`` with one member is unpacked.
    """

    package: str
    member: str


@dataclass(frozen=True, eq=False)
class Source:
    """Raw data as they arrive.

    Attributes
    ----------
    name
        The dataset's name.
    path
        The raw file, relative to the project, CSV or Parquet, versioned by DVC; or a pattern such as
        ``data/raw/orders/**/*.parquet`` for many, hive partitions included.
    origin
        Where ``featurestore ingest`` gets the file from; None where a person or another system puts it there.
    null_values
        Strings of a CSV file that mean a missing value, besides the empty string.
    """

    name: str
    contract: Contract
    path: str
    origin: PackageFile | None
    null_values: tuple[str, ...]
    owner: str
    defined_in: Path

    def location(self, path: Path) -> tuple[Path, str | None]:
        """Part the path of the raw data into the part that is fixed and the pattern below it, if it is one."""
        parts = path.parts
        free = next((i for i, part in enumerate(parts) if set(part) & set("*?[")), None)
        return (path, None) if free is None else (Path(*parts[:free]), str(Path(*parts[free:])))

    @property
    def description(self) -> str:
        """What a row means: the schema's docstring."""
        return self.contract.description


def source(
    name: str,
    schema: type[DataFrameModel],
    path: str,
    *,
    owner: str,
    origin: PackageFile | None = None,
    null_values: tuple[str, ...] = (),
) -> Source:
    """Declare raw data and the contract they are checked against.

    Raises
    ------
    DefinitionError
        If the file's format is not known, or a column has a name that the quarantine needs.
    """
    if Path(path).suffix not in FORMATS:
        raise DefinitionError(f"source {name!r}: {path!r} is not one of {', '.join(FORMATS)}")
    contract = contract_of(schema)
    if taken := [column for column in RESERVED if column in contract]:
        raise DefinitionError(f"source {name!r}: column {taken[0]!r} is the gate's own", hint="rename it")
    frame: Any = inspect.currentframe()
    return Source(
        name=name,
        contract=contract,
        path=path,
        origin=origin,
        null_values=null_values,
        owner=owner,
        defined_in=Path(frame.f_back.f_code.co_filename).resolve(),
    )
