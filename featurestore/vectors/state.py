"""Whether an online store can answer for a view as of a timestamp."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.digest import view_digest
from featurestore.errors import MissingDataError, SkewError
from featurestore.timing.epoch import timestamp_of

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import ViewState


def check_state(view: FeatureView, state: ViewState | None, as_of: datetime) -> ViewState:
    """Refuse a store that cannot answer for a view as of a timestamp.

    Raises
    ------
    MissingDataError
        If the view is not materialized.
    SkewError
        If the store was written by another definition, or is ahead of `as_of`.
    """
    if state is None:
        raise MissingDataError(
            f"view {view.name!r} is not in the online store", hint="run: featurestore materialize"
        )
    if state.definition != view_digest(view):
        raise SkewError(
            f"view {view.name!r}: the online store was written by another definition of it",
            hint=f"run: featurestore build {view.name} && featurestore materialize",
        )
    watermark = timestamp_of(state.watermark)
    if watermark > as_of:
        raise SkewError(
            f"view {view.name!r}: the watermark of the online store is {watermark.isoformat()}, after "
            f"{as_of.isoformat()}: the store holds rows that were not known then",
            hint="read as of a later timestamp, or read the offline store",
        )
    return state
