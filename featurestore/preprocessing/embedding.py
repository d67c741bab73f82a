"""The step that replaces a category by its vector from a table of the project."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias, get_args

import polars as pl

from featurestore.errors import ContractError, DefinitionError, UnknownNameError
from featurestore.preprocessing.categories import Category  # noqa: TC001 - msgspec reads it
from featurestore.preprocessing.selectors import columns_of
from featurestore.preprocessing.statistics import mean_and_variance
from featurestore.preprocessing.step import (
    FLOAT,
    Observed,
    Outputs,
    State,
    Step,
    Table,
    TableRows,
    is_category,
    is_number,
    one_of,
)
from featurestore.values.arguments import names_of
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from featurestore.preprocessing.selectors import Selector

UnknownRule: TypeAlias = Literal["zero", "mean", "refuse"]
# The state holds the table, and a server compiles it when it starts.
MAX_NUMBERS: Final = 250_000
_Nested = pl.List | pl.Array


class Embedded(State, frozen=True, tag="embedded", cache_hash=True):
    """The vector of each category.

    Attributes
    ----------
    table, digest
        The table that the vectors are from, and the digest of what was read of it.
    names
        What the name of each column says after that of the category: ``<column>_<name>``.
    unknown
        The vector of nulls and of categories that are not in the table. None: such a row is refused.
    categories, vectors
        The keys of the table, and for each of `names` the number of each key.
    """

    table: str
    digest: str
    names: tuple[str, ...]
    unknown: tuple[float, ...] | None
    categories: tuple[Category, ...]
    vectors: tuple[tuple[float, ...], ...]

    def expressions(self, name: str) -> Outputs:
        """Return a column for each number of the vector."""
        return dict(_expressions(self, name))

    def refused(self, name: str) -> pl.Expr | None:
        """Return whether a value is not in the table, if there is no vector for such values."""
        if self.unknown is not None:
            return None
        return ~pl.col(name).is_in(list(self.categories)).fill_null(value=False)


@lru_cache(maxsize=64)
def _expressions(state: Embedded, name: str) -> tuple[tuple[str, pl.Expr], ...]:
    """Make the expressions once: a table may have many numbers, and each read of the vector asks for its columns."""
    column, keys = pl.col(name), pl.Series(state.categories)
    defaults = state.unknown or (0.0,) * len(state.names)
    return tuple(
        (
            f"{name}_{suffix}",
            column.replace_strict(keys, pl.Series(numbers, dtype=FLOAT), default=default, return_dtype=FLOAT),
        )
        for suffix, numbers, default in zip(state.names, state.vectors, defaults, strict=True)
    )


@dataclass(frozen=True, kw_only=True)
class Embedding(Step):
    """See `embedding`."""

    kind: ClassVar[str] = "embedding"
    takes: ClassVar[str] = "text, integers or booleans"
    table: Table
    key: str
    vector: tuple[str, ...]
    unknown: UnknownRule = "zero"

    @property
    def reads(self) -> tuple[Table, tuple[str, ...]]:
        """The table of vectors, and the columns of key and vector."""
        return self.table, (self.key, *self.vector)

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether values of a dtype can be categories."""
        return is_category(dtype)

    def mismatch(self, dtype: pl.DataType) -> str | None:
        """Return what the key of the table is, if it is of another kind."""
        key = self.table.contract.schema[self.key]
        if key == dtype or (key.is_integer() and dtype.is_integer()):
            return None
        return f"the key {self.key!r} of table {self.table.name!r} is {key}; expected a key of the same kind"

    def outputs(self, name: str, dtype: pl.DataType) -> Mapping[str, pl.DataType] | None:  # noqa: ARG002 - any
        """Return a column for each number. None: the vectors are lists, whose width only the table knows."""
        width = self.table.contract.schema[self.vector[0]]
        if isinstance(width, pl.List):
            return None
        names = map(str, range(width.size)) if isinstance(width, pl.Array) else self.vector
        return {f"{name}_{suffix}": FLOAT for suffix in names}

    def fit(self, observed: Observed) -> Embedded:
        """Read the table.

        Raises
        ------
        ContractError
            If the table has no rows, a key twice, a null, a number that is not finite, vectors of several widths, or more
            numbers than a state holds; or if a fitted row has no vector and ``unknown`` is ``"refuse"``.
        """
        if observed.table is None:
            raise ContractError(
                f"{observed.place}: the rows of table {self.table.name!r} are missing",
                hint="give them as tables={step: TableRows(...)}",
            )
        place = f"{observed.place}: table {self.table.name!r}"
        keys, vectors = self._read(observed.table, place)
        unknown = {
            "zero": (0.0,) * len(vectors),
            "mean": tuple(mean_and_variance(pl.Series(numbers)).mean for numbers in vectors.values()),
            "refuse": None,
        }[self.unknown]
        return Embedded(
            table=self.table.name,
            digest=observed.table.digest,
            names=tuple(vectors),
            unknown=unknown,
            categories=keys,
            vectors=tuple(vectors.values()),
        )

    def _read(
        self, table: TableRows, place: str
    ) -> tuple[tuple[Category, ...], dict[str, tuple[float, ...]]]:
        """Return the keys in their own order, and the number of each by the name of its column."""
        rows = table.rows.sort(self.key)
        if rows.is_empty():
            raise ContractError(f"{place} has no rows", hint="build it from rows")
        if (repeated := int(rows[self.key].is_duplicated().sum())) or rows[self.key].null_count():
            raise ContractError(
                f"{place}: {counted(repeated, 'row')} with a repeated {self.key!r}, {rows[self.key].null_count():,} without one; "
                "expected one row for each key",
                hint=f"declare {self.key!r} unique and not nullable in its schema",
            )
        columns = self._columns(rows, place)
        if rows.height * len(columns) > MAX_NUMBERS:
            raise ContractError(
                f"{place} has {rows.height * len(columns):,} numbers; a fitted state holds {MAX_NUMBERS:,} at most",
                hint="leave out rare keys, take shorter vectors, or serve the vectors as features of a view",
            )
        for name, numbers in columns.items():
            if numbers.null_count() or not numbers.is_finite().all():
                raise ContractError(
                    f"{place}: a number of column {name!r} is missing, NaN or infinite; expected finite numbers",
                    hint="fill in the vectors, or leave out their keys: `unknown` is the rule for them",
                )
        return tuple(rows[self.key]), {name: tuple(numbers) for name, numbers in columns.items()}

    def _columns(self, rows: pl.DataFrame, place: str) -> dict[str, pl.Series]:
        first = rows[self.vector[0]]
        if not isinstance(first.dtype, _Nested):
            return {name: rows[name].cast(FLOAT) for name in self.vector}
        lists = first.arr.to_list() if isinstance(first.dtype, pl.Array) else first
        widths = lists.list.len().unique().sort()
        if widths.len() > 1 or not widths[0]:
            raise ContractError(
                f"{place}: the vectors in {first.name!r} have {', '.join(map(str, widths))} numbers; expected one width, of 1 "
                "or more",
                hint=f"make the vectors equally long, or declare {first.name!r} as an array",
            )
        return {str(place_): lists.list.get(place_).cast(FLOAT) for place_ in range(widths[0])}


def embedding(
    columns: str | Iterable[str] | Selector,
    *,
    table: Table,
    key: str,
    vector: str | Iterable[str],
    unknown: UnknownRule = "zero",
) -> Embedding:
    """Replace a category by its vector from a table of the project: a column for each number.

    The fitted state holds the vectors and their digest. A table that changes later changes no served vector, and `audit`
    names it.

    Parameters
    ----------
    columns
        Names, or a selector.
    table
        The source or dataset that has a row for each category.
    key
        Its column of categories.
    vector
        Its column of lists or arrays of numbers, which become ``<column>_0``, ``<column>_1`` and so on; or its columns of
        numbers, which become ``<column>_<name>``.
    unknown
        The vector of a null, and of a category that is not in the table. ``"zero"``: zeros. ``"mean"``: the mean of all
        vectors of the table. ``"refuse"``: none; a row to fit or to serve is refused.

    Raises
    ------
    DefinitionError
        If no column is named, `table` is not a source or dataset, a column of it is not a key or not numbers, or the rule
        does not exist.
    UnknownNameError
        If the table has no such column.
    """
    if not isinstance(table, Table):
        raise DefinitionError(
            f"step embedding: table is {table!r}; expected a source or a dataset of the project",
            hint="give the definition itself, not its name: table=carrier_vectors",
        )
    one_of("embedding", "unknown", unknown, get_args(UnknownRule))
    [key] = names_of("step embedding: key", (key,), example='key="carrier"')
    names = names_of("step embedding: vector", vector, example='vector="vector", or vector=["x", "y"]')
    schema = table.contract.schema
    for name in (key, *names):
        if name not in schema:
            raise UnknownNameError("column", name, schema, within=f"table {table.name!r}")
    if not is_category(schema[key]):
        raise DefinitionError(
            f"step embedding: the key {key!r} of table {table.name!r} is {schema[key]}; expected text, integers or booleans",
            hint="name the column of categories",
        )
    is_single = len(names) == 1
    for name in names:
        dtype = schema[name]
        inner = pl.Series(dtype=dtype.inner).dtype if is_single and isinstance(dtype, _Nested) else dtype
        if not is_number(inner):
            raise DefinitionError(
                f"step embedding: the vector column {name!r} of table {table.name!r} is {dtype}; expected numbers, or a "
                "single column of lists or arrays of numbers",
                hint='example: vector="vector", or vector=["x", "y"]',
            )
    return Embedding(
        columns=columns_of(columns, "embedding"), table=table, key=key, vector=names, unknown=unknown
    )
