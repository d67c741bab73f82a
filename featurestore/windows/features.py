"""The features of a view at timestamps: its windows, in the dtypes that its schema declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.errors import ContractError
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.windows.aggregation import NUMERIC, Aggregation
from featurestore.windows.join import windows_at
from featurestore.windows.overflow import WindowOverflowError, overflow_hint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from featurestore.timing.known_at import Timing

_LAST_EVENT: Final = "__last_event"


def features_at(
    questions: pl.DataFrame,
    events: pl.DataFrame,
    windows: Mapping[str, Aggregation],
    dtypes: Mapping[str, pl.DataType],
    *,
    view: str,
    keys: Sequence[str],
    timing: Timing,
    identity: Sequence[str] = (),
    deletions: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Compute the features of a view for each question, as `featurestore.windows.join.windows_at` does.

    Parameters
    ----------
    dtypes
        The declared dtype of each window.
    view
        The name of the view, for messages.

    Returns
    -------
    pl.DataFrame
        The features, and the ``event_timestamp`` of the newest event that counts.

    Raises
    ------
    ContractError
        If a value does not fit into the dtype of its feature.
    """
    try:
        computed = windows_at(
            questions,
            events,
            {**windows, _LAST_EVENT: Aggregation("max", EVENT_TIMESTAMP)},
            keys=keys,
            timing=timing,
            identity=identity,
            deletions=deletions,
        )
    except WindowOverflowError as error:
        raise ContractError(
            f"feature view {view!r}: {error}", hint=overflow_hint(windows[error.window], dtypes[error.window])
        ) from error
    features = [
        _declared(computed[name], dtype, windows[name], f"feature view {view!r}, column {name!r}")
        for name, dtype in dtypes.items()
    ]
    return pl.DataFrame([*features, computed[_LAST_EVENT].alias(EVENT_TIMESTAMP)])


def _declared(values: pl.Series, dtype: pl.DataType, window: Aggregation, where: str) -> pl.Series:
    try:
        result = values.cast(dtype)
    except pl.exceptions.InvalidOperationError as error:
        raise _too_large(values, dtype, window, where) from error
    if dtype.is_float():
        # An infinite event, which a schema may let pass, is read as it is.
        exact = pl.lit(value=True) if window.kind in NUMERIC else values.is_finite()
        if pl.select((result.is_infinite() & exact).any()).item():
            raise _too_large(values, dtype, window, where)
    return result


def _too_large(values: pl.Series, dtype: pl.DataType, window: Aggregation, where: str) -> ContractError:
    return ContractError(
        f"{where}: a value of the window does not fit into {dtype}; the values are from {values.min()!r} to "
        f"{values.max()!r}",
        hint=overflow_hint(window, dtype),
    )
