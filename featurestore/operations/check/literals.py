"""Literals of a wrong dtype: values that no data decide, and that never become the declared dtype."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.definitions.call import call
from featurestore.errors import DefinitionError, FeatureStoreError
from featurestore.quality.gate.casting import cast_plan, fallible_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.definitions.contract import Contract
    from featurestore.definitions.signature import Transformation

# Two rows that differ in every column; the third row of a probe has no values at all.
_ROWS: tuple[dict[type[pl.DataType], Any], ...] = (
    {
        pl.String: "a",
        pl.Boolean: True,
        pl.Binary: b"a",
        pl.Decimal: Decimal(1),
        pl.Date: date(2024, 1, 1),
        pl.Datetime: datetime(2024, 1, 1, tzinfo=UTC),
        pl.Duration: timedelta(1),
        pl.Time: time(1),
    },
    {
        pl.String: "b",
        pl.Boolean: False,
        pl.Binary: b"b",
        pl.Decimal: Decimal(2),
        pl.Date: date(2024, 2, 2),
        pl.Datetime: datetime(2024, 2, 2, tzinfo=UTC),
        pl.Duration: timedelta(2),
        pl.Time: time(2),
    },
)


def require_literals(
    where: str,
    function: Transformation,
    inputs: Sequence[Contract],
    output: Contract,
    returned: pl.Schema,
) -> None:
    """Run a function on three rows without meaning, and refuse values that do not depend on them and cannot be cast.

    Only columns whose dtype is not the declared one are looked at.

    Parameters
    ----------
    where
        The definition, for messages.
    returned
        The columns that the function returns.

    Raises
    ------
    DefinitionError
        If a column has the same value for every row, and the gate would count the value as bad.
    """
    plan = cast_plan(returned, output, dataset=where)
    suspects = [name for name in fallible_columns(plan) if returned[name] != output[name].dtype]
    if not suspects:
        return
    failing = [plan[name].failed for name in suspects]
    constants: dict[str, list[set[Any]]] = {name: [] for name in suspects}
    for number in range(len(_ROWS) + 1):
        try:
            rows = call(where, function, *(_one_row(contract, number) for contract in inputs))
            checked = rows.select(
                *suspects,
                *(f.alias(f"failed {n}") for f, n in zip(failing, suspects, strict=True) if f is not None),
            ).collect()
        except (pl.exceptions.PolarsError, FeatureStoreError):
            return  # The rows have no meaning, so that a function may refuse them; nothing is known of its literals.
        if checked.height:
            for name in suspects:
                bad = checked.filter(pl.col(f"failed {name}"))[name]
                constants[name].append(set(bad) if bad.len() == checked.height else set())
    for name, values in constants.items():
        # One row that passes the function's filters could decide its value; two rows decide two values.
        if len(values) > 1 and values[0] and all(each == values[0] for each in values):
            value = next(iter(values[0]))
            raise DefinitionError(
                f"{where}: column {name!r} is always {value!r}, of dtype {returned[name]}; schema {output.name} declares "
                f"{output[name].dtype}",
                hint=f"return values of the declared dtype, such as pl.lit(None, dtype=pl.{output[name].dtype})",
            )


def _one_row(contract: Contract, number: int) -> pl.LazyFrame:
    """Make the row of a number in the columns of a contract: the last one has no values."""
    columns = {
        column.name: pl.Series([_value(column.dtype, number)], dtype=column.dtype, strict=False)
        for column in contract.columns
    }
    return pl.DataFrame(columns).lazy()


def _value(dtype: pl.DataType, number: int) -> Any:
    if number == len(_ROWS):
        return None
    if dtype.is_numeric() and not isinstance(dtype, pl.Decimal):
        return number + 1
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is None:
        return _ROWS[number][pl.Datetime].replace(tzinfo=None)
    return _ROWS[number].get(dtype.base_type())
