"""Make a scenario that shows a difference smaller, while it still shows the difference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from featurestore.testing.scenario import Action, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from featurestore.definitions.catalog import Catalog
    from featurestore.operations.prove.result import Difference
    from featurestore.testing.oracle import Row

MAX_RUNS: Final = 40
Item = TypeVar("Item")


def shrink(
    scenario: Scenario,
    difference: Difference,
    catalog: Catalog,
    reproduce: Callable[[Scenario], Difference | None],
) -> tuple[Scenario, Difference]:
    """Leave out views, keys, steps and rows that the difference does not need.

    Parameters
    ----------
    scenario
        Shows the difference.
    reproduce
        Runs a scenario; returns the same difference in it, or None.

    Returns
    -------
    tuple
        The smallest scenario that was found within a few runs, and the difference in it.
    """
    runs = 0
    for make in (_about, _of_one_row, _without_steps, _without_rows, _with_plain_values):
        repeat = True
        while repeat:
            repeat = False
            for smaller in make(scenario, difference, catalog):
                if runs >= MAX_RUNS:
                    return scenario, difference
                runs += 1
                smaller_difference = reproduce(smaller)
                if smaller_difference is not None:
                    scenario, difference = smaller, smaller_difference
                    # Without this step or row, others can be left out: try again on the smaller scenario.
                    repeat = make in (_without_steps, _without_rows)
                    break
    return scenario, difference


def _views(difference: Difference, catalog: Catalog) -> set[str]:
    step = difference.step
    if step is None or not step.of_service:
        return {difference.name}
    return {selection.view.name for selection in catalog.service(difference.name).reads}


def _about(scenario: Scenario, difference: Difference, catalog: Catalog) -> Iterator[Scenario]:
    """Keep the views that are read, and the steps up to the one that shows the difference, without other reads."""
    views = _views(difference, catalog)
    rows = {name: rows for name, rows in scenario.rows.items() if name in views}
    refused = {
        name: rows if difference.step is None else ()
        for name, rows in scenario.refused.items()
        if name in views
    }
    if difference.step is None:
        yield Scenario(rows, refused, ())
        return
    steps = [step for step in scenario.steps if step.at <= difference.step.at and step.name in views]
    writes = [step for step in steps if step.action not in (Action.READ, Action.READ_REFUSED)]
    yield Scenario(rows, refused, (*(step for step in writes if step != difference.step), difference.step))
    # A later push may change what the historical join answers for the earlier timestamp.
    later = [
        step
        for step in scenario.steps
        if step.at > difference.step.at and step.name in views and step.action is Action.PUSH
    ]
    yield Scenario(
        rows, refused, (*(step for step in writes if step != difference.step), difference.step, *later)
    )


def _of_one_row(scenario: Scenario, difference: Difference, catalog: Catalog) -> Iterator[Scenario]:
    """Keep the keys of the one row that shows the difference."""
    row, step = difference.row, difference.step
    if row is None:
        return
    keys: dict[str, list[dict[str, object]]] = {}
    for view in _views(difference, catalog):
        names = catalog.view(view).keys
        columns = [names]
        if step is not None and step.of_service:
            reads = catalog.service(difference.name).reads
            columns = [selection.keys for selection in reads if selection.view.name == view]
        keys[view] = [{n: row[c] for n, c in zip(names, key_columns, strict=True)} for key_columns in columns]

    def kept(view: str, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        return tuple(r for r in rows if any(all(r[n] == v for n, v in key.items()) for key in keys[view]))

    steps = []
    for each in scenario.steps:
        if each == step:
            entity_row = {name: value for name, value in row.items() if name in each.rows[0]}
            steps.append(replace(each, rows=(entity_row,)))
        elif each.rows and each.name in keys:
            if rows := kept(each.name, each.rows):
                steps.append(replace(each, rows=rows))
        else:
            steps.append(each)
    yield Scenario(
        {view: kept(view, rows) for view, rows in scenario.rows.items()},
        {view: kept(view, rows) for view, rows in scenario.refused.items()},
        tuple(steps),
    )


def _without_steps(scenario: Scenario, difference: Difference, catalog: Catalog) -> Iterator[Scenario]:  # noqa: ARG001
    """Leave out half of the steps, or one step."""
    others = [step for step in scenario.steps if step != difference.step]
    for parts in _parts(others):
        kept = {id(step) for step in parts}
        yield replace(
            scenario,
            steps=tuple(step for step in scenario.steps if id(step) in kept or step == difference.step),
        )


def _without_rows(scenario: Scenario, difference: Difference, catalog: Catalog) -> Iterator[Scenario]:  # noqa: ARG001
    """Leave out half of the rows of a view, or one row."""
    for view, rows in scenario.rows.items():
        for parts in _parts(list(rows)):
            yield replace(scenario, rows={**scenario.rows, view: tuple(parts)})
    for view, rows in scenario.refused.items():
        for parts in _parts(list(rows)):
            yield replace(scenario, refused={**scenario.refused, view: tuple(parts)})


def _with_plain_values(scenario: Scenario, difference: Difference, catalog: Catalog) -> Iterator[Scenario]:
    """Give features that do not matter one value everywhere."""
    rows: dict[str, tuple[Row, ...]] = {}
    for view, held in scenario.rows.items():
        definition = catalog.view(view)
        others = [name for name in definition.stored_schema if name != difference.feature]
        plain: Mapping[str, object] = {name: held[0][name] for name in others} if held else {}
        plain = {n: None if definition.contract[n].nullable else value for n, value in plain.items()}
        rows[view] = tuple({**row, **plain} for row in held)
    yield replace(scenario, rows=rows)


def _parts(items: list[Item]) -> Iterator[list[Item]]:
    """Yield lists with half of the items, then lists without one of them."""
    half = len(items) // 2
    if half > 1:
        yield items[half:]
        yield items[:half]
    for number in reversed(range(len(items))):
        yield [*items[:number], *items[number + 1 :]]
