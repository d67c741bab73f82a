"""The point-in-time join beside Feast's offline stores, hand-written Polars and DuckDB.

``make bench-offline`` runs every subject on the same files, each in its own process. It checks that
the results agree, prints seconds, peak memory and ratios, and plots both against rows.
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
from typing import TYPE_CHECKING

import polars as pl
from parallelism import HEADER, add_options, environment, measured_parallelism
from peers import peak_memory, print_skipped, runnable
from workload import SMALL_ROWS, VIEWS, feast_store, feature_names, featurestore_project, make_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Peers that take minutes run once, and only up to this many rows.
MAX_ROWS = {"feast-duckdb": 1_000_000, "feast-dask": 1_000_000}
MODULES = {
    "featurestore-ray": ("ray",),
    "duckdb-by-hand": ("duckdb",),
    "feast-duckdb": ("feast", "ibis"),
    "feast-dask": ("feast", "dask"),
}
Join = "Callable[[pl.DataFrame], pl.DataFrame]"


def featurestore_join(folder: Path, *, late: bool = False, engine: str = "polars") -> Join:
    """Join with our project: same files, full semantics."""
    project = featurestore_project(folder, late=late, engine=engine)
    return lambda entity_rows: project.historical(entity_rows, "joined")


def feast_join(folder: Path, store_type: str) -> Join:
    """Join with unchanged Feast and one of its own offline stores."""
    store = feast_store(folder, store_type)
    references = [f"{view}:{name}" for view in VIEWS for name in feature_names(view)]

    def join(entity_rows: pl.DataFrame) -> pl.DataFrame:
        job = store.get_historical_features(entity_df=entity_rows.to_pandas(), features=references)
        return pl.from_arrow(job.to_arrow())

    return join


def polars_join(folder: Path) -> Join:
    """Join as one writes it by hand in Polars: sort, then as-of, view by view."""

    def join(entity_rows: pl.DataFrame) -> pl.DataFrame:
        joined = entity_rows.lazy().with_row_index("row").sort("event_timestamp")
        for view in VIEWS:
            rows = pl.scan_parquet(folder / f"{view}.parquet").rename({"event_timestamp": "event"})
            joined = joined.join_asof(
                rows.sort("event"), left_on="event_timestamp", right_on="event", by="customer"
            ).drop("event")
        return joined.sort("row").drop("row").collect()

    return join


def duckdb_join(folder: Path) -> Join:
    """Join as one writes it by hand in DuckDB."""
    import duckdb  # noqa: PLC0415

    columns = ", ".join(name for view in VIEWS for name in feature_names(view))
    joins = " ".join(
        f"ASOF LEFT JOIN '{folder / view}.parquet' {view} ON e.customer = {view}.customer "
        f"AND e.event_timestamp >= {view}.event_timestamp"
        for view in VIEWS
    )

    def join(entity_rows: pl.DataFrame) -> pl.DataFrame:
        numbered = entity_rows.with_row_index("row").to_arrow()
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"SET threads = {pl.thread_pool_size()}")
            connection.register("entity_rows", numbered)
            sql = f"SELECT e.customer, e.event_timestamp, {columns} FROM entity_rows e {joins} ORDER BY e.row"
            return pl.DataFrame(connection.sql(sql).to_arrow_table())

    return join


SUBJECTS: dict[str, Callable[[Path], Join]] = {
    "featurestore": featurestore_join,
    "featurestore-late": lambda folder: featurestore_join(folder, late=True),
    "featurestore-ray": lambda folder: featurestore_join(folder, engine="ray"),
    "polars-by-hand": polars_join,
    "duckdb-by-hand": duckdb_join,
    "feast-duckdb": lambda folder: feast_join(folder, "duckdb"),
    "feast-dask": lambda folder: feast_join(folder, "dask"),
}


def measure(subject: str, folder: Path, runs: int, *, parallelism: bool) -> None:
    """Run one subject in this process; print its figures and a summary of its result as JSON."""
    warnings.simplefilter("ignore")
    entity_rows = pl.read_parquet(folder / "entity_rows.parquet")
    join = SUBJECTS[subject](folder)
    seconds, cpu = [], []
    with measured_parallelism(wanted=parallelism) as measured:
        for _ in range(runs):
            start, cpu_start = time.perf_counter(), time.process_time()
            result = join(entity_rows)
            seconds.append(time.perf_counter() - start)
            cpu.append(time.process_time() - cpu_start)
    peak = peak_memory()
    names = [name for view in VIEWS for name in feature_names(view)]
    summary = {
        "rows": result.height,
        # Sums do not depend on order: a peer may return rows in another order.
        "sums": [
            round(float(result[name].cast(pl.Float64).sum()), 3) for name in names if "word" not in name
        ],
        "nulls": result.select(names).null_count().row(0),
    }
    figures = {"seconds": statistics.median(seconds), "cpu": statistics.median(cpu), "peak_mb": peak}
    print(json.dumps(figures | {"summary": summary, "parallelism": measured.line()}))


def run(subject: str, folder: Path, runs: int, threads: int, *, parallelism: bool) -> dict:
    """Measure one subject in a process of its own, with a number of threads."""
    command = [sys.executable, __file__, "--subject", subject, "--data", str(folder), "--runs", str(runs)]
    command += ["--parallelism"] if parallelism else []
    finished = subprocess.run(command, env=environment(threads), capture_output=True, text=True, check=False)
    if finished.returncode:
        last_lines = finished.stderr.strip().splitlines() or [f"killed ({finished.returncode})"]
        return {"error": last_lines[-1][:200]}
    return json.loads(finished.stdout.splitlines()[-1])


def agreement(summary: dict, reference: dict) -> str:
    """Say how a result differs from ours."""
    if summary["rows"] != reference["rows"]:
        return f"WRONG: {reference['rows'] - summary['rows']:,} rows lost"
    pairs = zip(summary["sums"], reference["sums"], strict=True)
    wrong = sum(abs(a - b) > 1e-6 * max(abs(a), 1) for a, b in pairs)
    return f"WRONG in {wrong} features" if wrong or summary["nulls"] != reference["nulls"] else "agrees"


def chosen_subjects(options: argparse.Namespace) -> Iterator[str]:
    """Yield the subjects to measure; print a line for each one that is left out."""
    for subject in options.subjects:
        if options.small and subject == "featurestore-ray":
            print_skipped(subject, "a small run starts no cluster")
        elif runnable(subject, MODULES.get(subject, ())):
            yield subject


def compare(options: argparse.Namespace, subjects: list[str]) -> dict[str, list[tuple[int, float, float]]]:
    """Print a table for each size and number of threads; return rows, seconds and peak MB by subject."""
    measured: dict[str, list[tuple[int, float, float]]] = {}
    for rows, threads in product(options.rows, options.threads):
        skew = ", one key with a tenth of all rows" if options.skew else ""
        title = f"{rows // 5:,} entity rows to {len(VIEWS)} views x {rows:,} rows x 10 features{skew}"
        print(f"\n{title}; threads: {threads}")
        print(
            f"{'':20}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}{'x ours':>8}{HEADER if options.parallelism else ''}"
        )
        ours: dict = {}
        for subject in subjects:
            if rows > MAX_ROWS.get(subject, rows):
                print_skipped(subject, f"it takes minutes above {MAX_ROWS[subject]:,} rows")
                continue
            late = subject.endswith("-late")
            folder = options.data / f"{rows}{'-late' if late else ''}{'-skew' if options.skew else ''}"
            make_data(folder, rows, late=late, skew=options.skew)
            figures = run(
                subject,
                folder,
                1 if subject in MAX_ROWS else options.runs,
                threads,
                parallelism=options.parallelism,
            )
            if "error" in figures:
                print(f"{subject:20}  {figures['error']}")
                if options.small or subject.startswith("featurestore"):
                    sys.exit(f"{subject} failed")
                continue
            ours = ours or figures
            verdict = "" if late else agreement(figures["summary"], ours["summary"])
            ratio = figures["seconds"] / ours["seconds"]
            print(
                f"{subject:20}{figures['seconds']:9.2f}{figures['cpu']:9.2f}{figures['peak_mb']:9,.0f}{ratio:8.1f}"
                f"{figures['parallelism']}  {verdict}",
                flush=True,
            )
            measured.setdefault(subject, []).append((rows, figures["seconds"], figures["peak_mb"]))
    return measured


def main() -> None:
    """Compare all subjects at each size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    add_options(parser)
    parser.add_argument("--skew", action="store_true", help="one key has a tenth of all rows")
    parser.add_argument("--subjects", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--data", type=Path, default=Path("data/bench"), help="folder of the files")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--plot", type=Path, help="file of the plot, SVG")
    parser.add_argument("--small", action="store_true", help="tiny data and one run, to see that all works")
    parser.add_argument("--subject", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subject:
        measure(options.subject, options.data, options.runs, parallelism=options.parallelism)
        return
    with TemporaryDirectory() as temporary:
        if options.small:
            options.rows, options.runs, options.data = [SMALL_ROWS], 1, Path(temporary)
        measured = compare(options, list(chosen_subjects(options)))
    if options.plot:
        plot(measured, options.plot)


def plot(measured: dict[str, list[tuple[int, float, float]]], path: Path) -> None:
    """Draw time and peak memory against rows."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for axis, index, label in ((axes[0], 1, "seconds"), (axes[1], 2, "peak memory, MB")):
        for subject, points in measured.items():
            axis.loglog([p[0] for p in points], [p[index] for p in points], marker="o", label=subject)
        axis.set(xlabel="rows of each of three views", ylabel=label)
        axis.grid(visible=True, alpha=0.3)
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
