"""Find data by what a person calls them: a dataset, a former version of one, a training set, what was served, a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from featurestore.errors import MissingDataError, UnknownNameError
from featurestore.operations.build import made_by, path_of
from featurestore.operations.replay import logged
from featurestore.quality.change.schema_changes import Promised, promised, terms_of_frame
from featurestore.quality.profile.profile import Profile, profile
from featurestore.storage.files import read_record, require_parquet, translated_read_errors
from featurestore.timing.columns import EVENT_TIMESTAMP

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.contract import Contract
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.storage.layout import Layout

Fetch: TypeAlias = Callable[[Path, str, Path], Path]
SERVED = "served:"
FILES = (".parquet", ".csv")


@dataclass(frozen=True)
class Located:
    """Data to compare.

    Attributes
    ----------
    name
        What a person calls them.
    contract
        What the definitions promise of them now; None for files.
    read
        Reads or makes their profile.
    raw
        The rows of a file before the dtypes of text were guessed.
    """

    name: str
    rows: pl.LazyFrame
    promised: Promised
    contract: Contract | None
    read: Callable[[], Profile]
    raw: pl.LazyFrame | None = None

    @cached_property
    def profile(self) -> Profile:
        """What is known of their values."""
        return self.read()


def locate(reference: str, catalog: Catalog, layout: Layout, *, fetch: Fetch, folder: Path) -> Located:
    """Find data by name, by name and revision (``flights@HEAD~1``), as ``served:SERVICE``, or by the path of a file.

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
    if file.suffix in FILES:
        return _file(file, reference)
    if reference.startswith(SERVED):
        return _served(catalog.service(reference.removeprefix(SERVED)), layout, reference)
    name, _, revision = reference.partition("@")
    if name in catalog.training_sets:
        training = catalog.training_sets[name]
        contract, command = training.joined, f"featurestore training-set {name}"
        rows, record, told = layout.training(name), None, layout.training_profile(name)
    elif name in catalog.nodes:
        node = catalog.nodes[name]
        contract, command = node.contract, made_by(node)
        rows, record, told = path_of(node, layout), layout.contract(name), layout.profile(name)
    else:
        raise UnknownNameError("dataset", name, [*catalog.nodes, *catalog.training_sets])
    terms = promised(contract)
    if revision:
        copies = folder / revision.replace("/", "_") / name
        rows = fetch(rows, revision, copies / f"rows{rows.suffix}")
        told = fetch(told, revision, copies / "profile.json")
        terms = Promised(name, (), terms_of_frame(pl.scan_parquet(rows).collect_schema()))
        if record is not None:
            terms = read_record(fetch(record, revision, copies / "contract.json"), Promised, made_by=command)
    scanned = pl.scan_parquet(require_parquet(rows, made_by=command))
    return Located(reference, scanned, terms, contract, partial(read_record, told, Profile, made_by=command))


def _file(path: Path, reference: str) -> Located:
    if not path.is_file():
        raise MissingDataError(f"{path}: not found", hint="name a file that is there, or a dataset")
    with translated_read_errors(path.name, path):
        if path.suffix == ".parquet":
            raw = rows = pl.scan_parquet(path)
        else:
            text = pl.read_csv(path, infer_schema=False)
            raw, rows = text.lazy(), text.select(map(guessed, text)).lazy()
        terms = Promised(path.name, (), terms_of_frame(rows.collect_schema()))
    return Located(reference, rows, terms, None, partial(_profiled, rows, path), raw)


def guessed(text: pl.Series) -> pl.Series:
    """Give a column of text the first dtype as which all of it can be read; a column without values stays text."""
    truth = {"true": True, "false": False}
    readings: tuple[Callable[[], pl.Series], ...] = (
        lambda: text.cast(pl.Int64, strict=False),
        lambda: text.cast(pl.Float64, strict=False),
        lambda: text.str.to_lowercase().replace_strict(truth, default=None, return_dtype=pl.Boolean),
        lambda: text.str.to_date("%Y-%m-%d", strict=False),
        lambda: text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_zone="UTC", strict=False),
        lambda: text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False),
        lambda: text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False),
    )
    for read in readings:
        found = read()
        if found.null_count() == text.null_count() < text.len():
            return found
    return text


def _profiled(rows: pl.LazyFrame, path: Path) -> Profile:
    with translated_read_errors(path.name, path):
        return profile(rows, dataset=path.stem)


def _served(service: FeatureService, layout: Layout, reference: str) -> Located:
    """Find what a service answered: keys, request values, the moment, the vector; statuses are left out."""
    asked = {column.name: column for view in service.on_demand for column in view.request.columns}
    keys = {
        key: replace(selection.view.contract[own], name=key)
        for selection in service.reads
        for key, own in zip(selection.keys, selection.view.key_schema, strict=True)
    }
    columns = tuple({**keys, **asked, **{column.name: column for column in service.features}}.values())
    base = service.reads[0].view.contract if service.reads else service.on_demand[0].contract
    contract = replace(base, name=service.name, columns=columns, uniques=(), checks=(), metadata={})
    rows = logged(service, layout).select(*(column.name for column in columns), EVENT_TIMESTAMP)
    made = partial(profile, rows, dataset=reference, contract=contract)
    return Located(reference, rows, promised(contract), contract, made)
