"""Commands of the gate: validate, build and report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, Names, opened_for_stage
from featurestore.cli.output import Output
from featurestore.cli.text import verdict_text
from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.project import Project
    from featurestore.quality.gate.verdict import Verdict

JUnit = Annotated[
    Path | None,
    typer.Option(
        "--junit", help="Also write a JUnit XML file, even if a dataset is refused.", show_default=False
    ),
]


def validate(names: Names = None, project: Folder = HERE, *, junit: JUnit = None, json: Json = False) -> None:
    """Let raw data through the gate; bad rows go to quarantine with the rules that they break.

    Validates all sources if no names are given. Checks a built dataset again if it is named. Exits with 4 if a dataset is
    refused; the other datasets are still validated, and --json prints every verdict.

    Example: `featurestore validate raw_flights --junit data/raw_flights.xml`
    """
    opened = opened_for_stage(project)
    out = Output(json)
    out.warn(opened.unversioned(names or list(opened.catalog.sources)))
    run = _Run(names or list(opened.catalog.sources), out, "validating")
    run.execute(opened.validate)
    run.finish(opened, junit)


def build(names: Names = None, project: Folder = HERE, *, junit: JUnit = None, json: Json = False) -> None:
    """Build datasets and feature views, each behind the gate.

    Builds all of them, inputs first, if no names are given. Exits with 4 at the first dataset that is refused; --json prints the
    verdicts up to and including that one.

    Example: `featurestore build carrier_punctuality`
    """
    opened = opened_for_stage(project)
    run = _Run(names or [derived.name for derived in opened.catalog.build_order()], Output(json), "building")
    run.execute(opened.build, until_refused=True)
    run.finish(opened, junit)


def report(names: Names = None, project: Folder = HERE, *, json: Json = False) -> None:
    """Write HTML pages of the last runs: one for each dataset, and an index.

    Example: `featurestore report raw_flights`
    """
    opened = opened_for_stage(project)
    path = opened.report(names or ())
    pages = [str(opened.layout.page(name)) for name in names or ()]
    Output(json).result({"report": str(path), "pages": pages}, "\n".join(pages or [str(path)]))


@dataclass
class _Run:
    """One pass of the gate over several datasets."""

    names: Sequence[str]
    out: Output
    doing: str
    verdicts: list[Verdict] = field(default_factory=list)
    refusals: dict[str, ContractError] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)

    def execute(self, verb: Callable[[str], Verdict], *, until_refused: bool = False) -> None:
        """Run the verb for each dataset, and collect verdicts and refusals."""
        self.waiting = list(self.names)
        with self.out.progress(len(self.names), self.doing) as step:
            while self.waiting and not (until_refused and self.refusals):
                name = self.waiting.pop(0)
                step(name)
                try:
                    self.verdicts.append(verb(name))
                except ContractError as error:
                    self.refusals[name] = error
                    if error.verdict is not None:
                        self.verdicts.append(error.verdict)

    def finish(self, project: Project, junit: Path | None) -> None:
        """Print the verdicts, write the JUnit file, and raise the first refusal."""
        if junit is not None:
            errors = {name: str(error) for name, error in self.refusals.items() if error.verdict is None}
            project.quality.write_junit(junit, self.verdicts, errors=errors, skipped=self.waiting)
        # For one refused dataset, the error message is enough.
        if self.out.json or not self.refusals or len(self.names) > 1:
            self.out.result([verdict.record() for verdict in self.verdicts], verdict_text(self.verdicts))
        if self.refusals:
            raise next(iter(self.refusals.values()))
