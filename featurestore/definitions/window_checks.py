"""Whether the windows of a feature view fit its events and its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.definitions.contract import contract_of
from featurestore.definitions.row_wise import operation_on_other_rows
from featurestore.errors import DefinitionError, UnknownNameError
from featurestore.timing.columns import TIME_COLUMNS
from featurestore.values.arguments import wrong_type
from featurestore.values.table import feast_type
from featurestore.windows.aggregation import NUMERIC, Aggregation

if TYPE_CHECKING:
    from collections.abc import Collection

    from pandera.polars import DataFrameModel

    from featurestore.definitions.contract import Column, Contract
    from featurestore.definitions.entity import Entity

OF_LISTS = frozenset(["first", "last"])
# Windows that are never null.
ALWAYS = frozenset(["count", "sum", "distinct", "approximate_distinct", "last_n"])
EXAMPLE = 'write windows={"orders_1h": windows.count(over="1h")}'
ADDED_UP = (
    "integers up to Int64, UInt32, Float32 and Float64 can be added up; cast the column in the function"
)
ROUNDED = (
    "integers up to Int64, UInt32, Float32 and Float64 can be rounded to a bound; write windows.quantile, which is exact, or "
    "cast the column in the function"
)
OWN_EVENT = (
    'compute the condition from the values of one event, as pl.col("amount") > 0: which other events are read with it '
    "differs offline and online; let the function of the view add a column of what earlier events tell"
)


def feature_contract(
    name: str,
    windows: Mapping[str, Aggregation],
    schema: type[DataFrameModel] | None,
    *,
    events: Contract,
    entity: Entity | None,
    identity: Collection[str],
) -> Contract:
    """Return the contract of the features of a view: that of its rows, or the checked one of its windows.

    Raises
    ------
    DefinitionError
        If windows, schema and entity are not given together, or as `check_windows` does.
    UnknownNameError
        As `check_windows` does.
    """
    _check_types(name, windows)
    if not windows:
        if schema is not None or identity:
            raise DefinitionError(
                f"feature view {name!r}: {'schema' if schema is not None else 'identity'} is given without windows",
                hint="the result of the function has the schema of a view without windows",
            )
        return events
    if entity is None:
        raise DefinitionError(
            f"feature view {name!r}: windows are given without an entity",
            hint="name the entity of the events; a view without an entity has rows of features and no windows",
        )
    if schema is None:
        raise DefinitionError(
            f"feature view {name!r}: windows are given without a schema for the features",
            hint="write schema=..., with the keys and a column for each window",
        )
    features = contract_of(schema)
    entity.require_keys(features, of=f"feature view {name!r}")
    check_windows(name, windows, events=events, contract=features, keys=entity.keys, identity=identity)
    return features


def _check_types(name: str, windows: Any) -> None:
    if not isinstance(windows, Mapping):
        raise wrong_type(
            f"feature view {name!r}: windows", windows, "windows by the name of their feature", hint=EXAMPLE
        )
    for feature, aggregation in windows.items():
        if not isinstance(feature, str) or not isinstance(aggregation, Aggregation):
            raise wrong_type(
                f"feature view {name!r}, window {feature!r}: it",
                aggregation,
                "a window by the name of its feature",
                hint=EXAMPLE,
            )


def check_windows(
    name: str,
    windows: Mapping[str, Aggregation],
    *,
    events: Contract,
    contract: Contract,
    keys: Collection[str],
    identity: Collection[str],
) -> None:
    """Check the windows of a feature view against the schema of its events and the schema of its features.

    Raises
    ------
    DefinitionError
        If a window and its column in the schema differ in dtype or in whether they may be null; if a column of
        the schema has no window, or a window no column; if an expression does not fit the events, or reads other
        events than its own; if the dtype of a column cannot be aggregated; if a float may be NaN; or if a column
        of the identity is nullable. Names the view and the column.
    UnknownNameError
        If the events have no column of a name.
    """
    features = [column for column in contract.schema if column not in TIME_COLUMNS and column not in keys]
    for column in (*windows, *features):
        if column not in windows or column not in features:
            missing = (
                f"schema {contract.name} has no such column" if column in windows else "it has no window"
            )
            raise DefinitionError(
                f"feature view {name!r}, column {column!r}: {missing}",
                hint=f"the windows and the columns of {contract.name} that are not keys have the same names",
            )
    for column in identity:
        if column not in events:
            raise UnknownNameError("column", column, list(events.schema), within=f"schema {events.name}")
        if events[column].nullable:
            raise DefinitionError(
                f"feature view {name!r}: identity {column!r} is nullable in schema {events.name}, so that it names no event "
                "where it is missing",
                hint="leave nullable out, or name another column",
            )
    for feature, aggregation in windows.items():
        _check(f"feature view {name!r}, column {feature!r}", feature, aggregation, events, contract)


def _check(where: str, feature: str, aggregation: Aggregation, events: Contract, contract: Contract) -> None:
    column = aggregation.column
    if column is not None and column not in events:
        raise UnknownNameError("column", column, list(events.schema), within=f"schema {events.name}")
    for argument, expression in (("where", aggregation.where), ("condition", aggregation.condition)):
        if expression is not None:
            _check_condition(f"{where}, {argument}", expression, events)
    if column is not None:
        _check_values(where, aggregation.kind, column, events.schema[column])
        _require_no_nan(where, aggregation.kind, events[column], events)
    if (
        column is not None
        and aggregation.kind in (*NUMERIC, "approximate_quantile")
        and not _is_number(events.schema[column])
    ):
        raise DefinitionError(
            f"{where}: {aggregation.kind} of {column!r}, which is {events.schema[column]}",
            hint=ADDED_UP if aggregation.kind in NUMERIC else ROUNDED,
        )
    result, declared = result_dtype(aggregation, events.schema), contract[feature]
    if not _fits(result, declared.dtype):
        raise DefinitionError(
            f"{where}: the window gives {result}, but schema {contract.name} says {declared.dtype}",
            hint=f"declare it {result}",
        )
    if not declared.nullable and aggregation.kind not in ALWAYS:
        raise DefinitionError(
            f"{where}: a window without values gives null, but schema {contract.name} says that it is never null",
            hint="write nullable=True",
        )


def _check_values(where: str, kind: str, column: str, dtype: pl.DataType) -> None:
    try:
        feast_type(dtype)
    except ValueError as error:
        raise DefinitionError(
            f"{where}: {kind} of {column!r}, which is {dtype}: {error}",
            hint="cast the column in the function",
        ) from None
    if isinstance(dtype, pl.List | pl.Array) and kind not in OF_LISTS:
        raise DefinitionError(
            f"{where}: {kind} of {column!r}, which is {dtype}: lists are neither ordered nor counted",
            hint="only first and last take lists; give each element an event of its own, or aggregate an element",
        )


def _require_no_nan(where: str, kind: str, column: Column, events: Contract) -> None:
    if (
        column.dtype.is_float()
        and events.policy.on_invalid == "warn"
        and column.metadata.get("nan") != "null"
    ):
        raise DefinitionError(
            f"{where}: {kind} of {column.name!r}, but schema {events.name} lets NaN pass, which no window can order or add up",
            hint='write metadata={"nan": "null"} for the column, or on_invalid="quarantine" for the schema',
        )


def result_dtype(aggregation: Aggregation, events: pl.Schema) -> pl.DataType:
    """Return the dtype that an aggregate has before it is put into the view's schema."""
    if aggregation.kind in ("count", "distinct", "approximate_distinct"):
        return pl.Int64()
    if aggregation.column is None or aggregation.kind in (
        "mean",
        "variance",
        "deviation",
        "approximate_quantile",
    ):
        return pl.Float64()
    dtype = events[aggregation.column]
    if aggregation.kind == "sum":
        return pl.Float64() if dtype.is_float() else pl.Int64()
    return pl.List(dtype) if aggregation.kind == "last_n" else dtype


def _is_number(dtype: pl.DataType) -> bool:
    return dtype in (pl.Float32, pl.Float64) or (dtype.is_integer() and dtype not in (pl.Int128, pl.UInt64))


def _fits(result: pl.DataType, declared: pl.DataType) -> bool:
    if result == declared or (result.is_float() and declared.is_float()):
        return True
    return result == pl.Int64() and declared.is_integer()


def _check_condition(where: str, expression: pl.Expr, events: Contract) -> None:
    rows = events.empty()
    condition = rows.select(expression.alias("condition"))
    try:
        dtype = condition.collect_schema()["condition"]
    except pl.exceptions.PolarsError as error:
        raise DefinitionError(
            f"{where}: the condition does not fit schema {events.name}: {error}",
            hint=f"columns: {', '.join(events.schema)}",
        ) from error
    if dtype != pl.Boolean():
        raise DefinitionError(
            f"{where}: a condition gives {dtype}; expected Boolean", hint='write pl.col("amount") > 0'
        )
    if (operation := operation_on_other_rows(condition, rows)) is not None:
        raise DefinitionError(
            f"{where}: the condition reads other events than its own: {operation}", hint=OWN_EVENT
        )
