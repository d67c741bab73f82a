"""The expected state of a feature view after each step of a scenario: rows in a list, and the plain loop over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from featurestore.quality.rules.checks import check_id
from featurestore.quality.rules.rule_id import RuleId
from featurestore.testing import oracle
from featurestore.testing.domain import held, is_known
from featurestore.testing.expected_windows import change_times, expected_windows
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from featurestore.definitions.feature_view import FeatureView, Selection
    from featurestore.testing.cases import Key
    from featurestore.testing.oracle import Row
    from featurestore.timing.join import Status


@dataclass
class ExpectedView:
    """What a view holds.

    Attributes
    ----------
    rows
        All rows that passed the gate, at the build and by pushes, as they stand after it.
    deleted
        The time of the last deletion of each key.
    watermark
        Rows that are known by then are applied. None: nothing is applied.
    """

    view: FeatureView
    rows: list[Row] = field(default_factory=list)
    deleted: dict[Key, datetime] = field(default_factory=dict)
    watermark: datetime | None = None

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows that passed the gate."""
        self.rows += [after_gate(self.view, row) for row in rows]

    def delete(self, keys: Sequence[Row], at: datetime) -> None:
        """Delete keys at a timestamp."""
        self.deleted |= {self.key_of(row): at for row in keys}

    def key_of(self, row: Row, columns: Sequence[str] = ()) -> Key:
        """Return the key of a row; `columns` are the names of the key columns in it."""
        return tuple(row[name] for name in columns or self.view.keys)

    def read(
        self, selection: Selection, entity_rows: Sequence[Row], as_of: datetime
    ) -> list[list[tuple[Any, Status]]]:
        """Answer entity rows as a store at the watermark does."""
        timing = self.view.timing
        if self.view.windows:
            return [self._windows(selection, self.key_of(row, selection.keys), as_of) for row in entity_rows]
        state = (
            {}
            if self.watermark is None
            else oracle.store_at(self.watermark, self.rows, self.view.keys, timing, self.deleted)
        )
        return [
            [
                oracle.read(state.get(self.key_of(row, selection.keys)), feature, as_of, timing)
                for feature in selection.features
            ]
            for row in entity_rows
        ]

    def _windows(self, selection: Selection, key: Key, as_of: datetime) -> list[tuple[Any, Status]]:
        return expected_windows(
            selection,
            [row for row in self.rows if self.key_of(row) == key],
            watermark=self.watermark,
            as_of=as_of,
            deleted=[self.deleted[key]] if key in self.deleted else [],
        )

    def known_times(self) -> list[tuple[Key, datetime]]:
        """Return each key with the timestamps at which its answer may change, the first timestamp first.

        These are when a row of it becomes known; of windows, also when an event leaves one.
        """
        if self.view.windows:
            of_key: dict[Key, list[Row]] = {}
            for row in self.rows:
                of_key.setdefault(self.key_of(row), []).append(row)
            changes = {
                (key, at)
                for key, rows in of_key.items()
                for at in change_times(self.view, rows, [self.deleted[key]] if key in self.deleted else [])
            }
            return sorted(changes, key=lambda pair: pair[1])
        known = {(self.key_of(row), oracle.known_at(row, self.view.timing)) for row in self.rows}
        return sorted(known, key=lambda pair: pair[1])


def after_gate(view: FeatureView, row: Row) -> Row:
    """Return a row as it stands after the gate."""
    return {column.name: held(column, row[column.name]) for column in view.contract.columns}


def pushed_rows_differ(
    view: FeatureView, sent: Sequence[Row], before: Sequence[Row], after: Sequence[Row], at: datetime
) -> str | None:
    """Compare the rows of a view before and after a push with those that were sent; returns what is wrong, or None.

    A pushed row is created at the push, and wins over what was created by then for its key and event.
    """
    for row in sent:
        expected = after_gate(view, {CREATED_TIMESTAMP: None, **row})
        matches = [
            _created(candidate)
            for candidate in _of_event(view, expected, after)
            if all(oracle.is_same(candidate[name], expected[name]) for name in view.stored_schema)
        ]
        if not matches or max(matches) < at:
            return f"a pushed row is not in the log: {row!r}"
        if view.windows:
            continue
        earlier = [
            candidate
            for candidate in _of_event(view, expected, before)
            if max(matches) <= _created(candidate) <= at
            and any(not oracle.is_same(candidate[name], expected[name]) for name in view.stored_schema)
        ]
        if earlier:
            return f"a pushed row {row!r} does not win over an earlier one: {earlier[0]!r}"
    return None


def _of_event(view: FeatureView, row: Row, rows: Sequence[Row]) -> list[Row]:
    identity = (*view.keys, EVENT_TIMESTAMP)
    return [candidate for candidate in rows if all(candidate[name] == row[name] for name in identity)]


def _created(row: Row) -> datetime:
    created: datetime = row[CREATED_TIMESTAMP] or row[EVENT_TIMESTAMP]
    return created


def modelled_rules(view: FeatureView) -> frozenset[RuleId]:
    """Return the rules that plain Python decides for a view; a row may also break checks of the user's own."""
    rules = set()
    for column in view.contract.columns:
        of_column = (column.name,)
        rules |= {RuleId("not_null", of_column), RuleId("finite", of_column)}
        rules |= {check_id(check, column.name) for check in column.checks if is_known(check)}
    version = (EVENT_TIMESTAMP, CREATED_TIMESTAMP) if view.timing.created else (EVENT_TIMESTAMP,)
    return frozenset(rules | {RuleId("unique", (*view.keys, *version))})
