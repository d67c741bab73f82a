"""The command line. Heavy packages are imported inside commands, so that ``--help`` answers at once."""

from __future__ import annotations

import sys
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from typing import Annotated

import typer
from typer.core import TyperGroup

from featurestore.cli import (
    adopt,
    datasets,
    drift,
    features,
    gate,
    join,
    keys,
    proofs,
    releases,
    rows,
    scorecard,
    sets,
    start,
    steps,
    training,
)
from featurestore.cli.output import complain
from featurestore.cli.serve import serve
from featurestore.errors import (
    ConfigError,
    ContractError,
    DefinitionError,
    FeatureStoreError,
    MissingDataError,
    SkewError,
    StoreError,
)

BRANCHES = (DefinitionError, ContractError, SkewError, MissingDataError, ConfigError, StoreError)
EXIT_CODES = ", ".join(f"{error.exit_code} {error.outcome}" for error in BRANCHES)


class Commands(TyperGroup):
    """All commands. An empty word is refused here, for each of them: as a path it would be the current folder."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Parse the words after the name of the program.

        Raises
        ------
        typer.BadParameter
            If one is empty, or an option has an empty value.
        """
        for before, word in pairwise(["", *args]):
            if not word or (word.startswith("--") and word.endswith("=")):
                option = word.rstrip("=") or (before if before.startswith("-") else "")
                raise typer.BadParameter(
                    f"{option or 'an argument'} is empty, expected text; a variable of the shell may have no value",
                    ctx=ctx,
                )
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # A serving machine has no Rich.
    rich_markup_mode="markdown" if find_spec("rich") else None,
    help="A feature store: training and serving read the same values, bit for bit.\n\n"
    "Usual order: **ingest**, **validate**, **build**, **apply**, **training-set**, **materialize**, "
    "**get-online**, **audit**, **report**; `dvc repro` runs the steps that are out of date.\n\n"
    f"Exit codes: 0 done, 2 wrong usage, {EXIT_CODES}.\n\n"
    "Example: `featurestore check --project shop`",
)


def _print_version(requested: bool) -> None:  # noqa: FBT001 - Typer passes the option's value by position
    if requested:
        sys.stdout.write(f"featurestore {version('featurestore')}\n")
        raise typer.Exit


@app.callback()
def options(
    *,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Take the options that belong to no command; `app` holds the help text."""


app.command()(start.init)
app.command()(start.add)
app.command()(adopt.adopt)
app.command()(proofs.check)
app.command("check-leaks")(proofs.check_leaks)
app.command("audit-set")(sets.audit_set)
app.command()(steps.run)
app.command()(steps.ingest)
app.command()(gate.validate)
app.command()(gate.build)
app.command()(steps.apply)
app.command("training-set")(steps.training_set)
app.command()(training.rebuild)
app.command()(scorecard.scorecard)
app.command()(training.card)
app.command()(steps.materialize)
app.command("get-online")(features.get_online)
app.command()(features.explain)
app.command()(join.join)
app.command()(proofs.audit)
app.command()(proofs.prove)
app.command()(proofs.replay)
app.command()(gate.report)
app.command()(proofs.summary)
app.command()(proofs.pipeline)
for command in (*datasets.COMMANDS, *drift.COMMANDS, *rows.COMMANDS, *releases.COMMANDS, serve):
    app.command()(command)
app.add_typer(keys.key, name="key")


def main() -> None:
    """Run the command line; print an expected error as one message, and exit with its code."""
    try:
        app()
    except FeatureStoreError as error:
        complain(f"featurestore: {error}")
        sys.exit(error.exit_code)
