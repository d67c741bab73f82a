"""The point-in-time join, side by side: featurestore, Feast's own offline stores, hand-written Polars and DuckDB.

``make bench-offline`` runs every subject on the same files in a process of its own, checks that the results agree,
prints seconds, peak memory and ratios, and plots both against rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    from feast import FeatureStore

    from featurestore import Project

VIEWS = ("alpha", "beta", "gamma")
FLOATS = 8
MOMENT = pl.Datetime("us", "UTC")
START = 1_600_000_000_000_000
YEAR = 365 * 86_400_000_000
HOUR = 3_600_000_000
# Peers that take minutes are measured once, at the smaller sizes.
SLOW = {"feast-duckdb": 1_000_000, "feast-dask": 1_000_000}
Join = "Callable[[pl.DataFrame], pl.DataFrame]"


def features(view: str) -> list[str]:
    """Name the ten features of a view."""
    return [f"{view}_{i}" for i in range(FLOATS)] + [f"{view}_count", f"{view}_word"]


def make_data(folder: Path, rows: int, *, late: bool = False) -> None:
    """Write three views of `rows` rows and a fifth as many entity rows; fifty rows for each key."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = max(rows // 50, 1)
    for number, view in enumerate(VIEWS):
        path = folder / f"{view}.parquet"
        if path.exists():
            continue
        # By key range, so that any size is written in bounded memory, in the order in which the build keeps rows.
        parts = max(rows // 5_000_000, 1)
        pieces = []
        for part in range(parts):
            size, low, high = rows // parts, keys * part // parts, keys * (part + 1) // parts
            noise = pl.select(pl.int_range(size, dtype=pl.UInt64).hash(100 * number + part).alias("h"))
            frame = noise.select(
                customer=(low + pl.col("h") % (high - low)).cast(pl.Int64),
                event_timestamp=(START + (pl.col("h").hash(1) % YEAR).cast(pl.Int64)).cast(MOMENT),
                **{f"{view}_{i}": (pl.col("h").hash(i + 2) % 1_000_003) / 1_000_003 for i in range(FLOATS)},
                **{f"{view}_count": (pl.col("h").hash(30) % 1000).cast(pl.Int64)},
                **{f"{view}_word": pl.format("w{}", pl.col("h").hash(31) % 100)},
            )
            if late:
                # One row in ten is loaded up to an hour after it happened.
                waited = pl.when(pl.col("event_timestamp").hash(7) % 10 == 0).then(
                    pl.col("event_timestamp").hash(8) % HOUR
                )
                made = pl.col("event_timestamp") + pl.duration(
                    microseconds=waited.fill_null(0).cast(pl.Int64)
                )
                frame = frame.with_columns(created_timestamp=made.cast(MOMENT))
            pieces.append(folder / f"{view}.{part}.parquet")
            frame.sort("customer", "event_timestamp").unique(
                ["customer", "event_timestamp"], keep="first", maintain_order=True
            ).write_parquet(pieces[-1], compression="zstd", compression_level=3, row_group_size=128 * 1024)
        pl.scan_parquet(pieces).sink_parquet(
            path, compression="zstd", compression_level=3, row_group_size=128 * 1024, maintain_order=True
        )
        for piece in pieces:
            piece.unlink()
    asked = rows // 5
    noise = pl.select(pl.int_range(asked, dtype=pl.UInt64).hash(77).alias("h"))
    noise.select(
        customer=(pl.col("h") % keys).cast(pl.Int64),
        event_timestamp=(START + (pl.col("h").hash(1) % YEAR).cast(pl.Int64)).cast(MOMENT),
    ).write_parquet(folder / "asked.parquet")


def featurestore_project(folder: Path, *, late: bool = False, engine: str = "polars") -> Project:
    """Make a project over the files."""
    import featurestore  # noqa: PLC0415 - each subject imports its own
    from featurestore.operations.init import init  # noqa: PLC0415

    root = Path(tempfile.mkdtemp())
    init(root)
    settings = root / "pyproject.toml"
    settings.write_text(f'{settings.read_text()}engine = "{engine}"\n')
    moments = "    event_timestamp: Moment = pa.Field(description='event')\n"
    moments += "    created_timestamp: Moment = pa.Field(description='loaded')\n" if late else ""
    schemas = [
        "from typing import Annotated",
        "import pandera.polars as pa",
        "import polars as pl",
        'Moment = Annotated[pl.Datetime, "us", "UTC"]',
    ]
    views = [
        "from datetime import timedelta",
        "from featurestore import *",
        "from schemas.bench import *",
        "customer = Entity('customer', ('customer',))",
        "raw = source('raw', Raw, 'data/raw.csv', owner='bench')",
    ]
    schemas.append("class Raw(pa.DataFrameModel):\n    customer: pl.Int64 = pa.Field(description='who')\n")
    for view in VIEWS:
        dtypes = ["Float64"] * FLOATS + ["Int64", "String"]
        fields = "".join(
            f"    {name}: pl.{dtype} = pa.Field(description='a feature', metadata={{'unit': '1'}})\n"
            for name, dtype in zip(features(view), dtypes, strict=True)
        )
        schemas.append(
            f"class {view.title()}(pa.DataFrameModel):\n    customer: pl.Int64 = pa.Field(description='who')\n{moments}{fields}"
        )
        timing = ", delay=timedelta(minutes=5), ttl=timedelta(days=30)" if late else ""
        views.append(
            f"@feature_view(entity=customer, owner='bench'{timing})\n"
            f"def {view}(raw: Frame[Raw]) -> Frame[{view.title()}]:\n    '''A view.'''\n    return raw\n"
        )
    views.append(f"joined = feature_service('joined', ({', '.join(VIEWS)}), owner='bench')\n")
    (root / "schemas/bench.py").write_text("\n".join(schemas))
    (root / "feature_repo/bench.py").write_text("\n".join(views))
    project = featurestore.open(root)
    for view in VIEWS:
        place = project.layout.features(view)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(folder.resolve() / f"{view}.parquet")
    project.catalog  # noqa: B018 - definitions are loaded before the clock starts
    return project


def featurestore_join(folder: Path, *, late: bool = False, engine: str = "polars") -> Join:
    """Ask our project: same files, full semantics."""
    project = featurestore_project(folder, late=late, engine=engine)
    return lambda asked: project.historical(asked, "joined")


def feast_store(folder: Path, store_type: str) -> FeatureStore:
    """Make a repository of Feast as it comes over the files."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig  # noqa: PLC0415
    from feast.types import Float64, Int64, String  # noqa: PLC0415
    from feast.value_type import ValueType  # noqa: PLC0415

    home = Path(tempfile.mkdtemp())
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(home / "registry.db"),
        offline_store={"type": store_type},
        online_store={"type": "sqlite", "path": str(home / "online.db")},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    customer = Entity(name="customer", join_keys=["customer"], value_type=ValueType.INT64)
    dtypes = [Float64] * FLOATS + [Int64, String]
    views = [
        FeatureView(
            name=view,
            entities=[customer],
            schema=[Field(name=n, dtype=d) for n, d in zip(features(view), dtypes, strict=True)],
            source=FileSource(
                path=str(folder.resolve() / f"{view}.parquet"), timestamp_field="event_timestamp"
            ),
        )
        for view in VIEWS
    ]
    store.apply([customer, *views])
    return store


def feast_join(folder: Path, store_type: str) -> Join:
    """Ask Feast as it comes, with one of its own offline stores."""
    store = feast_store(folder, store_type)
    references = [f"{view}:{name}" for view in VIEWS for name in features(view)]

    def join(asked: pl.DataFrame) -> pl.DataFrame:
        job = store.get_historical_features(entity_df=asked.to_pandas(), features=references)
        return pl.from_arrow(job.to_arrow())

    return join


def polars_join(folder: Path) -> Join:
    """Join as one would write it by hand in Polars: sort, then as-of, view by view."""

    def join(asked: pl.DataFrame) -> pl.DataFrame:
        joined = asked.lazy().with_row_index("row").sort("event_timestamp")
        for view in VIEWS:
            rows = pl.scan_parquet(folder / f"{view}.parquet").rename({"event_timestamp": "event"})
            joined = joined.join_asof(
                rows.sort("event"), left_on="event_timestamp", right_on="event", by="customer"
            ).drop("event")
        return joined.sort("row").drop("row").collect()

    return join


def duckdb_join(folder: Path) -> Join:
    """Join as one would write it by hand in DuckDB."""
    import duckdb  # noqa: PLC0415

    columns = ", ".join(name for view in VIEWS for name in features(view))
    joins = " ".join(
        f"ASOF LEFT JOIN '{folder / view}.parquet' {view} ON a.customer = {view}.customer "
        f"AND a.event_timestamp >= {view}.event_timestamp"
        for view in VIEWS
    )

    def join(asked: pl.DataFrame) -> pl.DataFrame:
        numbered = asked.with_row_index("row").to_arrow()
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("asked", numbered)
            sql = f"SELECT a.customer, a.event_timestamp, {columns} FROM asked a {joins} ORDER BY a.row"
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


def measure(subject: str, folder: Path, runs: int) -> None:
    """Run one subject in this process and print its figures and what it answered."""
    warnings.simplefilter("ignore")
    asked = pl.read_parquet(folder / "asked.parquet")
    join = SUBJECTS[subject](folder)
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        result = join(asked)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    names = [name for view in VIEWS for name in features(view)]
    answer = {
        "rows": result.height,
        # Order-free, so that a peer that returns rows in another order is not called wrong for it.
        "sums": [
            round(float(result[name].cast(pl.Float64).sum()), 3) for name in names if "word" not in name
        ],
        "nulls": result.select(names).null_count().row(0),
    }
    print(json.dumps({"seconds": statistics.median(seconds), "peak_mb": peak, "answer": answer}))


def run(subject: str, folder: Path, runs: int) -> dict:
    """Measure one subject in a process of its own."""
    command = [sys.executable, __file__, "--subject", subject, "--data", str(folder), "--runs", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or [f"killed ({done.returncode})"])[-1][:200]}
    return json.loads(done.stdout.splitlines()[-1])


def agrees(answer: dict, reference: dict) -> str:
    """Say in what an answer differs from ours."""
    if answer["rows"] != reference["rows"]:
        return f"WRONG: {reference['rows'] - answer['rows']:,} rows lost"
    off = [abs(a - b) > 1e-6 * max(abs(a), 1) for a, b in zip(answer["sums"], reference["sums"], strict=True)]
    return f"WRONG in {sum(off)} features" if any(off) or answer["nulls"] != reference["nulls"] else "agrees"


def main() -> None:
    """Compare all subjects at each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--subjects", nargs="+", default=list(SUBJECTS))
    parser.add_argument("--data", type=Path, default=Path("data/bench"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--subject", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subject:
        measure(options.subject, options.data, options.runs)
        return
    measured: dict[str, list[tuple[int, float, float]]] = {}
    for rows in options.rows:
        print(f"\n{rows // 5:,} entity rows to {len(VIEWS)} views x {rows:,} rows x 10 features")
        print(f"{'':20}{'seconds':>9}{'peak MB':>9}{'x ours':>8}")
        ours: dict = {}
        for subject in options.subjects:
            if rows > SLOW.get(subject, rows):
                continue
            late = subject.endswith("-late")
            folder = options.data / f"{rows}{'-late' if late else ''}"
            make_data(folder, rows, late=late)
            found = run(subject, folder, 1 if subject in SLOW else options.runs)
            if "error" in found:
                print(f"{subject:20}  {found['error']}")
                continue
            ours = ours or found
            verdict = "" if late else agrees(found["answer"], ours["answer"])
            ratio = found["seconds"] / ours["seconds"]
            print(
                f"{subject:20}{found['seconds']:9.2f}{found['peak_mb']:9.0f}{ratio:8.1f}  {verdict}",
                flush=True,
            )
            measured.setdefault(subject, []).append((rows, found["seconds"], found["peak_mb"]))
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
