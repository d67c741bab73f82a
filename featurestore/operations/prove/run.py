"""Run a scenario in a sandbox, and compare every answer with the plain loop and with the historical join."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.errors import ContractError, DefinitionError, FeatureStoreError, MissingPackageError
from featurestore.operations.prove.result import (
    CHANGES,
    GATE,
    HISTORICAL,
    WRITE,
    Answers,
    Difference,
    Questions,
    Result,
    answers_of,
    error_text,
)
from featurestore.operations.prove.sandbox import frame_of_rows
from featurestore.operations.prove.serving_paths import GetOnlinePath, ReaderPath
from featurestore.quality.gate.partition import BROKEN_RULES, SOURCE_ROW
from featurestore.testing.expected import ExpectedView, modelled_rules, pushed_rows_differ
from featurestore.testing.oracle import bits
from featurestore.testing.scenario import Action, Scenario, Step
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import status_column
from featurestore.values.plain import in_utc_zone, to_series
from featurestore.vectors.complete import complete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.operations.prove.sandbox import Sandbox
    from featurestore.ports import ServingPath
    from featurestore.testing.oracle import Row

MAX_DIFFERENCES: Final = 50


def run(scenario: Scenario, box: Sandbox, *, only: str | None = None) -> Result:
    """Run a scenario in an empty sandbox.

    Parameters
    ----------
    only
        Compare one path only. None: all.
    """
    return _Run(scenario, box, Result(only)).run()


class _Run:
    def __init__(self, scenario: Scenario, box: Sandbox, result: Result) -> None:
        self._scenario, self._box, self._result = scenario, box, result
        catalog = box.workspace.catalog
        self._views = {name: ExpectedView(catalog.view(name)) for name in scenario.rows}
        self._built: dict[str, list[Row]] = {}
        # By view or service, the questions that serving answered. The historical join answers them at the end.
        self._answered: dict[tuple[str, bool], list[Questions]] = {}

    def run(self) -> Result:
        for name in self._scenario.rows:
            self._guarded(name, None, lambda name=name: self._build(name))  # type: ignore[misc]
        actions: dict[Action, Callable[[Step], None]] = {
            Action.MATERIALIZE: self._materialize,
            Action.PUSH: self._push,
            Action.PUSH_REFUSED: self._push_refused,
            Action.DELETE: self._delete,
            Action.READ: self._read,
            Action.READ_REFUSED: self._read_refused,
        }
        for step in self._scenario.steps:
            if len(self._result.differences) < MAX_DIFFERENCES:
                action = actions[step.action]
                self._guarded(step.name, step, lambda step=step, action=action: action(step))  # type: ignore[misc]
        for (name, of_service), parts in self._answered.items():
            if self._result.compares(HISTORICAL):
                self._ask_historical(name, parts, of_service=of_service)
        if self._result.compares(CHANGES):
            for name in self._views:
                self._ask_changes(name)
        return self._result

    def _guarded(self, name: str, step: Step | None, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            if step is None and isinstance(error, DefinitionError):
                raise  # a check or an expectation cannot be used
            # All others: a user would meet them.
            self._result.add(Difference(name, WRITE if step else GATE, "done", error_text(error), step))

    def _build(self, name: str) -> None:
        """Let all rows through the gate, and compare what passes."""
        expected = self._views[name]
        rows, refused = self._scenario.rows[name], self._scenario.refused[name]
        inspection = self._box.set_rows(name, (*rows, *refused))
        failing = inspection.quarantined
        broken = dict(zip(failing[SOURCE_ROW].to_list(), failing[BROKEN_RULES].to_list(), strict=True))
        modelled = {rule.name for rule in modelled_rules(expected.view)}
        passing = []
        for number, row in enumerate((*rows, *refused)):
            is_refused = number >= len(rows)
            if number not in broken:
                passing.append(row)
                if is_refused:
                    self._result.add(Difference(name, GATE, "refused", "passed", None, row=row))
            elif not is_refused and modelled & set(broken[number]):
                actual = f"refused by {', '.join(broken[number])}"
                self._result.add(Difference(name, GATE, "passed", actual, None, row=row))
            elif not is_refused:
                self._result.left_out += 1
        self._result.refused += len(refused)
        self._result.passed[name] += len(passing)
        expected.add(passing)
        self._built[name] = expected.rows
        held = {_row_bits(row) for row in in_utc_zone(inspection.passed).to_dicts()}
        for row in expected.rows:
            if _row_bits(row) not in held:
                difference = Difference(name, GATE, "kept as it is", "changed by the gate", None, row=row)
                self._result.add(difference)

    def _materialize(self, step: Step) -> None:
        expected = self._views[step.name]
        until = max(step.at, expected.watermark or step.at)
        reached = self._box.materialize(step.name, until)
        expected.watermark = until
        if reached != until:
            texts = (f"watermark {until}", f"watermark {reached}")
            self._result.add(Difference(step.name, WRITE, *texts, step))

    def _push(self, step: Step) -> None:
        expected = self._views[step.name]
        at = max(step.at, expected.watermark or step.at)
        try:
            pushed = self._box.push(step.name, step.rows, step.at)
        except ContractError as error:
            broken = {count.rule for count in error.verdict.rules} if error.verdict is not None else set()
            if not broken or broken & modelled_rules(expected.view):
                raise
            self._result.left_out += len(step.rows)
            return
        after = [*self._built[step.name], *self._box.pushed(step.name)]
        wrong = pushed_rows_differ(expected.view, step.rows, expected.rows, after, at)
        if wrong is not None:
            self._result.add(Difference(step.name, WRITE, "the pushed rows in the log", wrong, step))
        expected.rows = after
        expected.watermark = pushed.until

    def _push_refused(self, step: Step) -> None:
        before = (self._box.pushed(step.name), self._box.watermark(step.name))
        self._result.refused += 1
        try:
            self._box.push(step.name, step.rows, step.at)
        except ContractError:
            if before != (self._box.pushed(step.name), self._box.watermark(step.name)):
                texts = ("nothing is written", "rows are written")
                self._result.add(Difference(step.name, GATE, *texts, step))
        else:
            self._result.add(Difference(step.name, GATE, "refused", "pushed", step, row=step.rows[-1]))

    def _delete(self, step: Step) -> None:
        expected = self._views[step.name]
        at = max(step.at, expected.watermark or step.at)
        self._box.delete(step.name, step.rows, at)
        expected.delete(step.rows, at)

    def _read(self, step: Step) -> None:
        service, as_of = self._service(step), self._as_of(step)
        rows, expected = self._expected(service, list(step.rows), as_of)
        frame = frame_of_rows(rows, _request_schema(service))
        questions = Questions(step.name, service.feature_schema, [step] * len(rows), rows, expected, as_of)
        for path in self._paths(step, as_of):
            try:
                answer = path.read(frame, service, as_of)
            except Exception as error:  # noqa: BLE001 - an application would meet it
                texts = ("an answer", error_text(error))
                self._result.add(Difference(step.name, path.name, *texts, step, as_of=as_of))
            else:
                self._result.compare(questions, path.name, answer)
        # Until then the store stands behind, and training knows more.
        if all(self._views[s.view.name].watermark == as_of for s in service.reads):
            history = self._answered.setdefault((step.name, step.of_service), [])
            dated = [{**row, EVENT_TIMESTAMP: as_of} for row in rows]
            history.append(replace(questions, rows=dated, as_of=None))

    def _read_refused(self, step: Step) -> None:
        service, as_of = self._service(step), self._as_of(step)
        frame = frame_of_rows(step.rows, _request_schema(service))
        reads: dict[str, Callable[[], Any]] = {
            path.name: lambda path=path: path.read(frame, service, as_of)  # type: ignore[misc]
            for path in self._paths(step, as_of)
        }
        if self._result.compares(HISTORICAL):
            reads[HISTORICAL] = lambda: self._box.historical(service, step.rows, as_of)
        for path, read in reads.items():
            self._result.refused += 1
            try:
                read()
            except MissingPackageError:
                raise  # a machine that lacks a package refuses nothing
            except FeatureStoreError:
                continue
            texts = ("refused", "answered")
            self._result.add(Difference(step.name, path, *texts, step, row=step.rows[0], as_of=as_of))

    def _expected(
        self, service: FeatureService, rows: list[Row], as_of: datetime
    ) -> tuple[list[Row], Answers]:
        """Return the entity rows that the functions of the service take, and the expected answer of each."""
        columns: Answers = {}
        for selection in service.reads:
            answers = self._views[selection.view.name].read(selection, rows, as_of)
            columns |= {name: [row[i] for row in answers] for i, name in enumerate(selection.names)}
        if not service.on_demand and service.fitted is None:
            return rows, columns
        # Another order of rows than the one that is asked for: each is computed alone.
        kept = list(range(len(rows)))
        completed = _completed(service, rows, columns, kept[::-1])
        if completed is None:
            kept = [i for i in kept if _completed(service, rows, columns, [i]) is not None]
            self._result.left_out += len(rows) - len(kept)
            completed = _completed(service, rows, columns, kept[::-1]) or {}
        return [rows[i] for i in kept], {name: values[::-1] for name, values in completed.items()}

    def _ask_historical(self, name: str, parts: Sequence[Questions], *, of_service: bool) -> None:
        """Ask training for all that was answered, now that everything is known."""
        steps = list(chain.from_iterable(part.steps for part in parts))
        rows = list(chain.from_iterable(part.rows for part in parts))
        if not rows:
            return
        expected: Answers = {
            feature: [answer for part in parts for answer in part.expected[feature]]
            for feature in parts[0].expected
        }
        try:
            answer = self._box.historical(name if of_service else [name], rows)
        except Exception as error:  # noqa: BLE001 - a user would meet it
            self._result.add(Difference(name, HISTORICAL, "an answer", error_text(error), steps[-1]))
            return
        self._result.compare(
            Questions(name, parts[0].schema, steps, rows, expected, None), HISTORICAL, answer
        )

    def _ask_changes(self, name: str) -> None:
        """Ask when rows of a view became known, from the timestamp of one to that of the last."""
        known = self._views[name].known_times()
        if not known:
            return
        start, end = known[(len(known) - 1) // 2][1], known[-1][1]
        expected = {pair for pair in known if start < pair[1] <= end}
        try:
            rows = self._box.changes(name, start, end)
        except Exception as error:  # noqa: BLE001 - a user would meet it
            self._result.add(Difference(name, CHANGES, "an answer", error_text(error), None, as_of=start))
            return
        keys = self._views[name].view.keys
        actual = [(tuple(row[key] for key in keys), row[EVENT_TIMESTAMP]) for row in rows]
        if len(actual) != len(expected) or set(actual) != expected:
            texts = (f"{len(expected)} keys and times after {start}", f"{len(actual)} keys and times")
            self._result.add(Difference(name, CHANGES, *texts, None, as_of=start))

    def _paths(self, step: Step, as_of: datetime) -> Iterator[ServingPath]:
        workspace = self._box.at(as_of)
        # A server and Feast know the services of the project. A view alone is read by its name in Python.
        by_name = (GetOnlinePath(workspace), ReaderPath(workspace))
        paths = workspace.serving_paths() if step.of_service else by_name
        return (path for path in paths if self._result.compares(path.name))

    def _service(self, step: Step) -> FeatureService:
        return self._box.workspace.service(step.name if step.of_service else [step.name])

    def _as_of(self, step: Step) -> datetime:
        """Return the timestamp of a step, or the latest watermark of what it reads: a store has no past."""
        marks = (self._views[s.view.name].watermark for s in self._service(step).reads)
        return max((step.at, *(mark for mark in marks if mark is not None)))


def _completed(
    service: FeatureService, rows: Sequence[Row], columns: Answers, numbers: Sequence[int]
) -> Answers | None:
    """Compute the on-demand features of some rows; None if a function does not take their values."""
    stored = {
        name: selection.view.feature_contract[feature].dtype
        for selection in service.reads
        for name, feature in zip(selection.names, selection.features, strict=True)
    }
    values = [
        to_series(name, [columns[name][i][0] for i in numbers], dtype) for name, dtype in stored.items()
    ]
    statuses = [
        pl.Series(status_column(name), [columns[name][i][1].value for i in numbers], dtype=pl.UInt8)
        for name in stored
    ]
    requested = frame_of_rows([rows[i] for i in numbers], _request_schema(service))
    try:
        return answers_of(complete(requested, pl.DataFrame([*values, *statuses]), service))
    except FeatureStoreError:
        return None


def _request_schema(service: FeatureService) -> pl.Schema:
    return pl.Schema({**service.key_schema, **service.request_schema})


def _row_bits(row: Row) -> frozenset[tuple[str, Any]]:
    return frozenset((name, bits(value)) for name, value in row.items())
