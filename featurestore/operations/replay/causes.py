"""The causes of a replay: why a served cell is not the cell of the historical join.

Each cause is shown by recomputing the vector in another way, such as with the rows that were known at the watermark of
the store, and by the state of the store in the log. What was being written when the request arrived is not a difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from featurestore.operations.audit.causes import Cause
from featurestore.operations.audit.record import differing_rows
from featurestore.operations.replay.vectors import (
    deleted_after,
    sources_of,
    uncommitted,
    vectors_at,
    vectors_at_watermarks,
    vectors_without,
)
from featurestore.storage import served_columns as columns
from featurestore.timing.columns import EVENT_SUFFIX
from featurestore.timing.join import Status, status_column
from featurestore.values.rounding import is_rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.ports import ViewRows
    from featurestore.workspace import Workspace

Views: TypeAlias = tuple[str, ...]  # labels


@dataclass(frozen=True)
class Causes:
    """What `causes_of` found.

    Attributes
    ----------
    offline
        The vectors of the historical join. A vector that was asked for while a push or a deletion was written is the
        one without it.
    causes
        The cause of each cell that differs, by feature and number of the row.
    in_flight
        Number of vectors that show the state before a push or a deletion that was being written.
    """

    offline: pl.DataFrame
    causes: dict[tuple[str, int], Cause]
    in_flight: int


def causes_of(workspace: Workspace, service: FeatureService, served: pl.DataFrame) -> Causes:
    """Join the features of a service to logged vectors, and name the cause of each cell that differs."""
    offline = vectors_at(workspace, service, served)
    names = service.feature_names
    suspects = _any_differs(names, offline, served).arg_true()
    if not suspects.len():
        return Causes(offline, {}, 0)
    offline, in_flight = _before_writes(workspace, service, served, offline, suspects)
    suspects = _any_differs(names, offline, served).arg_true()
    rows = _Rows(workspace, service, served[suspects], offline[suspects])
    causes = {
        (feature, suspects[i]): rows.cause(feature, i)
        for feature in names
        for i in differing_rows(feature, rows.offline, rows.served).arg_true()
    }
    return Causes(offline, causes, in_flight)


def _any_differs(names: tuple[str, ...], offline: pl.DataFrame, served: pl.DataFrame) -> pl.Series:
    masks = [differing_rows(name, offline, served).alias(str(i)) for i, name in enumerate(names)]
    return pl.DataFrame(masks).select(pl.any_horizontal(pl.all())).to_series()


def _before_writes(
    workspace: Workspace,
    service: FeatureService,
    served: pl.DataFrame,
    offline: pl.DataFrame,
    suspects: pl.Series,
) -> tuple[pl.DataFrame, int]:
    """Replace vectors that differ only by what was being written when the request arrived."""
    rows = served[suspects]
    matched = pl.Series(values=[], dtype=pl.UInt32)
    # Under a fixed clock, a write and the answer before it may have one timestamp: the second round takes these.
    for same_timestamp in (False, True) if workspace.settings.as_of is not None else (False,):
        writes = uncommitted(workspace.layout, service, rows, same_timestamp=same_timestamp)
        for files, positions in writes.items():
            before = vectors_without(workspace, service, rows[positions], files)
            same = ~_any_differs(service.feature_names, before, rows[positions])
            if not same.any():
                continue
            numbers = suspects[positions].filter(same)
            # The joined vectors, with these in the places of those that they replace.
            place = pl.Series("__place", [*range(offline.height), *numbers])
            offline = (
                pl.concat([offline, before.filter(same)])
                .with_columns(place)
                .unique("__place", keep="last")
                .sort("__place")
                .drop("__place")
            )
            matched = pl.concat([matched, numbers.cast(pl.UInt32)])
    return offline, matched.n_unique()


@dataclass(frozen=True)
class _Rows:
    """Logged vectors that differ, and what else they could have been."""

    workspace: Workspace
    service: FeatureService
    served: pl.DataFrame
    offline: pl.DataFrame
    masks: dict[tuple[str, str], list[bool]] = field(default_factory=dict)

    def cause(self, feature: str, i: int) -> Cause:
        """Return why a cell differs: the first cause that can be shown."""
        for name in self._inputs(feature):
            if not self._is("offline", name, i):
                return self.cause(name, i)
        views = tuple(selection.label for selection in self.service.sources_of(feature))
        return next((cause for cause, holds in _RULES if holds(self, feature, views, i)), Cause.UNKNOWN)

    @cached_property
    def undeleted(self) -> pl.DataFrame:
        """The vectors if no key was deleted."""
        return self._changed(lambda view: replace(view, deleted=()))

    @cached_property
    def built(self) -> pl.DataFrame:
        """The vectors if no row was pushed."""
        return self._changed(lambda view: replace(view, files=view.files[:1]))

    @cached_property
    def at_watermarks(self) -> pl.DataFrame:
        """The vectors of the rows that were known at the watermarks of the store."""
        return vectors_at_watermarks(self.workspace, self.service, self.served)

    @cached_property
    def later(self) -> pl.DataFrame:
        """The vectors of all rows, also of those that became known after the answer."""
        return vectors_at_watermarks(self.workspace, self.service, self.served, known_later=True)

    @cached_property
    def deleted_later(self) -> list[bool]:
        """Whether a key was deleted after the answer."""
        return deleted_after(self.workspace, self.service, self.served).to_list()

    @cached_property
    def sources(self) -> dict[str, str]:
        """Digests of the built rows now, by view."""
        return sources_of(self.workspace, self.service)

    def is_stale(self, _: str, __: Views, i: int) -> bool:
        """Whether the answer came from the cache of last known values."""
        return bool(self.served[columns.STALE][i])

    def is_deleted(self, feature: str, _: Views, i: int) -> bool:
        """Whether a deletion is on one side only."""
        absent = self.served[status_column(feature)][i] == Status.NOT_FOUND
        return self._is("undeleted", feature, i) or (absent and self.deleted_later[i])

    def lacks_push(self, feature: str, _: Views, i: int) -> bool:
        """Whether the store had not reached the time of a push."""
        return self._is("at_watermarks", feature, i) and self._is("built", feature, i)

    def lacks_late_rows(self, feature: str, _: Views, i: int) -> bool:
        """Whether the store had not reached the time of a row."""
        return self._is("at_watermarks", feature, i)

    def lost_push(self, feature: str, _: Views, i: int) -> bool:
        """Whether the store had reached the time of a push and answered without it."""
        return self._is("built", feature, i)

    def knew_later_row(self, feature: str, _: Views, i: int) -> bool:
        """Whether a row answered that was not known yet."""
        return self._is("later", feature, i)

    def has_late_rows(self, _: str, views: Views, i: int) -> bool:
        """Whether the rows were built again, and a later event answers now."""
        return any(self._other_source(view, i) and self._is_newer(view, i) for view in views)

    def has_other_rows(self, _: str, views: Views, i: int) -> bool:
        """Whether the rows were built again."""
        return any(self._other_source(view, i) for view in views)

    def lost_row(self, _: str, views: Views, i: int) -> bool:
        """Whether an earlier event answered than that of the row that the store should hold."""
        return any(self._is_newer(view, i) for view in views)

    def is_rounded(self, feature: str, _: Views, i: int) -> bool:
        """Whether the values differ by rounding only."""
        same_status = self.offline[status_column(feature)][i] == self.served[status_column(feature)][i]
        return same_status and is_rounded(self.offline[feature][i], self.served[feature][i])

    def is_computed(self, feature: str, views: Views, i: int) -> bool:
        """Whether an on-demand feature differs though its inputs do not."""
        return not self._is_stored(feature) and all(self._same_event(view, i) for view in views)

    def is_expired(self, feature: str, views: Views, i: int) -> bool:
        """Whether one row answered on both sides, and one side took it as expired."""
        statuses = {side[status_column(feature)][i] for side in (self.offline, self.served)}
        return Status.OUTSIDE_MAX_AGE in statuses and all(self._same_event(view, i) for view in views)

    def has_other_value(self, _: str, views: Views, i: int) -> bool:
        """Whether one row answered on both sides, with other values."""
        return all(self._logged(view) and self._same_event(view, i) for view in views)

    def _changed(self, change: Callable[[ViewRows], ViewRows]) -> pl.DataFrame:
        return vectors_at(self.workspace, self.service, self.served, change=change)

    def _is(self, vectors: str, feature: str, i: int) -> bool:
        """Whether a served cell is that of other vectors, an attribute of this object."""
        if (vectors, feature) not in self.masks:
            differs = differing_rows(feature, getattr(self, vectors), self.served)
            self.masks[vectors, feature] = (~differs).to_list()
        return self.masks[vectors, feature][i]

    def _other_source(self, view: str, i: int) -> bool:
        return self._logged(view) and self.served[columns.source(view)][i] != self.sources[view]

    def _is_newer(self, view: str, i: int) -> bool:
        """Whether the event that should answer is later than the one that answered."""
        expected, actual = self._events(view, i)
        return self._logged(view) and expected is not None and (actual is None or actual < expected)

    def _same_event(self, view: str, i: int) -> bool:
        expected, actual = self._events(view, i)
        return expected == actual

    def _events(self, view: str, i: int) -> tuple[datetime | None, datetime | None]:
        """Return the events that should answer and that answered; equal if the log does not say."""
        name = f"{view}{EVENT_SUFFIX}"
        expected: datetime | None = self.at_watermarks[name][i]
        actual: datetime | None = self.served[name][i] if self._logged(view) else expected
        return expected, actual

    def _logged(self, view: str) -> bool:
        """Whether the log says in which state the store was: logs of former versions do not."""
        return columns.source(view) in self.served.columns

    def _is_stored(self, feature: str) -> bool:
        return any(feature in selection.names for selection in self.service.selections)

    def _inputs(self, feature: str) -> Sequence[str]:
        """Return the features of the vector that an on-demand feature is computed from."""
        if self._is_stored(feature):
            return ()
        names = {name for selection in self.service.sources_of(feature) for name in selection.names}
        return tuple(name for name in self.service.feature_names if name in names)


# The first that holds is the cause.
_RULES: tuple[tuple[Cause, Callable[[_Rows, str, Views, int], bool]], ...] = (
    (Cause.STALE_ANSWER, _Rows.is_stale),
    (Cause.DELETED, _Rows.is_deleted),
    (Cause.PUSHED, _Rows.lacks_push),
    (Cause.LATE_DATA, _Rows.lacks_late_rows),
    (Cause.LOST_ROW, _Rows.lost_push),
    (Cause.PUSHED, _Rows.knew_later_row),
    (Cause.LATE_DATA, _Rows.has_late_rows),
    (Cause.OTHER_DATA, _Rows.has_other_rows),
    (Cause.LOST_ROW, _Rows.lost_row),
    (Cause.ROUNDED, _Rows.is_rounded),
    (Cause.REQUEST_VALUE, _Rows.is_computed),
    (Cause.EXPIRED, _Rows.is_expired),
    (Cause.STORE, _Rows.has_other_value),
)
