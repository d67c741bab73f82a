"""The data that benchmarks share: three views of ten features, for our project and for Feast."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from feast import FeatureStore

    from featurestore import Project

VIEWS = ("alpha", "beta", "gamma")
FLOATS = 8
ROWS_PER_KEY = 50
SMALL_ROWS = 2_000
ROWS_PER_PART = 5_000_000
UTC_TIMESTAMP = pl.Datetime("us", "UTC")
# In microseconds since 1970: the first event, and durations.
START = 1_600_000_000_000_000
YEAR = 365 * 86_400_000_000
HOUR = 3_600_000_000
WRITE_OPTIONS = {"compression": "zstd", "compression_level": 3, "row_group_size": 128 * 1024}


# Five on-demand features, of the kinds that `departure_conditions` of the reference project has.
ON_DEMAND_SCHEMAS = """
class Asked(pa.DataFrameModel):
    asked_at: Timestamp = pa.Field(description='when')
    bearing: pl.Float64 = pa.Field(ge=0, le=360, description='a direction', metadata={'unit': 'deg'})
class Conditions(pa.DataFrameModel):
    headwind: pl.Float32 = pa.Field(nullable=True, description='a speed', metadata={'unit': '1'})
    day_sin: pl.Float32 = pa.Field(description='time of day', metadata={'unit': '1'})
    day_cos: pl.Float32 = pa.Field(description='time of day', metadata={'unit': '1'})
    age: pl.Int64 = pa.Field(nullable=True, description='years', metadata={'unit': '1'})
    hours: pl.Float32 = pa.Field(description='since the year 2000', metadata={'unit': '1'})
"""
ON_DEMAND_DEFINITIONS = """
from datetime import UTC, datetime
import math
import polars as pl
@on_demand_feature_view(sources=(alpha['alpha_0', 'alpha_1', 'alpha_count'],), owner='bench')
def conditions(rows: Frame[Asked]) -> Frame[Conditions]:
    '''A view.'''
    asked = pl.col('asked_at')
    local = asked.dt.convert_time_zone('America/New_York')
    angle = (local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()) * (2 * math.pi / 1440)
    against = (pl.col('alpha_0') * 360 - pl.col('bearing')) * (math.pi / 180)
    return rows.select(
        headwind=pl.col('alpha_1') * against.cos(),
        day_sin=angle.sin(),
        day_cos=angle.cos(),
        age=local.dt.year() - pl.col('alpha_count'),
        hours=(asked - pl.lit(datetime(2000, 1, 1, tzinfo=UTC))).dt.total_seconds() / 3600,
    )
"""


def feature_names(view: str) -> list[str]:
    """Name the ten features of a view."""
    return [f"{view}_{i}" for i in range(FLOATS)] + [f"{view}_count", f"{view}_word"]


def make_data(folder: Path, rows: int, *, late: bool = False, skew: bool = False) -> None:
    """Write the files of a benchmark, unless they exist.

    Parameters
    ----------
    folder
        Receives ``<view>.parquet`` for each view, and ``entity_rows.parquet``.
    rows
        Rows of each view; 50 for each key, and five for each entity row.
    late
        Adds ``created_timestamp``: one row in ten is loaded up to an hour after its event.
    skew
        One key has a tenth of the rows of each view, and of the entity rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, view in enumerate(VIEWS):
        if not (folder / f"{view}.parquet").exists():
            _write_view(folder, view, number, rows, late=late, skew=skew)
    noise = pl.select(pl.int_range(rows // 5, dtype=pl.UInt64).hash(77).alias("h"))
    noise.select(
        customer=_keys(pl.col("h"), 0, key_count(rows), skew=skew),
        event_timestamp=(START + (pl.col("h").hash(1) % YEAR).cast(pl.Int64)).cast(UTC_TIMESTAMP),
    ).write_parquet(folder / "entity_rows.parquet")


def key_count(rows: int) -> int:
    """Return the number of keys in a view with a number of rows."""
    return max(rows // ROWS_PER_KEY, 1)


def _keys(noise: pl.Expr, low: int, high: int, *, skew: bool) -> pl.Expr:
    keys = (low + noise % (high - low)).cast(pl.Int64)
    return pl.when(noise.hash(3) % 10 == 0).then(low).otherwise(keys).cast(pl.Int64) if skew else keys


def _write_view(folder: Path, view: str, number: int, rows: int, *, late: bool, skew: bool) -> None:
    # By key range: any size fits in bounded memory, and rows have the order of a built file.
    parts = 1 if skew else max(rows // ROWS_PER_PART, 1)
    keys = key_count(rows)
    pieces = []
    for part in range(parts):
        low, high = keys * part // parts, keys * (part + 1) // parts
        noise = pl.select(pl.int_range(rows // parts, dtype=pl.UInt64).hash(100 * number + part).alias("h"))
        frame = noise.select(
            customer=_keys(pl.col("h"), low, high, skew=skew),
            event_timestamp=(START + (pl.col("h").hash(1) % YEAR).cast(pl.Int64)).cast(UTC_TIMESTAMP),
            **{f"{view}_{i}": (pl.col("h").hash(i + 2) % 1_000_003) / 1_000_003 for i in range(FLOATS)},
            **{f"{view}_count": (pl.col("h").hash(30) % 1000).cast(pl.Int64)},
            **{f"{view}_word": pl.format("w{}", pl.col("h").hash(31) % 100)},
        )
        if late:
            frame = frame.with_columns(created_timestamp=_load_time())
        pieces.append(folder / f"{view}.{part}.parquet")
        frame.sort("customer", "event_timestamp").unique(
            ["customer", "event_timestamp"], keep="first", maintain_order=True
        ).write_parquet(pieces[-1], **WRITE_OPTIONS)
    pl.scan_parquet(pieces).sink_parquet(folder / f"{view}.parquet", maintain_order=True, **WRITE_OPTIONS)
    for piece in pieces:
        piece.unlink()


def _load_time() -> pl.Expr:
    event = pl.col("event_timestamp")
    delay = pl.when(event.hash(7) % 10 == 0).then(event.hash(8) % HOUR).fill_null(0).cast(pl.Int64)
    return (event + pl.duration(microseconds=delay)).cast(UTC_TIMESTAMP)


def featurestore_project(folder: Path, *, late: bool = False, engine: str = "polars") -> Project:
    """Make a project of ours over the files, with one service, ``joined``, of all features."""
    import featurestore  # noqa: PLC0415 - each subject imports its own
    from featurestore.operations.init.init import init  # noqa: PLC0415

    root = Path(tempfile.mkdtemp(prefix="project-", dir=folder.resolve()))
    init(root)
    settings = root / "pyproject.toml"
    settings.write_text(f'{settings.read_text()}engine = "{engine}"\n')
    (root / "schemas/bench.py").write_text(_schemas(late=late))
    (root / "feature_repo/bench.py").write_text(_definitions(late=late))
    project = featurestore.open(root)
    project.catalog.service("joined")  # the definitions are read before anything is measured
    for view in VIEWS:
        path = project.layout.features(view)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(_built_by(project, view, folder.resolve()))
    return project


def _built_by(project: Project, view: str, folder: Path) -> Path:
    """Write the rows of a view once more, as a build of the project would: with its definition's fingerprint."""
    from featurestore.storage.made_by import metadata_of  # noqa: PLC0415 - each subject imports its own

    path = folder / f"{view}.built.parquet"
    if not path.exists():
        metadata = metadata_of(project.catalog.view(view))
        rows = pl.scan_parquet(folder / f"{view}.parquet")
        rows.sink_parquet(path, maintain_order=True, metadata=metadata, **WRITE_OPTIONS)
    return path


def _schemas(*, late: bool) -> str:
    timestamps = "    event_timestamp: Timestamp = pa.Field(description='event')\n"
    timestamps += "    created_timestamp: Timestamp = pa.Field(description='loaded')\n" if late else ""
    lines = [
        "from typing import Annotated",
        "import pandera.polars as pa",
        "import polars as pl",
        'Timestamp = Annotated[pl.Datetime, "us", "UTC"]',
        "class Raw(pa.DataFrameModel):\n    customer: pl.Int64 = pa.Field(description='who')\n",
    ]
    dtypes = ["Float64"] * FLOATS + ["Int64", "String"]
    for view in VIEWS:
        fields = "".join(
            f"    {name}: pl.{dtype} = pa.Field(description='a feature', metadata={{'unit': '1'}})\n"
            for name, dtype in zip(feature_names(view), dtypes, strict=True)
        )
        lines.append(f"class {view.title()}(pa.DataFrameModel):")
        lines.append(f"    customer: pl.Int64 = pa.Field(description='who')\n{timestamps}{fields}")
    lines.append(ON_DEMAND_SCHEMAS)
    return "\n".join(lines)


def _definitions(*, late: bool) -> str:
    timing = ", delay=timedelta(minutes=5), ttl=timedelta(days=30)" if late else ""
    lines = [
        "from datetime import timedelta",
        "from featurestore import *",
        "from schemas.bench import *",
        "customer = Entity('customer', ('customer',))",
        "raw = source('raw', Raw, 'data/raw.csv', owner='bench')",
    ]
    lines += [
        f"@feature_view(entity=customer, owner='bench'{timing})\n"
        f"def {view}(raw: Frame[Raw]) -> Frame[{view.title()}]:\n    '''A view.'''\n    return raw\n"
        for view in VIEWS
    ]
    lines.append(f"joined = feature_service('joined', ({', '.join(VIEWS)}), owner='bench')\n")
    lines.append(ON_DEMAND_DEFINITIONS)
    lines.append(f"computed = feature_service('computed', ({', '.join(VIEWS)}, conditions), owner='bench')\n")
    return "\n".join(lines)


def feast_store(folder: Path, store_type: str) -> FeatureStore:
    """Make a Feast repository over the files, with one of Feast's own offline stores."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig  # noqa: PLC0415
    from feast.types import Float64, Int64, String  # noqa: PLC0415
    from feast.value_type import ValueType  # noqa: PLC0415

    home = Path(tempfile.mkdtemp(prefix="feast-", dir=folder.resolve()))
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
            schema=[Field(name=n, dtype=d) for n, d in zip(feature_names(view), dtypes, strict=True)],
            source=FileSource(
                path=str(folder.resolve() / f"{view}.parquet"), timestamp_field="event_timestamp"
            ),
        )
        for view in VIEWS
    ]
    store.apply([customer, *views])
    return store
