"""From joined or looked-up features to the vector of a service: the same steps offline and online."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.call import call, reason
from featurestore.errors import DefinitionError
from featurestore.timing.join import Status, status_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.on_demand import OnDemandFeatureView


def complete(rows: pl.DataFrame, read: pl.DataFrame, service: FeatureService) -> pl.DataFrame:
    """Compute the on-demand features and put the vector in order.

    Parameters
    ----------
    rows
        The rows of the request.
    read
        For each of them, the features that `service` reads, and their statuses.
    service
        Says what the vector is.

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
    names = service.feature_names
    return vector.select(*names, *map(status_column, names))


def compute(view: OnDemandFeatureView, inputs: pl.DataFrame) -> pl.DataFrame:
    """Run an on-demand view over rows of its inputs.

    Floats that are not finite become null; floats are rounded once to the declared width. A request value that is no
    number is null where its contract says ``nan: null``.

    Returns
    -------
    pl.DataFrame
        The view's features in their dtypes, one row for each given.

    Raises
    ------
    DefinitionError
        If the function fails, or does not give one row for each row in its declared columns and dtypes.
    """
    try:
        given = inputs.lazy().with_columns(_without_nan(view))
        result = call(view.name, view.function, given).select(_declared(view)).collect()
    except pl.exceptions.PolarsError as error:
        raise DefinitionError(f"on-demand view {view.name!r} fails: {reason(error)}") from error
    if result.height != inputs.height:
        raise DefinitionError(
            f"on-demand view {view.name!r} gives {result.height:,} rows for {inputs.height:,}",
            hint="compute each row from its own values: no filter, no aggregate",
        )
    return result


@lru_cache(maxsize=256)
def _without_nan(view: OnDemandFeatureView) -> list[pl.Expr]:
    return [
        pl.col(column.name).fill_nan(None)
        for column in view.request.columns
        if column.dtype.is_float() and column.metadata.get("nan") == "null"
    ]


@lru_cache(maxsize=256)
def _declared(view: OnDemandFeatureView) -> list[pl.Expr]:
    # What a function gives depends on the dtypes that it is given, not on the rows: looked at once.
    given = call(view.name, view.function, pl.LazyFrame(schema=view.input_schema)).collect_schema()
    columns = []
    for column in view.features:
        if column.name not in given:
            raise DefinitionError(f"on-demand view {view.name!r} does not compute {column.name!r}")
        found, value = given[column.name], pl.col(column.name)
        if found != column.dtype:
            if not (found.is_float() and column.dtype.is_float()) and not isinstance(found, pl.Null):
                raise DefinitionError(
                    f"on-demand view {view.name!r}: {column.name!r} is {found}, but {column.dtype} in its schema"
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
