"""A record beside the file of a model: which features it was trained on, so that it is refused beside others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from featurestore.definitions.fingerprint import Fingerprint, fingerprint
from featurestore.errors import ConfigError, MissingDataError, SkewError
from featurestore.operations.training_set.training_set import require_same_definition, training_manifest
from featurestore.storage.files import read_record, write_record
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.storage.made_by import other_definition

if TYPE_CHECKING:
    from featurestore.workspace import Workspace

SUFFIX = ".features.json"


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model was trained on.

    Attributes
    ----------
    model
        SHA-256 of the file of the model.
    training_set, rows
        The training set, and the digest of its rows.
    service, features
        The feature service, and the names of the vector in its order.
    fingerprint
        The definition of the service, with what its steps learned.
    """

    model: str
    training_set: str
    rows: str
    service: str
    features: tuple[str, ...]
    fingerprint: Fingerprint


def write_model_record(workspace: Workspace, model: Path | str, training_set: str) -> ModelRecord:
    """Write ``<model>.features.json`` beside the file of a model that was trained on a training set.

    Raises
    ------
    ConfigError
        If `model` is not the path of a file.
    MissingDataError
        If the file of the model is missing, the training set is not built, or the steps of its service are not fitted.
    SkewError
        If another definition made the training set, or the fitted state of its service.
    """
    path = _model_path(model)
    manifest = training_manifest(workspace, training_set)
    if manifest is None:
        raise MissingDataError(
            f"training set {training_set!r} is not built",
            hint=f"run: featurestore training-set {training_set}",
        )
    require_same_definition(workspace, training_set)
    service = workspace.fitted(workspace.catalog.training_set(training_set).service)
    record = ModelRecord(
        model=_digest(path),
        training_set=training_set,
        rows=manifest.digest,
        service=service.name,
        features=service.feature_names,
        fingerprint=fingerprint(service),
    )
    write_record(record, _record_of(path))
    return record


def require_model(workspace: Workspace, model: Path | str) -> ModelRecord:
    """Refuse a model that was trained on other features than are served now.

    Raises
    ------
    ConfigError
        If `model` is not the path of a file.
    MissingDataError
        If the model or its record is missing, or the steps of the service are not fitted.
    SkewError
        If the file of the model is another one than the record's, or the service or what its steps learned has changed
        since: names the difference.
    UnknownNameError
        If the service no longer exists.
    """
    path = _model_path(model)
    record = read_record(_record_of(path), ModelRecord, made_by="project.write_model_record")
    if _digest(path) != record.model:
        raise SkewError(
            f"{path} is another file than the one that {_record_of(path).name} was written for",
            hint="copy both files of a model together",
        )
    service = workspace.service(record.service)
    if fingerprint(service).digest != record.fingerprint.digest:
        raise other_definition(
            f"{path} was trained on another definition of service {record.service!r} than is served; train it again",
            record.fingerprint,
            service,
            then=(f"featurestore training-set {record.training_set}",),
        )
    return record


def _model_path(model: Path | str) -> Path:
    is_path = isinstance(model, Path | str) and "\0" not in str(model)
    path = Path(model) if is_path else Path()
    if not path.name or path.is_dir():
        raise ConfigError(
            f"model is {str(model)!r}; expected the path of the file of a model",
            hint='example: "models/model.joblib"',
        )
    return path


def _record_of(model: Path) -> Path:
    return model.with_name(model.name + SUFFIX)


def _digest(path: Path) -> str:
    try:
        return file_fingerprint(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingDataError(f"{path} is missing", hint="save the model first") from error
