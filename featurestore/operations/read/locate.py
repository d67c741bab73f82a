"""Locate data by a reference: a dataset, an earlier version of it, a training set, served vectors, or a file."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError, UnknownNameError
from featurestore.operations.read.files import is_path, rows_of_files
from featurestore.quality.change.schema_changes import ContractTerms, contract_terms, terms_of_frame
from featurestore.quality.profile.profile import Profile, profile, profile_file
from featurestore.splits.declare import SPLIT
from featurestore.storage.datasets import build_command, dataset_path
from featurestore.storage.files import read_record, require_parquet
from featurestore.storage.parquet import scan_files
from featurestore.storage.served_log import served_rows
from featurestore.timing.columns import EVENT_TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from featurestore.definitions.contract import Contract
    from featurestore.definitions.feature_service import FeatureService, TrainingSet
    from featurestore.workspace import Workspace

SERVED = "served:"


@dataclass(frozen=True)
class Located:
    """Data to compare.

    Attributes
    ----------
    name
        The reference.
    rows
        The rows.
    terms
        The schema under which the rows passed the gate; of a file, its dtypes.
    contract
        The contract in the current definitions; None for files.
    read_profile
        Reads or computes the profile.
    raw
        The rows of a file before dtypes are guessed from text; None for datasets.
    is_declared
        Whether a contract declared `terms`. Otherwise they are the dtypes of the rows, and no more is known.
    """

    name: str
    rows: pl.LazyFrame
    terms: ContractTerms
    contract: Contract | None
    read_profile: Callable[[], Profile]
    raw: pl.LazyFrame | None = None
    is_declared: bool = True

    @cached_property
    def profile(self) -> Profile:
        """The profile of the rows."""
        return self.read_profile()


@contextmanager
def located(
    workspace: Workspace, *references: str, after_steps: bool = False
) -> Iterator[tuple[Located, ...]]:
    """Locate data while the block runs; copies of earlier versions are removed afterwards.

    Parameters
    ----------
    references
        Each the name of a dataset or training set, one split of a training set (``departures:test``), a name and a
        revision (``flights@HEAD~1``), ``served:SERVICE``, or the path of a Parquet or CSV file, or a pattern or folder
        of such files.
    after_steps
        Read training sets after the steps of their services, as they are read beside what a service answered.

    Raises
    ------
    MissingDataError
        If the data do not exist.
    ContractError
        If a file cannot be read, or a reference ends in @ without a revision.
    UnknownNameError
        If a reference is neither a file nor a dataset.
    """
    with TemporaryDirectory(prefix="featurestore-") as folder:
        # What a service answered is after its steps: a training set beside it is read after them too.
        after_steps = after_steps or any(reference.startswith(SERVED) for reference in references)
        yield tuple(
            _locate(workspace, reference, Path(folder) / str(number), after_steps=after_steps)
            for number, reference in enumerate(references)
        )


def _locate(workspace: Workspace, reference: str, folder: Path, *, after_steps: bool) -> Located:
    catalog = workspace.catalog
    if is_path(workspace, reference):
        return _files(workspace, reference)
    if reference.startswith(SERVED):
        name = catalog.service(reference.removeprefix(SERVED)).name
        return _served(workspace, workspace.service(name), reference)
    name, at, revision = reference.partition("@")
    if at and not revision:
        raise ContractError(
            f"{reference!r} names no revision, expected one of git after the @", hint=f"write {name}@HEAD"
        )
    name, _, split = name.partition(":")
    if name in catalog.training_sets:
        training = catalog.training_sets[name]
        service = workspace.fitted(training.service) if after_steps and not revision else training.service
        rows = (
            _training_set(workspace, name, revision, reference, folder)
            if service.fitted is None
            else _fitted_training_set(workspace, training, service, reference)
        )
        return _split(rows, split) if split else rows
    if name in catalog.nodes:
        if ":" in reference.partition("@")[0]:
            place = f"{reference!r}, and only training sets have splits"
            raise UnknownNameError("training set", name, catalog.training_sets, within=place)
        return _dataset(workspace, name, revision, reference, folder)
    raise UnknownNameError("dataset", name, [*catalog.nodes, *catalog.training_sets])


def _training_set(workspace: Workspace, name: str, revision: str, reference: str, folder: Path) -> Located:
    layout = workspace.layout
    contract = workspace.catalog.training_sets[name].joined
    command = f"featurestore training-set {name}"
    rows = layout.training(name)
    profile_path = layout.training_profile(name)
    terms = contract_terms(contract)
    if revision:
        rows = _version(workspace, rows, revision, folder / "rows.parquet")
        profile_path = _version(workspace, profile_path, revision, folder / "profile.json")
        # Git keeps no contract of a training set: its dtypes are what is known of that version.
        terms = ContractTerms(name, (), terms_of_frame(scan_files(rows).collect_schema()))
    scanned = scan_files(require_parquet(rows, made_by=command))
    read_profile = partial(read_record, profile_path, Profile, made_by=command)
    return Located(reference, scanned, terms, contract, read_profile, is_declared=not revision)


def _fitted_training_set(
    workspace: Workspace, training: TrainingSet, service: FeatureService, reference: str
) -> Located:
    """Locate a training set with its fitted vectors."""
    path = workspace.layout.fitted_training(training.name)
    rows = scan_files(require_parquet(path, made_by=f"featurestore training-set {training.name}"))
    own = [column for column in training.joined.columns if column.name not in service.joined.feature_names]
    contract = replace(training.joined, columns=(*own, *service.features))
    read_profile = partial(profile_file, path, dataset=reference, contract=contract)
    return Located(reference, rows, contract_terms(contract), contract, read_profile)


def _split(training: Located, split: str) -> Located:
    """Locate the rows of one split of a training set."""
    splits = (
        training.rows.select(pl.col(SPLIT).unique().sort())
        if SPLIT in training.rows.collect_schema()
        else None
    )
    names = [] if splits is None else splits.collect().to_series().to_list()
    if split not in names:
        raise UnknownNameError(
            "split", split, names, within=f"training set {training.name.partition(':')[0]!r}"
        )
    rows = training.rows.filter(pl.col(SPLIT) == split)
    contract = training.contract
    read_profile = partial(profile, rows, dataset=training.name, contract=contract)
    return replace(training, rows=rows, read_profile=read_profile)


def _dataset(workspace: Workspace, name: str, revision: str, reference: str, folder: Path) -> Located:
    layout = workspace.layout
    node = workspace.catalog.nodes[name]
    command = build_command(node)
    rows = dataset_path(node, layout)
    profile_path = layout.profile(name)
    terms = contract_terms(node.contract)
    if revision:
        rows = _version(workspace, rows, revision, folder / "rows.parquet")
        profile_path = _version(workspace, profile_path, revision, folder / "profile.json")
        record = _version(workspace, layout.contract(name), revision, folder / "contract.json")
        terms = read_record(record, ContractTerms, made_by=command)
    scanned = scan_files(require_parquet(rows, made_by=command))
    read_profile = partial(read_record, profile_path, Profile, made_by=command)
    return Located(reference, scanned, terms, node.contract, read_profile)


def _version(workspace: Workspace, path: Path, revision: str, target: Path) -> Path:
    return workspace.parts.versions.fetch(workspace.root, path, revision, target)


def _files(workspace: Workspace, reference: str) -> Located:
    raw, rows, read_profile = rows_of_files(workspace, reference)
    terms = ContractTerms(Path(reference).name, (), terms_of_frame(rows.collect_schema()))
    return Located(reference, rows, terms, None, read_profile, raw, is_declared=False)


def _served(workspace: Workspace, service: FeatureService, reference: str) -> Located:
    """Locate the vectors that a service answered: keys, request values, timestamp and features, without statuses."""
    features = {column.name: column for column in service.features}
    columns = tuple({**service.request_columns, **features}.values())
    base = service.reads[0].view.feature_contract if service.reads else service.on_demand[0].contract
    contract = replace(base, name=service.name, columns=columns, uniques=(), checks=(), metadata={})
    rows = served_rows(service, workspace.layout).select(
        *(column.name for column in columns), EVENT_TIMESTAMP
    )
    read_profile = partial(profile, rows, dataset=reference, contract=contract)
    return Located(reference, rows, contract_terms(contract), contract, read_profile)
