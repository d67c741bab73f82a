"""Whether an online store can answer for a view as of a timestamp."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import MissingDataError, SkewError
from featurestore.storage.made_by import find_fingerprint, other_definition
from featurestore.timing.clock import MAX_SKEW, ClockError
from featurestore.timing.epoch import timestamp_of
from featurestore.values.codec import ROW_FORMAT
from featurestore.values.wording import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import ViewState
    from featurestore.storage.layout import Layout

T = TypeVar("T")


def read_now(read: Callable[[datetime], T], now: datetime) -> T:
    """Read as of the current time, or as of the watermark of a store that is ahead of it by a small skew.

    Parameters
    ----------
    read
        Reads as of a timestamp.
    now
        The time of this machine.

    Raises
    ------
    ClockError
        If the store is ahead by more than `featurestore.timing.clock.MAX_SKEW`.
    """
    as_of = now
    while True:
        try:
            return read(as_of)
        except ClockError as error:
            if error.timestamp - now > MAX_SKEW:
                raise
            as_of = error.timestamp


def check_state(
    view: FeatureView, state: ViewState | None, as_of: datetime, layout: Layout | None = None
) -> ViewState:
    """Refuse a store that cannot answer for a view as of a timestamp.

    Parameters
    ----------
    layout
        Where the fingerprints of former definitions are kept, so that the error names what differs.

    Raises
    ------
    MissingDataError
        If the view is not materialized.
    SkewError
        If the store was written by another definition or in another format.
    ClockError
        If the store is ahead of `as_of`.
    """
    if state is None:
        raise MissingDataError(
            f"view {view.name!r} is not in the online store, or not with all of its rows",
            hint="run: featurestore materialize",
        )
    if state.row_format != ROW_FORMAT:
        raise SkewError(
            f"view {view.name!r}: the online store has rows of format {state.row_format}; this version of featurestore "
            f"reads format {ROW_FORMAT}",
            hint="run: featurestore materialize (and featurestore release, if a release is served)",
            commands=["featurestore materialize"],
        )
    if state.definition != fingerprint(view).digest:
        raise other_definition(
            f"view {view.name!r}: the online store was written by another definition of it",
            None if layout is None else find_fingerprint(state.definition, layout),
            view,
            then=["featurestore materialize"],
        )
    watermark = timestamp_of(state.watermark)
    if watermark > as_of:
        raise ClockError(
            f"view {view.name!r}: the watermark of the online store is {watermark.isoformat()}, "
            f"{duration_text(watermark - as_of)} after {as_of.isoformat()}: the store holds rows that were not known then",
            hint="read as of a later timestamp, or read the offline store; if that is the time of this machine, set its "
            "clock; if the clock is right, the next push or featurestore materialize brings the store back to it",
            clock="the time of the read",
            now=as_of,
            timestamp=watermark,
        )
    return state
