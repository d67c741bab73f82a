"""What a run of a scenario found: cells that were compared, and answers that are not the expected ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from featurestore.errors import MissingPackageError
from featurestore.testing.answers import answers
from featurestore.testing.oracle import is_same
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import Status, status_column

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import polars as pl

    from featurestore.testing.oracle import Row
    from featurestore.testing.scenario import Step

GATE: Final = "gate"
WRITE: Final = "write"
HISTORICAL: Final = "historical"
CHANGES: Final = "historical(start, end)"

# For each feature, the value and the status of each entity row.
Answers = dict[str, list[tuple[Any, Status]]]


@dataclass(frozen=True)
class Difference:
    """One answer, or one decision of the gate, that is not the expected one.

    Attributes
    ----------
    name
        The view or the feature service.
    path
        What gave the answer: a serving path, ``"historical"``, ``"gate"`` or ``"write"``.
    expected, actual
        Value and status, as text.
    step
        The step that reads or writes. None: the build.
    feature
        None: the whole answer is wrong, such as an error.
    row
        The entity row, or the row at the gate. None: the whole step is wrong.
    as_of
        The timestamp of reading, in UTC.
    """

    name: str
    path: str
    expected: str
    actual: str
    step: Step | None
    feature: str | None = None
    row: Row | None = None
    as_of: datetime | None = None


@dataclass(frozen=True)
class Questions:
    """Entity rows that are read from one view or service, each with its step, and the expected answers."""

    name: str
    schema: pl.Schema
    steps: Sequence[Step]
    rows: Sequence[Row]
    expected: Answers
    as_of: datetime | None


@dataclass
class Result:
    """What a run found.

    Attributes
    ----------
    only
        The one path that is compared. None: all.
    cells
        How many cells each path answered.
    passed
        How many built rows of each view passed its gate.
    refused
        How many rows and requests had to be refused.
    left_out
        How many rows a check or a function of the project's own did not take.
    """

    only: str | None = None
    cells: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    left_out: int = 0
    differences: list[Difference] = field(default_factory=list)

    def compares(self, path: str) -> bool:
        """Return whether a path is compared."""
        return self.only in (None, path)

    def add(self, difference: Difference) -> None:
        """Add a difference, if its path is compared."""
        if self.compares(difference.path):
            self.differences.append(difference)

    def compare(self, questions: Questions, path: str, answer: pl.DataFrame) -> None:
        """Compare an answer with the expected one: dtypes, number of rows, values by their bits, statuses.

        Features that the answer does not have are not compared: a path says which values it cannot carry.
        """
        actual = answers_of(answer)
        for feature, values in questions.expected.items():
            if feature not in actual:
                continue
            self.cells[path] += len(values)
            shapes = (
                f"{questions.schema[feature]} x {len(values)}",
                f"{answer.schema[feature]} x {len(actual[feature])}",
            )
            if shapes[0] != shapes[1]:
                self.add(
                    Difference(
                        questions.name, path, *shapes, questions.steps[0], feature, as_of=questions.as_of
                    )
                )
                continue
            for step, row, value, answered in zip(
                questions.steps, questions.rows, values, actual[feature], strict=True
            ):
                if value[1] != answered[1] or not is_same(value[0], answered[0]):
                    at = row.get(EVENT_TIMESTAMP, questions.as_of)
                    texts = (_shown(value), _shown(answered))
                    self.add(Difference(questions.name, path, *texts, step, feature, row, at))


def answers_of(frame: pl.DataFrame) -> Answers:
    """Return the values and statuses of the features of a frame as plain Python values."""
    names = [name for name in frame.columns if status_column(name) in frame.columns]
    rows = answers(frame, names)
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def error_text(error: Exception) -> str:
    """Return an error that a user would meet as text of bounded length.

    Raises
    ------
    MissingPackageError
        If that is the error: a machine that lacks a package answers nothing, and says nothing about the views.
    """
    if isinstance(error, MissingPackageError):
        raise error
    return f"{type(error).__name__}: {error!s:.500}"


def _shown(answer: tuple[Any, Status]) -> str:
    return f"{answer[0]!r:.200} ({answer[1].name})"
