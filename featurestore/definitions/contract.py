"""A contract: what a Pandera schema says of a dataset, read once into plain values.

Users write a ``pandera.polars.DataFrameModel`` in ``schemas/``; everything that featurestore derives (gate, Parquet
types, Feast fields, documentation) is read from here, so that types, nullability, ranges, units and meanings are
written in one place only. Pandera itself is imported by the schema's module, never by this one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast, get_args

import polars as pl

from featurestore.errors import DefinitionError

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
        """``Frame[Flights]``: a ``polars.LazyFrame`` whose rows keep the contract ``Flights``."""

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
        The ``metadata`` of the Pandera field: ``unit``; ``format`` (of a raw date); ``nan`` (``"null"`` turns NaN to
        null at the gate; otherwise NaN breaks the contract); ``severity`` (``"warning"``: values that break the column's
        rules are counted and pass); ``environments`` (such as ``["training"]``: elsewhere the column is not expected);
        ``personal`` (True: no value of it is shown or kept in profiles and reports); ``drift`` (bounds, see
        `featurestore.quality.change.thresholds`).
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
        """The unit of measure, as declared in the field's metadata."""
        return cast("str | None", self.metadata.get("unit"))

    @property
    def severity(self) -> Severity:
        """What breaking the column's rules means."""
        return cast("Severity", self.metadata.get("severity", "error"))

    @property
    def personal(self) -> bool:
        """Whether its values say something of a person, and must not be shown."""
        return bool(self.metadata.get("personal", False))

    def expected_in(self, environment: str | None) -> bool:
        """Say whether the column is there in an environment (None: in all of them together)."""
        environments = self.metadata.get("environments")
        return environment is None or environments is None or environment in environments


@dataclass(frozen=True)
class Policy:
    """What happens to rows that break a contract.

    Attributes
    ----------
    on_invalid
        ``"refuse"`` the whole dataset, ``"quarantine"`` the rows, or ``"warn"`` and let them pass.
    tolerance
        The largest share of rows, 0 to 1, that may be quarantined before the dataset is refused.
    """

    on_invalid: OnInvalid = "refuse"
    tolerance: float = 0.0


@dataclass(frozen=True, eq=False)
class Contract:
    """What is promised of a dataset. Read from a Pandera model by `contract_of`.

    Attributes
    ----------
    uniques
        Sets of columns whose values together occur once.
    strict
        True where further columns break the contract; otherwise they are left out.
    metadata
        The ``metadata`` of the schema's ``Config``: ``on_invalid`` and ``tolerance`` (`Policy`); ``expect`` and
        ``expect_or_warn``, what is promised of the dataset as a whole (`featurestore.quality.rules.expectations`); ``licence``,
        ``personal_data``, ``permitted_use``; ``segments``, the columns by which rows are counted.
    left_out
        Columns that are not expected in the environment that the contract is for (`within`).
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
    def schema(self) -> pl.Schema:
        """Names and dtypes, in the order declared."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that tell any two rows apart: those declared unique together, or one declared unique; else none."""
        alone = ((column.name,) for column in self.columns if column.unique)
        return next(iter(self.uniques), None) or next(alone, ())

    def within(self, environment: str | None) -> Contract:
        """Return what is promised in one environment: columns that are not expected there, and what is said of them, are left out."""
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


@cache
def contract_of(model: type[DataFrameModel]) -> Contract:
    """Read a Pandera model into a `Contract`.

    Raises
    ------
    DefinitionError
        If the model uses what has no meaning here (a column named by a regular expression, ``coerce``, a policy
        that is not known), naming the model and the column.
    """
    name = model.__name__
    try:
        schema = model.to_schema()
    except Exception as error:  # Pandera raises what its parts raise
        raise DefinitionError(f"schema {name}: Pandera cannot read it: {error}") from error
    columns = []
    for column_name, column in schema.columns.items():
        if column.regex or not column.required:
            raise DefinitionError(
                f"schema {name}, column {column_name!r}: columns named by a regular expression, and columns that "
                "may be absent, cannot be promised",
                hint="declare each column by its name; make it nullable if its values may be missing",
            )
        if column.dtype is None:
            raise DefinitionError(f"schema {name}, column {column_name!r}: the dtype is missing")
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
    _refuse_what_has_no_meaning(name, schema)
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
        [declared] if isinstance(declared, str) or all(isinstance(one, str) for one in declared) else declared
    )
    return tuple((one,) if isinstance(one, str) else tuple(one) for one in sets)


def _refuse_what_has_no_meaning(name: str, schema: Any) -> None:
    """Refuse what Pandera would do to data: here data are checked, and parsed only where nothing is lost."""
    columns = schema.columns.values()
    used = {
        "drop_invalid_rows": (schema.drop_invalid_rows, 'say metadata = {"on_invalid": "quarantine", ...}'),
        "add_missing_columns": (schema.add_missing_columns, "declare what every frame has"),
        "a parser": (schema.parsers or any(c.parsers for c in columns), "transform in a dataset's function"),
        "a default": (any(c.default is not None for c in columns), "fill in a dataset's function"),
    }
    for what, (found, instead) in used.items():
        if found:
            raise DefinitionError(
                f"schema {name}: {what} would change data at the gate", hint=f"leave it out; {instead}"
            )


def _refuse_personal_segments(name: str, metadata: Mapping[str, Any], columns: list[Column]) -> None:
    personal = {column.name for column in columns if column.personal}
    if shown := [segment for segment in metadata.get("segments", ()) if str(segment) in personal]:
        raise DefinitionError(
            f"schema {name}: rows are counted by {shown[0]!r}, whose values are personal",
            hint="leave it out of segments",
        )


def _policy(name: str, metadata: Mapping[str, Any]) -> Policy:
    policy = Policy(metadata.get("on_invalid", "refuse"), float(metadata.get("tolerance", 0.0)))
    if policy.on_invalid not in get_args(OnInvalid):
        raise DefinitionError(
            f"schema {name}: on_invalid is {policy.on_invalid!r}, not one of {', '.join(get_args(OnInvalid))}"
        )
    if not 0.0 <= policy.tolerance <= 1.0:
        raise DefinitionError(f"schema {name}: tolerance is {policy.tolerance}, not a share between 0 and 1")
    return policy
