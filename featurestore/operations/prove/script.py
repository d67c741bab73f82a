"""A difference as a short Python script that a person can run."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from featurestore.operations.prove.result import CHANGES, GATE, HISTORICAL, WRITE
from featurestore.testing.scenario import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from featurestore.operations.prove.result import Difference
    from featurestore.testing.oracle import Row
    from featurestore.testing.scenario import Scenario, Step

HEAD: Final = '''"""{title}"""

from datetime import UTC, date, datetime
from decimal import Decimal
from math import inf, nan

import featurestore

project = featurestore.open({root!r})
with project.sandbox({embedded}) as sandbox:
'''
MAX_TITLE: Final = 300


def script_of(difference: Difference, scenario: Scenario, root: Path, *, embedded: bool) -> str:
    """Write the script of a difference.

    Parameters
    ----------
    scenario
        Shows the difference.
    root
        The project's folder.
    embedded
        Whether the difference was found on the embedded store.
    """
    head = HEAD.format(
        title=title_of(difference), root=str(root), embedded="embedded=True" if embedded else ""
    )
    lines = [line for part in _steps(difference, scenario) for line in part.splitlines()]
    return head + "".join(f"    {line}\n" for line in lines)


def title_of(difference: Difference) -> str:
    """Say in one line what differs."""
    subject = f"{difference.name}.{difference.feature}" if difference.feature else difference.name
    text = f"{subject}: expected {difference.expected}, {difference.path} {_verb(difference)} {difference.actual}"
    return text.replace("\\", "\\\\").replace('"""', "'''")[:MAX_TITLE]


def _verb(difference: Difference) -> str:
    return "has" if difference.path in (GATE, WRITE) else "answers"


def _steps(difference: Difference, scenario: Scenario) -> Iterator[str]:
    for view in scenario.rows:
        rows = (*scenario.rows[view], *scenario.refused[view])
        yield f"inspection = sandbox.set_rows({view!r}, {_rows(rows)})"
    if difference.path == CHANGES and difference.as_of is not None:
        yield f"print(sandbox.changes({difference.name!r}, {literal(difference.as_of)}, '9999-12-31T00:00:00Z'))"
    elif difference.step is None:
        yield "print(inspection.passed)\nprint(inspection.quarantined)"
    last_read = None
    for step in scenario.steps:
        if step.action is Action.READ and step == difference.step:
            last_read = step
            if difference.path != HISTORICAL:
                yield from _read(difference, step)
        elif step.action in (Action.READ, Action.READ_REFUSED):
            yield from _read(difference, step)
        elif step.action is Action.MATERIALIZE:
            yield f"sandbox.materialize({step.name!r}, {literal(step.at)})"
        elif step.action is Action.DELETE:
            yield f"sandbox.delete({step.name!r}, {_rows(step.rows)}, {literal(step.at)})"
        else:
            yield f"sandbox.push({step.name!r}, {_rows(step.rows)}, {literal(step.at)})"
    yield from _at_the_end(difference, last_read)


def _at_the_end(difference: Difference, last_read: Step | None) -> Iterator[str]:
    if last_read is not None and difference.path == HISTORICAL:
        yield from _read(difference, last_read)
    if difference.step is not None and difference.path == WRITE:
        yield f"print(sandbox.pushed({difference.step.name!r}))"
        yield f"print(sandbox.watermark({difference.step.name!r}))"


def _read(difference: Difference, step: Step) -> Iterator[str]:
    features = repr(step.name) if step.of_service else repr([step.name])
    as_of = literal(difference.as_of or step.at)
    if difference.path == HISTORICAL:
        yield f"answer = sandbox.historical({features}, {_rows(step.rows)}, {as_of})"
    else:
        yield f"answer = sandbox.read({features}, {_rows(step.rows)}, {as_of}, path={difference.path!r})"
    if difference.feature is None:
        yield "print(answer)"
    else:
        shown = (
            f"answer[{difference.feature!r}].to_list(), answer[{difference.feature + '__status'!r}].to_list()"
        )
        yield f'print("actual:  ", {shown})'
        yield f'print("expected:", {difference.expected!r})'


def _rows(rows: Sequence[Row]) -> str:
    if not rows:
        return "[]"
    lines = ",\n".join(f"    {literal(row)}" for row in rows)
    return f"[\n{lines},\n]"


def literal(value: Any) -> str:
    """Write a value as Python code; needs the imports of a script."""
    if isinstance(value, datetime):
        parts = [
            value.year,
            value.month,
            value.day,
            value.hour,
            value.minute,
            value.second,
            value.microsecond,
        ]
        while len(parts) > 3 and not parts[-1]:  # noqa: PLR2004 - a datetime needs a day
            parts.pop()
        return f"datetime({', '.join(map(str, parts))}, tzinfo=UTC)"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {literal(held)}' for name, held in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    return repr(value).removeprefix("datetime.")
