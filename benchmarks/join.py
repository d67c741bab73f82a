"""`featurestore join`: entity rows larger than memory to three views of a million rows and 30 features, and its peak memory.

``make bench-join`` writes entity rows a part at a time, runs the command in a process of its own, and prints rows, seconds and
peak memory for each number of rows. 100 million rows need 20 GB of disk below ``--folder``, and 70 GB as CSV.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING

import polars as pl
from peers import peak_memory
from polars.io.plugins import register_io_source
from workload import ROWS_PER_KEY, SMALL_ROWS, START, UTC_TIMESTAMP, YEAR, featurestore_project, make_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore import Project

VIEW_ROWS = 1_000_000
PART_ROWS = 1_000_000
SCHEMA = pl.Schema({"customer": pl.Int64(), "event_timestamp": UTC_TIMESTAMP})


def parts(rows: int, keys: int) -> Iterator[pl.DataFrame]:
    """Yield entity rows of random keys at random times, a part at a time."""
    for first in range(0, rows, PART_ROWS):
        numbers = pl.int_range(first, min(first + PART_ROWS, rows), dtype=pl.UInt64, eager=True)
        noise = numbers.hash(77)
        yield pl.select(
            customer=(noise % keys).cast(pl.Int64),
            event_timestamp=(START + (noise.hash(1) % YEAR).cast(pl.Int64)).cast(UTC_TIMESTAMP),
        )


def write_entity_rows(path: Path, rows: int, keys: int) -> None:
    """Write entity rows as Parquet or CSV; they are never in memory as a whole."""
    frame = register_io_source(lambda *_: parts(rows, keys), schema=SCHEMA)
    if path.suffix == ".csv":
        frame.sink_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
    else:
        frame.sink_parquet(path)


def run_command(arguments: list[str]) -> None:
    """Run the command line in this process, and print its figures as JSON to standard error."""
    from featurestore.cli.app import app  # noqa: PLC0415 - only the measured process

    start = time.perf_counter()
    app(arguments, standalone_mode=False)
    usage = getrusage(RUSAGE_SELF)
    figures = {
        "seconds": time.perf_counter() - start,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_mb": peak_memory(),
    }
    print(json.dumps(figures), file=sys.stderr)


def measure(project: Project, suffix: str, rows: int, keys: int) -> None:
    """Join a number of entity rows to all features, and print a line of figures."""
    root = project.settings.root
    source, result = root / f"entity_rows{suffix}", root / f"vectors{suffix}"
    write_entity_rows(source, rows, keys)
    arguments = ["join", str(source), "--project", str(root), "--service", "joined"]
    command = [sys.executable, __file__, "--command", *arguments, "--out", str(result), "--json"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        sys.exit(f"join failed: {finished.stderr}")
    written = json.loads(finished.stdout)["rows"]
    if written != rows:
        sys.exit(f"join wrote {written:,} rows; expected {rows:,}")
    figures = json.loads(finished.stderr.splitlines()[-1])
    sizes = [path.stat().st_size / 1e6 for path in (source, result)]
    print(
        f"{suffix[1:]:10}{rows:13,}{figures['seconds']:10.1f}{figures['cpu']:9.1f}{figures['peak_mb']:9,.0f}"
        f"{sizes[0]:10,.0f}{sizes[1]:10,.0f}",
        flush=True,
    )
    source.unlink()
    result.unlink()


def main() -> None:
    """Print a table with a line for each format and number of rows."""
    if sys.argv[1:2] == ["--command"]:
        run_command(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000_000, 20_000_000, 100_000_000])
    parser.add_argument("--formats", nargs="+", choices=["parquet", "csv"], default=["parquet"])
    parser.add_argument("--view-rows", type=int, default=VIEW_ROWS, help="rows of each of the three views")
    parser.add_argument("--folder", type=Path, help="folder for the files; they are removed afterwards")
    parser.add_argument("--small", action="store_true", help="tiny data, to see that all works")
    options = parser.parse_args()
    if options.small:
        options.rows, options.view_rows, options.formats = [SMALL_ROWS], SMALL_ROWS, ["parquet", "csv"]
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        make_data(folder, options.view_rows)
        project = featurestore_project(folder)
        print(f"join to 3 views x {options.view_rows:,} rows x 10 features")
        print(
            f"{'format':10}{'entity rows':>13}{'seconds':>10}{'CPU s':>9}{'peak MB':>9}{'MB in':>10}{'MB out':>10}"
        )
        for suffix in options.formats:
            for rows in options.rows:
                measure(project, f".{suffix}", rows, options.view_rows // ROWS_PER_KEY)


if __name__ == "__main__":
    main()
