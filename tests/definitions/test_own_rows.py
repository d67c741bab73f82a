"""An on-demand view that looks at other rows is refused when it is defined, or by `check`."""

from typing import Annotated

import pandera.polars as pa
import polars as pl
import pytest

from featurestore import DefinitionError, Frame, on_demand_feature_view
from featurestore.vectors.own_rows import ROWS, generated_rows, require_own_rows, rows_of_schema

UTC = Annotated[pl.Datetime, "us", "UTC"]
c = pl.col


class Asked(pa.DataFrameModel):
    """A request with a column of each kind; two have the names of Polars' own operations."""

    a: pl.Float64 = pa.Field(description="number")
    n: pl.Int64 = pa.Field(nullable=True, description="number")
    Len: pl.Float64 = pa.Field(description="number")
    Filter: pl.Float64 = pa.Field(description="number")
    s: pl.String = pa.Field(nullable=True, description="text")
    day: pl.Date = pa.Field(description="day")
    t: UTC = pa.Field(description="time")
    many: Annotated[pl.List, pl.Int64] = pa.Field(nullable=True, description="list")
    two: Annotated[pl.Array, pl.Float64, 2] = pa.Field(description="array")
    price: Annotated[pl.Decimal, 10, 2] = pa.Field(description="price")


class Out(pa.DataFrameModel):
    """What is computed."""

    x: pl.Float64 = pa.Field(nullable=True, description="number")


def defined(transform):
    def view(rows: Frame[Asked]) -> Frame[Out]:
        """A number."""
        result = transform(rows)
        frame = result if isinstance(result, pl.LazyFrame) else rows.select(x=result)
        return frame.select(c.x.cast(pl.Float64))

    return on_demand_feature_view(owner="me")(view)


def secret(function):
    """Hide what a function does from the plan, as a user's own code may."""
    return lambda rows: function(rows.collect()).lazy()


def asked_for_its_columns(frame):
    """Return a frame after a question that has Polars keep what it resolved in the plan."""
    frame.collect_schema()
    return frame


SHOWN = {
    "mean": c.a - c.a.mean(),
    "shift": c.a.shift(1),
    "cum_sum": c.a.cum_sum(),
    "sort": c.a.sort(),
    "over": c.a.sum().over("s"),
    "rank": c.a.rank(),
    "unique": c.a.unique(),
    "head": c.a.head(1_000_000),
    "sample": c.a.sample(fraction=1.0, seed=1),
    "rolling": c.a.rolling_mean(3, min_samples=1),
    "len": c.a / pl.len(),
    "int_range": pl.int_range(pl.len()),
    "is_first_distinct": c.a.is_first_distinct(),
    "is_duplicated": c.a.is_duplicated(),
    "map_batches": c.a.map_batches(lambda values: values - values[0], return_dtype=pl.Float64),
    "only where it is rare": pl.when(c.a > 1e12).then(c.a.max()).otherwise(1.0),
    "forward_fill": c.n.forward_fill(),
    "fill_null by strategy": c.n.fill_null(strategy="mean"),
    "diff": c.a.diff(),
    "interpolate": c.n.interpolate(),
    "ewm_mean": c.a.ewm_mean(com=1),
    "sort_by": c.a.sort_by("n"),
    "reverse": c.a.reverse(),
    "n_unique": c.s.n_unique(),
    "count": c.a / pl.count("a"),
    "qcut": c.a.rank("dense") / 2,
    "a selector": pl.mean_horizontal(pl.col(pl.Float64).sum()),
    "first": c.a.first(),
    "gather": c.a.gather(pl.int_range(pl.len())),
    "frame sort": lambda rows: rows.sort("a").select(x="a"),
    "frame head": lambda rows: rows.head(1_000_000).select(x="a"),
    "frame unique": lambda rows: rows.unique("a").select(x="a"),
    "frame filter": lambda rows: rows.filter(c.a > -1e12).select(x="a"),
    "frame shift": lambda rows: rows.shift(1).select(x="a"),
    "frame row index": lambda rows: rows.with_row_index().select(x="index"),
    "after a question about its columns": lambda rows: asked_for_its_columns(rows.select(x=c.a.max())),
    "before a question about its columns": lambda rows: asked_for_its_columns(
        asked_for_its_columns(rows).with_columns(x=c.a.max())
    ).select("x"),
    "frame map_batches": lambda rows: rows.select(x="a").map_batches(lambda frame: frame),
    "a join with itself": lambda rows: rows.join(
        rows.group_by("s").agg(m=c.a.mean()), on="s", how="left", nulls_equal=True
    ).select(x="m"),
}


@pytest.mark.parametrize("transform", SHOWN.values(), ids=SHOWN)
def test_what_the_plan_shows_is_refused_when_it_is_defined(transform):
    """An expression or a step over other rows is refused by the decorator, without data."""
    with pytest.raises(DefinitionError, match="on-demand view 'view' reads other rows than its own: "):
        defined(transform if callable(transform) else lambda _: transform)


HIDDEN = {
    "mean": secret(lambda frame: frame.select(x=c.a.mean().repeat_by(1).explode() + c.a * 0)),
    "shift": secret(lambda frame: frame.select(x=c.a.shift())),
    "len": secret(lambda frame: frame.select(x=c.a + frame.height)),
    "rank": secret(lambda frame: frame.select(x=c.a.rank())),
    "is_first_distinct": secret(lambda frame: frame.select(x=c.a.is_first_distinct())),
    "is_last_distinct": secret(lambda frame: frame.select(x=c.a.is_last_distinct())),
    "cum_sum": secret(lambda frame: frame.select(x=c.a.cum_sum())),
    "sample": secret(lambda frame: frame.sample(fraction=1.0, shuffle=True, seed=3).select(x="a")),
    "sort": secret(lambda frame: frame.sort("a").select(x="a")),
    "forward_fill": secret(lambda frame: frame.select(x=c.n.forward_fill())),
    "mean of a column with nulls": secret(lambda frame: frame.select(x=c.n.fill_null(c.n.mean()))),
    "over a text": secret(lambda frame: frame.select(x=c.a.max().over("s"))),
    "a wrong mark": lambda _: c.a.map_batches(
        lambda values: values - values[0], return_dtype=pl.Float64, is_elementwise=True
    ),
}


@pytest.mark.parametrize("transform", HIDDEN.values(), ids=HIDDEN)
def test_what_the_plan_hides_is_refused_by_check(transform):
    """What the plan does not show is found by comparing one row with many."""
    view = defined(transform)
    with pytest.raises(DefinitionError, match=r"'x' is .* for a row alone, and .* among 24"):
        require_own_rows(view)


CONSTANTS = pl.LazyFrame({"s": ["a1", "b1", "b1"], "v": [1.0, 2.0, 4.0]})
ROW_WISE = {
    "arithmetic": c.a / c.n.fill_null(1) + c.a.log() - c.a.round(2).abs().sqrt(),
    "when": pl.when(c.a > 1).then(c.n).otherwise(c.a.clip(0, 1)),
    "list": c.many.list.mean() + c.many.list.sort().list.first() + c.many.list.len(),
    "list.eval": c.many.list.eval(pl.element().rank()).list.sum(),
    "array": c.two.arr.sum() + c.two.arr.max(),
    "str": c.s.str.len_chars() + c.s.str.slice(0, 1).str.contains("a").cast(pl.Int8),
    "str.to_datetime": c.s.str.to_datetime("%Y", strict=False).dt.epoch("s"),
    "str.split": c.s.str.split("1").list.len(),
    "dt": c.t.dt.hour() + c.t.dt.truncate("1h").dt.epoch("s") + c.day.dt.weekday(),
    "dt zone": c.t.dt.convert_time_zone("Europe/Paris").dt.hour(),
    "struct": pl.struct("a", "n").struct.field("n"),
    "struct.with_fields": pl.struct("a").struct.with_fields(b=pl.field("a") * 2).struct.field("b"),
    "map_elements": c.a.map_elements(lambda value: divmod(value, 2)[0], return_dtype=pl.Float64),
    "map_batches by element": c.a.map_batches(
        lambda values: values * 2, return_dtype=pl.Float64, is_elementwise=True
    ),
    "horizontal": pl.sum_horizontal("a", "n") + pl.max_horizontal("a", "Len") + pl.mean_horizontal("a", "n"),
    "fold": pl.fold(pl.lit(0.0), lambda total, value: total + value, [c.a, c.Len]),
    "names of operations": c.Len + c.Filter,
    "coalesce, is_in, replace": pl.coalesce("n", c.s.replace_strict({"a1": 1}, default=0))
    + c.a.is_in([1.0, 3.0]).cast(pl.Int8),
    "concat": pl.concat_list("a", "Len").list.sum() + pl.concat_str("s", "s").str.len_bytes(),
    "hash": c.s.hash(1).mod(1000),
    "decimal": c.price.cast(pl.Float64) * 2,
    "literal": pl.lit(1.0) + c.a * 0,
    "frame rename": lambda rows: rows.rename({"a": "x"}),
    "frame with_columns": lambda rows: rows.with_columns(y=c.a * 2).drop("n").select(x="y"),
    "frame unnest": lambda rows: rows.select(q=pl.struct(x="a")).unnest("q"),
    "frame fill_null": lambda rows: rows.with_columns(c.n.fill_null(0)).select(x="n"),
    "a join with constants": lambda rows: rows.join(
        CONSTANTS.group_by("s").agg(c.v.sum()), on="s", how="left", maintain_order="left"
    ).select(x="v"),
    "collected": secret(lambda frame: frame.select(x=c.a * 2)),
}


@pytest.mark.parametrize("transform", ROW_WISE.values(), ids=ROW_WISE)
def test_a_function_of_each_row_is_accepted(transform):
    """No false alarm: functions of each row pass the plan and the comparison."""
    require_own_rows(defined(transform if callable(transform) else lambda _: transform))


def test_generated_rows_differ_repeat_and_have_nulls():
    """Each nullable column has values that differ, values that repeat, and nulls; others have no null."""
    rows = generated_rows(defined(lambda _: c.a))
    for name in rows.columns:
        values = rows[name].drop_nulls()
        assert 1 < values.n_unique() < values.len()
        assert bool(rows[name].null_count()) == (name in ("n", "s", "many"))


def test_rows_are_generated_of_each_dtype():
    """Events may have columns that no feature can have."""
    schema = {
        "duration": pl.Duration("us"),
        "time": pl.Time(),
        "enum": pl.Enum(["low", "high"]),
        "categorical": pl.Categorical(),
        "struct": pl.Struct({"a": pl.Int8(), "b": pl.Duration("ms")}),
        "list": pl.List(pl.Enum(["low", "high"])),
        "local": pl.Datetime("ns"),
        "decimal": pl.Decimal(10, 2),
    }
    rows = rows_of_schema(schema, schema)
    assert dict(rows.schema) == schema
    assert not sum(rows.null_count().row(0))
    assert all(rows[name].n_unique() > 1 for name in schema)
    assert rows_of_schema({"null": pl.Null()})["null"].null_count() == ROWS


def test_check_finds_it_in_a_project(shop_files):
    """The command `check` compares the on-demand views of a project."""
    import featurestore  # noqa: PLC0415 - the names above are those that users import

    path = shop_files / "feature_repo/shop.py"
    text = path.read_text()
    body = 'rows.select(ratio=pl.col("basket") / pl.col("amount"))'
    assert body in text
    path.write_text(
        text.replace(body, 'rows.collect().select(ratio=pl.col("basket") - pl.col("basket").mean())')
    )
    with pytest.raises(DefinitionError, match="on-demand view 'compared' reads other rows"):
        featurestore.open(shop_files).check()
    path.write_text(text.replace(body, body.replace('"basket")', '"basket").mean()', 1)))
    with pytest.raises(DefinitionError, match="reads other rows than its own: Mean"):
        _ = featurestore.open(shop_files).catalog
