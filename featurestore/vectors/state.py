"""Whether an online store can answer for a view as of a timestamp."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import MissingDataError, SkewError
from featurestore.storage.made_by import find_fingerprint, other_definition
from featurestore.timing.epoch import timestamp_of
from featurestore.values.codec import ROW_FORMAT

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import ViewState
    from featurestore.storage.layout import Layout


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
        If the store was written by another definition or in another format, or is ahead of `as_of`.
    """
    if state is None:
        raise MissingDataError(
            f"view {view.name!r} is not in the online store", hint="run: featurestore materialize"
        )
    if state.row_format != ROW_FORMAT:
        raise SkewError(
            f"view {view.name!r}: the online store has rows of format {state.row_format}; this version of featurestore "
            f"reads format {ROW_FORMAT}",
            hint="run: featurestore materialize (and featurestore release, if a release is served)",
            commands=["featurestore materialize"],
        )
    now = fingerprint(view)
    if state.definition != now.digest:
        raise other_definition(
            f"view {view.name!r}: the online store was written by another definition of it",
            None if layout is None else find_fingerprint(state.definition, layout),
            now,
            then=["featurestore materialize"],
        )
    watermark = timestamp_of(state.watermark)
    if watermark > as_of:
        raise SkewError(
            f"view {view.name!r}: the watermark of the online store is {watermark.isoformat()}, after "
            f"{as_of.isoformat()}: the store holds rows that were not known then",
            hint="read as of a later timestamp, or read the offline store; if the store is ahead of the clock, run: "
            "featurestore materialize",
        )
    return state
