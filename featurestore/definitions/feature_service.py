"""Feature services (the features of one model) and training sets (its rows and labels)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from inspect import isfunction
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.definitions.clashes import keys_of, refuse_clashes
from featurestore.definitions.entity_rows import entity_rows
from featurestore.definitions.feature_view import FeatureView, Selection
from featurestore.definitions.on_demand import OnDemandFeatureView
from featurestore.definitions.split_columns import added_columns
from featurestore.definitions.vector import fitted_columns, fitted_full_names
from featurestore.errors import DefinitionError
from featurestore.preprocessing.fit import check_steps, sources
from featurestore.preprocessing.stack import Stack
from featurestore.preprocessing.step import Step
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.arguments import instances_of
from featurestore.values.checked_calls import checked_call

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from featurestore.definitions.contract import Column, Contract
    from featurestore.definitions.known import Known
    from featurestore.definitions.signature import Transformation
    from featurestore.labels.declare import Labellers
    from featurestore.preprocessing.state import FittedState
    from featurestore.splits.declare import SplitStrategy
    from featurestore.splits.sample import SampleStrategy

# Name and owner of a service that a request makes of views.
REQUEST: Final = "request"


@dataclass(frozen=True, eq=False)
class FeatureService:
    """The features that one model reads, in training and in serving.

    Attributes
    ----------
    selections
        Stored features, view by view, in the order of the vector.
    on_demand
        Views that are computed at request time. Their features come last.
    steps
        What is fitted to the rows of train and applied to the features, in order.
    fitted
        What the steps learned. None: the service has no steps, or the vector is that of the features as they are joined.
    """

    name: str
    selections: tuple[Selection, ...]
    on_demand: tuple[OnDemandFeatureView, ...]
    description: str
    owner: str
    steps: tuple[Step | Stack, ...] = ()
    fitted: FittedState | None = None

    @property
    def title(self) -> str:
        """What messages call it: of a request that names views and no service, these views."""
        if (self.name, self.owner) != (REQUEST, REQUEST):
            return f"service {self.name!r}"
        names = [*(s.label for s in self.selections), *(view.name for view in self.on_demand)]
        return f"{'view' if len(names) == 1 else 'views'} {', '.join(map(repr, names))}"

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the order of the vector."""
        if self.fitted is not None:
            return tuple(self.fitted.features)
        stored = (name for selection in self.selections for name in selection.names)
        return (*stored, *(name for view in self.on_demand for name in view.feature_names))

    @property
    def feature_schema(self) -> pl.Schema:
        """Names and dtypes of the features, in the order of the vector."""
        return _schema({column.name: column.dtype for column in self.features})

    @property
    def features(self) -> tuple[Column, ...]:
        """The contract of each feature, under its name in the vector."""
        if self.fitted is not None:
            return fitted_columns(self.joined.features, self.fitted)
        stored = (
            replace(selection.view.feature_contract[feature], name=name)
            for selection in self.selections
            for name, feature in zip(selection.names, selection.features, strict=True)
        )
        return (*stored, *(column for view in self.on_demand for column in view.features))

    @property
    def full_names(self) -> dict[str, str]:
        """The full name ``<view or alias>__<feature>`` of each feature."""
        if self.fitted is not None:
            return fitted_full_names(self.joined.full_names, self.fitted)
        stored = {
            name: f"{s.label}__{feature}"
            for s in self.selections
            for name, feature in zip(s.names, s.features, strict=True)
        }
        return stored | {n: f"{view.name}__{n}" for view in self.on_demand for n in view.feature_names}

    @property
    def joined(self) -> FeatureService:
        """The service whose vector has the features as they are joined, before its steps."""
        return self if self.fitted is None else replace(self, fitted=None)

    @property
    def reads(self) -> tuple[Selection, ...]:
        """The features to read from each view, for the vector and for the on-demand views."""
        by_label: dict[str, Selection] = {}
        for selection in (*self.selections, *(s for view in self.on_demand for s in view.sources)):
            known = by_label.setdefault(selection.label, selection)
            features = dict.fromkeys((*known.features, *selection.features))
            by_label[selection.label] = replace(known, features=tuple(features))
        return tuple(by_label.values())

    @property
    def request_columns(self) -> dict[str, Column]:
        """The contract of each column of a request: entity keys, then request values."""
        keys = {
            key: replace(selection.view.feature_contract[stored], name=key)
            for selection in self.reads
            for key, stored in zip(selection.keys, selection.view.key_schema, strict=True)
        }
        return keys | {column.name: column for view in self.on_demand for column in view.request.columns}

    def sources_of(self, feature: str) -> tuple[Selection, ...]:
        """Return the selections that a feature of the service is read or computed from."""
        features = frozenset((feature,))
        if self.fitted is not None:
            features = sources(self.joined.feature_names, self.fitted.steps)[feature]
        computed = (s for view in self.on_demand if features & {*view.feature_names} for s in view.sources)
        return (*(s for s in self.selections if features & {*s.names}), *computed)

    @property
    def personal(self) -> frozenset[str]:
        """The features, entity keys and request values whose values must not be shown."""
        columns = (*self.features, *self.request_columns.values())
        return frozenset(column.name for column in columns if column.personal)

    @property
    def key_schema(self) -> pl.Schema:
        """Names and dtypes of the entity keys that a request needs."""
        return _schema({k: d for selection in self.reads for k, d in keys_of(selection).items()})

    @property
    def request_schema(self) -> pl.Schema:
        """Names and dtypes of the request values that the on-demand views need."""
        return _schema({k: d for view in self.on_demand for k, d in view.request.schema.items()})


def _schema(columns: dict[str, pl.DataType]) -> pl.Schema:
    return pl.Schema(columns)


@checked_call
def feature_service(
    name: str,
    features: tuple[FeatureView | Selection | OnDemandFeatureView, ...],
    *,
    owner: str,
    description: str = "",
    steps: Sequence[Step | Stack] = (),
) -> FeatureService:
    """Declare the features that a model reads.

    Parameters
    ----------
    steps
        What is fitted to the rows of train and applied to the features, in order (`featurestore.preprocessing`). The
        vector that is served is the fitted one.

    Raises
    ------
    DefinitionError
        If `features` is not a tuple of views, two features have the same name, a key or request value has two dtypes,
        `steps` is not a list of steps, or a step does not fit the features.
    """
    features = instances_of(
        f"feature service {name!r}: features",
        features,
        FeatureView | Selection | OnDemandFeatureView,
        what="feature views, not their names",
        example="(customer_spending,) or (customer_spending['total_spent'],)",
    )
    selections = tuple(
        f[f.feature_names] if isinstance(f, FeatureView) else f
        for f in features
        if not isinstance(f, OnDemandFeatureView)
    )
    on_demand = tuple(f for f in features if isinstance(f, OnDemandFeatureView))
    service = FeatureService(name, selections, on_demand, description, owner, _steps_of(name, steps))
    refuse_clashes(service)
    check_steps(service.steps, service.feature_schema, where=f"feature service {name!r}")
    return service


def _steps_of(name: str, steps: object) -> tuple[Step | Stack, ...]:
    hint = 'example: steps=[preprocessing.scale(columns=["amount"])]'
    if not isinstance(steps, tuple | list):
        raise DefinitionError(
            f"feature service {name!r}: steps is {steps!r}; expected a list of steps of featurestore.preprocessing",
            hint=hint,
        )
    for number, step in enumerate(steps, 1):
        if not isinstance(step, Step | Stack):
            text = f"the function {step.__name__}" if isfunction(step) else repr(step)
            raise DefinitionError(
                f"feature service {name!r}: step {number} is {text}; expected what a call of a function of "
                "featurestore.preprocessing returns",
                hint=hint,
            )
    return tuple(steps)


def with_distinct_names(
    features: tuple[FeatureView | Selection | OnDemandFeatureView, ...],
) -> tuple[FeatureView | Selection | OnDemandFeatureView, ...]:
    """Give each view an alias, its own name, if a feature of it has the name of another feature.

    A view that an on-demand view of the request reads gets no alias.
    """
    counts = Counter(
        name for f in features for name in (f.names if isinstance(f, Selection) else f.feature_names)
    )
    inputs = {
        source.view.name for f in features if isinstance(f, OnDemandFeatureView) for source in f.sources
    }
    return tuple(
        replace(f, alias=f.view.name)
        if isinstance(f, Selection)
        and f.alias is None
        and f.view.name not in inputs
        and any(counts[name] > 1 for name in f.names)
        else f
        for f in features
    )


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Entity rows with timestamps and labels, to which the features of a service are joined.

    Attributes
    ----------
    contract
        What the function returns.
    matures
        When the label of a row is known. None: all labels are known.
    split
        How rows are assigned to train, validation and test. Empty: they are not.
    sample
        Which rows of train are kept or repeated. None: each is kept once.
    fits
        Whether the steps of the service are fitted to its rows, although other training sets use the service too.
    served
        Whether the function returns labels of answers of the service, whose rows are in the served log.
    labellers
        Which label counts, if several labellers label a row. None: the function returns one label for each row.
    """

    name: str
    function: Transformation
    inputs: tuple[Contract, ...]
    contract: Contract
    service: FeatureService
    label: str
    description: str
    owner: str
    defined_in: Path
    matures: Known | None = None
    split: tuple[SplitStrategy, ...] = ()
    sample: SampleStrategy | None = None
    fits: bool = False
    served: bool = False
    labellers: Labellers | None = None

    @property
    def entity_rows(self) -> Contract:
        """The contract of the rows before features are joined, one label each: with what the served log adds."""
        return entity_rows(self.contract, self.service, served=self.served, labellers=self.labellers)

    @property
    def joined(self) -> Contract:
        """The contract of the stored training set, with the columns of its split and sample, and the joined features."""
        added = added_columns(self.split, self.sample)
        return replace(self.entity_rows, columns=(*self.entity_rows.columns, *added, *self.service.features))

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that identify a row: those that the schema declares unique, or entity keys and timestamp."""
        return self.entity_rows.key or (*self.service.key_schema, EVENT_TIMESTAMP)
