"""A contract: the content of a Pandera schema as plain values.

Users write a ``pandera.polars.DataFrameModel`` in ``schemas/``. All that featurestore derives
(gate, Parquet types, Feast fields, documentation) comes from the contract, so that types,
nullability, ranges, units and descriptions are written in one place only. The module of the schema
imports Pandera; this module does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast, get_args

import polars as pl

from featurestore.errors import DefinitionError
from featurestore.values.arguments import wrong_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pandera.polars import DataFrameModel

if TYPE_CHECKING:
    from typing_extensions import TypeAliasType

    Model = TypeVar("Model")
    # For type checkers ``Frame[Flights]`` is a lazy frame: what Polars returns has no contract yet, the gate checks it.
    Frame = TypeAliasType("Frame", pl.LazyFrame, type_params=(Model,))
else:

    class Frame:
        """``Frame[Flights]`` is a ``polars.LazyFrame`` whose rows keep the contract ``Flights``."""

        def __class_getitem__(cls, model: Any) -> Any:
            return Annotated[pl.LazyFrame, model]


OnInvalid = Literal["refuse", "quarantine", "warn"]
Severity = Literal["error", "warning"]


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a contract.

    Attributes
    ----------
    checks
        Pandera's checks, in the order written.
    metadata
        The ``metadata`` of the Pandera field:

        - ``unit``: the unit of measure;
        - ``format``: the format of a raw date;
        - ``nan``: ``"null"`` turns NaN into null at the gate. Otherwise NaN breaks the contract;
        - ``severity``: with ``"warning"``, values that break the rules of the column are counted,
          and pass;
        - ``environments``: where the column is expected, such as ``["training"]``. Default:
          everywhere;
        - ``personal``: with True, profiles and reports contain no value of the column;
        - ``drift``: thresholds (`featurestore.quality.change.thresholds`).
    """

    name: str
    dtype: pl.DataType
    nullable: bool
    unique: bool
    description: str | None
    checks: tuple[Any, ...]
    metadata: Mapping[str, Any]

    @property
    def unit(self) -> str | None:
        """The unit of measure."""
        return cast("str | None", self.metadata.get("unit"))

    @property
    def severity(self) -> Severity:
        """Whether values that break the rules of the column are errors or warnings."""
        return cast("Severity", self.metadata.get("severity", "error"))

    @property
    def personal(self) -> bool:
        """Whether its values are personal data, which must not be shown."""
        return bool(self.metadata.get("personal", False))

    @property
    def as_of_event(self) -> bool:
        """Whether the value of a feature is meant at its event, and need not slide to the time of a read."""
        return bool(self.metadata.get("as_of_event", False))

    def expected_in(self, environment: str | None) -> bool:
        """Return whether the column is expected in an environment.

        None stands for all environments together.
        """
        environments = self.metadata.get("environments")
        return environment is None or environments is None or environment in environments


@dataclass(frozen=True)
class Policy:
    """The treatment of rows that break a contract.

    Attributes
    ----------
    on_invalid
        ``"refuse"`` the dataset, ``"quarantine"`` the rows, or ``"warn"`` and let the rows pass.
    tolerance
        Maximum share of rows, 0 to 1, that may be quarantined. Above it, the dataset is refused.
    """

    on_invalid: OnInvalid = "refuse"
    tolerance: float = 0.0


@dataclass(frozen=True, eq=False)
class Contract:
    """The rules of a dataset. `contract_of` reads them from a Pandera model.

    Attributes
    ----------
    uniques
        Sets of columns whose combined values occur only once.
    strict
        Whether additional columns break the contract. Otherwise they are dropped.
    metadata
        The ``metadata`` of the schema's ``Config``:

        - ``on_invalid`` and ``tolerance``: see `Policy`;
        - ``expect`` and ``expect_or_warn``: rules of the complete dataset
          (`featurestore.quality.rules.expectations`);
        - ``licence``, ``personal_data``, ``permitted_use``, ``limits`` and ``url``;
        - ``segments``: the columns by which rows are counted.
    left_out
        Columns that are not expected in the environment of the contract (`within`).
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    uniques: tuple[tuple[str, ...], ...]
    checks: tuple[Any, ...]
    policy: Policy
    strict: bool
    metadata: Mapping[str, Any]
    model: type[DataFrameModel]
    left_out: frozenset[str] = frozenset()

    @property
    def personal(self) -> frozenset[str]:
        """The columns of personal data, whose values must not be shown."""
        return frozenset(column.name for column in self.columns if column.personal)

    @property
    def schema(self) -> pl.Schema:
        """Names and dtypes of the columns, in the order of the schema."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that identify a row: a set that is unique together, or one unique column.

        Empty without both.
        """
        single = ((column.name,) for column in self.columns if column.unique)
        return next(iter(self.uniques), None) or next(single, ())

    def within(self, environment: str | None) -> Contract:
        """Return the contract in one environment, without columns that are not expected there."""
        return _within(self, environment)

    def empty(self) -> pl.LazyFrame:
        """Return a frame with the contract's columns and no rows."""
        return pl.LazyFrame(schema=self.schema)


@cache
def _within(contract: Contract, environment: str | None) -> Contract:
    columns = tuple(column for column in contract.columns if column.expected_in(environment))
    if len(columns) == len(contract.columns):
        return contract
    names = {column.name for column in columns}
    return replace(
        contract,
        columns=columns,
        uniques=tuple(u for u in contract.uniques if names.issuperset(u)),
        left_out=frozenset(contract.schema) - names,
    )


def contract_of(model: type[DataFrameModel]) -> Contract:
    """Read a Pandera model into a `Contract`.

    Raises
    ------
    DefinitionError
        If it is not a class of Pandera, uses a feature of Pandera that is not supported here (a column named by a regular
        expression, a parser, a default), or has an unknown policy. Names the model and the column.
    """
    if not isinstance(model, type) or not hasattr(model, "to_schema"):
        raise wrong_type(
            "schema",
            model,
            "a class that inherits pandera.polars.DataFrameModel",
            hint="write class Orders(pa.DataFrameModel), and pass the class",
        )
    return _contract_of(model)


@cache
def _contract_of(model: type[DataFrameModel]) -> Contract:
    name = model.__name__
    try:
        schema = model.to_schema()
    except Exception as error:  # Pandera raises what its parts raise
        raise DefinitionError(
            f"schema {name}: Pandera cannot read it: {error}",
            hint="annotate each field with a Polars dtype, as in `amount: pl.Float64 = pa.Field(ge=0)`",
        ) from error
    columns = []
    for column_name, column in schema.columns.items():
        if column.regex or not column.required:
            raise DefinitionError(
                f"schema {name}, column {column_name!r}: columns that a regular expression names, and optional columns, "
                "are not supported",
                hint="declare each column by its name; make it nullable if its values may be missing",
            )
        if column.dtype is None:
            raise DefinitionError(
                f"schema {name}, column {column_name!r}: the dtype is missing",
                hint=f"annotate it with a Polars dtype, such as `{column_name}: pl.Int64`",
            )
        dtype = column.dtype.type
        columns.append(
            Column(
                name=column_name,
                dtype=dtype() if isinstance(dtype, type) else dtype,
                nullable=column.nullable,
                unique=column.unique,
                description=column.description,
                checks=tuple(column.checks),
                metadata=column.metadata or {},
            )
        )
    metadata = getattr(model.__config__, "metadata", None) or {}
    _refuse_changes_of_data(name, schema)
    _refuse_personal_segments(name, metadata, columns)
    return Contract(
        name=name,
        description=" ".join((model.__doc__ or "").split()),
        columns=tuple(columns),
        uniques=_uniques(schema.unique),
        checks=tuple(schema.checks),
        strict=schema.strict is True,
        policy=_policy(name, metadata),
        metadata=metadata,
        model=model,
    )


def _uniques(declared: Any) -> tuple[tuple[str, ...], ...]:
    if not declared:
        return ()
    sets = (
        [declared]
        if isinstance(declared, str) or all(isinstance(name, str) for name in declared)
        else declared
    )
    return tuple((names,) if isinstance(names, str) else tuple(names) for names in sets)


def _refuse_changes_of_data(name: str, schema: Any) -> None:
    """Refuse features with which Pandera changes data.

    The gate checks data, and casts only without loss.
    """
    columns = schema.columns.values()
    used = {
        "drop_invalid_rows": (schema.drop_invalid_rows, 'write metadata = {"on_invalid": "quarantine", ...}'),
        "add_missing_columns": (schema.add_missing_columns, "declare only columns that every frame has"),
        "a parser": (schema.parsers or any(c.parsers for c in columns), "transform in a dataset's function"),
        "a default": (any(c.default is not None for c in columns), "fill in a dataset's function"),
    }
    for feature, (is_used, instead) in used.items():
        if is_used:
            raise DefinitionError(
                f"schema {name}: {feature} would change data at the gate", hint=f"leave it out; {instead}"
            )


def _refuse_personal_segments(name: str, metadata: Mapping[str, Any], columns: list[Column]) -> None:
    personal = {column.name for column in columns if column.personal}
    if shown := [segment for segment in metadata.get("segments", ()) if str(segment) in personal]:
        raise DefinitionError(
            f"schema {name}: segments has {shown[0]!r}, a column of personal data",
            hint="remove it from segments",
        )


def _policy(name: str, metadata: Mapping[str, Any]) -> Policy:
    policy = Policy(metadata.get("on_invalid", "refuse"), float(metadata.get("tolerance", 0.0)))
    if policy.on_invalid not in get_args(OnInvalid):
        raise DefinitionError(
            f"schema {name}: on_invalid is {policy.on_invalid!r}, expected one of {', '.join(get_args(OnInvalid))}",
            hint='example: metadata = {"on_invalid": "quarantine"} in class Config of the schema',
        )
    if not 0.0 <= policy.tolerance <= 1.0:
        raise DefinitionError(
            f"schema {name}: tolerance is {policy.tolerance}, expected a share from 0 to 1",
            hint='example: metadata = {"tolerance": 0.05} in class Config of the schema',
        )
    return policy
