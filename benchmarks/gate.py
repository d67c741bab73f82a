"""The gate beside a hand-fused Polars query, Pandera, dataframely, pointblank and DuckDB's SQL.

``make bench-gate`` writes the same files for all and runs each subject in its own process: from the
file to the verdict and to the bad rows with their reasons in memory. It compares how many rows they
find, and prints seconds, peak memory and ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl
from gate_subjects import MODULES, ROWS_PER_GROUP, SUBJECTS, Case, model, write
from parallelism import HEADER, add_options, environment, measured_parallelism
from peers import peak_memory, runnable

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 5_000_000
WIDE_ROWS = 100_000
LARGE_ROWS = 100_000_000
SMALL_ROWS = 2_000
PART_ROWS = 10_000_000  # the large file is written in parts of this many rows
SLOW_SECONDS = 5  # a subject that takes longer runs once
WIDE = "300 columns, 1 % bad"
LARGE = "large"
# For each case: rows, number of columns (0: the usual ones), the distance between bad rows
# (0: none), whether the key must be unique.
CASES = {
    "clean": (ROWS, 0, 0, False),
    "0.1 % bad": (ROWS, 0, 1000, False),
    "10 % bad": (ROWS, 0, 10, False),
    "100 % bad": (ROWS, 0, 1, False),
    WIDE: (WIDE_ROWS, 300, 100, False),
    "unique key, clean": (ROWS, 0, 0, True),
    "unique key, 0.1 % twice": (ROWS, 0, 1000, True),
    LARGE: (LARGE_ROWS, 0, 1000, True),
}
# A process for each subject and case takes a second: a small run measures each subject once.
SMALL_CASES = ("10 % bad",)


def case_named(name: str, folder: Path, max_rows: int) -> Case:
    """Return a case whose file is in a folder, with at most `max_rows` rows."""
    rows, width, one_in, unique = CASES[name]
    rows = min(rows, max_rows)
    words = name.replace("%", "percent").replace(",", "").split()
    return Case(folder / f"{'_'.join((*words, str(rows)))}.parquet", rows, width, one_in, unique)


def measure(subject: str, case: Case, repeats: int, *, parallelism: bool) -> dict[str, Any]:
    """Run a subject in this process: once to warm up, then `repeats` times unless it is slow."""
    warnings.simplefilter("ignore")
    run = SUBJECTS[subject](case)
    seconds: list[float] = []
    cpu: list[float] = []

    def timed() -> int:
        start = time.perf_counter()
        cpu_start = time.process_time()
        bad_rows = run()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
        return bad_rows

    bad_rows = timed()
    with measured_parallelism(wanted=parallelism) as measured:
        while len(seconds) < repeats + 1 and seconds[-1] <= SLOW_SECONDS:
            timed()
    return {
        "seconds": min(seconds[1:] or seconds),
        "cpu": min(cpu[1:] or cpu),
        "bad_rows": bad_rows,
        "mb": peak_memory(),
        "parallelism": measured.line(),
    }


def spawn(subject: str, name: str, options: argparse.Namespace, repeats: int, threads: int) -> dict[str, Any]:
    """Measure a subject in a process of its own; return its figures, or an ``error``."""
    command = [sys.executable, __file__, "--subject", subject, "--case", name, "--repeats", str(repeats)]
    command += ["--folder", str(options.folder), "--max-rows", str(options.max_rows)]
    command += ["--parallelism"] if options.parallelism else []
    finished = subprocess.run(command, env=environment(threads), check=False, capture_output=True, text=True)
    if finished.returncode == 0:
        return json.loads(finished.stdout.splitlines()[-1])
    error = (finished.stderr.strip().splitlines() or [f"killed ({finished.returncode})"])[-1][:200]
    if options.small or subject == "featurestore":
        sys.exit(f"{subject} failed: {error}")
    return {"error": error}


def compare(name: str, subjects: list[str], options: argparse.Namespace, threads: int) -> None:
    """Measure all subjects on one case with a number of threads, and print its table."""
    case = case_named(name, options.folder, options.max_rows)
    write(case)
    print(f"\n{name}: {case.rows:,} rows; threads: {threads}")
    header = f"  {'':18}{'seconds':>10}{'x by hand':>11}{'CPU s':>9}{'peak MB':>9}{'bad rows':>11}"
    print(f"{header}{HEADER if options.parallelism else ''}")
    measured: dict[str, list[dict[str, Any]]] = {subject: [] for subject in subjects}
    for _ in range(options.rounds):
        for subject, runs in measured.items():
            if not runs or runs[0].get("seconds", SLOW_SECONDS) < SLOW_SECONDS:
                runs.append(spawn(subject, name, options, options.repeats, threads))
    hand_seconds = statistics.median(run["seconds"] for run in measured["by hand"])
    expected = measured["by hand"][0]["bad_rows"]
    for subject, runs in measured.items():
        if errors := [run["error"] for run in runs if "error" in run]:
            print(f"  {subject:18}  {errors[0]}")
            continue
        seconds = statistics.median(run["seconds"] for run in runs)
        cpu = statistics.median(run["cpu"] for run in runs)
        mb = max(run["mb"] for run in runs)
        bad_rows = runs[0]["bad_rows"]
        verdict = "" if bad_rows == expected else "  WRONG"
        print(
            f"  {subject:18}{seconds:10.3f}{seconds / hand_seconds:11.2f}{cpu:9.2f}{mb:9,.0f}{bad_rows:11,}"
            f"{runs[0]['parallelism']}{verdict}",
            flush=True,
        )
        if verdict and subject == "featurestore":
            sys.exit(f"featurestore found {bad_rows:,} bad rows in the case {name!r}; expected {expected:,}")


def milliseconds_per_call(call: Callable[[], object], calls: int) -> float:
    """Return the mean milliseconds of a call, after one to warm up."""
    call()
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return 1000 * (time.perf_counter() - start) / calls


def compare_one_row(options: argparse.Namespace) -> None:
    """Check one row of 300 columns, as serving does: our row gate, and Pandera."""
    from featurestore.definitions.contract import contract_of  # noqa: PLC0415
    from featurestore.quality.gate.row_gate import RowGate  # noqa: PLC0415

    case = case_named(WIDE, options.folder, options.max_rows)
    write(case)
    schema = model(case)
    frame = pl.read_parquet(case.path).slice(1, 1)
    gate = RowGate(contract_of(schema))
    row = frame.select(list(schema.to_schema().columns)).row(0)
    print(f"\none row of {len(frame.columns)} columns")
    print(f"  {'':18}{'ms':>10}")
    calls, few_calls = (20, 1) if options.small else (2_000, 3)
    print(f"  {'featurestore':18}{milliseconds_per_call(lambda: gate.admit([row]), calls):10.3f}")
    print(
        f"  {'pandera':18}{milliseconds_per_call(lambda: schema.validate(frame, lazy=True), few_calls):10.3f}"
    )


def write_large(case: Case) -> None:
    """Write a file of any size in bounded memory: rows repeat, and their ids continue."""
    rows = min(PART_ROWS, case.rows)
    part = Case(case.path.parent / "part.parquet", rows, case.width, case.one_in, unique=False)
    write(part)
    parts = [
        pl.scan_parquet(part.path).with_columns(pl.col("id") + number * rows)
        for number in range(case.rows // rows)
    ]
    pl.concat(parts).sink_parquet(case.path, row_group_size=ROWS_PER_GROUP)
    part.path.unlink()


def measure_large(options: argparse.Namespace, threads: int) -> None:
    """Let a large file through the gate: a key is unique, one row in a thousand is bad."""
    case = case_named(LARGE, options.folder, options.max_rows)
    if not case.path.exists():
        write_large(case)
    figures = spawn("featurestore", LARGE, options, repeats=0, threads=threads)
    print(
        f"\n{case.rows:,} rows, unique key, 0.1 % bad: {figures['seconds']:.1f} s, {figures['mb']:,.0f} MB, "
        f"{figures['bad_rows']:,} bad rows"
    )


def run_all(options: argparse.Namespace) -> None:
    """Print all tables that the options select."""
    subjects = [subject for subject in options.subjects if runnable(subject, MODULES.get(subject, ()))]
    for name, threads in product(options.cases, options.threads):
        if name == LARGE:
            measure_large(options, threads)
        else:
            compare(name, subjects, options, threads)
        if name == WIDE:
            compare_one_row(options)


def main() -> None:
    """Measure one subject, or all of them beside each other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", dest="cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--repeats", type=int, default=5, help="runs in each process, after one to warm up")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each subject")
    parser.add_argument("--max-rows", type=int, default=LARGE_ROWS, help="upper limit for the rows of a case")
    parser.add_argument("--small", action="store_true", help="tiny data and one run, to see that all works")
    parser.add_argument("--folder", type=Path, default=Path("data/bench/gate"), help="folder of the files")
    parser.add_argument("--subjects", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS))
    add_options(parser)
    parser.add_argument("--subject", choices=list(SUBJECTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subject:
        case = case_named(options.cases[0], options.folder, options.max_rows)
        print(json.dumps(measure(options.subject, case, options.repeats, parallelism=options.parallelism)))
        return
    with TemporaryDirectory() as temporary:
        if options.small:
            options.cases, options.folder = [*SMALL_CASES, LARGE], Path(temporary)
            options.rounds, options.repeats, options.max_rows = 1, 0, SMALL_ROWS
        run_all(options)
        if options.small:
            compare_one_row(options)


if __name__ == "__main__":
    main()
