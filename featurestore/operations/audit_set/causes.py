"""The cells of a training set that serving would not have given, each with its cause in the history of the feature."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.operations.audit_set.record import SetCause
from featurestore.operations.historical import historical
from featurestore.storage.views import scan_view
from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.known_at import known_at
from featurestore.values.bits import bits_of
from featurestore.values.rounding import equal_when_rounded
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.historical import changes

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import Selection
    from featurestore.workspace import Workspace

# Columns of the cells: the value of the training set and of serving, when the value was known after and before, and whether
# rounding explains it.
GIVEN: Final = "__given"
SERVED: Final = "__served"
FUTURE: Final = "__future"
PAST: Final = "__past"
ROUNDED: Final = "__rounded"
# After each row, also of data that a fixed `as_of` does not reach.
_END: Final = datetime(9000, 1, 1, tzinfo=UTC)
_BITS: Final = "__bits"


def different_cells(
    workspace: Workspace,
    service: FeatureService,
    keys: pl.DataFrame,
    features: pl.DataFrame,
    served: pl.DataFrame,
) -> dict[str, pl.DataFrame]:
    """Return for each feature the cells that differ, with their causes, and when their values were known.

    Parameters
    ----------
    keys
        Keys and timestamp of each row, and what else the cells keep.
    features
        Those of the training set.
    served
        All features, as serving would have given them.
    """
    cells = {name: _different(keys, features[name], served[name]) for name in features.columns}
    causes: dict[str, pl.DataFrame] = {}
    # Features of on-demand views and fitted ones have no history.
    for selection in service.selections if service.fitted is None else ():
        names = dict(zip(selection.names, selection.features, strict=True))
        of_view = {name: names[name] for name in names if name in cells and cells[name].height}
        if not of_view:
            continue
        wanted = pl.concat([cells[name].select(selection.keys) for name in of_view]).unique()
        history = _history(workspace, selection, list(of_view.values()), wanted)
        for name, stored in of_view.items():
            known = history.select(
                *selection.keys, EVENT_TIMESTAMP, bits_of(pl.col(stored), served.schema[name]).alias(_BITS)
            )
            causes[name] = _with_cause(cells[name], known, [*selection.keys, _BITS])
    described = {name: causes.get(name, _without_history(part)) for name, part in cells.items()}
    return {
        name: _with_rounded(_with_missing_key(part, _keys(service, name))).drop(_BITS)
        for name, part in described.items()
    }


def _different(keys: pl.DataFrame, values: pl.Series, served: pl.Series) -> pl.DataFrame:
    if values.dtype.is_float():
        values = values.fill_nan(None)
    value = values.cast(served.dtype, strict=False)
    cells = keys.with_columns(value.alias(GIVEN), served.alias(SERVED))
    is_lost = values.is_not_null() & value.is_null()
    patterns = [bits_of(pl.col(name), served.dtype) for name in (GIVEN, SERVED)]
    rounded = equal_when_rounded(values, served)
    return (
        cells.with_columns(rounded.alias(ROUNDED))
        .filter(patterns[0].ne_missing(patterns[1]) | is_lost)
        .with_columns(patterns[0].alias(_BITS))
    )


def _keys(service: FeatureService, feature: str) -> tuple[str, ...]:
    return tuple({key: None for selection in service.sources_of(feature) for key in selection.keys})


def _with_missing_key(cells: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """Give a missing key as the cause of the cells that have one: no row of a view answers them."""
    is_missing = pl.any_horizontal(pl.lit(value=False), *(pl.col(key).is_null() for key in keys))
    cause = pl.when(is_missing).then(pl.lit(SetCause.NO_KEY.value)).otherwise("cause")
    return cells.with_columns(cause.alias("cause"))


def _with_rounded(cells: pl.DataFrame) -> pl.DataFrame:
    """Give rounding as the cause of the cells that it explains; their history says nothing more."""
    times = (pl.when(~pl.col(ROUNDED)).then(name).alias(name) for name in (FUTURE, PAST))
    cause = pl.when(ROUNDED).then(pl.lit(SetCause.ROUNDED.value)).otherwise("cause").alias("cause")
    return cells.with_columns(cause, *times)


def _without_history(cells: pl.DataFrame) -> pl.DataFrame:
    no_time = (pl.lit(None, dtype=UTC_MICROSECONDS).alias(name) for name in (FUTURE, PAST))
    return cells.with_columns(*no_time, pl.lit(SetCause.OTHER.value).alias("cause"))


def _with_cause(cells: pl.DataFrame, history: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Look for the value of each cell among the values that were known before its row, and after it."""
    ordered = cells.sort(EVENT_TIMESTAMP)
    known = history.join(cells.select(by).unique(), on=by, how="semi").sort(EVENT_TIMESTAMP)
    for name, strategy in ((FUTURE, "forward"), (PAST, "backward")):
        ordered = ordered.join_asof(
            known.with_columns(pl.col(EVENT_TIMESTAMP).alias(name)),
            on=EVENT_TIMESTAMP,
            by=by,
            strategy=strategy,  # type: ignore[arg-type]
            # What became known at the time of the row was known then.
            allow_exact_matches=name == PAST,
            check_sortedness=False,
        )
    is_value = pl.col(GIVEN).is_not_null()
    is_later, is_before = (is_value & pl.col(name).is_not_null() for name in (FUTURE, PAST))
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
    times = (pl.when(is_value).then(name).alias(name) for name in (FUTURE, PAST))
    return ordered.with_columns(cause, *times)


def _history(
    workspace: Workspace, selection: Selection, features: list[str], wanted: pl.DataFrame
) -> pl.DataFrame:
    """Return the values that features of a view had for some keys, and the timestamps at which they became known.

    Of stored rows these are all rows, also those that never were the newest: an unaware join reads them.
    """
    view = selection.view
    keys = wanted.rename(dict(zip(selection.keys, view.keys, strict=True)))
    if view.windows:
        service = workspace.catalog.request([f"{view.name}:{feature}" for feature in features])
        timestamps = changes(service, workspace.rows_of(service), start=None, end=_END, keys=keys)
        history = historical(workspace, timestamps, service)
    else:
        rows = scan_view(view, workspace.layout).with_columns(known_at(view.timing).alias(KNOWN_AT))
        of_keys = rows.join(keys.lazy(), on=view.keys, how="semi") if view.keys else rows
        history = of_keys.select(*view.keys, *features, pl.col(KNOWN_AT).alias(EVENT_TIMESTAMP)).collect()
    return history.rename(dict(zip(view.keys, selection.keys, strict=True)))
