"""The profile of a dataset: a description of its values, computed part by part and added up.

The same rows give the same profile, in any partition. So a new partition costs only its
own rows, and DVC can track the file. Values are identified by the hash of Polars, which stays the
same within one version of Polars. Profiles of two versions do not add up; adding them raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from featurestore.errors import ContractError
from featurestore.quality.profile.column_profile import (
    MAX_VALUES,
    STEPS,
    ColumnProfile,
    NumberType,
    Values,
    coarse,
    signed,
)
from featurestore.quality.profile.partial_sum import FRACTION, ExactSum, binned, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from featurestore.definitions.contract import Contract

ROWS_AT_ONCE = 1 << 20
MAX_SAMPLED = 500


class Sample(msgspec.Struct, frozen=True):
    """A fair sample of the distinct rows: those with the smallest hashes.

    Attributes
    ----------
    hashes
        The hashes of the rows, ascending.
    columns
        The numbers of the rows, by column.
    """

    hashes: tuple[int, ...] = ()
    columns: dict[str, tuple[float | None, ...]] = {}

    def __add__(self, other: Sample) -> Sample:
        rows: dict[int, tuple[float | None, ...]] = {}
        names = tuple(self.columns or other.columns)
        for part in (self, other):
            rows |= zip(part.hashes, zip(*part.columns.values(), strict=True), strict=False)
        hashes = sorted(rows)[:MAX_SAMPLED]
        return Sample(
            tuple(hashes), {name: tuple(rows[h][i] for h in hashes) for i, name in enumerate(names)}
        )


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


def profile(
    frame: pl.DataFrame | pl.LazyFrame,
    *,
    dataset: str,
    contract: Contract | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Profile:
    """Profile a dataset, a million rows at a time.

    Parameters
    ----------
    contract
        Declares which columns are personal, and the segments to count rows by.
    progress
        Called with the number of rows that are done.
    """
    personal = {c.name for c in contract.columns if c.personal} if contract else set()
    segments = tuple(contract.metadata.get("segments", ())) if contract else ()
    total_profile = _part(frame.head(0).lazy().collect(), dataset, personal, segments)
    for part in _parts(frame):
        total_profile = total_profile + _part(part, dataset, personal, segments)
        progress(total_profile.rows)
    return total_profile


def _parts(frame: pl.DataFrame | pl.LazyFrame) -> Iterable[pl.DataFrame]:
    if isinstance(frame, pl.DataFrame):
        return frame.iter_slices(ROWS_AT_ONCE)
    return frame.collect_batches(chunk_size=ROWS_AT_ONCE)


def _part(part: pl.DataFrame, dataset: str, personal: set[str], segments: tuple[str, ...]) -> Profile:
    columns = {name: _column(part.get_column(name), personal=name in personal) for name in part.columns}
    numbers = [name for name, column in columns.items() if column.kind == "number" and name not in personal]
    return Profile(
        dataset=dataset,
        engine=f"polars {pl.__version__}",
        rows=part.height,
        columns=columns,
        sample=_sample(part, numbers),
        segments=_segments(part, segments),
    )


def _column(series: pl.Series, *, personal: bool) -> ColumnProfile:
    dtype = series.dtype
    values = series.drop_nulls()
    if isinstance(dtype, pl.Duration):
        values = values.dt.total_microseconds()
    fields: dict[str, Any] = {
        "dtype": str(dtype),
        "kind": "other",
        "rows": series.len(),
        "nulls": series.null_count(),
        "values": _values(values, personal=personal),
    }
    if dtype.is_numeric() or isinstance(dtype, pl.Duration):
        fields |= _numbers(values, personal=personal) | {"number_type": _number_type(dtype)}
    elif isinstance(dtype, pl.Date | pl.Datetime):
        fields |= _timestamps(values, personal=personal)
    elif isinstance(dtype, pl.Boolean):
        fields |= {"kind": "boolean", "zeros": int((~values).sum())}
    elif isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        fields |= {"kind": "text"} | _lengths(values.cast(pl.String).str.len_chars())
    elif isinstance(dtype, pl.List | pl.Array):
        lengths = values.list.len() if isinstance(dtype, pl.List) else values.arr.len()
        fields |= {"kind": "list"} | _lengths(lengths)
    return ColumnProfile(**fields)


def _number_type(dtype: pl.DataType) -> NumberType:
    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "float"
    return "duration" if isinstance(dtype, pl.Duration) else "decimal"


def _numbers(values: pl.Series, *, personal: bool) -> dict[str, Any]:
    floats = values.cast(pl.Float64)
    finite = floats.filter(floats.is_finite())
    groups = binned(finite, STEPS).rows()
    integers = values.dtype.is_integer()
    squares = (finite * finite).clip(upper_bound=1.7976931348623157e308)
    minimum, maximum = (
        (None, None)
        if personal
        else (values if integers else finite)
        .to_frame()
        .select(pl.first().min().alias("min"), pl.first().max().alias("max"))
        .row(0)
    )
    return {
        "kind": "number",
        "non_finite": floats.len() - finite.len(),
        "zeros": int((finite == 0).sum()),
        "min": minimum,
        "max": maximum,
        "total": ExactSum.of(int(values.cast(pl.Int128).sum())) if integers else total(groups, STEPS),
        "squares": total(binned(squares, FRACTION).rows(), FRACTION),
        "bins": dict(sorted((signed(bin_), count) for bin_, count, _ in groups)),
    }


def _timestamps(values: pl.Series, *, personal: bool) -> dict[str, Any]:
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        values = values.dt.convert_time_zone("UTC")
    if personal:
        return {"kind": "timestamp"}
    days = values.to_frame("day").group_by(pl.col("day").dt.strftime("%Y-%m-%d")).len().sort("day")
    return {
        "kind": "timestamp",
        "min": _json_value(values.min()),
        "max": _json_value(values.max()),
        "days": coarse(dict(days.rows())),
    }


def _lengths(lengths: pl.Series) -> dict[str, Any]:
    groups = binned(lengths.cast(pl.Float64), STEPS).rows()
    return {
        "min": lengths.min(),
        "max": lengths.max(),
        "bins": dict(sorted((signed(bin_), count) for bin_, count, _ in groups)),
    }


def _values(values: pl.Series, *, personal: bool) -> Values:
    if isinstance(values.dtype, pl.List | pl.Array | pl.Struct | pl.Binary | pl.Object | pl.Null):
        return Values()
    if values.dtype.is_float():
        values = values + 0.0
    hashes = values.hash()
    distinct = hashes.unique()
    below = None
    if distinct.len() > MAX_VALUES:
        below = int(distinct.bottom_k(MAX_VALUES + 1).max())  # type: ignore[arg-type]
        values = values.filter(hashes < below)
        hashes = hashes.filter(hashes < below)
    groups = (
        pl.DataFrame({"hash": hashes, "value": values})
        .group_by("hash")
        .agg(pl.col("value").first(), count=pl.len())
        .sort("hash")
    )
    return Values(tuple((h, None if personal else _json_value(v), n) for h, v, n in groups.rows()), below)


def _json_value(value: Any) -> Any:
    """Convert a value to one that JSON can represent; NaN and infinite numbers become text."""
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else _text(value)


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _sample(part: pl.DataFrame, numbers: list[str]) -> Sample:
    if not numbers:
        return Sample()
    hashes = part.select(pl.struct(pl.all()).hash().alias("hash")).to_series()
    bound = hashes.bottom_k(min(MAX_SAMPLED * 4, hashes.len())).max()
    sampled = hashes <= bound if bound is not None else hashes.is_null()
    rows = (
        part.select(_finite(pl.col(name).to_physical().cast(pl.Float64)).alias(name) for name in numbers)
        .with_columns(hashes.alias("__hash__"))
        .filter(sampled)
        .unique("__hash__", keep="first", maintain_order=True)
        .sort("__hash__")
        .head(MAX_SAMPLED)
    )
    columns = {name: tuple(rows[name].to_list()) for name in numbers}
    return Sample(tuple(rows["__hash__"].to_list()), columns)


def _finite(number: pl.Expr) -> pl.Expr:
    # -0.0 and 0.0 are equal, so they must have equal hashes.
    return pl.when(number == 0).then(0.0).when(number.is_finite()).then(number)


def _segments(part: pl.DataFrame, segments: tuple[str, ...]) -> dict[str, int]:
    if not segments:
        return {}
    name = pl.concat_str([pl.col(s).cast(pl.String).fill_null("(missing)") for s in segments], separator=", ")
    return dict(part.group_by(name.alias("segment")).len().sort("segment").rows())
