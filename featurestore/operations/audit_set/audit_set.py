"""Audit a training set that another tool made: what serving would have given, cell by cell, and where a value comes from."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.adapters.entity_rows import EntityRows
from featurestore.errors import ContractError
from featurestore.operations.audit_set.causes import (
    FUTURE,
    GIVEN,
    PAST,
    ROUNDED,
    SERVED,
    different_cells,
)
from featurestore.operations.audit_set.columns import ignored_columns, require_kind
from featurestore.operations.audit_set.record import SetCause, SetCell, SetFeature, SetRecord
from featurestore.operations.check_leaks.record import utc_text
from featurestore.operations.historical import historical
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.rounding import rounded_dtype
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.values.wording import PERSONAL

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.workspace import Workspace

MAX_CELLS: Final = 10
_ROW: Final = "__row"


def audit_set(workspace: Workspace, rows: Any, service: str | FeatureService) -> SetRecord:
    """Compare the feature columns of a training set with what serving would have given at the timestamp of each row.

    Parameters
    ----------
    rows
        A frame, or the path of a file (Parquet, CSV, JSON lines): keys, ``event_timestamp``, request values, and features
        under their names, or as ``<view>__<feature>``. Other columns are not compared. NaN is a missing value.

    Raises
    ------
    ContractError
        If there are no rows, or they lack a key, a request value, the timestamp, or all features; or a feature has values of
        another kind, such as text for numbers; or two columns are one feature, under both of its names.
    MissingDataError, SkewError
        As of `historical`.
    """
    served_service = workspace.service(service)
    full_names = served_service.full_names
    dtypes = served_service.feature_schema
    schema = {**served_service.key_schema, **served_service.request_schema, EVENT_TIMESTAMP: UTC_MICROSECONDS}
    spelled = {full_names[name]: dtype for name, dtype in dtypes.items()} | dict(dtypes)
    frame = EntityRows(rows, {**schema, **spelled}, {}).frame()
    if frame.is_empty():
        raise ContractError(
            "the training set has no rows; expected at least one", hint="name the file that has them"
        )
    _require_each_once(full_names, frame)
    ignored = ignored_columns(workspace, frame.columns, {*schema, *spelled}, list(dtypes))
    frame = frame.rename({full: name for name, full in full_names.items() if full in frame.columns})
    names = [name for name in dtypes if name in frame.columns]
    if not names:
        raise ContractError(
            f"the training set has no feature of {served_service.title}",
            hint=f"expected columns: {', '.join(dtypes)}",
        )
    for name in names:
        require_kind(name, frame.schema[name], dtypes[name])
    entity_rows = frame.select(name for name in schema if name in frame.columns)
    served = historical(workspace, entity_rows, served_service)
    keys = served.select(name for name in (*served_service.key_schema, EVENT_TIMESTAMP)).with_row_index(_ROW)
    cells = different_cells(workspace, served_service, keys, frame.select(names), served)
    rounded_to = {name: rounded_dtype(frame.schema[name], dtypes[name]) for name in names}
    return SetRecord(
        service=served_service.name,
        rows=frame.height,
        features=tuple(
            _summary(name, part, frame.height, dtypes[name], rounded_to[name]) for name, part in cells.items()
        ),
        absent=tuple(name for name in dtypes if name not in names),
        ignored=ignored,
        cells=_cells(served_service, cells, rounded_to),
    )


def _require_each_once(full_names: dict[str, str], frame: pl.DataFrame) -> None:
    """Refuse a feature under both of its names: only one of the columns could be compared."""
    for name, full in full_names.items():
        if name != full and {name, full} <= set(frame.columns):
            raise ContractError(
                f"the training set: columns {name!r} and {full!r} are the same feature; expected one of them",
                hint="drop the one that the model does not read",
            )


def _summary(
    name: str, cells: pl.DataFrame, rows: int, dtype: pl.DataType, rounded_to: pl.DataType | None
) -> SetFeature:
    counts = dict(cells["cause"].value_counts().rows())
    return SetFeature(
        name=name,
        equal=rows - cells.height,
        leaking=counts.get(SetCause.LEAKS_FUTURE, 0),
        stale_or_future=counts.get(SetCause.STALE_OR_FUTURE, 0),
        stale=counts.get(SetCause.STALE, 0),
        others=counts.get(SetCause.OTHER, 0) + counts.get(SetCause.NO_KEY, 0),
        rounded=counts.get(SetCause.ROUNDED, 0),
        rounded_to=str(rounded_to) if counts.get(SetCause.ROUNDED) else None,
        dtype=str(dtype),
    )


def _cells(
    service: FeatureService, different: dict[str, pl.DataFrame], rounded_to: dict[str, pl.DataType | None]
) -> tuple[SetCell, ...]:
    """Describe the first cells of the rows with the most of them, those that know the future first."""
    located = pl.concat(
        [part.select(_ROW, pl.lit(name).alias("feature"), "cause") for name, part in different.items()]
    )
    first = (
        located.with_columns(
            pl.len().over(_ROW).alias("count"),
            (pl.col("cause") != SetCause.LEAKS_FUTURE.value).alias("later"),
        )
        .sort("count", _ROW, "later", "feature", descending=[True, False, False, False])
        .head(MAX_CELLS)
    )
    personal = service.personal
    result = []
    for row in first.iter_rows(named=True):
        name = row["feature"]
        cell = different[name].row(by_predicate=pl.col(_ROW) == row[_ROW], named=True)
        words = {
            key: PERSONAL if key in personal else _text(cell[key])
            for key in (*service.key_schema, EVENT_TIMESTAMP)
        }
        result.append(
            SetCell(
                row=cell[_ROW],
                key=" ".join(f"{key}={word}" for key, word in words.items()),
                feature=name,
                value=PERSONAL if name in personal else _text(cell[GIVEN]),
                served=PERSONAL if name in personal else _text(cell[SERVED]),
                cause=SetCause(cell["cause"]),
                known_at=cell[FUTURE],
                known_before=cell[PAST],
                rounded_to=str(rounded_to[name]) if cell[ROUNDED] else None,
            )
        )
    return tuple(result)


def _text(value: object) -> str:
    return utc_text(value) if isinstance(value, datetime) else str(value)
