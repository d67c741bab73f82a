"""Whether an online store can answer for a view at a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.digest import view_digest
from featurestore.errors import MissingDataError, SkewError
from featurestore.timing.epoch import moment_of

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import ViewState


def check_state(view: FeatureView, state: ViewState | None, moment: datetime) -> ViewState:
    """Refuse a store that cannot answer for a view at a moment.

    Raises
    ------
    MissingDataError
        If the view is not materialized.
    SkewError
        If the store was written by another definition, or is ahead of `moment`.
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
    watermark = moment_of(state.watermark)
    if watermark > moment:
        raise SkewError(
            f"view {view.name!r}: the online store stands at {watermark.isoformat()}, after {moment.isoformat()}: "
            "it holds what was not known then",
            hint="ask for a later moment, or ask the offline store",
        )
    return state
