"""The profile of a dataset beside DuckDB's SUMMARIZE, and many small files beside Polars' own glob.

``make bench-profile`` runs each subject in a process of its own, over the same files.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl
from peers import peak_memory, runnable

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 10_000_000
FILES = 1_000
SMALL_ROWS = 2_000
ROWS_PER_FILE = 100
UNTIL = 2**64


def write_rows(path: Path, rows: int) -> None:
    """Write ten columns: floats with few and with many values, integers, words, a timestamp, a boolean."""
    noise = pl.int_range(rows, dtype=pl.UInt64).hash(5)
    pl.select(
        **{f"f{i}": noise.hash(i).cast(pl.Float64) / UNTIL for i in range(3)},
        few=(noise.hash(3) % 1000).cast(pl.Float64),
        i0=(noise % 1000).cast(pl.Int64),
        i1=(noise // 3).cast(pl.Int64),
        id=pl.int_range(rows),
        word=pl.format("k{}", noise % 5000),
        at=(noise.hash(9) % 31_536_000_000_000).cast(pl.Int64).cast(pl.Datetime("us", "UTC")),
        sure=noise % 3 == 0,
    ).write_parquet(path, row_group_size=128 * 1024)


def write_files(folder: Path, files: int) -> None:
    """Write small files of four columns."""
    folder.mkdir()
    for i in range(files):
        row = pl.int_range(ROWS_PER_FILE)
        pl.select(a=row + i, b=row / 7, s=pl.format("k{}", row), d=pl.lit(i)).write_parquet(
            folder / f"{i:04}.parquet"
        )


def profile_rows(folder: Path) -> int:
    """Profile the large file."""
    from featurestore.quality.profile.profile import profile_file  # noqa: PLC0415 - each subject imports its own

    return profile_file(folder / "rows.parquet", dataset="rows").rows


def summarize_file(folder: Path) -> int:
    """Let DuckDB summarize the large file."""
    import duckdb  # noqa: PLC0415 - each subject imports its own

    return duckdb.sql(f"SUMMARIZE FROM '{folder / 'rows.parquet'}'").fetchall()[0][-2]


def read_files(folder: Path) -> int:
    """Read the small files as a source, each row with its file and its place in it."""
    import pandera.polars as pa  # noqa: PLC0415 - each subject imports its own

    from featurestore.adapters.files import FileReader  # noqa: PLC0415
    from featurestore.definitions.source import source  # noqa: PLC0415

    raw = source("raw", type("Raw", (pa.DataFrameModel,), {}), "*.parquet", owner="bench")
    return FileReader().scan(raw, folder / "files" / "*.parquet").lazy().collect().height


def glob_files(folder: Path) -> int:
    """Read the small files by Polars' own glob."""
    return pl.scan_parquet(folder / "files" / "*.parquet").collect().height


SUBJECTS: dict[str, Callable[[Path], int]] = {
    "profile": profile_rows,
    "DuckDB SUMMARIZE": summarize_file,
    "source of many files": read_files,
    "Polars' glob": glob_files,
}
MODULES = {"DuckDB SUMMARIZE": ("duckdb",)}


def measure(subject: str, folder: Path, runs: int) -> None:
    """Run a subject in this process; print its figures as JSON."""
    SUBJECTS[subject](folder)
    figures = []
    for _ in range(runs):
        start, cpu_start = time.perf_counter(), time.process_time()
        rows = SUBJECTS[subject](folder)
        figures.append((time.perf_counter() - start, time.process_time() - cpu_start))
    peak = peak_memory()
    seconds, cpu = (min(values) for values in zip(*figures, strict=True))
    print(json.dumps({"seconds": seconds, "cpu": cpu, "mb": peak, "rows": rows}))


def main() -> None:
    """Measure one subject, or all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the large file")
    parser.add_argument("--files", type=int, default=FILES, help="number of small files")
    parser.add_argument("--small", action="store_true", help="tiny data and one run, to see that all works")
    parser.add_argument("--subject", choices=list(SUBJECTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    runs = 1 if options.small else 3
    if options.subject:
        measure(options.subject, options.folder, runs)
        return
    if options.small:
        options.rows, options.files = SMALL_ROWS, 10
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_rows(folder / "rows.parquet", options.rows)
        write_files(folder / "files", options.files)
        print(f"{options.rows:,} rows x 10 columns; {options.files:,} files of {ROWS_PER_FILE} rows")
        print(f"{'':22}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}{'rows':>12}")
        for subject in SUBJECTS:
            if runnable(subject, MODULES.get(subject, ())):
                command = [sys.executable, __file__, "--subject", subject, "--folder", temporary]
                printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                seconds, cpu, mb, rows = json.loads(printed).values()
                print(f"{subject:22}{seconds:9.3f}{cpu:9.3f}{mb:9,.0f}{rows:12,}", flush=True)


if __name__ == "__main__":
    main()
