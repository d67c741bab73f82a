"""Rows written on the command line as ``name=value`` words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from featurestore.definitions.feature_service import FeatureService

TIMESTAMP = "%Y-%m-%dT%H:%M:%S%.f%#z"


def row_of(values: Sequence[str], service: FeatureService) -> pl.DataFrame:
    """Read ``name=value`` words as one row of keys and request values of a service. Raises as `values_of` does."""
    return values_of(values, {**service.key_schema, **service.request_schema}, f"service {service.name!r}")


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
        If a word has no value, a column is unknown, or a value cannot be read as the dtype of its column.
    """
    import polars as pl  # noqa: PLC0415 - `--help` answers at once

    if bare := [word for word in words if "=" not in word]:
        raise ContractError(f"{bare[0]!r} has no value", hint=f"write {bare[0]}=VALUE")
    texts = dict(word.partition("=")[::2] for word in words)
    if unknown := [name for name in texts if name not in schema]:
        raise ContractError(f"{owner} has no column {unknown[0]!r}", hint=f"it has {', '.join(schema)}")
    row = pl.DataFrame(
        [{name: text or None for name, text in texts.items()}], dict.fromkeys(texts, pl.String)
    )
    result = row.with_columns(_cast(name, schema[name]) for name in texts)
    for name, text in texts.items():
        if text and result[name].null_count():
            raise ContractError(
                f"{name}={text!r} is not {schema[name]}, which {owner} needs",
                hint="write numbers like 12.5, timestamps like 2013-12-31T12:00:00Z, booleans like true",
            )
    return result


def _cast(name: str, dtype: pl.DataType) -> pl.Expr:
    import polars as pl  # noqa: PLC0415 - `--help` answers at once

    text = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        text = text.str.to_datetime(TIMESTAMP, time_unit="us", time_zone="UTC", strict=False)
    return text.cast(dtype, strict=False).alias(name)
