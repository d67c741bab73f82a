"""Rows that are pushed to a feature view, read from columns of JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.errors import ContractError
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.values.feast_wire import PLACEHOLDER_KEY
from featurestore.values.json_rows import JsonColumn, row_count
from featurestore.values.names import undeclared
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from featurestore.definitions.feature_view import FeatureView

FEAST_CREATED = "created"


def pushed_rows(view: FeatureView, columns: Mapping[str, list[Any]]) -> pl.DataFrame:
    """Read columns of JSON values as rows of a view, in its dtypes; timestamps without a time zone are UTC.

    Parameters
    ----------
    columns
        Values by column. ``created`` is Feast's name of ``created_timestamp``. The placeholder key of
        Feast is left out of rows of a view without an entity.

    Raises
    ------
    ContractError
        If a column is unknown or cannot be read as its dtype, or the columns differ in length.
    """
    where = f"rows pushed to {view.name!r}"
    renamed = {FEAST_CREATED: CREATED_TIMESTAMP} if CREATED_TIMESTAMP not in columns else {}
    values = {
        renamed.get(name, name): column
        for name, column in columns.items()
        if view.keys or name != PLACEHOLDER_KEY
    }
    schema = {
        **view.key_schema,
        EVENT_TIMESTAMP: UTC_MICROSECONDS,
        CREATED_TIMESTAMP: UTC_MICROSECONDS,
        **view.stored_schema,
    }
    if unknown := [name for name in values if name not in schema]:
        raise ContractError(
            f"{where}: not in the view: {undeclared(unknown, schema)}", hint=f"known: {', '.join(schema)}"
        )
    row_count(where, values)
    typed = {name: JsonColumn(where, name, schema[name]).read(column) for name, column in values.items()}
    try:
        return pl.DataFrame(typed, schema={name: schema[name] for name in values})
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise ContractError(
            f"{where}: {str(error).splitlines()[0]}", hint="send values of the dtypes of the view's schema"
        ) from error
