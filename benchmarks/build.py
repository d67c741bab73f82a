"""The build of a feature view, from the rows of a dataset to sorted rows in Parquet, beside Polars by hand.

``make bench-build`` runs each subject in a process of its own, over the same rows in no order. A build also
checks each row and profiles what it writes; by hand, rows are only sorted, freed of duplicates and written.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from parallelism import HEADER, add_options, environment, measured_parallelism
from peers import peak_memory
from workload import ROWS_PER_KEY, SMALL_ROWS, START, UTC_TIMESTAMP, WRITE_OPTIONS, YEAR

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 10_000_000
FLOATS = 8
SHARES = "".join(
    f"    f{i}: pl.Float64 = pa.Field(ge=0, le=1, description='a share', metadata={{'unit': '1'}})\n"
    for i in range(FLOATS)
)
SCHEMAS = f"""
from typing import Annotated
import pandera.polars as pa
import polars as pl
class Rows(pa.DataFrameModel):
    customer: pl.Int64 = pa.Field(description='who')
    event_timestamp: Annotated[pl.Datetime, 'us', 'UTC'] = pa.Field(description='when')
    count: pl.Int64 = pa.Field(ge=0, description='a count', metadata={{'unit': '1'}})
    word: pl.String = pa.Field(str_matches='^w[0-9]+$', description='a word', metadata={{'unit': '1'}})
{SHARES}
class Features(Rows): pass
"""
DEFINITIONS = """
from featurestore import Entity, Frame, feature_view, source
from schemas.bench import Features, Rows
customer = Entity('customer', ('customer',))
raw = source('raw', Rows, 'data/raw/rows.parquet', owner='bench')
@feature_view(entity=customer, owner='bench')
def features(raw: Frame[Rows]) -> Frame[Features]:
    '''A view.'''
    return raw
"""


def write_rows(path: Path, rows: int) -> None:
    """Write rows in no order: 50 for each key, eight floats, an integer and a word."""
    noise = pl.select(h=pl.int_range(rows, dtype=pl.UInt64).hash(1))
    noise.select(
        customer=(pl.col("h") % max(rows // ROWS_PER_KEY, 1)).cast(pl.Int64),
        event_timestamp=(START + (pl.col("h").hash(1) % YEAR).cast(pl.Int64)).cast(UTC_TIMESTAMP),
        count=(pl.col("h").hash(30) % 1000).cast(pl.Int64),
        word=pl.format("w{}", pl.col("h").hash(31) % 100),
        **{f"f{i}": (pl.col("h").hash(i + 2) % 1_000_003) / 1_000_003 for i in range(FLOATS)},
    ).write_parquet(path, **WRITE_OPTIONS)


def validate_and_build(folder: Path) -> dict[str, Callable[[], object]]:
    """Let the raw rows through the gate, and build a view of them."""
    import featurestore  # noqa: PLC0415 - each subject imports its own
    from featurestore.operations.init.init import init  # noqa: PLC0415

    root = Path(tempfile.mkdtemp(prefix="project-", dir=folder))
    init(root)
    (root / "schemas/bench.py").write_text(SCHEMAS)
    (root / "feature_repo/bench.py").write_text(DEFINITIONS)
    (root / "data/raw").mkdir(parents=True, exist_ok=True)
    (root / "data/raw/rows.parquet").hardlink_to(folder / "rows.parquet")
    project = featurestore.open(root)
    project.catalog.view("features")  # the definitions are read before anything is measured
    return {"validate": lambda: project.validate("raw"), "build": lambda: project.build("features")}


def sort_and_write(folder: Path) -> dict[str, Callable[[], object]]:
    """Sort the rows, drop duplicates and write the rest, as one writes it by hand."""
    key = ["customer", "event_timestamp"]

    def build() -> None:
        rows = (
            pl.scan_parquet(folder / "rows.parquet").sort(key).unique(key, keep="first", maintain_order=True)
        )
        rows.sink_parquet(folder / "by_hand.parquet", **WRITE_OPTIONS)

    return {"build": build}


SUBJECTS = {"featurestore": validate_and_build, "polars-by-hand": sort_and_write}


def measure(subject: str, folder: Path, runs: int, *, parallelism: bool) -> dict[str, dict[str, object]]:
    """Run the steps of a subject in this process; return the figures of each step."""
    warnings.simplefilter("ignore")
    figures = {}
    for name, step in SUBJECTS[subject](folder).items():
        seconds, cpu = [], []
        with measured_parallelism(wanted=parallelism) as measured:
            for _ in range(runs):
                start, cpu_start = time.perf_counter(), time.process_time()
                step()
                seconds.append(time.perf_counter() - start)
                cpu.append(time.process_time() - cpu_start)
        figures[name] = {
            "seconds": statistics.median(seconds),
            "cpu": statistics.median(cpu),
            "peak_mb": peak_memory(),
            "parallelism": measured.line(),
        }
    return figures


def main() -> None:
    """Measure all subjects at each size and number of threads."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[ROWS])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="tiny data and one run, to see that all works")
    add_options(parser)
    parser.add_argument("--subject", choices=list(SUBJECTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.small:
        options.rows, options.runs = [SMALL_ROWS], 1
    if options.subject:
        print(
            json.dumps(
                measure(options.subject, options.folder, options.runs, parallelism=options.parallelism)
            )
        )
        return
    for rows, threads in product(options.rows, options.threads):
        with tempfile.TemporaryDirectory() as temporary:
            write_rows(Path(temporary) / "rows.parquet", rows)
            compare(rows, threads, Path(temporary), options)


def compare(rows: int, threads: int, folder: Path, options: argparse.Namespace) -> None:
    """Measure all subjects with a number of threads, and print their table."""
    print(f"\n{rows:,} rows x {FLOATS + 4} columns; threads: {threads}")
    print(
        f"{'':26}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}{HEADER if options.parallelism else ''}", flush=True
    )
    for subject in SUBJECTS:
        command = [sys.executable, __file__, "--subject", subject, "--folder", str(folder)]
        command += ["--runs", str(options.runs), *(["--parallelism"] if options.parallelism else [])]
        finished = subprocess.run(
            command, env=environment(threads), stdout=subprocess.PIPE, text=True, check=True
        )
        for step, figures in json.loads(finished.stdout.splitlines()[-1]).items():
            print(
                f"{subject + ', ' + step:26}{figures['seconds']:9.2f}{figures['cpu']:9.2f}{figures['peak_mb']:9,.0f}"
                f"{figures['parallelism']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
