"""The fitted vector of a feature service: its columns, and where each comes from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import DefinitionError
from featurestore.preprocessing.fit import apply, origins, sources
from featurestore.values.wording import PERSONAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.contract import Column
    from featurestore.definitions.feature_service import FeatureService, TrainingSet
    from featurestore.preprocessing.state import FittedState, FittedStep
    from featurestore.preprocessing.step import Table


def fitted_columns(joined: Sequence[Column], fitted: FittedState) -> tuple[Column, ...]:
    """Return the contract of each column of the fitted vector.

    Parameters
    ----------
    joined
        The features of the service before its steps.
    """
    by_name = {column.name: column for column in joined}
    rows = pl.LazyFrame(schema={column.name: column.dtype for column in joined})
    origin = origins(by_name, fitted.steps)
    read = sources(by_name, fitted.steps)
    kept = untouched(by_name, fitted)
    return tuple(
        by_name[name]
        if name in kept
        else _computed(
            name,
            dtype,
            by_name[origin[name]],
            personal=any(by_name[feature].personal for feature in read[name]),
        )
        for name, dtype in apply(rows, fitted.steps).collect_schema().items()
    )


def untouched(joined: Mapping[str, object], fitted: FittedState) -> frozenset[str]:
    """Return the names of the features that no step changes."""
    touched = {name for step in fitted.steps for name in step.columns}
    return frozenset(name for name in joined if name not in touched)


def untouched_features(service: FeatureService) -> frozenset[str]:
    """Return the names of the features of a service that no step changes; of a service without steps, all."""
    names = dict.fromkeys(service.joined.feature_names)
    return frozenset(names) if service.fitted is None else untouched(names, service.fitted)


def origins_of(service: FeatureService) -> dict[str, str]:
    """Return for each column of the vector of a service the feature that it is, or is computed from."""
    return origins(service.joined.feature_names, () if service.fitted is None else service.fitted.steps)


def fitted_full_names(joined: Mapping[str, str], fitted: FittedState) -> dict[str, str]:
    """Return the full name of each column of the fitted vector, from those of the features before the steps."""
    origin = origins(joined, fitted.steps)
    return {name: f"{joined[feature].removesuffix(feature)}{name}" for name, feature in origin.items()}


def shown_names(joined: Sequence[Column], *fits: Sequence[FittedStep]) -> dict[str, str]:
    """Return the name that messages show of each column of fitted vectors, and of those between two steps.

    A step names columns by what it learned, such as a category. If that is personal, the name of the feature and a
    number stand for it.
    """
    by_name = {column.name: column for column in joined}
    shown = {name: name for name in by_name}
    numbers: Counter[str] = Counter()
    for steps in (fit[:number] for fit in fits for number in range(1, len(fit) + 1)):
        read = sources(by_name, steps)
        for name, feature in origins(by_name, steps).items():
            if name in shown:
                continue
            shown[name] = name
            if any(by_name[source].personal for source in read[name]):
                numbers[feature] += 1
                shown[name] = f"{feature} {PERSONAL} {numbers[feature]:,}"
    return shown


def shown_names_of(service: FeatureService) -> dict[str, str]:
    """Return the name that messages show of each column of the vector of a service, as `shown_names`."""
    return shown_names(service.joined.features, () if service.fitted is None else service.fitted.steps)


def tables_of(service: FeatureService) -> tuple[Table, ...]:
    """Return the tables that the steps of a service are fitted to, beside the rows of train."""
    tables = [step.reads[0] for step in service.steps if step.reads]
    return tuple({table.name: table for table in tables}.values())


def fitting_set(catalog: Catalog, service: FeatureService) -> TrainingSet:
    """Return the training set whose rows the steps of a service are fitted to.

    Raises
    ------
    DefinitionError
        If no training set uses the service, or several do and not exactly one says that it fits.
    """
    using = [training for training in catalog.training_sets.values() if training.service.name == service.name]
    fitting = [training for training in using if training.fits] or using
    if len(fitting) == 1:
        return fitting[0]
    if not using:
        raise DefinitionError(
            f"feature service {service.name!r} has steps, but no training set to fit them to",
            hint=f"declare a training set with service={service.name}, or remove the steps",
        )
    raise DefinitionError(
        f"feature service {service.name!r} has steps, and {len(fitting)} training sets to fit them to: "
        f"{', '.join(training.name for training in fitting)}",
        hint="say fits=True in exactly one of them",
    )


def _computed(name: str, dtype: pl.DataType, origin: Column, *, personal: bool) -> Column:
    """Return the contract of a column that is computed from another one; it is personal if anything that it reads is."""
    metadata = {key: value for key, value in origin.metadata.items() if key == "environments"}
    metadata |= {"personal": True} if personal else {}
    description = f"fitted from {origin.name}"
    return replace(
        origin,
        name=name,
        dtype=dtype,
        nullable=True,
        unique=False,
        description=description,
        checks=(),
        metadata=metadata,
    )
