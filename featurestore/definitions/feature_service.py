"""Feature services (the features of one model) and training sets (its rows and labels)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.definitions.clashes import keys_of, refuse_clashes
from featurestore.definitions.feature_view import FeatureView, Selection
from featurestore.definitions.known import known_of_label
from featurestore.definitions.on_demand import OnDemandFeatureView
from featurestore.definitions.signature import signature_of
from featurestore.definitions.split_columns import added_columns
from featurestore.definitions.vector import fitted_columns, fitted_full_names
from featurestore.errors import DefinitionError
from featurestore.preprocessing.fit import check_steps, sources
from featurestore.preprocessing.stack import Stack
from featurestore.preprocessing.step import Step
from featurestore.splits.check import require_free_names, require_label, sample_of, strategies_of
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from featurestore.definitions.contract import Column, Contract
    from featurestore.definitions.known import Declaration, Known
    from featurestore.definitions.signature import Transformation
    from featurestore.preprocessing.state import FittedState
    from featurestore.splits.check import Split
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

    def sources_of(self, feature: str) -> tuple[Selection, ...]:
        """Return the selections that a feature of the service is read or computed from."""
        features = frozenset((feature,))
        if self.fitted is not None:
            features = sources(self.joined.feature_names, self.fitted.steps)[feature]
        computed = (s for view in self.on_demand if features & {*view.feature_names} for s in view.sources)
        return (*(s for s in self.selections if features & {*s.names}), *computed)

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
        If two features have the same name, a key or request value has two dtypes, `steps` is not a list of steps, or a step does
        not fit the features.
    """
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
    if isinstance(steps, tuple | list) and all(isinstance(step, Step | Stack) for step in steps):
        return tuple(steps)
    raise DefinitionError(
        f"feature service {name!r}: steps is {steps!r}; expected a list of steps of featurestore.preprocessing",
        hint='example: steps=[preprocessing.scale(columns=["amount"])]',
    )


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
    matures
        When the label of a row is known. None: all labels are known.
    split
        How rows are assigned to train, validation and test. Empty: they are not.
    sample
        Which rows of train are kept or repeated. None: each is kept once.
    fits
        Whether the steps of the service are fitted to its rows, although other training sets use the service too.
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

    @property
    def joined(self) -> Contract:
        """The contract of the stored training set, with the columns of its split and sample, and the joined features."""
        added = added_columns(self.split, self.sample)
        return replace(self.contract, columns=(*self.contract.columns, *added, *self.service.features))

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that identify a row: those that the schema declares unique, or entity keys and timestamp."""
        return self.contract.key or (*self.service.key_schema, EVENT_TIMESTAMP)


def training_set(
    *,
    service: FeatureService,
    label: str,
    owner: str,
    matures: Declaration | None = None,
    split: Split | None = None,
    sample: SampleStrategy | None = None,
    fits: bool = False,
) -> Callable[[Transformation], TrainingSet]:
    """Declare the rows of a training set: keys, timestamp, request values and label.

    ``event_timestamp`` is the time at which the model would have been called. The features are
    those known by then.

    Parameters
    ----------
    service
        The features to join.
    label
        The column of labels: a number, or a class. A column of lists names several classes of a row.
    owner
        Who answers for the training set.
    matures
        When the label of a row is known: a time after its ``event_timestamp``, the column that holds the
        timestamp, or each other form of ``known``. A row whose label is not known yet is left out and counted. None: the ``known`` of the label's
        metadata; without it, all labels are known.
    split
        Adds the column ``split``, with ``train``, ``validation`` or ``test``: ``random_split(...)``,
        ``time_split(...)``, or a tuple of them, which keeps the rows that all of them put into the same split.
    sample
        Keeps or repeats rows of train alone, and adds the columns ``weight`` and ``is_repeated``: ``random_sample(...)``,
        ``systematic_sample(...)``, ``undersample(...)`` or ``oversample(...)``.
    fits
        True: fit the steps of the service to the rows of this training set. One of several training sets of a service
        says so.

    Raises
    ------
    DefinitionError
        If the schema lacks the timestamp, the label, a key or a request value, or has one with
        another dtype; if the label is nested and not a list of classes; if `matures` cannot be read, or is before the
        timestamp; or if the split or the sample does not fit the schema.
    """

    def declare(function: Transformation) -> TrainingSet:
        signature = signature_of(function)
        name, contract = function.__name__, signature.output
        needed = {EVENT_TIMESTAMP: UTC_MICROSECONDS, **service.key_schema, **service.request_schema}
        for column, dtype in needed.items():
            if column not in contract:
                raise DefinitionError(
                    f"training set {name!r}: schema {contract.name} lacks {column!r}, which service "
                    f"{service.name!r} needs",
                    hint=f"add to the schema: {column}: {dtype}",
                )
            if contract[column].dtype != dtype:
                raise DefinitionError(
                    f"training set {name!r}: {column!r} is {contract[column].dtype} in schema {contract.name}, "
                    f"but {dtype} in service {service.name!r}",
                    hint=f"declare {column!r} as {dtype} in schema {contract.name}",
                )
        if label not in contract:
            raise DefinitionError(
                f"training set {name!r}: schema {contract.name} lacks the label {label!r}",
                hint=f"add {label!r} to the schema, or name one of its columns as label",
            )
        require_label(label, contract[label].dtype, f"training set {name!r}")
        known = known_of_label(contract, label, matures, f"training set {name!r}")
        for feature in service.feature_names:
            if feature in contract:
                raise DefinitionError(
                    f"training set {name!r}: {feature!r} is a feature of service {service.name!r} and a column of "
                    f"schema {contract.name}",
                    hint=f"remove {feature!r} from the schema: the service joins it",
                )
        declared = TrainingSet(
            name=name,
            function=function,
            inputs=signature.inputs,
            contract=contract,
            service=service,
            label=label,
            description=signature.description,
            owner=owner,
            defined_in=signature.path,
            matures=known,
            fits=fits,
        )
        where, schema, identity = f"training set {name!r}", contract.schema, declared.identity
        declared = replace(
            declared,
            split=strategies_of(where, split, schema=schema, identity=identity, label=label),
            sample=sample_of(where, sample, schema=schema, identity=identity, label=label),
        )
        added = [column.name for column in added_columns(declared.split, declared.sample)]
        require_free_names(where, added, [*schema, *service.feature_names])
        return declared

    return declare
