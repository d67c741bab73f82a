"""Scenarios: what happens to the views of a project, in order, and the questions in between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from featurestore.quality.gate.ahead import MAX_EVENT_AHEAD
from featurestore.testing.cases import CaseMaker, Deck, timestamps_of, window_edges
from featurestore.testing.domain import domain_of
from featurestore.timing.clock import MAX_SKEW
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.epoch import MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from random import Random

    from featurestore.definitions.contract import Column
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.testing.cases import Key, ViewCases
    from featurestore.testing.oracle import Row

CHANGES_OF_A_VIEW: Final = 9
ENDS_OF_A_VIEW: Final = 4
READS_OF_A_SERVICE: Final = 3
MAX_ENTITY_ROWS: Final = 40
MAX_REFUSED_REQUESTS: Final = 4
DAY: Final = timedelta(days=1)


class Action(StrEnum):
    """What a step does."""

    MATERIALIZE = "materialize"
    PUSH = "push"
    PUSH_REFUSED = "push that the gate refuses"
    DELETE = "delete"
    READ = "read"
    READ_REFUSED = "read that the request's contract refuses"


@dataclass(frozen=True)
class Step:
    """One step of a scenario.

    Attributes
    ----------
    name
        The view; for a read, the view or the feature service.
    rows
        Rows to push, keys to delete, or entity rows to ask for.
    of_service
        True: `name` is that of a feature service.
    """

    at: datetime
    action: Action
    name: str
    rows: tuple[Row, ...] = ()
    of_service: bool = False


@dataclass(frozen=True)
class Scenario:
    """Rows that are built, and the steps that follow.

    Attributes
    ----------
    rows
        For each view, the rows that come to the gate at the build.
    refused
        For each view, the rows that come with them and must be kept out.
    steps
        In the order of their time.
    """

    rows: Mapping[str, tuple[Row, ...]]
    refused: Mapping[str, tuple[Row, ...]]
    steps: tuple[Step, ...]


class ScenarioMaker:
    """Makes scenarios of feature views and services.

    Parameters
    ----------
    random
        Decides; equal seeds give equal scenarios.

    Attributes
    ----------
    impossible
        For each view and service without cases, the columns of which no value is known that keeps
        their checks.
    """

    def __init__(
        self, views: Iterable[FeatureView], services: Iterable[FeatureService], random: Random
    ) -> None:
        self._random = random
        makers = {view.name: CaseMaker(view, random) for view in views}
        self.impossible = {name: maker.impossible for name, maker in makers.items() if maker.impossible}
        self._makers = {name: maker for name, maker in makers.items() if not maker.impossible}
        self._requests: dict[str, _Requests] = {}
        for service in services:
            requests = _Requests(service, random)
            missing = {s.view.name for s in service.reads} & self.impossible.keys()
            columns = (*requests.impossible, *(c for name in missing for c in self.impossible[name]))
            if columns:
                self.impossible[service.name] = columns
            else:
                self._requests[service.name] = requests

    def scenario(self, base: datetime, count: int) -> Scenario:
        """Make the cases of up to `count` keys of each view, around a timestamp."""
        cases = {name: maker.cases(base, count) for name, maker in self._makers.items()}
        changes: dict[str, list[datetime]] = {}
        steps: list[Step] = []
        for name, view_cases in cases.items():
            changes[name], ends = timestamps_of(view_cases.rows, view_cases.view.timing)
            ends = [*ends, *self._sample(window_edges(view_cases), ENDS_OF_A_VIEW)]
            chosen = self._sample(changes[name], CHANGES_OF_A_VIEW)
            keys = tuple(dict(zip(view_cases.view.keys, key, strict=True)) for key in view_cases.keys)
            read = {
                at: Step(at, Action.READ, name, keys) for at in (*chosen, *self._sample(ends, ENDS_OF_A_VIEW))
            }
            steps += [Step(at, Action.MATERIALIZE, name) for at in chosen]
            steps += self._later(view_cases, changes[name])
            read |= {step.at: Step(step.at, Action.READ, name, keys) for step in steps if step.name == name}
            steps += read.values()
        steps += self._reads_of_services(cases, changes)
        first = min((step.at for step in steps), default=base) - DAY
        steps += [Step(first, Action.MATERIALIZE, name) for name in cases]
        order = {action: number for number, action in enumerate(Action)}
        steps.sort(key=lambda step: (step.at, order[step.action], step.name))
        return Scenario(
            {name: view_cases.rows for name, view_cases in cases.items()},
            {name: (*view_cases.refused, *view_cases.ties) for name, view_cases in cases.items()},
            tuple(steps),
        )

    def _later(self, cases: ViewCases, changes: Sequence[datetime]) -> Iterator[Step]:
        """Yield pushes and deletions, at timestamps at which nothing else happens to the view."""
        view, name = cases.view, cases.view.name
        keys = sorted({tuple(row[key] for key in view.keys) for row in cases.rows}, key=repr)
        if not keys:
            return
        at = self._random.choice(changes) + 1_001 * MICROSECOND
        deleted = self._sample(keys, 2)
        if view.timing.created:
            drawn = (self._pushed(cases, key, at) for key in self._sample(keys, 4))
            pushed = tuple(filter(self._makers[name].can_push, drawn))
            # Twice at one time, and once more.
            for later in (timedelta(0), timedelta(0), timedelta(minutes=3)) if pushed else ():
                at += later
                yield Step(at, Action.PUSH, name, pushed)
            # A push without times is stamped: these rows would pass.
            broken = [row for row in cases.refused if row[EVENT_TIMESTAMP] and row[CREATED_TIMESTAMP]]
            if broken:
                yield Step(at + MICROSECOND, Action.PUSH_REFUSED, name, (*pushed, *self._sample(broken, 1)))
        # By now the store holds every row of the keys that are deleted.
        at = changes[-1] + 2_003 * MICROSECOND
        yield Step(at, Action.MATERIALIZE, name)
        yield Step(at, Action.DELETE, name, tuple(dict(zip(view.keys, key, strict=True)) for key in deleted))
        if view.timing.created:
            maker = self._makers[name]
            older = [maker.row(key, event, None) for key, event in zip(deleted, (at, at - DAY), strict=False)]
            newer = [maker.row(key, at + MICROSECOND, None) for key in deleted[:1]]
            for ticks, rows in ((5, older), (9, newer)):
                if rows_to_push := tuple(filter(maker.can_push, rows)):
                    yield Step(at + ticks * MICROSECOND, Action.PUSH, name, rows_to_push)

    def _pushed(self, cases: ViewCases, key: Key, at: datetime) -> Row:
        """Make a row to push: a correction, a late event, or an event in the future."""
        keys = cases.view.keys
        events = [row[EVENT_TIMESTAMP] for row in cases.rows if tuple(row[name] for name in keys) == key]
        near = [event for event in events if event - at <= MAX_EVENT_AHEAD]
        event = self._random.choice([*near, at, at - timedelta(minutes=1), at + timedelta(minutes=1)])
        created = self._random.choice([None, min(event, at), at + MAX_SKEW / 2])
        row = self._makers[cases.view.name].row(key, event, None)
        return {**row, CREATED_TIMESTAMP: created}

    def _reads_of_services(
        self, cases: Mapping[str, ViewCases], changes: Mapping[str, Sequence[datetime]]
    ) -> Iterator[Step]:
        for name, requests in self._requests.items():
            views = list(dict.fromkeys(s.view.name for s in requests.service.reads))
            union = sorted({at for view in views for at in changes[view]})
            rows = requests.entity_rows({view: cases[view].keys for view in views})
            for at in self._sample(union, READS_OF_A_SERVICE):
                yield from (Step(at, Action.MATERIALIZE, view) for view in views)
                yield Step(at, Action.READ, name, rows, of_service=True)
            if union and rows:
                refused = requests.refused(rows[0])
                yield from (
                    Step(union[-1] + DAY, Action.READ_REFUSED, name, (row,), of_service=True)
                    for row in refused
                )

    def _sample(self, values: Sequence[Any], count: int) -> list[Any]:
        return self._random.sample(values, min(count, len(values)))


class _Requests:
    """Makes the entity rows of a service: keys of its views, and request values at their bounds."""

    def __init__(self, service: FeatureService, random: Random) -> None:
        self.service = service
        self._columns: dict[str, Column] = {
            column.name: column for view in service.on_demand for column in view.request.columns
        }
        domains = {name: domain_of(column, random) for name, column in self._columns.items()}
        allowed = {name: tuple(filter(_is_plain, domain.allowed)) for name, domain in domains.items()}
        self._refused = {name: tuple(filter(_is_plain, domain.refused)) for name, domain in domains.items()}
        nulls = {name: (None,) if column.nullable else () for name, column in self._columns.items()}
        self.impossible = tuple(name for name in allowed if not (*allowed[name], *nulls[name]))
        self._decks = {
            name: Deck((*values, *nulls[name]), random)
            for name, values in allowed.items()
            if name not in self.impossible
        }

    def entity_rows(self, keys: Mapping[str, Sequence[Key]]) -> tuple[Row, ...]:
        """Join keys of all views into rows, so that as many keys as possible are known."""
        reads = sorted(self.service.reads, key=lambda selection: -len(selection.keys))
        count = min(MAX_ENTITY_ROWS, max((len(keys[s.view.name]) for s in reads), default=1))
        rows = []
        for number in range(count):
            row: Row = {}
            for selection in reads:
                known = [dict(zip(selection.keys, key, strict=True)) for key in keys[selection.view.name]]
                fitting = [
                    key for key in known if all(row.get(name, value) == value for name, value in key.items())
                ]
                chosen = fitting or known
                row = {**chosen[number % len(chosen)], **row}
            rows.append(row | {name: deck.draw() for name, deck in self._decks.items()})
        return tuple(rows)

    def refused(self, row: Row) -> Iterator[Row]:
        """Yield rows that break the contract of one request value."""
        for name, values in self._refused.items():
            yield from ({**row, name: value} for value in values[:MAX_REFUSED_REQUESTS])


def _is_plain(value: Any) -> bool:
    """Return whether JSON can carry a value."""
    return not isinstance(value, float) or math.isfinite(value)
