"""Rows written on the command line as ``name=value`` words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.errors import ContractError
from featurestore.timestamps import iso_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl

    from featurestore.definitions.feature_service import FeatureService


def row_of(values: Sequence[str], service: FeatureService) -> pl.DataFrame:
    """Read ``name=value`` words as one row of keys and request values of a service. Raises as `values_of` does."""
    return values_of(values, {**service.key_schema, **service.request_schema}, service.title)


def values_of(words: Sequence[str], schema: Mapping[str, pl.DataType], owner: str) -> pl.DataFrame:
    """Read ``name=value`` words as one row.

    Parameters
    ----------
    schema
        The columns that the row may have, and their dtypes.
    owner
        What needs the values, for messages.

    Raises
    ------
    ContractError
        If a word has no value, a column is unknown or named twice, or a value cannot be read as the dtype of its column.
    """
    import polars as pl  # noqa: PLC0415 - `--help` answers at once

    from featurestore.values.accepted import accepted_hint, value_check  # noqa: PLC0415 - as above
    from featurestore.values.key_columns import frame_of_columns  # noqa: PLC0415 - as above

    if bare := [word for word in words if "=" not in word]:
        raise ContractError(f"{bare[0]!r} has no value", hint=f"write {bare[0]}=VALUE")
    texts: dict[str, str] = {}
    for name, _, text in (word.partition("=") for word in words):
        if name in texts:
            raise ContractError(
                f"{name!r} is given twice, as {texts[name]!r} and as {text!r}; expected one value",
                hint="run the command once for each value",
            )
        texts[name] = text
    if unknown := [name for name in texts if name not in schema]:
        hint = f"it has {', '.join(schema)}" if schema else "it needs no values: name it alone"
        raise ContractError(f"{owner} has no column {unknown[0]!r}", hint=hint)
    columns = []
    for name, text in texts.items():
        try:
            value = value_check("value", name, schema[name])(_parsed(text, schema[name])) if text else None
        except (ContractError, ValueError, ArithmeticError, msgspec.DecodeError) as error:
            raise ContractError(
                f"{name}={text!r} is not {schema[name]}, which {owner} needs",
                hint=accepted_hint(schema[name]),
            ) from error
        columns.append(pl.Series(name, [value], dtype=schema[name]))
    return frame_of_columns(columns, 1)


def _parsed(text: str, dtype: pl.DataType) -> Any:
    """Read text as the Python value of a dtype; `value_check` decides whether the dtype holds it."""
    import polars as pl  # noqa: PLC0415 - `--help` answers at once

    from featurestore.values.json_rows import decoded_type  # noqa: PLC0415 - as above

    if isinstance(dtype, pl.Boolean):
        return {"true": True, "false": False}.get(text.lower(), text)
    if isinstance(dtype, pl.List | pl.Array):
        return msgspec.json.decode(text, type=decoded_type(dtype))
    if dtype.is_integer() or (dtype.is_float() and text.lstrip("+-").isdecimal()):
        return int(text)
    readers: dict[type[pl.DataType], Callable[[str], Any]] = {
        pl.Float32: float,
        pl.Float64: float,
        pl.Decimal: Decimal,
        pl.Binary: str.encode,
        pl.Date: date.fromisoformat,
        pl.Datetime: iso_timestamp,
    }
    return readers.get(type(dtype), str)(text)
