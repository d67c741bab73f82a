"""Audit a training set that another tool made: what serving would have given, cell by cell, and where a value comes from."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from featurestore.adapters.entity_rows import EntityRows
from featurestore.errors import ContractError, SkewError
from featurestore.operations.audit_set_columns import ignored_columns, require_kind
from featurestore.operations.historical import historical
from featurestore.operations.leak_record import utc_text
from featurestore.storage.views import scan_view
from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.known_at import known_at
from featurestore.values.bits import bits_of
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.values.wording import PERSONAL, counted

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import Selection
    from featurestore.workspace import Workspace

MAX_CELLS: Final = 10
# After each row, also of data that a fixed `as_of` does not reach.
_END: Final = datetime(9000, 1, 1, tzinfo=UTC)
_ROW: Final = "__row"
_GIVEN: Final = "__given"
_SERVED: Final = "__served"
_BITS: Final = "__bits"
_FUTURE: Final = "__future"
_PAST: Final = "__past"


class SetCause(StrEnum):
    """Why a cell of a training set is not what serving would have given."""

    LEAKS_FUTURE = "leaks_future"
    STALE_OR_FUTURE = "stale_or_future"
    STALE = "stale"
    OTHER = "other"


_WORDS: Final = {
    SetCause.LEAKS_FUTURE: "leaks the future",
    SetCause.STALE_OR_FUTURE: "stale or from the future",
    SetCause.STALE: "stale",
    SetCause.OTHER: "other",
}


class SetCell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that serving would not have given.

    Attributes
    ----------
    row
        Number of the row in the file, from 0.
    key
        Its keys and timestamp.
    value, served
        What the file has, and what serving would have given.
    known_at
        When the value became known after the row. None: it never did.
    known_before
        When it was known for the last time before the row. None: it was not.
    """

    row: int
    key: str
    feature: str
    value: str
    served: str
    cause: SetCause
    known_at: datetime | None = None
    known_before: datetime | None = None

    def __str__(self) -> str:
        times = [utc_text(time) for time in (self.known_before, self.known_at) if time is not None]
        known = f", known at {' and at '.join(times)}" if times else ""
        return f"row {self.row:,} ({self.key}) {self.feature} {self.value}, served {self.served}: {_WORDS[self.cause]}{known}"


class SetFeature(msgspec.Struct, frozen=True, kw_only=True):
    """The cells of one feature, by what serving would have given.

    Attributes
    ----------
    equal
        Cells with the value that serving would have given.
    leaking
        Cells with a value that became known only later: nothing but the future gives it.
    ambiguous
        Cells with a value that was known before, and became known again later, such as a small count: stale, or from the future.
    stale
        Cells with a value that was known before and never later, and is not the newest.
    others
        All other different cells: the feature never had the value for the key, the cell is null where serving has a value,
        or the feature is computed in the request or fitted.
    """

    name: str
    equal: int
    leaking: int
    ambiguous: int
    stale: int
    others: int


class SetRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What serving would have given in place of a training set.

    Attributes
    ----------
    absent
        Features of the service that the training set does not have.
    ignored
        Columns that are neither compared nor a key, timestamp, request value, split, or column of a training set of the
        project; each with the feature that its name resembles. None: it resembles none.
    cells
        The first different cells, those of the rows with the most of them first.
    """

    service: str
    rows: int
    features: tuple[SetFeature, ...]
    absent: tuple[str, ...]
    ignored: dict[str, str | None]
    cells: tuple[SetCell, ...]

    @property
    def different(self) -> int:
        """How many cells differ from what serving would have given."""
        return sum(f.leaking + f.ambiguous + f.stale + f.others for f in self.features)

    def require_parity(self) -> None:
        """Raise if a cell differs.

        Raises
        ------
        SkewError
            If one does. The message shows the first of them.
        """
        if self.different:
            leaking = sum(feature.leaking for feature in self.features)
            ambiguous = sum(feature.ambiguous for feature in self.features)
            perhaps = f", {ambiguous:,} perhaps" if ambiguous else ""
            shown = "".join(f"\n  {cell}" for cell in self.cells)
            raise SkewError(
                f"{counted(self.different, 'cell')} not as serving would have given, {leaking:,} with knowledge of the "
                f"future{perhaps}{shown}",
                hint="join the rows with featurestore: featurestore join",
            )


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
        another kind, such as text for numbers.
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
    ignored = ignored_columns(workspace, frame.columns, {*schema, *spelled}, list(dtypes))
    frame = frame.rename(
        {
            full: name
            for name, full in full_names.items()
            if full in frame.columns and name not in frame.columns
        }
    )
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
    sources = {
        name: (selection, feature)
        for selection in (served_service.selections if served_service.fitted is None else ())
        for name, feature in zip(selection.names, selection.features, strict=True)
    }
    parts = [
        _compared(workspace, keys, frame[name], served[name], sources.get(name)).with_columns(
            pl.lit(name).alias("feature")
        )
        for name in names
    ]
    return SetRecord(
        service=served_service.name,
        rows=frame.height,
        features=tuple(_summary(name, part, frame.height) for name, part in zip(names, parts, strict=True)),
        absent=tuple(name for name in dtypes if name not in names),
        ignored=ignored,
        cells=_cells(served_service, parts),
    )


def _compared(
    workspace: Workspace,
    keys: pl.DataFrame,
    values: pl.Series,
    served: pl.Series,
    source: tuple[Selection, str] | None,
) -> pl.DataFrame:
    """Return the cells of a feature that differ, each with its cause and when its value was known before and later."""
    if values.dtype.is_float():
        values = values.fill_nan(None)
    value = values.cast(served.dtype, strict=False)
    cells = keys.with_columns(value.alias(_GIVEN), served.alias(_SERVED))
    is_lost = values.is_not_null() & value.is_null()
    bits = [bits_of(pl.col(name), served.dtype) for name in (_GIVEN, _SERVED)]
    cells = cells.filter(bits[0].ne_missing(bits[1]) | is_lost).with_columns(bits[0].alias(_BITS))
    times = pl.Datetime("us", "UTC")
    if source is None or cells.is_empty():
        no_time = (pl.lit(None, dtype=times).alias(name) for name in (_FUTURE, _PAST))
        return cells.with_columns(pl.lit(SetCause.OTHER.value).alias("cause"), *no_time).drop(_BITS)
    selection, feature = source
    history = _history(workspace, selection, feature, served.dtype)
    by = [*selection.keys, _BITS]
    ordered = cells.sort(EVENT_TIMESTAMP)
    for name, strategy in ((_FUTURE, "forward"), (_PAST, "backward")):
        ordered = ordered.join_asof(
            history.with_columns(pl.col(EVENT_TIMESTAMP).alias(name)).sort(EVENT_TIMESTAMP),
            on=EVENT_TIMESTAMP,
            by=by,
            strategy=strategy,  # type: ignore[arg-type]
            # What became known at the time of the row was known then.
            allow_exact_matches=name == _PAST,
            check_sortedness=False,
        )
    is_value = pl.col(_GIVEN).is_not_null()
    is_later, is_before = (is_value & pl.col(name).is_not_null() for name in (_FUTURE, _PAST))
    cause = (
        pl.when(is_later & is_before)
        .then(pl.lit(SetCause.STALE_OR_FUTURE.value))
        .when(is_later)
        .then(pl.lit(SetCause.LEAKS_FUTURE.value))
        .when(is_before)
        .then(pl.lit(SetCause.STALE.value))
        .otherwise(pl.lit(SetCause.OTHER.value))
        .alias("cause")
    )
    known = (pl.when(is_value).then(name).alias(name) for name in (_FUTURE, _PAST))
    return ordered.with_columns(cause, *known).drop(_BITS)


def _history(workspace: Workspace, selection: Selection, feature: str, dtype: pl.DataType) -> pl.DataFrame:
    """Return the values that a feature had, by key, and the timestamps at which they became known.

    Of stored rows these are all rows, also those that never were the newest: an unaware join reads them.
    """
    view = selection.view
    if view.windows:
        service = workspace.catalog.request([f"{view.name}:{feature}"])
        [stored] = service.feature_names
        history = historical(workspace, None, service, end=_END)
    else:
        stored = feature
        rows = scan_view(view, workspace.layout).with_columns(known_at(view.timing).alias(KNOWN_AT))
        history = rows.select(*view.keys, stored, pl.col(KNOWN_AT).alias(EVENT_TIMESTAMP)).collect()
    return history.rename(dict(zip(view.keys, selection.keys, strict=True))).select(
        *selection.keys, EVENT_TIMESTAMP, bits_of(pl.col(stored), dtype).alias(_BITS)
    )


def _summary(name: str, cells: pl.DataFrame, rows: int) -> SetFeature:
    counts = dict(cells["cause"].value_counts().rows())
    return SetFeature(
        name=name,
        equal=rows - cells.height,
        leaking=counts.get(SetCause.LEAKS_FUTURE, 0),
        ambiguous=counts.get(SetCause.STALE_OR_FUTURE, 0),
        stale=counts.get(SetCause.STALE, 0),
        others=counts.get(SetCause.OTHER, 0),
    )


def _cells(service: FeatureService, parts: list[pl.DataFrame]) -> tuple[SetCell, ...]:
    """Describe the first cells of the rows with the most of them, those that know the future first."""
    located = pl.concat([part.select(_ROW, "feature", "cause") for part in parts])
    first = (
        located.with_columns(
            pl.len().over(_ROW).alias("count"),
            (pl.col("cause") != SetCause.LEAKS_FUTURE.value).alias("later"),
        )
        .sort("count", _ROW, "later", "feature", descending=[True, False, False, False])
        .head(MAX_CELLS)
    )
    personal = {column.name for column in service.features if column.personal}
    personal |= {
        key
        for selection in service.reads
        for key, stored in zip(selection.keys, selection.view.keys, strict=True)
        if selection.view.contract[stored].personal
    }
    by_name = {part["feature"][0]: part for part in parts if part.height}
    result = []
    for row in first.iter_rows(named=True):
        name = row["feature"]
        cell = by_name[name].row(by_predicate=pl.col(_ROW) == row[_ROW], named=True)
        words = {
            key: PERSONAL if key in personal else _text(cell[key])
            for key in (*service.key_schema, EVENT_TIMESTAMP)
        }
        result.append(
            SetCell(
                row=cell[_ROW],
                key=" ".join(f"{key}={word}" for key, word in words.items()),
                feature=name,
                value=PERSONAL if name in personal else _text(cell[_GIVEN]),
                served=PERSONAL if name in personal else _text(cell[_SERVED]),
                cause=SetCause(cell["cause"]),
                known_at=cell[_FUTURE],
                known_before=cell[_PAST],
            )
        )
    return tuple(result)


def _text(value: object) -> str:
    return utc_text(value) if isinstance(value, datetime) else str(value)
