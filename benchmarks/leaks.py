"""How many planted leaks are found, and in what time: `check-leaks` beside leakprobe and timefence, on the same views and rows.

leakprobe gets each view as a function from a pandas frame to a pandas frame, the timestamp of the orders, and a cutoff in the
middle of them. timefence does not run functions of users: it gets the rows of the view as a source, and a training set with
one row at each of their timestamps. The wheel of temporal-leaks 0.1.0 holds no code. A peer that is not installed is named.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/operations")]

from planted_leaks import CLEAN, LEAKS, make_orders, write_shop  # noqa: E402 - found by the line above

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from featurestore.project import Project

COUNT = 14
SMALL = 2
INDEX = ["customer", "event_timestamp"]


def ours(project: Project, name: str) -> bool:
    """Build each row again from what was known at its timestamp."""
    [checked] = project.check_leaks([name]).views
    return checked.leaking > 0


def by_leakprobe(project: Project, name: str) -> bool:
    """Delay, shuffle and truncate the orders, and look for values that move although they must not."""
    import leakprobe  # noqa: PLC0415 - it may be absent

    function = project.catalog.view(name).function
    orders = project.read("orders")
    times = orders["ordered_at"]

    def compute(sources: dict[str, pd.DataFrame]) -> pd.DataFrame:
        rows = pl.from_pandas(sources["orders"]).cast(dict(orders.schema))
        built = function(rows.lazy()).collect().sort(INDEX).to_pandas()
        return built.set_index(INDEX)[["value"]].astype(float)

    report = leakprobe.check(
        compute=compute,
        sources={"orders": orders.to_pandas()},
        timestamps={"orders": "ordered_at"},
        declared={"value": ["orders"]},
        cutoff=times.sort()[times.len() // 2],
    )
    return bool(report.leaks or report.future)


def by_timefence(project: Project, name: str) -> bool:
    """Join the rows of the view again, and compare them with a training set that holds them."""
    import timefence  # noqa: PLC0415 - it may be absent

    function = project.catalog.view(name).function
    rows = function(project.dataset("orders")).collect().select(*INDEX, "value").drop_nulls("value")
    with tempfile.TemporaryDirectory() as folder:
        source, training = Path(folder) / "source.parquet", Path(folder) / "training.parquet"
        rows.write_parquet(source)
        rows.rename({"event_timestamp": "label_time", "value": "value__value"}).write_parquet(training)
        feature = timefence.Feature(
            timefence.Source(path=str(source), keys=["customer"], timestamp="event_timestamp", name="orders"),
            columns="value",
            name="value",
        )
        report = timefence.audit(
            str(training), [feature], keys=["customer"], label_time="label_time", join="inclusive"
        )
    return bool(report.has_leakage)


SUBJECTS: dict[str, tuple[str | None, Callable[[Any, str], bool]]] = {
    "check-leaks": (None, ours),
    "leakprobe": ("leakprobe", by_leakprobe),
    "timefence": ("timefence", by_timefence),
}


def main() -> None:
    """Print how many of the planted leaks each finds, how many clean views it calls leaking, and how long a view takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a few views")
    parser.add_argument("--verbose", action="store_true", help="name what is not found")
    arguments = parser.parse_args()
    limit = SMALL if arguments.small else None
    leaks, clean = list(LEAKS)[:limit], list(CLEAN)[:limit]
    with tempfile.TemporaryDirectory() as folder:
        project = write_shop(Path(folder), make_orders(COUNT, 2))
        present = {}
        for subject, (module, find) in SUBJECTS.items():
            if module is not None and find_spec(module) is None:
                print(f"skipped: {subject}: {module} is not installed")
            else:
                present[subject] = find
        print(f"{len(leaks)} planted leaks, {len(clean)} clean views of {COUNT} orders")
        print(f"{'':14}{'found':>8}{'alarms':>8}{'ms/view':>9}{'errors':>8}")
        for subject, find in present.items():
            measure(subject, find, project, leaks, clean, verbose=arguments.verbose)


def measure(
    subject: str,
    find: Callable[[Any, str], bool],
    project: Project,
    leaks: list[str],
    clean: list[str],
    *,
    verbose: bool,
) -> None:
    """Print the line of one subject. A view on which it fails is counted as an error, and not as found."""
    results: dict[str, bool] = {}
    errors: dict[str, str] = {}
    start = time.perf_counter()
    for name in (*leaks, *clean):
        try:
            results[name] = find(project, name)
        except Exception as error:  # noqa: BLE001 - peers raise what they like; each error is printed and counted
            errors[name] = f"{type(error).__name__}: {error}"
    milliseconds = (time.perf_counter() - start) * 1000 / len([*leaks, *clean])
    matches = sum(results.get(name, False) for name in leaks)
    alarms = sum(results.get(name, False) for name in clean)
    print(f"{subject:14}{matches:>8}{alarms:>8}{milliseconds:>9.0f}{len(errors):>8}")
    if verbose:
        print("  not found:", ", ".join(name for name in leaks if not results.get(name, False)))
        for name, message in errors.items():
            print(f"  {name}: {message.splitlines()[0][:150]}")


if __name__ == "__main__":
    main()
