"""Whether an answer holds expired values alone, as all data of the past do under the clock of today."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from featurestore.definitions.vector import origins_of
from featurestore.timing.join import Status, status_column
from featurestore.values.wording import duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.workspace import Workspace

ALIVE = (Status.PRESENT.value, Status.NULL_VALUE.value)


class OnlyExpired(msgspec.Struct, frozen=True, kw_only=True):
    """An answer whose stored values are all expired.

    Attributes
    ----------
    ttl
        For each view with expired values, the age at which they expire.
    """

    ttl: dict[str, timedelta]

    def __str__(self) -> str:
        views = ", ".join(f"view {name} (ttl {duration_text(ttl)})" for name, ttl in self.ttl.items())
        return (
            f"note: all stored values are expired (OUTSIDE_MAX_AGE): {views}\n"
            "  hint: for new data, run the pipeline again. For data of the past, set the time that stands for now: "
            'as_of: "2013-12-31T12:00:00Z" in online_store of feature_store.yaml; then run: featurestore materialize --full'
        )


def only_expired(
    workspace: Workspace, answer: pl.DataFrame, features: str | Sequence[str] | FeatureService
) -> OnlyExpired | None:
    """Return what is expired if an answer with statuses has expired values and none that is alive; else None.

    Raises
    ------
    UnknownNameError
        If a service, view or feature does not exist.
    """
    service = workspace.service(features)
    ttl: dict[str, timedelta] = {}
    origin = origins_of(service)
    for selection in service.selections:
        names = [name for name, feature in origin.items() if feature in selection.names]
        statuses = {status for name in names for status in answer[status_column(name)].unique()}
        if statuses & {*ALIVE}:
            return None
        if Status.OUTSIDE_MAX_AGE.value in statuses and selection.view.timing.ttl is not None:
            ttl[selection.view.name] = selection.view.timing.ttl
    return OnlyExpired(ttl=ttl) if ttl else None
