"""Compare two versions of a dataset, or two datasets: schema, values by key, what is promised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import polars as pl

from featurestore.errors import MissingDataError
from featurestore.operations.build import made_by, path_of
from featurestore.quality.profile import Profile, profile
from featurestore.quality.schema_changes import (
    Promised,
    SchemaChange,
    promised,
    schema_changes,
    terms_of_frame,
)
from featurestore.quality.value_changes import ValueChanges, value_changes
from featurestore.storage.files import read_record, readable, required

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Catalog
    from featurestore.storage.layout import Layout

Fetch: TypeAlias = Callable[[Path, str, Path], Path]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """How two datasets differ.

    Attributes
    ----------
    schema
        Changes of what is promised; of files without a contract, of their dtypes.
    values
        Changes of rows; None where there is no key to tell rows apart.
    """

    before: str
    after: str
    rows: tuple[int, int]
    schema: tuple[SchemaChange, ...]
    values: ValueChanges | None


@dataclass(frozen=True)
class Located:
    """A dataset to compare."""

    rows: pl.LazyFrame
    promised: Promised
    profile: Profile


def compare(
    before: Located, after: Located, *, names: tuple[str, str], key: tuple[str, ...] = ()
) -> Comparison:
    """Compare two datasets.

    Parameters
    ----------
    key
        Columns that tell rows apart; by default those that the later contract says are unique.
    """
    by = key or after.promised.key
    shared = all(name in frame.collect_schema() for name in by for frame in (before.rows, after.rows))
    return Comparison(
        before=names[0],
        after=names[1],
        rows=(before.profile.rows, after.profile.rows),
        schema=schema_changes(before.promised.columns, after.promised.columns),
        values=value_changes(before.rows, after.rows, by) if by and shared else None,
    )


def locate(reference: str, catalog: Catalog, layout: Layout, *, fetch: Fetch, folder: Path) -> Located:
    """Find a dataset by its name, by name and revision (``flights@HEAD~1``), or by the path of a file.

    Parameters
    ----------
    fetch
        Copies a file of the project as it was at a revision.
    folder
        Where such copies go.

    Raises
    ------
    MissingDataError
        If it is not there.
    UnknownNameError
        If it is neither a file nor a dataset.
    """
    file = Path(reference)
    if file.suffix in (".parquet", ".csv"):
        return _file(file)
    name, _, revision = reference.partition("@")
    node = catalog.node(name)
    rows, record, told = path_of(node, layout), layout.contract(name), layout.profile(name)
    if not revision:
        contract = promised(node.contract)
        scanned = pl.scan_parquet(required(rows, made_by=made_by(node)))
        return Located(scanned, contract, read_record(told, Profile, made_by=made_by(node)))
    copies = folder / revision.replace("/", "_") / name
    rows, record, told = (
        fetch(path, revision, copies / f"{number}{path.suffix}")
        for number, path in enumerate((rows, record, told))
    )
    contract = read_record(record, Promised, made_by=made_by(node))
    return Located(pl.scan_parquet(rows), contract, read_record(told, Profile, made_by=made_by(node)))


def _file(path: Path) -> Located:
    if not path.is_file():
        raise MissingDataError(f"{path}: not found", hint="name a file that is there, or a dataset")
    with readable(path.name, path):
        rows = (
            pl.scan_parquet(path)
            if path.suffix == ".parquet"
            else pl.read_csv(path, infer_schema_length=None, try_parse_dates=True).lazy()
        )
        told = profile(rows, dataset=path.stem)
        return Located(rows, Promised(path.name, (), terms_of_frame(rows.collect_schema())), told)
