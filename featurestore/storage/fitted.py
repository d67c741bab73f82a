"""The file of the fitted state of a service: written beside the training set, read by everything that serves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import msgspec

from featurestore.definitions.fingerprint import fingerprint
from featurestore.definitions.vector import fitting_set
from featurestore.errors import MissingDataError, SkewError
from featurestore.preprocessing.state import FORMAT, FittedState, StateFile
from featurestore.storage.files import read_record, write_record
from featurestore.storage.made_by import find_fingerprint, keep_fingerprint, other_definition

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.storage.layout import Layout

    # When and how large the file was, and the service with its state.
    _Read = tuple[tuple[int, int, int], FeatureService]

_READ: WeakKeyDictionary[FeatureService, dict[Path, _Read]] = WeakKeyDictionary()


class _Format(msgspec.Struct):
    """The version of a state, which is read first: a later version has other fields."""

    format: int


class _Head(msgspec.Struct):
    state: _Format


def write_state(state: FittedState, path: Path) -> None:
    """Write a fitted state, with the digest of its content."""
    write_record(StateFile(digest=state.digest, state=state), path)


def with_state(service: FeatureService, catalog: Catalog, layout: Layout) -> FeatureService:
    """Return a service with what its steps learned; a service without steps as it is.

    A file that did not change is read once.

    Raises
    ------
    MissingDataError
        If the steps are not fitted yet.
    SkewError
        If the state is of another definition of the service or of another version, or was edited.
    StoreError
        If the file is damaged.
    """
    if not service.steps or service.fitted is not None:
        return service
    path = layout.fitted(service.name)
    training = fitting_set(catalog, service).name
    command = f"featurestore training-set {training}"
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise MissingDataError(
            f"feature service {service.name!r} has steps that are not fitted yet: {path} does not exist",
            hint=f"run: {command}",
        ) from error
    seen = (status.st_mtime_ns, status.st_size, status.st_ino)
    read = _READ.setdefault(service, {})
    if path not in read or read[path][0] != seen:
        state = _read(path, command)
        _require_belongs(service, state, layout, path, command)
        read[path] = (seen, replace(service, fitted=state))
    return read[path][1]


def _read(path: Path, command: str) -> FittedState:
    version = read_record(path, _Head, made_by=command).state.format
    if version != FORMAT:
        raise SkewError(
            f"{path}: the fitted state has format {version}; this version of featurestore reads format {FORMAT}",
            hint=f"run: {command}",
            commands=[command],
        )
    file = read_record(path, StateFile, made_by=command)
    if file.digest != file.state.digest:
        raise SkewError(
            f"{path}: the fitted state was edited: its content has digest {file.state.digest}, and it says {file.digest}",
            hint=f"restore the file with dvc checkout, or run: {command}",
            commands=[command],
        )
    return file.state


def _require_belongs(
    service: FeatureService, state: FittedState, layout: Layout, path: Path, command: str
) -> None:
    if state.definition != fingerprint(service).digest:
        raise other_definition(
            f"{path}: the state was fitted for another definition of feature service {service.name!r}",
            find_fingerprint(state.definition, layout),
            service,
            then=[command],
        )


def keep_definition(service: FeatureService, layout: Layout) -> None:
    """Keep the fingerprint of a service, so that a state of a former definition can be compared part by part."""
    keep_fingerprint(fingerprint(service), layout)
