"""Prove: on generated cases, show that every serving path answers what training joins, bit for bit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

import msgspec

from featurestore.adapters.stores import EMBEDDED
from featurestore.config import PROVE_CASES, PROVE_SEED
from featurestore.errors import SkewError
from featurestore.operations.prove.result import Difference, Result
from featurestore.operations.prove.run import run
from featurestore.operations.prove.sandbox import sandbox
from featurestore.operations.prove.script import script_of
from featurestore.operations.prove.shrink import shrink
from featurestore.testing.edges import CLOCK_CHANGES
from featurestore.testing.scenario import ScenarioMaker
from featurestore.timing.epoch import EPOCH
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.operations.materialize import Progress
    from featurestore.testing.scenario import Scenario
    from featurestore.workspace import Workspace

CASES_OF_A_ROUND: Final = 24
MAX_SCRIPTS: Final = 1
MAX_SHOWN: Final = 10


class ProvedDifference(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is not the expected one.

    Attributes
    ----------
    store
        The kind of online store: ``"lmdb"``, ``"redis"`` or ``"postgres"``.
    name
        The view or feature service.
    path
        What gave the answer: a serving path, ``"historical"``, ``"gate"`` or ``"write"``.
    feature
        None: the whole answer is wrong, such as an error.
    row
        The entity row, or the row at the gate, as text.
    as_of
        The timestamp of reading, in UTC. None: the answer has none, such as a decision of the gate.
    expected, actual
        Value and status, as text.
    script
        A short Python script that shows the difference. None: only the first differences have one.
    """

    store: str
    name: str
    path: str
    feature: str | None
    row: str | None
    as_of: datetime | None
    expected: str
    actual: str
    script: str | None = None


class ProofRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a proof. A cell is one feature of one entity row: its value and its status.

    Attributes
    ----------
    seed, cases
        What the cases were generated from: equal numbers and definitions give equal cases.
    stores
        The kinds of online stores that were written and read.
    views, services
        What was proved.
    rows
        How many rows came to the gates.
    refused
        How many rows and requests had to be refused.
    left_out
        How many rows a check or a function of the project's own did not take.
    cells
        How many cells were compared with the expected ones.
    paths
        The same, by serving path and for ``historical``.
    unproved
        Views and services without cases: no value is known that keeps the checks of these columns. Without
        columns: no generated row passes the gate of the view.
    differences
        What differs; the first of them have a script.
    """

    seed: int
    cases: int
    stores: tuple[str, ...]
    views: tuple[str, ...]
    services: tuple[str, ...]
    rows: int
    refused: int
    left_out: int
    cells: int
    paths: dict[str, int]
    unproved: dict[str, tuple[str, ...]]
    differences: tuple[ProvedDifference, ...]

    def require_parity(self) -> None:
        """Raise if something differs.

        Raises
        ------
        SkewError
            If an answer is not the expected one; the message names the first few.
        """
        if self.differences:
            shown = "\n".join(
                f"  {d.name}{f'.{d.feature}' if d.feature else ''} by {d.path} on {d.store}: expected {d.expected}, "
                f"got {d.actual}"
                for d in self.differences[:MAX_SHOWN]
            )
            raise SkewError(
                f"{counted(len(self.differences), 'difference')} in generated cases (seed {self.seed})\n{shown}",
                hint="run the script that `featurestore prove` prints: it shows the first difference alone",
            )


def prove(
    workspace: Workspace,
    *,
    cases: int = PROVE_CASES,
    seed: int = PROVE_SEED,
    progress: Progress = lambda *_: None,
) -> ProofRecord:
    """Prove the views and services of a project on cases that are generated from their schemas.

    Each case is a history of one key: values at the bounds of the contract, nulls, late rows, corrections,
    pushes, deletions, expiry. The cases go through the gate into a sandbox with an online store of its own,
    are materialized in steps, and are read at the timestamps at which answers change. Each answer is
    compared with a plain loop over the rows and, at the end, with the historical join. Rows beyond the
    bounds must be refused. What the project serves is not touched.

    Parameters
    ----------
    cases
        How many histories of each view.
    seed
        Decides the cases.
    progress
        Called with the kind of a store, the rounds that are done on it, and the rounds to do.

    Raises
    ------
    StoreError
        If the configured store does not answer.
    DefinitionError
        If a check or an expectation of a schema fails to run.
    MissingPackageError
        If a package that a path needs is not installed.
    """
    catalog = workspace.catalog
    total = Result()
    rows = 0
    differences: list[ProvedDifference] = []
    unproved: dict[str, tuple[str, ...]] = {}
    for number, (scenario, unknown) in enumerate(_scenarios(workspace, cases, seed)):
        unproved |= unknown
        for store in _stores(workspace):
            embedded = store == EMBEDDED
            with sandbox(workspace, embedded=embedded) as box:
                result = run(scenario, box)
            progress(store, number + 1, -(-cases // CASES_OF_A_ROUND))
            _add(total, result)
            rows += sum(len(part) for held in (scenario.rows, scenario.refused) for part in held.values())
            differences += _described(workspace, scenario, result.differences, store)
        if differences:
            break
    unproved |= {name: () for name, count in total.passed.items() if not count}
    return ProofRecord(
        seed=seed,
        cases=cases,
        stores=_stores(workspace),
        views=tuple(name for name in catalog.views if name not in unproved),
        services=tuple(name for name in catalog.services if name not in unproved),
        rows=rows,
        refused=total.refused,
        left_out=total.left_out,
        cells=sum(total.cells.values()),
        paths=dict(total.cells),
        unproved=unproved,
        differences=tuple(differences),
    )


def _stores(workspace: Workspace) -> tuple[str, ...]:
    """Return the kinds of the stores that a proof uses: the embedded one, and the configured one."""
    return tuple(dict.fromkeys((EMBEDDED, workspace.settings.online_kind)))


def _scenarios(
    workspace: Workspace, cases: int, seed: int
) -> Iterator[tuple[Scenario, dict[str, tuple[str, ...]]]]:
    catalog = workspace.catalog
    for number, done in enumerate(range(0, cases, CASES_OF_A_ROUND)):
        random = Random(f"{seed}/{number}")  # noqa: S311 - cases, not secrets
        maker = ScenarioMaker(catalog.views.values(), catalog.services.values(), random)
        yield maker.scenario(_base(number, random), min(CASES_OF_A_ROUND, cases - done)), maker.impossible


def _base(number: int, random: Random) -> datetime:
    """Return the timestamp around which a round happens: clock changes, 1970, then any."""
    bases = (CLOCK_CHANGES[0], EPOCH, *CLOCK_CHANGES[1:])
    if number < len(bases):
        return bases[number]
    return datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=random.randrange(10**15))


def _add(total: Result, result: Result) -> None:
    total.cells.update(result.cells)
    total.passed.update(result.passed)
    total.refused += result.refused
    total.left_out += result.left_out


def _described(
    workspace: Workspace, scenario: Scenario, differences: list[Difference], store: str
) -> Iterator[ProvedDifference]:
    """Describe differences. The first gets a script, of a scenario that is made small."""
    for number, difference in enumerate(differences):
        script = _script(workspace, scenario, difference, store) if number < MAX_SCRIPTS else None
        yield ProvedDifference(
            store=store,
            name=difference.name,
            path=difference.path,
            feature=difference.feature,
            row=None if difference.row is None else _text(difference.row),
            as_of=difference.as_of,
            expected=difference.expected,
            actual=difference.actual,
            script=script,
        )


def _script(workspace: Workspace, scenario: Scenario, difference: Difference, store: str) -> str:
    embedded = store == EMBEDDED

    def reproduce(smaller: Scenario) -> Difference | None:
        with sandbox(workspace, embedded=embedded) as box:
            differences = run(smaller, box, only=difference.path).differences
        same = (d for d in differences if (d.name, d.feature) == (difference.name, difference.feature))
        return next(same, None)

    small, last = shrink(scenario, difference, workspace.catalog, reproduce)
    return script_of(last, small, workspace.root, embedded=embedded)


def _text(row: dict[str, Any]) -> str:
    return f"{row!r:.300}"
