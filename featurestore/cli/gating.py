"""Commands of the gate: what judges datasets, and shows what was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, Names, opened_at
from featurestore.cli.output import Output
from featurestore.cli.text import verdict_text
from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.quality.gate.verdict import Verdict

JUnit = Annotated[
    Path | None,
    typer.Option("--junit", help="Also write a JUnit XML file, whatever the verdict.", show_default=False),
]


def validate(names: Names = None, project: Folder = HERE, *, junit: JUnit = None, json: Json = False) -> None:
    """Let raw data through the gate, on their values; bad rows go to quarantine with the rules they broke.

    Without names, every source. A built dataset named here is checked again where it lies. Exits with 4 if one is refused;
    the others are judged all the same, and with --json every verdict is printed.

    Example: `featurestore validate raw_flights --junit data/raw_flights.xml`
    """
    opened = opened_at(project)
    wanted = names or list(opened.catalog.sources)
    _judge(wanted, opened.validate, "validating", Output(json), junit)


def build(names: Names = None, project: Folder = HERE, *, junit: JUnit = None, json: Json = False) -> None:
    """Build datasets and feature views, each behind the gate.

    Without names, all of them, inputs first. Exits with 4 at the first that is refused; with --json the verdicts until
    then, and that one, are printed.

    Example: `featurestore build carrier_punctuality`
    """
    opened = opened_at(project)
    wanted = names or [derived.name for derived in opened.catalog.build_order()]
    _judge(wanted, opened.build, "building", Output(json), junit, until_refused=True)


def report(names: Names = None, project: Folder = HERE, *, json: Json = False) -> None:
    """Write HTML pages of what the last runs found: one for each dataset, and one over all.

    Example: `featurestore report raw_flights`
    """
    opened = opened_at(project)
    path = opened.report(names or ())
    pages = [str(opened.layout.page(name)) for name in names or ()]
    Output(json).result({"report": str(path), "pages": pages}, "\n".join(pages or [str(path)]))


def _judge(
    names: Sequence[str],
    verb: Callable[[str], Verdict],
    doing: str,
    out: Output,
    junit: Path | None,
    *,
    until_refused: bool = False,
) -> None:
    """Judge datasets one after another; tell all verdicts, also where one is refused, and then raise why."""
    verdicts: list[Verdict] = []
    refusals: dict[str, ContractError] = {}
    waiting = list(names)
    with out.progress(len(waiting), doing) as step:
        while waiting and not (until_refused and refusals):
            name = waiting.pop(0)
            step(name)
            try:
                verdicts.append(verb(name))
            except ContractError as error:
                refusals[name] = error
                if error.verdict is not None:
                    verdicts.append(error.verdict)
    if junit is not None:
        _write_junit(junit, verdicts, refusals, waiting)
    if out.json or not refusals or len(names) > 1:
        out.result([verdict.record() for verdict in verdicts], verdict_text(verdicts))
    if refusals:
        raise next(iter(refusals.values()))


def _write_junit(
    path: Path, verdicts: Sequence[Verdict], refusals: dict[str, ContractError], waiting: Sequence[str]
) -> None:
    from featurestore.report.junit import junit  # noqa: PLC0415
    from featurestore.storage.files import write_text  # noqa: PLC0415

    unjudged = {name: str(error) for name, error in refusals.items() if error.verdict is None}
    write_text(junit(verdicts, errors=unjudged, skipped=waiting), path)
