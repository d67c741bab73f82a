"""A step of preprocessing: what is declared, what it fits to a column, and how that is applied."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, runtime_checkable

import msgspec
import polars as pl

from featurestore.errors import ContractError, DefinitionError
from featurestore.nearest import nearest
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from featurestore.preprocessing.selectors import Columns

FLOAT = pl.Float64()
# No feature has a name with two underscores in a row.
COMPUTED: Final = "__computed_"
Outputs = dict[str, pl.Expr]


@dataclass(frozen=True)
class ColumnFunction:
    """A function of a column that is written in Python, because no expression computes it.

    Attributes
    ----------
    column
        The name of the column.
    dtype
        Of the result.
    of_column
        Computes many rows.
    of_value
        Computes one row, to the same bits. Takes and returns what Polars returns to Python; an array is a list.
    """

    column: str
    dtype: pl.DataType
    of_column: Callable[[pl.Series], pl.Series]
    of_value: Callable[[Any], Any]

    def expression(self) -> pl.Expr:
        """Return the function as an expression."""
        return pl.col(self.column).map_batches(self.of_column, return_dtype=self.dtype, is_elementwise=True)


class State(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """What a step learned about one column."""

    @property
    def beside(self) -> tuple[str, ...]:
        """The other columns that the expressions read."""
        return ()

    def functions(self, name: str) -> dict[str, ColumnFunction]:  # noqa: ARG002 - most states need none
        """Return functions of the column; the expressions read the result of each as a column of its name."""
        return {}

    def expressions(self, name: str) -> Outputs:
        """Return what the column becomes: for each column that takes its place, the expression that computes it."""
        raise NotImplementedError

    def refused(self, name: str) -> pl.Expr | None:  # noqa: ARG002 - most states have a value for every row
        """Return whether a row is refused, because the step has no value for it. None: no row is."""
        return None


class TableContract(Protocol):
    """The columns of a table."""

    @property
    def schema(self) -> pl.Schema:
        """Names and dtypes."""


@runtime_checkable
class Table(Protocol):
    """A source or a dataset of the project that a step reads."""

    @property
    def name(self) -> str:
        """Its name in the project."""

    @property
    def contract(self) -> TableContract:
        """The columns that it has."""


@dataclass(frozen=True)
class TableRows:
    """The rows of a table that a step reads, and their digest."""

    rows: pl.DataFrame
    digest: str


@dataclass(frozen=True)
class Observed:
    """What a step is fitted to.

    Attributes
    ----------
    column
        The values of the rows to fit, with nulls.
    label
        The labels of these rows. None: the rows have no labels.
    place
        The step and the column, for messages.
    rows
        All columns of these rows, as the step finds them.
    table
        The rows of the table that the step reads. None: it reads none.
    """

    column: pl.Series
    label: pl.Series | None
    place: str
    rows: pl.DataFrame | None = None
    table: TableRows | None = None

    def present(self) -> pl.Series:
        """Return the values that are not null.

        Raises
        ------
        ContractError
            If there are none.
        """
        values = self.column.drop_nulls()
        if values.is_empty():
            raise ContractError(
                f"{self.place}: no value is present in {counted(self.column.len(), 'row')}, so there is nothing to fit to",
                hint="drop the feature from the service, or impute it first with a constant",
            )
        return values

    def numbers(self) -> pl.Series:
        """Return the values that are not null, as Float64.

        Raises
        ------
        ContractError
            If there are none, or one is not finite.
        """
        values = self.present().cast(FLOAT)
        if not values.is_finite().all():
            raise ContractError(
                f"{self.place}: a value is NaN or infinite; expected finite numbers or null",
                hint='turn NaN into null at the gate: metadata={"nan": "null"}',
            )
        return values


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """One step, applied to each of its columns.

    Attributes
    ----------
    columns
        Names, or a selector.
    """

    kind: ClassVar[str]
    takes: ClassVar[str]
    columns: Columns

    @property
    def reads(self) -> tuple[Table, tuple[str, ...]] | None:
        """The table that the step is fitted to beside the rows of train, and its columns, the key first. None: none."""
        return None

    @abstractmethod
    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether the step can read a column of a dtype."""

    def mismatch(self, dtype: pl.DataType) -> str | None:  # noqa: ARG002 - most options fit any dtype
        """Return which option does not fit a dtype that the step takes, and what is expected. None: all do."""
        return None

    def check(self, name: str, schema: Mapping[str, pl.DataType], place: str) -> None:  # noqa: B027 - most read one
        """Check the other columns that the step reads to fit a column. Raises `DefinitionError`."""

    @abstractmethod
    def outputs(self, name: str, dtype: pl.DataType) -> Mapping[str, pl.DataType] | None:
        """Return names and dtypes of the columns that take the place of one. None: only the fitted state knows them."""

    @abstractmethod
    def fit(self, observed: Observed) -> State:
        """Learn from a column.

        Raises
        ------
        ContractError
            If the values cannot be fitted to.
        """

    def training_values(self, observed: Observed, state: State) -> list[pl.Series] | None:  # noqa: ARG002 - see below
        """Return the values of the fitted rows, where they are others than those that serving computes. None: the same."""
        return None

    def __str__(self) -> str:
        shown = (
            f"{field.name}={_text(getattr(self, field.name))}"
            for field in fields(self)
            if field.default is MISSING or getattr(self, field.name) != field.default
        )
        return f"{self.kind}({', '.join(shown)})"


def _text(value: Any) -> str:
    if isinstance(value, Table):
        return repr(value.name)
    return repr(value) if isinstance(value, tuple | str) else str(value)


def one_of(step: str, option: str, value: str, known: Iterable[str]) -> None:
    """Refuse a strategy that does not exist.

    Raises
    ------
    DefinitionError
        Names the most similar one.
    """
    names = tuple(known)
    if value not in names:
        similar = nearest(value, names) if isinstance(value, str) else None
        listed = f"known: {', '.join(names)}"
        raise DefinitionError(
            f"step {step}: {option} is {value!r}, which does not exist",
            hint=listed if similar is None else f"did you mean {similar!r}? ({listed})",
        )


def number_expression(name: str) -> pl.Expr:
    """Return a column as Float64."""
    return pl.col(name).cast(FLOAT)


def float_literal(value: float) -> pl.Expr:
    """Return a number as a Float64 literal."""
    return pl.lit(value, dtype=FLOAT)


def is_number(dtype: pl.DataType) -> bool:
    """Return whether values of a dtype are numbers, or booleans as 0 and 1."""
    return dtype.is_integer() or dtype.is_float() or isinstance(dtype, pl.Boolean)


def is_category(dtype: pl.DataType) -> bool:
    """Return whether values of a dtype can be categories."""
    return dtype.is_integer() or isinstance(dtype, pl.Boolean | pl.String)
