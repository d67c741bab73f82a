"""The profile of a dataset: a description of its values, computed part by part and added up.

The same rows give the same profile, in any partition. So a new partition costs only its
own rows, and DVC can track the file. Values are identified by the hash of Polars, which stays the
same within one version of Polars. Profiles of two versions do not add up; adding them raises.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from featurestore.errors import ContractError
from featurestore.quality.profile.column_counts import ColumnCounts
from featurestore.quality.profile.column_profile import ColumnProfile
from featurestore.quality.profile.sample import Sample, sample_of, smallest_sample
from featurestore.storage.parquet import schema_of_file, slices
from featurestore.values.numpy_threads import keep_freed_memory, numpy_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from featurestore.definitions.contract import Contract

ROWS_AT_ONCE: Final = 1 << 17
MAX_PARTS: Final = 32  # parts whose counts are kept before they are added up


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The profile of a dataset. ``a + b`` is the profile of the rows of both.

    Attributes
    ----------
    engine
        The version of Polars, whose hashes identify the values.
    segments
        The number of rows for each combination of values of the columns that the schema's metadata
        lists as ``segments``.
    """

    dataset: str
    engine: str
    rows: int
    columns: dict[str, ColumnProfile]
    sample: Sample = Sample()
    segments: dict[str, int] = {}

    def __add__(self, other: Profile) -> Profile:
        if self.engine != other.engine or list(self.columns) != list(other.columns):
            raise ContractError(
                f"{self.dataset}: profiles of {self.engine} and {other.engine}, or of different columns, do not add up",
                hint="profile both datasets again",
            )
        keys = sorted({*self.segments, *other.segments})
        return Profile(
            dataset=self.dataset,
            engine=self.engine,
            rows=self.rows + other.rows,
            columns={name: column + other.columns[name] for name, column in self.columns.items()},
            sample=self.sample + other.sample,
            segments={k: self.segments.get(k, 0) + other.segments.get(k, 0) for k in keys},
        )

    def correlations(self) -> dict[tuple[str, str], float]:
        """Estimate the rank correlation (Spearman) of each pair of number columns."""
        if len(self.sample.hashes) < 2:  # noqa: PLR2004
            return {}
        rows = pl.DataFrame(self.sample.columns)
        names = rows.columns
        pairs = {
            (a, b): pl.corr(a, b, method="spearman") for i, a in enumerate(names) for b in names[i + 1 :]
        }
        if not pairs:
            return {}

        def both(a: str, b: str) -> pl.Expr:
            return pl.col(a).is_not_null() & pl.col(b).is_not_null()

        coefficients = rows.select(
            pl.corr(pl.col(a).filter(both(a, b)), pl.col(b).filter(both(a, b)), method="spearman").alias(
                str(i)
            )
            for i, (a, b) in enumerate(pairs)
        ).row(0)
        return {pair: r for pair, r in zip(pairs, coefficients, strict=True) if r is not None and r == r}  # noqa: PLR0124 - NaN


@dataclass(frozen=True)
class _Counts:
    """The counts of some rows."""

    columns: dict[str, ColumnCounts]
    sample: pl.DataFrame
    segments: pl.DataFrame

    @classmethod
    def sum(cls, parts: Sequence[_Counts]) -> _Counts:
        names = parts[0].columns
        return cls(
            {name: ColumnCounts.sum([part.columns[name] for part in parts]) for name in names},
            smallest_sample(pl.concat([part.sample.lazy() for part in parts])),
            pl.concat([part.segments for part in parts]).group_by("segment").agg(pl.col("count").sum()),
        )


class Profiler:
    """Profile rows part by part: each part is read once, in any order and from any thread.

    Parameters
    ----------
    schema
        The columns of the rows.
    dataset
        The name of the dataset.
    contract
        Declares which columns are personal, and the segments to count rows by.
    """

    def __init__(self, schema: pl.Schema, *, dataset: str, contract: Contract | None = None) -> None:
        self._schema = schema
        self._dataset = dataset
        self._personal = contract.personal if contract else frozenset()
        self._segments = tuple(contract.metadata.get("segments", ())) if contract else ()
        self._numbers = tuple(
            name for name, dtype in schema.items() if _is_number(dtype) and name not in self._personal
        )
        self._rows = 0
        self._lock = Lock()
        keep_freed_memory()
        # The sum of the parts so far, then the counts of later parts.
        self._parts = [self._count(pl.DataFrame(schema=schema))]

    def passed(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return a query with the same rows, which are profiled as they pass."""

        def profiled(part: pl.DataFrame) -> pl.DataFrame:
            self.add(part)
            return part

        return rows.map_batches(profiled, streamable=True, schema=self._schema)

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows to the profile."""
        for part in rows.iter_slices(ROWS_AT_ONCE):
            counts = self._count(part)
            with self._lock:
                self._rows += part.height
                self._parts.append(counts)
                # The first sum bounds which values later parts list.
                if len(self._parts) > MAX_PARTS or self._rows == part.height:
                    self._parts = [_Counts.sum(self._parts)]

    def profile(self) -> Profile:
        """Return the profile of the rows so far."""
        with self._lock:
            counts = _Counts.sum(self._parts)
        return Profile(
            dataset=self._dataset,
            engine=f"polars {pl.__version__}",
            rows=self._rows,
            columns={
                name: column.profile(self._schema[name], personal=name in self._personal)
                for name, column in counts.columns.items()
            },
            sample=Sample.of(counts.sample),
            segments=dict(counts.segments.sort("segment").rows()),
        )

    def _count(self, part: pl.DataFrame) -> _Counts:
        known = self._parts[0] if self._rows else None
        return _Counts(
            {
                name: ColumnCounts.of(part[name], below=known.columns[name].below if known else None)
                for name in part.columns
            },
            sample_of(part, self._numbers, of_others=known.sample if known else None),
            _segments(part, self._segments),
        )


def profile(frame: pl.DataFrame | pl.LazyFrame, *, dataset: str, contract: Contract | None = None) -> Profile:
    """Profile a dataset on all threads, in bounded memory. Parameters as of `Profiler`."""
    profiler = Profiler(frame.collect_schema(), dataset=dataset, contract=contract)
    if isinstance(frame, pl.DataFrame) and frame.height <= ROWS_AT_ONCE:
        profiler.add(frame)
        return profiler.profile()
    return _profiled(profiler, _parts(frame))


def profile_file(path: Path, *, dataset: str, contract: Contract | None = None) -> Profile:
    """Profile a Parquet file as `profile` does a query over it, in less memory. Parameters as of `Profiler`.

    Raises
    ------
    polars.exceptions.PolarsError
        If the file is damaged.
    """
    profiler = Profiler(schema_of_file(path), dataset=dataset, contract=contract)
    return _profiled(profiler, slices(path, ROWS_AT_ONCE))


def _profiled(profiler: Profiler, parts: Iterator[pl.DataFrame | pl.LazyFrame]) -> Profile:
    # A thread that counts asks for its next part, so no more parts than threads wait in memory. A query that counts
    # by `map_batches` reads ahead while it counts.
    asking = Lock()

    def count() -> None:
        while True:
            with asking:
                part = next(parts, None)
            if part is None:
                return
            # Each thread reads one part: the streaming engine would read it with all threads.
            profiler.add(part if isinstance(part, pl.DataFrame) else part.collect(engine="in-memory"))

    threads = numpy_threads()
    with ThreadPoolExecutor(threads) as pool:
        for counting in [pool.submit(count) for _ in range(threads)]:
            counting.result()
    return profiler.profile()


def _parts(frame: pl.DataFrame | pl.LazyFrame) -> Iterator[pl.DataFrame]:
    if isinstance(frame, pl.DataFrame):
        return frame.iter_slices(ROWS_AT_ONCE)
    return iter(frame.collect_batches(chunk_size=ROWS_AT_ONCE, maintain_order=False, engine="streaming"))


def _is_number(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or isinstance(dtype, pl.Duration)


def _segments(part: pl.DataFrame, segments: tuple[str, ...]) -> pl.DataFrame:
    if not segments:
        return pl.DataFrame(schema={"segment": pl.String, "count": pl.Int64})
    name = pl.concat_str([pl.col(s).cast(pl.String).fill_null("(missing)") for s in segments], separator=", ")
    return part.group_by(name.alias("segment")).agg(count=pl.len().cast(pl.Int64))
