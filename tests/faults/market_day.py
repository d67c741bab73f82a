"""A day of the market: the commands that its people run, in order, until one of them does not succeed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from market import REQUESTS
from runner import Done, run
from serving import running

from featurestore.errors import FeatureStoreError

SERVE, CHECK = "serve", "check --reproducible"
PROVE_CASES = "2"


@dataclass(frozen=True)
class Alarm:
    """The first command of a day that did not succeed."""

    command: str
    exit_code: int
    message: str


def commands(folder: Path, *, trains: bool, pushes: bool) -> Iterator[tuple[str, ...]]:
    """List the commands of a day."""
    yield ("check",)
    yield "validate", "sales"
    yield "build", "account"
    yield "build", "branch_hour"
    yield ("apply",)
    if trains:
        yield "training-set", "visits"
        yield tuple(CHECK.split())
    yield ("materialize",)
    if pushes:
        yield "delete", "account", "region=north", "customer=kim"
        yield "push", "account", str(folder / "pushed.jsonl")
        yield "push", "account", str(folder / "corrected.jsonl")
    yield ("audit",)
    yield "prove", "--cases", PROVE_CASES
    yield ("check-leaks",)
    yield ("release",)
    yield (SERVE,)
    yield "replay", "buying"


def run_day(
    folder: Path,
    *,
    since: str = "check",
    until: str | None = None,
    trains: bool = False,
    pushes: bool = False,
) -> Alarm | None:
    """Run the commands of a day in order, until one does not succeed; None: all succeed.

    Parameters
    ----------
    since, until
        The first command, and the one before which to stop.
    trains, pushes
        Whether the training set is made again, and whether rows are pushed and deleted.
    """
    words = list(commands(folder, trains=trains, pushes=pushes))
    names = [name for name, *_ in words]
    for step in words[names.index(since) : None if until is None else names.index(until)]:
        done = serve(folder) if step == (SERVE,) else run(*step, cwd=folder)
        if done.returncode:
            return Alarm(
                CHECK if step == tuple(CHECK.split()) else step[0],
                done.returncode,
                done.stderr or done.stdout,
            )
    return None


def serve(folder: Path) -> Done:
    """Serve the active release, ask for the vector of each customer, and log the answers."""
    try:
        with running(folder, log_features=1.0) as client:
            response = client.vectors(*REQUESTS, service="buying")
    except FeatureStoreError as error:
        return Done(error.exit_code, "", str(error))
    return Done(0 if response.ok else response.status_code, "", response.text)
