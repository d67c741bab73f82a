"""Whether an on-demand view computes the same for one row as for many: shown on generated rows."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.definitions.on_demand import OWN_ROW
from featurestore.definitions.window_checks import OWN_EVENT
from featurestore.errors import DefinitionError
from featurestore.values.table import integer_limits
from featurestore.vectors.complete import compute

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.definitions.on_demand import OnDemandFeatureView

ROWS: Final = 24
_HELD: Final = "__held"
_NUMBERS: Final = (3, 1, 7, 0, 2, 1, 5)
_NULL_EACH: Final = 6
_DAY: Final = date(2024, 2, 28)
_INSTANT: Final = datetime(2024, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)


def require_own_rows(view: OnDemandFeatureView) -> None:
    """Compare what a view computes for many rows at once with what it computes for each alone.

    The rows have different values, repeated values, and nulls where the schemas allow them. Rows
    that the function refuses are left out.

    Raises
    ------
    DefinitionError
        If a value differs. Names the feature and both values.
    """
    rows = generated_rows(view)
    single = [(row, result) for row in rows.iter_slices(1) if (result := _computed(view, row)) is not None]
    if not single:
        return
    together = pl.concat([row for row, _ in single])
    alone = pl.concat([result for _, result in single])
    for order in (together, together.reverse()):
        expected = alone if order is together else alone.reverse()
        result = compute(view, order)
        for name in view.feature_names:
            for together_value, alone_value in zip(
                result[name].to_list(), expected[name].to_list(), strict=True
            ):
                # Not `==`, which takes 0.0 for -0.0.
                if repr(together_value) != repr(alone_value):
                    raise DefinitionError(
                        f"on-demand view {view.name!r} reads other rows than its own: {name!r} is {alone_value!r:.60} for a "
                        f"row alone, and {together_value!r:.60} for the same row among {order.height}",
                        hint=OWN_ROW,
                    )


def require_own_events(view: FeatureView) -> None:
    """Compare what the conditions of windows are for many events at once with what they are for each alone.

    As `require_own_rows` does for what a plan does not show, such as a function that is marked ``is_elementwise``.

    Raises
    ------
    DefinitionError
        If a condition differs, or gives another number of values than it is given events. Names the window.
    """
    required = {column.name for column in view.contract.columns if not column.nullable}
    rows = rows_of_schema(view.contract.schema, required)
    for feature, aggregation in view.windows.items():
        for expression in (aggregation.where, aggregation.condition):
            if expression is None:
                continue
            single = [
                (row, held) for row in rows.iter_slices(1) if (held := _held(row, expression)) is not None
            ]
            together = _held(pl.concat([row for row, _ in single]), expression) if single else None
            alone = [value for _, held in single for value in held]
            if single and (any(len(held) != 1 for _, held in single) or together != alone):
                raise DefinitionError(
                    f"feature view {view.name!r}, column {feature!r}: its condition reads other events than its own: it differs "
                    f"for an event alone and for the same event among {len(single)}",
                    hint=OWN_EVENT,
                )


def _held(rows: pl.DataFrame, condition: pl.Expr) -> list[bool | None] | None:
    try:
        held = rows.lazy().with_columns(condition.alias(_HELD)).collect()[_HELD].to_list()
    except pl.exceptions.ShapeError:
        return []  # not one value for each event
    except pl.exceptions.PolarsError:
        return None  # a value that the condition does not take
    return held


def generated_rows(view: OnDemandFeatureView) -> pl.DataFrame:
    """Generate rows of the inputs of a view, the same ones each time."""
    required = {column.name for column in view.request.columns if not column.nullable}
    return rows_of_schema(view.input_schema, required)


def rows_of_schema(schema: Mapping[str, pl.DataType], required: Collection[str] = ()) -> pl.DataFrame:
    """Generate rows of a schema, the same ones each time; only columns that are not required have nulls."""
    columns = []
    for number, (name, dtype) in enumerate(schema.items()):
        values = [_value(dtype, (row * (number + 2) + row // 7) % len(_NUMBERS)) for row in range(ROWS)]
        if name not in required:
            values = [None if (row + number) % _NULL_EACH == 0 else value for row, value in enumerate(values)]
        columns.append(pl.Series(name, values, dtype=dtype))
    return pl.DataFrame(columns)


def _computed(view: OnDemandFeatureView, row: pl.DataFrame) -> pl.DataFrame | None:
    try:
        return compute(view, row)
    except DefinitionError:
        return None  # a value that the function does not take; its contract may not allow it either


def _value(dtype: pl.DataType, position: int) -> Any:
    number = _NUMBERS[position]
    if isinstance(dtype, pl.List):
        return _values([dtype.inner] * (number % 4), position)
    if isinstance(dtype, pl.Array):
        return _values([dtype.inner] * dtype.size, position)
    if isinstance(dtype, pl.Struct):
        values = _values([field.dtype for field in dtype.fields], position)
        return dict(zip([field.name for field in dtype.fields], values, strict=True))
    return _scalar(dtype, number)


def _values(dtypes: Sequence[Any], position: int) -> list[Any]:
    return [
        _value(pl.Series(dtype=dtype).dtype, (position + i) % len(_NUMBERS)) for i, dtype in enumerate(dtypes)
    ]


def _scalar(dtype: pl.DataType, number: int) -> Any:
    if isinstance(dtype, pl.Datetime):
        zoned = _INSTANT + timedelta(hours=number * 31, microseconds=number)
        return pl.Series([zoned]).cast(dtype).item()
    values: dict[type[pl.DataType], Any] = {
        pl.Boolean: number % 2 == 0,
        pl.String: "abcdefgh"[number] * (number % 3) + str(number),
        pl.Categorical: "abcdefgh"[number],
        pl.Binary: bytes([number]) * (number % 3),
        pl.Date: _DAY + timedelta(days=number),
        pl.Decimal: Decimal(number),
        pl.Duration: timedelta(hours=number * 31),
        pl.Time: time(number, number),
        pl.Null: None,
    }
    if isinstance(dtype, pl.Enum):
        return dtype.categories[number % len(dtype.categories)] if len(dtype.categories) else None
    if type(dtype) in values:
        return values[type(dtype)]
    if dtype.is_float():
        return number * 1.25 - 2
    low, high = integer_limits(dtype)
    return min(max(number - 2, low), high)
