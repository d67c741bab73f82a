"""Feature views: rows of keys, ``event_timestamp``, ``created_timestamp`` and feature values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.definitions.entity import require_entity
from featurestore.definitions.signature import signature_of
from featurestore.definitions.storable import require_storable
from featurestore.definitions.window_checks import feature_contract
from featurestore.errors import DefinitionError, UnknownNameError
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, TIME_COLUMNS
from featurestore.timing.known_at import Timing
from featurestore.values.arguments import wrong_type
from featurestore.values.checked_calls import checked_call, read_names
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.values.wording import duration_text
from featurestore.windows.arguments import LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pandera.polars import DataFrameModel

    from featurestore.definitions.contract import Column, Contract
    from featurestore.definitions.entity import Entity
    from featurestore.definitions.signature import Transformation
    from featurestore.windows.aggregation import Aggregation

ZERO = timedelta(0)


@dataclass(frozen=True, eq=False)
class FeatureView:
    """A contracted table of features of one entity, and when its rows become known.

    `feature_view` declares one. ``view["a", "b"]`` selects some of its features.

    Attributes
    ----------
    entity
        None: the view has no key, and its newest row answers every request.
    contract
        The contract of the rows that the function returns and that are stored: of the events, if the features are
        windows over them.
    windows
        What each feature computes of the events; empty for a view whose rows are features.
    window_contract
        The contract of the features of a view with windows.
    identity
        The columns that name an event: a later row of the same values replaces it.
    """

    name: str
    function: Transformation
    inputs: tuple[Contract, ...]
    contract: Contract
    entity: Entity | None
    timing: Timing
    description: str
    owner: str
    tags: Mapping[str, str]
    defined_in: Path
    by_key: bool = False
    windows: Mapping[str, Aggregation] = field(default_factory=dict)
    window_contract: Contract | None = None
    identity: tuple[str, ...] = ()

    @property
    def feature_contract(self) -> Contract:
        """The contract of the features as they are read: `window_contract`, or that of the rows."""
        return self.window_contract or self.contract

    @property
    def stored_schema(self) -> pl.Schema:
        """Dtypes of the stored columns that are neither keys nor times."""
        others = TIME_COLUMNS | set(self.keys)
        return pl.Schema({c.name: c.dtype for c in self.contract.columns if c.name not in others})

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the entity's key columns; empty if the view has no entity."""
        return () if self.entity is None else self.entity.keys

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns of `feature_contract` that are neither keys nor times."""
        others = TIME_COLUMNS | set(self.keys)
        return tuple(column for column in self.feature_contract.columns if column.name not in others)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the order of the schema."""
        return tuple(column.name for column in self.features)

    @property
    def feature_schema(self) -> pl.Schema:
        """Dtypes of the features."""
        return pl.Schema({column.name: column.dtype for column in self.features})

    @property
    def key_schema(self) -> pl.Schema:
        """Dtypes of the keys, in the entity's order."""
        return pl.Schema({key: self.contract[key].dtype for key in self.keys})

    def __getitem__(self, names: str | tuple[str, ...]) -> Selection:
        return Selection.of(self, names)

    def aliased(self, alias: str, keys: Mapping[str, str] | None = None) -> Selection:
        """Read all features under an alias. See `Selection.aliased`."""
        return self[self.feature_names].aliased(alias, keys)


@dataclass(frozen=True)
class Selection:
    """Some features of a view, as a request reads them.

    Attributes
    ----------
    alias
        Prefix of the names of the features, for requests that read a view more than once. None: no
        prefix.
    keys
        The request column of each key of the view, in the order of the keys.
    """

    view: FeatureView
    features: tuple[str, ...]
    keys: tuple[str, ...]
    alias: str | None = None

    @classmethod
    def of(cls, view: FeatureView, names: str | tuple[str, ...]) -> Selection:
        """Select features by name.

        Raises
        ------
        DefinitionError
            If a name is not text; `UnknownNameError`, if the view has no such feature.
        """
        names = read_names(f"view {view.name!r}: features", names)
        for name in names:
            if name not in view.feature_names:
                raise UnknownNameError("feature", name, view.feature_names, within=f"view {view.name!r}")
        return cls(view, names, view.keys)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The selected features, under the names of the view."""
        return self.features

    def __getitem__(self, names: str | tuple[str, ...]) -> Selection:
        return replace(self, features=Selection.of(self.view, names).features)

    @property
    def label(self) -> str:
        """The alias, or the name of the view."""
        return self.alias or self.view.name

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features in the request: ``<alias>_<feature>`` if there is an alias."""
        return tuple(f"{self.alias}_{name}" for name in self.features) if self.alias else self.features

    def aliased(self, alias: str, keys: Mapping[str, str] | None = None) -> Selection:
        """Read the view under an alias, by other request columns.

        Parameters
        ----------
        alias
            Prefix of the names of the features.
        keys
            The request column of a key, by the name of the key. Default: the name of the key.

        Raises
        ------
        UnknownNameError
            If the view has no key with a name.
        """
        columns = dict(keys or {})
        for key in columns:
            if key not in self.view.keys:
                raise UnknownNameError("key", key, self.view.keys, within=f"view {self.view.name!r}")
        return replace(self, alias=alias, keys=tuple(columns.get(key, key) for key in self.view.keys))


@checked_call
def feature_view(
    *,
    entity: Entity | None,
    owner: str,
    ttl: timedelta | None = None,
    delay: timedelta = ZERO,
    every: timedelta | None = None,
    tags: Mapping[str, str] | None = None,
    by_key: bool = False,
    windows: Mapping[str, Aggregation] | None = None,
    schema: type[DataFrameModel] | None = None,
    identity: tuple[str, ...] = (),
) -> Callable[[Transformation], FeatureView]:
    """Declare a feature view. The function has its name, and the schema has its types.

    Parameters
    ----------
    entity
        The entity that the rows describe. The schema of the result must have its keys. None: the
        features are the same for all, such as exchange rates. Of such a view each row replaces the one
        before it, and requests give no key.
    owner
        The person or team who is responsible for the view.
    ttl
        Maximum age of a value, counted from its event timestamp. Older values are expired. None: no
        expiry.
    delay
        Time from an event until its row is available.
    every
        Cadence of materialization: rows become known at multiples of it, counted from 1970-01-01
        UTC.
    tags
        Tags for Feast's registry.
    by_key
        Whether the rows of a key depend only on the input rows of that key, so that a cluster can
        split the work.
    windows
        The function returns events, and each feature is an aggregate of the events in its window
        (`featurestore.windows`), by the name of the feature.
    schema
        The schema of the features of a view with `windows`: its keys, and a column for each window.
    identity
        Columns of the events of a view with `windows` that name an event of a key: a later row of the same values
        replaces it from the timestamp it is known. Without them, equal rows are separate events.

    Raises
    ------
    DefinitionError
        If a key or timestamp is missing, nullable or has a wrong dtype, the dtype of a feature
        cannot make the round trip, a column has no description, a duration is out of range, or
        `windows` are given without an entity.
        Names the view and the column.
    """

    def declare(function: Transformation) -> FeatureView:
        signature = signature_of(function)
        name = function.__name__
        contract = signature.output
        _check_durations(name, ttl, delay, every)
        require_entity(name, entity, contract)
        _check_times(name, contract)
        features = feature_contract(
            name,
            {} if windows is None else windows,
            schema,
            events=contract,
            entity=entity,
            identity=identity,
        )
        view = FeatureView(
            name=name,
            function=function,
            inputs=signature.inputs,
            contract=contract,
            entity=entity,
            timing=Timing(delay, every, ttl, created=CREATED_TIMESTAMP in contract),
            description=signature.description,
            owner=owner,
            tags=dict(tags or {}),
            defined_in=signature.path,
            by_key=by_key,
            windows=dict(windows or {}),
            window_contract=features if windows else None,
            identity=identity,
        )
        _check_by_key(view)
        _check_features(view)
        return view

    return declare


def _check_durations(name: str, ttl: timedelta | None, delay: timedelta, every: timedelta | None) -> None:
    durations: dict[str, Any] = {"ttl": ttl, "delay": delay, "every": every}
    for argument, value in durations.items():
        if not isinstance(value, timedelta) and (value is not None or argument == "delay"):
            hint = f"write {argument}=timedelta(days=1)"
            raise wrong_type(f"feature view {name!r}: {argument}", value, "a timedelta", hint=hint)
        if value is not None and value > LONGEST:
            raise DefinitionError(
                f"feature view {name!r}: {argument} is {duration_text(value)}, but timestamps hold at most {LONGEST.days:,} days",
                hint=f"write {argument}=timedelta(days=1)",
            )
    for argument, value in (("ttl", ttl), ("every", every)):
        if value is not None and value <= ZERO:
            raise DefinitionError(
                f"feature view {name!r}: {argument} is {duration_text(value)}; expected more than zero",
                hint=f"write {argument}=timedelta(days=1), or leave it out",
            )
    if delay < ZERO:
        raise DefinitionError(
            f"feature view {name!r}: delay is {duration_text(delay)}; expected zero or more",
            hint="write delay=timedelta(hours=1), or leave it out",
        )


def _check_times(name: str, contract: Contract) -> None:
    if EVENT_TIMESTAMP not in contract:
        raise DefinitionError(
            f"feature view {name!r}: schema {contract.name} lacks {EVENT_TIMESTAMP!r}",
            hint='add to the schema: event_timestamp: Annotated[pl.Datetime, "us", "UTC"]',
        )
    if contract[EVENT_TIMESTAMP].nullable:
        raise DefinitionError(
            f"feature view {name!r}: {EVENT_TIMESTAMP!r} is nullable in schema {contract.name}",
            hint="remove nullable=True, and leave rows without a time out in the function",
        )
    for column in (EVENT_TIMESTAMP, CREATED_TIMESTAMP):
        if column in contract and contract[column].dtype != UTC_MICROSECONDS:
            raise DefinitionError(
                f"feature view {name!r}: {column!r} is {contract[column].dtype}; expected Datetime('us', 'UTC')",
                hint='annotate it Annotated[pl.Datetime, "us", "UTC"]',
            )


def _check_by_key(view: FeatureView) -> None:
    if view.by_key and view.entity is None:
        raise DefinitionError(
            f"feature view {view.name!r}: by_key, but entity is None, so there is no key to split the rows by",
            hint="leave by_key out",
        )
    for contract in view.inputs if view.by_key else ():
        if missing := [key for key in view.keys if key not in contract]:
            raise DefinitionError(
                f"feature view {view.name!r}: by_key, but schema {contract.name} lacks {', '.join(map(repr, missing))}",
                hint="leave by_key out",
            )


def _check_features(view: FeatureView) -> None:
    if not view.features:
        raise DefinitionError(
            f"feature view {view.name!r}: schema {view.feature_contract.name} has no features",
            hint="add a column that is neither a key nor a time",
        )
    for column in (*view.contract.columns, *view.features):
        if column.name in TIME_COLUMNS - {EVENT_TIMESTAMP, CREATED_TIMESTAMP} or "__" in column.name:
            raise DefinitionError(
                f"feature view {view.name!r}, column {column.name!r}: the name is reserved",
                hint="'known_at' is computed, and '__' joins view and feature in full feature names",
            )
        if not column.description:
            raise DefinitionError(
                f"feature view {view.name!r}, column {column.name!r}: the description is missing",
                hint="write pa.Field(description=...) in the schema",
            )
    for column in view.features:
        require_storable(f"feature view {view.name!r}", column)
