"""Each verb that a build runs in its own way is needed, and 300 rows are enough to see that one is missing."""

import os
import subprocess
import sys

import polars as pl
import pytest
from polars.lazyframe.engine import _LocalEngine

from featurestore.definitions.call import run
from featurestore.definitions.ordered_verbs import ORDERED
from featurestore.definitions.perturbed import in_chunks, perturbed_execution
from featurestore.storage.fingerprint import fingerprint

NUMBER = pl.int_range(300)
ROWS = pl.select(
    id=NUMBER,
    k=NUMBER * 7 % 5,
    n=NUMBER * 11 % 4,
    x=((NUMBER * 48_271 % 1_009) / 40).exp(),
    y=(NUMBER * 48_271 % 1_009) / 1_009,
    time=pl.datetime(2024, 1, 1) + pl.duration(seconds=NUMBER),
)
k, n, x, y = (pl.col(name) for name in "knxy")


def few(rows):
    """Return rows to join with: several for each value of `k`."""
    return rows.filter(pl.col("id") < 12).select("k", z="x")


LAZY, EXPR = pl.LazyFrame, pl.Expr
# A verb, and a view that depends on luck without it.
VIEWS = {
    (LAZY, "group_by"): lambda r: r.group_by("k").agg(x.sum(), n.first()),
    (LAZY, "sort"): lambda r: r.sort("n"),
    (LAZY, "unique"): lambda r: r.unique("k"),
    (LAZY, "join"): lambda r: r.join(few(r), on="k"),
    (LAZY, "join_where"): lambda r: r.join_where(few(r), x < pl.col("z")),
    (LAZY, "top_k"): lambda r: r.top_k(10, by="n"),
    (LAZY, "bottom_k"): lambda r: r.bottom_k(10, by=["n", "k"], reverse=[True, False]),
    (LAZY, "select"): lambda r: r.select(x.sum(), m=y.mean(), v=y.var()),
    (LAZY, "select_seq"): lambda r: r.select_seq(x.sum()),
    (LAZY, "with_columns"): lambda r: r.with_columns(z=x - x.sum()),
    (LAZY, "with_columns_seq"): lambda r: r.with_columns_seq(z=x.sum()),
    (LAZY, "filter"): lambda r: r.filter(x.sum().reinterpret(dtype=pl.UInt64) % 2 == 0).select("id"),
    (LAZY, "sum"): lambda r: r.select("x").sum(),
    (LAZY, "mean"): lambda r: r.select("x", "y").mean(),
    (LAZY, "std"): lambda r: r.select("x", "y").std(),
    (LAZY, "var"): lambda r: r.select("x", "y").var(),
    (EXPR, "mode"): lambda r: r.select(y.mode()),
    (EXPR, "unique"): lambda r: r.group_by("k").agg(x.unique()),
    (EXPR, "value_counts"): lambda r: r.select(n.value_counts(sort=True)),
    (EXPR, "sort_by"): lambda r: r.group_by("k").agg(x.sort_by("n").first()),
    (EXPR, "top_k_by"): lambda r: r.group_by("k").agg(x.top_k_by("n", 3)),
    (EXPR, "bottom_k_by"): lambda r: r.group_by("k").agg(x.bottom_k_by("n", 3)),
    (_LocalEngine, "collect"): lambda r: pl.DataFrame(
        {"s": [p.sum() for p in r.collect()["x"].get_chunks()]}
    ),
}


def results(view):
    """Return the different results of a view, in builds that draw what Polars does not promise."""
    prints = set()
    for seed in (1, 2, 3):
        with perturbed_execution(seed):
            prints.add(fingerprint(run("view", view, in_chunks(ROWS, seed).lazy())))
    return prints


@pytest.mark.parametrize(("verb", "view"), [pytest.param(*item, id=item[0][1]) for item in VIEWS.items()])
def test_a_verb_that_is_not_run_in_order_is_seen_on_300_rows(verb, view, monkeypatch):
    """A view has one result; with one verb as Polars has it, it has several."""
    assert len(results(view)) == 1
    monkeypatch.delitem(ORDERED, verb)
    assert len(results(view)) > 1


@pytest.mark.parametrize("shape", [iter, list, tuple, lambda parts: dict(enumerate(parts)).values()])
def test_expressions_may_come_in_any_collection(shape):
    """A generator of expressions and the values of a dictionary are read as a list of them is."""
    assert len(results(lambda rows: rows.select(shape([x.sum(), y.mean()])))) == 1


def test_sums_of_a_column_are_the_same_on_other_numbers_of_threads():
    """Polars splits the sum of a long column among threads; a build adds it up in one, in every way to ask for it."""
    program = f"""
import sys; sys.path[:0] = {sys.path!r}
import polars as pl
from featurestore.definitions.call import run
from featurestore.storage.fingerprint import fingerprint
x, n = pl.col("x"), pl.col("n")
views = [
    lambda r: r.filter(n > 3).select(x.sum()),
    lambda r: r.select("n", z=x - x.sum()),
    lambda r: r.with_columns(z=pl.sum_horizontal(x.sum(), n.sum())),
    lambda r: r.filter(x.sum().reinterpret(dtype=pl.UInt64) % 2 == 0),
    lambda r: r.filter(n > 3).sum(),
    lambda r: r.collect().filter(n > 3).select(pl.all().sum()),
    lambda r: pl.DataFrame(dict(s=[r.filter(n > 3).collect()["x"].sum()])),
    lambda r: pl.collect_all([r.select(x.sum())], engine="streaming")[0],
    lambda r: pl.concat(list(r.group_by("n").agg(x.sum()).collect_batches())),
]
number = pl.int_range(250_000)
luck = (number + 1) * 16_807 % 1_000_003 / 1_000_003
rows = pl.select(n=number % 7, x=luck - 0.5).lazy()
print([fingerprint(run("view", view, rows)) for view in views])
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=os.environ | {"POLARS_MAX_THREADS": threads},
            stdout=subprocess.PIPE,
            text=True,
        )
        for threads in ("1", "3")
    ]
    first, second = (process.communicate()[0] for process in processes)
    assert first.count("sha256") == 9
    assert first == second


def test_a_plan_is_run_in_order_also_where_polars_writes_it(tmp_path):
    """What a function writes with a sink has its rows in order."""

    def view(rows):
        rows.group_by("k").agg(x.sum()).sink_parquet(tmp_path / "sums.parquet", engine="streaming")
        return pl.read_parquet(tmp_path / "sums.parquet")

    assert run("view", view, ROWS.lazy())["k"].to_list() == ROWS["k"].unique(maintain_order=True).to_list()
