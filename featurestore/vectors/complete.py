"""Complete the vector of a service: the same steps offline and online."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.call import call, reason
from featurestore.errors import DefinitionError
from featurestore.preprocessing.fit import applied, origins
from featurestore.timing.join import WITHOUT_ROW, Status, status_column
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.on_demand import OnDemandFeatureView
    from featurestore.preprocessing.state import FittedState


def complete(rows: pl.DataFrame, read: pl.DataFrame, service: FeatureService) -> pl.DataFrame:
    """Compute the on-demand features, and put the vector in the order of the service.

    Parameters
    ----------
    rows
        The rows of the request.
    read
        For each row, the features that `service` reads, and their statuses.
    service
        Defines the vector.

    Returns
    -------
    pl.DataFrame
        The vector, then the status of each of its features.
    """
    inputs = pl.concat([rows.select(pl.exclude(read.columns)), read], how="horizontal")
    computed = [
        compute(view, inputs.select(view.input_schema.names())).with_columns(_statuses(view.feature_names))
        for view in service.on_demand
    ]
    vector = pl.concat([read, *computed], how="horizontal")
    names = service.joined.feature_names
    if service.fitted is None:
        return vector.select(*names, *map(status_column, names))
    return _fitted(vector, names, service.fitted)


def _fitted(vector: pl.DataFrame, names: Sequence[str], state: FittedState) -> pl.DataFrame:
    """Apply fitted steps.

    Where the store has no row for a feature, its columns say so; else the status follows from the value.
    """
    fitted = applied(vector.select(names), state.steps)
    origin = origins(names, state.steps)
    statuses = fitted.select(*_statuses(fitted.columns))
    stored = [vector[status_column(origin[name])] for name in fitted.columns]
    return fitted.hstack(
        [
            before.zip_with(before.is_in(WITHOUT_ROW), by_value).alias(by_value.name)
            for before, by_value in zip(stored, statuses, strict=True)
        ]
    )


def compute(view: OnDemandFeatureView, inputs: pl.DataFrame) -> pl.DataFrame:
    """Run an on-demand view over rows of its inputs.

    A float result that is not finite becomes null, and each float is rounded once to its declared
    width. A NaN in the request becomes null where the column's contract has ``nan: null``.

    Returns
    -------
    pl.DataFrame
        The view's features in their declared dtypes, one row for each input row.

    Raises
    ------
    DefinitionError
        If the function fails, or does not return one row for each input row, with the declared
        columns and dtypes.
    """
    rows = _without_short_pieces(inputs)
    try:
        result = plan_of(view, rows.lazy()).collect()
    except pl.exceptions.PolarsError as error:
        raise DefinitionError(
            f"on-demand view {view.name!r} fails: {reason(error)}",
            hint="its function must work for every row that its request schema allows: change one of them",
        ) from error
    if result.height != rows.height:
        raise DefinitionError(
            f"on-demand view {view.name!r} returns {counted(result.height, 'row')} for {rows.height:,}",
            hint="compute each row from its own values: no filter, no aggregate",
        )
    return result.head(inputs.height)


def _without_short_pieces(inputs: pl.DataFrame) -> pl.DataFrame:
    """Return the rows, repeated so often that no thread gets a single one.

    Polars divides one row by a constant, and multiplies more rows by the reciprocal, so that the last bit of a quotient
    depends on how a frame is cut. It cuts a frame into its chunks, or into a piece for each thread, and the last piece is
    the shortest: with as many rows as the square of the threads it has more than one.
    """
    enough = max(2, pl.thread_pool_size() ** 2)
    is_short = 0 < inputs.height < enough
    rows = pl.concat([inputs] * -(-enough // inputs.height)) if is_short else inputs
    # A frame made of its columns: a column that has one value for all rows counts as one row.
    return pl.DataFrame(rows.rechunk().get_columns())


def plan_of(view: OnDemandFeatureView, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the plan of a view over rows of its inputs, with the features in their declared dtypes.

    Raises
    ------
    DefinitionError
        If the function fails, or computes other columns or dtypes.
    """
    inputs = rows.with_columns(_without_nan(view))
    return call(view.name, view.function, inputs).select(_declared(view))


@lru_cache(maxsize=256)
def _without_nan(view: OnDemandFeatureView) -> list[pl.Expr]:
    return [
        pl.col(column.name).fill_nan(None)
        for column in view.request.columns
        if column.dtype.is_float() and column.metadata.get("nan") == "null"
    ]


@lru_cache(maxsize=256)
def _declared(view: OnDemandFeatureView) -> list[pl.Expr]:
    # The result's dtypes depend on the input dtypes and not on the rows, so they are resolved once.
    schema = call(view.name, view.function, pl.LazyFrame(schema=view.input_schema)).collect_schema()
    columns = []
    for column in view.features:
        if column.name not in schema:
            raise DefinitionError(
                f"on-demand view {view.name!r} does not compute {column.name!r}",
                hint=f"return {column.name!r} from the function, or remove it from the schema",
            )
        dtype = schema[column.name]
        value = pl.col(column.name)
        if dtype != column.dtype:
            if not (dtype.is_float() and column.dtype.is_float()) and not isinstance(dtype, pl.Null):
                raise DefinitionError(
                    f"on-demand view {view.name!r}: {column.name!r} is {dtype}, but {column.dtype} in its schema",
                    hint=f"cast it in the function, or declare {dtype}",
                )
            value = value.cast(column.dtype)
        if column.dtype.is_float():
            value = pl.when(value.is_finite()).then(value)
        columns.append(value.alias(column.name))
    return columns


def _statuses(names: Sequence[str]) -> Iterator[pl.Expr]:
    present, null = (pl.lit(status.value, dtype=pl.UInt8) for status in (Status.PRESENT, Status.NULL_VALUE))
    for name in names:
        yield pl.when(pl.col(name).is_null()).then(null).otherwise(present).alias(status_column(name))
