"""Views as users write them, over one frame of orders; `benchmarks/reproducible.py` builds them again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore import exact_mean, exact_sum

if TYPE_CHECKING:
    from collections.abc import Callable

    View = Callable[[pl.LazyFrame], pl.LazyFrame | pl.DataFrame]

HALF, FEW = 50, 5
x, y, n, word, time = pl.col("x"), pl.col("y"), pl.col("n"), pl.col("word"), pl.col("time")


def few(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row for each of 300 orders, to join with."""
    return rows.head(300).select("k", z="x")


def running(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add up in Python, with a state between the calls."""
    total = 0.0

    def add(value: float) -> float:
        nonlocal total
        total += value
        return total

    return rows.head(500).select("id", x.map_elements(add, return_dtype=pl.Float64))


VIEWS: dict[str, View] = {
    "sum, mean": lambda r: r.group_by("k").agg(x.sum(), mean=y.mean()),
    "sum, mean of many groups": lambda r: r.group_by("many").agg(x.sum(), mean=y.mean()),
    "sum of Float32": lambda r: r.group_by("k").agg(x.cast(pl.Float32).sum()),
    "var, std": lambda r: r.group_by("k").agg(v=y.var(), s=y.std()),
    "skew, kurtosis": lambda r: r.group_by("k").agg(s=y.skew(), k4=y.kurtosis()),
    "corr, cov": lambda r: r.group_by("k").agg(corr=pl.corr("x", "y"), cov=pl.cov("x", "y")),
    "median, quantile": lambda r: r.group_by("k").agg(m=x.median(), q=y.quantile(0.3)),
    "first, last without a sort": lambda r: r.group_by("k").agg(f=x.first(), last=y.last()),
    "n_unique": lambda r: r.group_by("k").agg(n.n_unique()),
    "mode": lambda r: r.group_by("k").agg(n.mode().first()),
    "weighted mean": lambda r: r.group_by("k").agg(w=(x * y).sum() / y.sum()),
    "filter in agg": lambda r: r.group_by("k").agg(x.filter(n > HALF).sum()),
    "select sum": lambda r: r.select(x.sum(), m=y.mean(), d=x.dot(y)),
    "filter, select sum": lambda r: r.filter(n > FEW).select(x.sum()),
    "filter, sum of all columns": lambda r: r.filter(n > FEW).select("x", "y").sum(),
    "distance from the mean": lambda r: r.filter(n > FEW).select("id", s=x - x.sum(), m=y - y.mean()),
    "filter by a sum": lambda r: r.filter(x * HALF > x.sum()).select("id"),
    "join, select sum": lambda r: r.join(few(r).unique("k"), on="k").select(pl.col("z").sum()),
    "sum of a series": lambda r: pl.DataFrame({"s": [r.filter(n > FEW).collect()["x"].sum()]}),
    "collect_all": lambda r: pl.collect_all([r.select(x.sum())], engine="streaming")[0],
    "over": lambda r: r.select("id", s=x.sum().over("k"), m=y.mean().over("many")),
    "unique, any": lambda r: r.unique("k"),
    "unique words": lambda r: r.group_by("k").agg(word.unique()),
    "value_counts": lambda r: r.group_by("k").agg(n.value_counts(sort=True)),
    "inner join": lambda r: r.head(2_000).join(few(r).unique("k"), on="k"),
    "left join": lambda r: r.head(2_000).join(few(r).unique("k"), on="k", how="left"),
    "many to many join, sum": lambda r: (
        r.head(2_000).join(few(r), on="k").group_by("k").agg(pl.col("z").sum())
    ),
    "full join": lambda r: r.head(2_000).join(few(r), on="k", how="full"),
    "semi, anti join": lambda r: r.join(few(r), on="k", how="semi").join(few(r).head(9), on="k", how="anti"),
    "join_where": lambda r: r.head(300).join_where(few(r), x < pl.col("z")),
    "asof join": lambda r: r.sort("time").join_asof(r.select("time", w="x").sort("time"), on="time"),
    "rolling": lambda r: (
        r.sort("k", "time").rolling("time", period="9s", group_by="k").agg(x.sum(), l=y.last())
    ),
    "rolling_sum": lambda r: r.sort("k", "time").select("id", x.rolling_sum(50).over("k")),
    "group_by_dynamic": lambda r: (
        r.sort("time").group_by_dynamic("time", every="60s").agg(x.sum(), f=y.first())
    ),
    "pivot": lambda r: (
        r.filter(n < FEW).collect().pivot("n", index="k", values="x", aggregate_function="sum")
    ),
    "sample with a seed": lambda r: r.collect().sample(500, seed=3),
    "shuffle with a seed": lambda r: r.select("id", x.shuffle(seed=3)),
    "rank": lambda r: r.select("id", a=n.rank("ordinal"), b=n.rank("dense"), c=n.rank("random", seed=1)),
    "cum_sum": lambda r: r.select("id", x.cum_sum(), e=y.ewm_mean(alpha=0.1)),
    "top_k": lambda r: r.top_k(100, by="n"),
    "bottom_k of two": lambda r: r.bottom_k(100, by=["n", "k"], reverse=[True, False]),
    "top_k_by": lambda r: r.group_by("k").agg(t=x.top_k_by("n", 3), b=x.bottom_k_by("n", 3)),
    "sort with ties": lambda r: r.sort("n"),
    "sort_by with ties": lambda r: r.group_by("k").agg(f=x.sort_by("n").first()),
    "list aggregation": lambda r: r.group_by("k").agg(x).with_columns(m=x.list.mean()),
    "str.join": lambda r: r.group_by("k").agg(word.str.join("-")),
    "concat": lambda r: pl.concat([r.filter(n < HALF), r.filter(n >= HALF)]).group_by("k").agg(x.sum()),
    "eager": lambda r: r.collect().group_by("k").agg(x.sum()),
    "streaming": lambda r: r.group_by("k").agg(x.sum()).collect(engine="streaming"),
    "state in Python": running,
    "exact_sum, exact_mean": lambda r: r.group_by("k").agg(exact_sum(x), m=exact_mean(y)),
}
