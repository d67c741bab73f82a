"""A feature store whose training and serving values are proven identical, bit for bit.

Users write definitions with the names exported here; everything heavy is loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from featurestore import preprocessing, windows
    from featurestore.definitions.contract import Frame
    from featurestore.definitions.dataset import dataset
    from featurestore.definitions.entity import Entity
    from featurestore.definitions.feature_service import feature_service
    from featurestore.definitions.feature_view import feature_view
    from featurestore.definitions.on_demand import on_demand_feature_view
    from featurestore.definitions.source import PackageFile, source
    from featurestore.definitions.training_set import training_set
    from featurestore.errors import (
        ConfigError,
        ContractError,
        DefinitionError,
        FeatureStoreError,
        MissingDataError,
        MissingPackageError,
        NotReproducibleError,
        SkewError,
        StoreError,
        UnknownNameError,
        UnknownSettingError,
    )
    from featurestore.labels.declare import labelled_by
    from featurestore.project import Project, open  # noqa: A004 - featurestore.open, as gzip.open
    from featurestore.splits.declare import random_split, time_split
    from featurestore.splits.sample import oversample, random_sample, systematic_sample, undersample
    from featurestore.values.exact_sum import exact_mean, exact_sum

_HOMES = {
    "ConfigError": "errors",
    "ContractError": "errors",
    "DefinitionError": "errors",
    "Entity": "definitions.entity",
    "FeatureStoreError": "errors",
    "Frame": "definitions.contract",
    "MissingDataError": "errors",
    "MissingPackageError": "errors",
    "NotReproducibleError": "errors",
    "PackageFile": "definitions.source",
    "Project": "project",
    "SkewError": "errors",
    "StoreError": "errors",
    "UnknownNameError": "errors",
    "UnknownSettingError": "errors",
    "dataset": "definitions.dataset",
    "exact_mean": "values.exact_sum",
    "exact_sum": "values.exact_sum",
    "feature_service": "definitions.feature_service",
    "feature_view": "definitions.feature_view",
    "labelled_by": "labels.declare",
    "on_demand_feature_view": "definitions.on_demand",
    "open": "project",
    "oversample": "splits.sample",
    "random_sample": "splits.sample",
    "random_split": "splits.declare",
    "source": "definitions.source",
    "systematic_sample": "splits.sample",
    "time_split": "splits.declare",
    "training_set": "definitions.training_set",
    "undersample": "splits.sample",
}

__all__ = [
    "ConfigError",
    "ContractError",
    "DefinitionError",
    "Entity",
    "FeatureStoreError",
    "Frame",
    "MissingDataError",
    "MissingPackageError",
    "NotReproducibleError",
    "PackageFile",
    "Project",
    "SkewError",
    "StoreError",
    "UnknownNameError",
    "UnknownSettingError",
    "dataset",
    "exact_mean",
    "exact_sum",
    "feature_service",
    "feature_view",
    "labelled_by",
    "on_demand_feature_view",
    "open",
    "oversample",
    "preprocessing",
    "random_sample",
    "random_split",
    "source",
    "systematic_sample",
    "time_split",
    "training_set",
    "undersample",
    "windows",
]


def __getattr__(name: str) -> Any:
    if name in ("preprocessing", "windows"):
        return import_module(f"featurestore.{name}")
    if name in _HOMES:
        value = getattr(import_module(f"featurestore.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'featurestore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
