"""Windows that slide beside DuckDB, Polars and Feast's tiles: 5 windows x 6 aggregations, and one key of a tenth of all.

``make bench-windows`` joins the same entity rows to the same events with every subject, each in its own process. It prints
CPU seconds (the machine may be shared), peak memory, the ratio to ours, and the share of cells that are wrong: those that
differ from the obvious oracle, in any bit, on a sample of entity rows.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl
from parallelism import HEADER, add_options, environment, measured_parallelism
from peers import peak_memory, print_skipped, runnable

from featurestore import windows
from featurestore.testing.oracle import bits
from featurestore.testing.window_oracle import window
from featurestore.timing.join import AS_OF
from featurestore.timing.known_at import Timing
from featurestore.windows.aggregation import Aggregation
from featurestore.windows.join import windows_at

if TYPE_CHECKING:
    from collections.abc import Callable

Join = "Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]"
START, DAYS = datetime(2024, 1, 1, tzinfo=UTC), 60
HOURS = {"1h": 1, "6h": 6, "1d": 24, "7d": 168, "30d": 720}
FUNCTIONS = ("count", "sum", "mean", "min", "max", "last")
NAMES = [f"{function}_{over}" for over in HOURS for function in FUNCTIONS]
TIMING = Timing(created=True)
SAMPLE = 200  # entity rows whose cells are compared with the oracle
WARM_UP_ROWS = 1_000
TILE_KEYS, TILE_HOP = 10, timedelta(hours=1)
# The naive join has a row for each pair of entity row and event: it runs on a part of the entity rows.
NAIVE_SHARE = 0.02
MODULES = {"duckdb range join": ("duckdb",), "Feast's tiles": ("feast", "pandas")}


def make_data(folder: Path, events: int, questions: int) -> None:
    """Write events and entity rows: one key has a tenth of both, one event in a hundred is late, and amounts have cents.

    One amount in a thousand is huge, as a mistyped one is: it must leave no trace in later windows.
    """
    keys = max(events // 50, 10)
    span = DAYS * 86_400_000_000
    number = pl.int_range(pl.len())

    def timestamps(seed: int) -> pl.Expr:
        return pl.lit(START).cast(pl.Datetime("us", "UTC")) + pl.duration(
            microseconds=number.hash(seed) % span
        )

    def key(seed: int) -> pl.Expr:
        return pl.when(number % 10 == 0).then(0).otherwise(1 + (number.hash(seed) % keys).cast(pl.Int64))

    huge, cents = pl.lit(1e16), (number.hash(3) % 100_000).cast(pl.Float64) / 100
    late = pl.when(number.hash(4) % 100 == 0).then(pl.duration(hours=2)).otherwise(pl.duration(hours=0))
    events_frame = pl.DataFrame({"n": range(events)}).select(
        customer=key(1),
        event_timestamp=timestamps(2),
        amount=pl.when(number.hash(5) % 1000 == 0).then(huge).otherwise(cents),
    )
    events_frame = events_frame.with_columns(created_timestamp=pl.col("event_timestamp") + late)
    events_frame.sort("customer", "event_timestamp").write_parquet(folder / "events.parquet")
    pl.DataFrame({"n": range(questions)}).select(
        customer=key(6), event_timestamp=timestamps(7)
    ).write_parquet(folder / "entity_rows.parquet")


def ours(questions: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Join with our windows."""
    declared = {
        f"{function}_{over}": windows.count(over=over)
        if function == "count"
        else getattr(windows, function)("amount", over=over)
        for over in HOURS
        for function in FUNCTIONS
    }
    numbered = questions.with_row_index("row").sort("customer", "event_timestamp")
    computed = windows_at(
        numbered.rename({"event_timestamp": AS_OF}), events, declared, keys=["customer"], timing=TIMING
    )
    return numbered.hstack(computed).sort("row").select(NAMES)


def duckdb_join(questions: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Join as one writes it by hand: a range join for each window, and its aggregates."""
    import duckdb  # noqa: PLC0415 - a peer

    parts = []
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("q", questions.with_row_index("row").to_arrow())
        connection.register("e", events.to_arrow())
        for over, hours in HOURS.items():
            sql = f"""
                SELECT q.row, count(e.customer) AS count_{over}, coalesce(sum(e.amount), 0) AS sum_{over},
                       avg(e.amount) AS mean_{over}, min(e.amount) AS min_{over}, max(e.amount) AS max_{over},
                       arg_max(e.amount, e.event_timestamp) AS last_{over}
                FROM q LEFT JOIN e ON e.customer = q.customer AND e.event_timestamp <= q.event_timestamp
                     AND e.event_timestamp > q.event_timestamp - INTERVAL {hours} HOUR
                     AND e.created_timestamp <= q.event_timestamp
                GROUP BY q.row ORDER BY q.row"""
            parts.append(pl.DataFrame(connection.sql(sql).to_arrow_table()).drop("row"))
    return pl.concat(parts, how="horizontal").select(NAMES)


def polars_join(questions: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Join naively in Polars: each entity row with all events of its key, then filter and aggregate."""
    numbered = questions.with_row_index("row").rename({"event_timestamp": "at"})
    parts = []
    for over, hours in HOURS.items():
        inside = (
            numbered.lazy()
            .join(events.lazy(), on="customer")
            .filter(
                pl.col("event_timestamp") <= pl.col("at"),
                pl.col("event_timestamp") > pl.col("at") - timedelta(hours=hours),
                pl.col("created_timestamp") <= pl.col("at"),
            )
        )
        amount = pl.col("amount")
        aggregates = {
            f"count_{over}": pl.len().cast(pl.Int64),
            f"sum_{over}": amount.sum(),
            f"mean_{over}": amount.mean(),
            f"min_{over}": amount.min(),
            f"max_{over}": amount.max(),
            f"last_{over}": amount.sort_by("event_timestamp").last(),
        }
        grouped = inside.group_by("row").agg(**aggregates)
        placed = numbered.lazy().select("row").join(grouped, on="row", how="left", maintain_order="left")
        filled = placed.with_columns(pl.col(f"count_{over}", f"sum_{over}").fill_null(0))
        parts.append(filled.drop("row").collect(engine="streaming"))
    return pl.concat(parts, how="horizontal").select(NAMES)


def feast_tiles(questions: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Read the newest of Feast's tiles of one window; Feast has no `last`, and no late events."""
    from feast.aggregation import Aggregation as FeastAggregation  # noqa: PLC0415 - a peer
    from feast.aggregation.tiling.orchestrator import apply_sawtooth_window_tiling  # noqa: PLC0415
    from feast.aggregation.tiling.tile_subtraction import convert_cumulative_to_windowed  # noqa: PLC0415

    size = timedelta(hours=HOURS["1d"])
    functions = {"count": "count", "sum": "sum", "mean": "avg", "min": "min", "max": "max"}
    specs = [
        FeastAggregation(column="amount", function=function, time_window=size, name=f"{name}_1d")
        for name, function in functions.items()
    ]
    frame = events.to_pandas()
    tiles = apply_sawtooth_window_tiling(frame, specs, ["customer"], "event_timestamp", size, TILE_HOP)
    read = convert_cumulative_to_windowed(tiles, ["customer"], "event_timestamp", size, specs)
    rows = pl.DataFrame(read.to_dict("list")).with_columns(
        pl.col("customer").cast(pl.Int64),
        pl.col("event_timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
    )
    numbered = questions.with_row_index("row").sort("event_timestamp")
    joined = numbered.join_asof(rows.sort("event_timestamp"), on="event_timestamp", by="customer")
    return joined.sort("row").select(pl.col(f"{name}_1d") for name in functions)


SUBJECTS: dict[str, Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]] = {
    "featurestore": ours,
    "duckdb range join": duckdb_join,
    "polars naive join": polars_join,
    "Feast's tiles": feast_tiles,
}


def read_inputs(subject: str, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read entity rows and events; the slow peers get a part of them."""
    questions = pl.read_parquet(folder / "entity_rows.parquet")
    events = pl.read_parquet(folder / "events.parquet")
    if subject == "polars naive join":
        questions = questions.head(max(int(questions.height * NAIVE_SHARE), 1))
    if subject == "Feast's tiles":
        of_keys = pl.col("customer").is_between(1, min(TILE_KEYS, events["customer"].max() // 20))
        questions, events = questions.filter(of_keys), events.filter(of_keys)
    return questions, events


def wrong_cells(
    questions: pl.DataFrame, events: pl.DataFrame, answered: pl.DataFrame, sample: int
) -> tuple[int, int]:
    """Count the cells of a sample of entity rows that differ from the oracle in any bit, and all cells."""
    every = max(questions.height // sample, 1)
    sampled = questions.hstack(answered).gather_every(every)
    by_key = {key: rows.to_dicts() for (key,), rows in events.group_by("customer")}
    wrong = 0
    for row in sampled.iter_rows(named=True):
        now, longest = row["event_timestamp"], timedelta(hours=max(HOURS.values()))
        near = [e for e in by_key.get(row["customer"], []) if now - longest < e["event_timestamp"] <= now]
        for name in answered.columns:
            function, over = name.split("_")
            column = None if function == "count" else "amount"
            declared = Aggregation(function, column, timedelta(hours=HOURS[over]))
            expected = window(declared, now, near, TIMING)
            actual = row[name]
            if isinstance(actual, float):
                # Feast writes a missing number as NaN.
                actual = None if math.isnan(actual) else actual + 0.0
                expected = None if expected is None else float(expected)
            wrong += bits(actual) != bits(expected)
    return wrong, sampled.height * len(answered.columns)


def measure(subject: str, folder: Path, sample: int, *, parallelism: bool) -> None:
    """Run one subject in this process; print its figures as JSON."""
    warnings.simplefilter("ignore")
    questions, events = read_inputs(subject, folder)
    SUBJECTS[subject](questions.head(WARM_UP_ROWS), events.head(WARM_UP_ROWS))
    before = resource.getrusage(resource.RUSAGE_SELF)
    with measured_parallelism(wanted=parallelism) as measured:
        start = time.perf_counter()
        answered = SUBJECTS[subject](questions, events)
        seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    peak = peak_memory()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wrong, cells = wrong_cells(questions, events, answered, sample)
    cost = cpu / max(questions.height * len(answered.columns), 1) * 1e6
    figures = {"seconds": seconds, "cpu": cpu, "cost": cost, "peak": peak, "wrong": wrong / max(cells, 1)}
    print(json.dumps(figures | {"parallelism": measured.line()}))


def main() -> None:
    """Measure all subjects that can run here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="tiny data, to see that all subjects run")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--entity-rows", type=int, default=200_000)
    parser.add_argument("--sample", type=int, default=SAMPLE, help="entity rows to compare with the oracle")
    add_options(parser)
    parser.add_argument("--subjects", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--subject", choices=list(SUBJECTS), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subject:
        measure(options.subject, options.data, options.sample, parallelism=options.parallelism)
        return
    events, rows = (2_000, 40) if options.small else (options.events, options.entity_rows)
    subjects = [subject for subject in options.subjects if runnable(subject, MODULES.get(subject, ()))]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_data(folder, events, rows)
        for threads in options.threads:
            title = (
                f"{events:,} events, {rows:,} entity rows, {len(NAMES)} features; one key has a tenth of both"
            )
            print(f"{title}; threads: {threads}")
            compare(subjects, folder, threads, options)


def compare(subjects: list[str], folder: Path, threads: int, options: argparse.Namespace) -> None:
    """Measure all subjects with a number of threads, each in a process of its own, and print their table."""
    header = (
        f"{'':<20} {'seconds':>9} {'CPU s':>9} {'us a cell':>10} {'x ours':>8} {'peak MB':>8} {'wrong %':>8}"
    )
    print(f"{header}{HEADER if options.parallelism else ''}")
    cost = None
    for subject in subjects:
        command = [sys.executable, __file__, "--subject", subject, "--data", str(folder)]
        command += ["--sample", str(options.sample), *(["--parallelism"] if options.parallelism else [])]
        finished = subprocess.run(
            command, env=environment(threads), capture_output=True, text=True, check=False
        )
        if finished.returncode:
            print_skipped(subject, (finished.stderr.strip().splitlines() or ["killed"])[-1][:200])
            continue
        figures = json.loads(finished.stdout.splitlines()[-1])
        cost = cost or figures["cost"]
        print(
            f"{subject:<20} {figures['seconds']:>9.2f} {figures['cpu']:>9.2f} {figures['cost']:>10.3f} "
            f"{figures['cost'] / cost:>8.1f} {figures['peak']:>8,.0f} {100 * figures['wrong']:>8.2f}"
            f"{figures['parallelism']}",
            flush=True,
        )


if __name__ == "__main__":
    main()
