"""Which columns of a plan are results of `rolling` is read from the plan, column by column."""

import polars as pl
import pytest

from featurestore.definitions.rolled import rolled_columns

ROWS = pl.LazyFrame(
    schema={"k": pl.Int64, "ts": pl.Datetime("us", "UTC"), "x": pl.Float64, "n": pl.Int32, "s": pl.Float64}
)
X = pl.col("x")


def rolled(rows):
    """The rows with `x` as a sum of three days."""
    return rows.rolling("ts", period="3d", group_by="k").agg(X.sum())


@pytest.mark.parametrize(
    ("function", "columns"),
    [
        (lambda rows: rows, {}),
        (rolled, {"x": "rolling"}),
        (lambda rows: rolled(rows).rename({"x": "y"}), {"y": "rolling"}),
        (lambda rows: rolled(rows).sort("k").filter(X > 0).unique("k").with_row_index(), {"x": "rolling"}),
        (lambda rows: rolled(rows).select("k", "ts"), {}),
        (lambda rows: rolled(rows).with_columns(x=pl.lit(1.0)), {}),
        (lambda rows: rolled(rows).select(y=X.fill_null(0) + 1), {"y": "rolling"}),
        (lambda rows: rolled(rows).select(pl.all().name.suffix("_3d")), {"x_3d": "rolling"}),
        (lambda rows: rolled(rows).select(y=pl.sum_horizontal("k", "x")), {"y": "rolling"}),
        (lambda rows: rolled(rows).group_by("k").agg(X.max()), {"x": "rolling"}),
        (
            lambda rows: rolled(rows).select(y=pl.struct("k", "x")).unnest("y"),
            {"k": "rolling", "x": "rolling"},
        ),
        (lambda rows: pl.concat([rows.select("x"), rolled(rows).select("x")]), {"x": "rolling"}),
        (lambda rows: rows.join(rolled(rows), on=["k", "ts"]), {"x_right": "rolling"}),
        (lambda rows: rolled(rows).join(rows, on=["k", "ts"], suffix="_now"), {"x": "rolling"}),
        (
            lambda rows: rows.join_asof(rolled(rows), on="ts", by="k").select("n", "x_right"),
            {"x_right": "rolling"},
        ),
        (lambda rows: rows.join(rolled(rows), on=["k", "ts"]).select("n", "x"), {}),
        # The last value of a window that ends with the row is the value of the row.
        (
            lambda rows: rows.rolling("ts", period="1d", group_by="k").agg(
                pl.col("x", "n").last(), pl.len(), first=X.first(), change=X.last() - X.first()
            ),
            {"len": "rolling", "first": "rolling", "change": "rolling"},
        ),
        (lambda rows: rows.rolling("ts", period="1d", closed="left").agg(X.last()), {"x": "rolling"}),
        (lambda rows: rows.rolling("ts", period="1d", offset="-2d").agg(X.last()), {"x": "rolling"}),
        (
            lambda rows: rows.group_by_dynamic("ts", every="1d", group_by="k").agg(pl.col("x", "n").sum()),
            {"x": "group_by_dynamic", "n": "group_by_dynamic"},
        ),
        (
            lambda rows: rows.select("n", y=X.rolling_mean_by("ts", "3d").over("k")),
            {"y": "rolling_mean_by"},
        ),
        (
            lambda rows: rows.select(pl.col("x", "s").rolling_sum_by("ts", "3d")),
            dict.fromkeys("xs", "rolling_sum_by"),
        ),
        (lambda rows: rows.select(y=X.sum().rolling("ts", period="1d")), {"y": "rolling"}),
        (lambda rows: rows.select(y=X.last().rolling("ts", period="1d")), {}),
        # The last three rows stay the last three rows until the next one.
        (lambda rows: rows.select(X.rolling_mean(3)), {}),
    ],
)
def test_a_column_is_rolled_if_it_depends_on_a_rolling_result(function, columns):
    assert rolled_columns(function(ROWS), [(ROWS, {})]) == columns


def test_a_rolled_column_of_an_input_stays_one():
    """The dataset before a view may have computed it."""
    currencies = pl.LazyFrame(schema={"k": pl.Int64, "y": pl.Float64})
    plan = ROWS.join(currencies, on="k", how="left").select("x", z=pl.col("y") * 2)
    assert rolled_columns(plan, [(ROWS, {"n": "rolling"}), (currencies, {"y": "rolling_max_by"})]) == {
        "z": "rolling_max_by"
    }
