"""A window that cannot work is refused when it is written: the argument is named, and what it must be."""

from datetime import timedelta

import polars as pl
import pytest

from featurestore import DefinitionError, windows
from featurestore.windows.arguments import LONGEST

PAID = pl.col("amount") > 0


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (
            lambda: windows.count(over="99999999d"),
            "count: over is 99,999,999 days, .* at most 3,652,058 days",
        ),
        (lambda: windows.count(over=LONGEST + timedelta(microseconds=1)), "timestamps hold at most"),
        (lambda: windows.count(over=5), "count: over is 5 .int.; expected a duration"),
        (lambda: windows.count(over=True), "over is True .bool.; expected a duration"),
        (lambda: windows.count(over=pl.col("a")), "over is .* .Expr.; expected a duration"),
        (lambda: windows.count(events=5.5), "events is 5.5; expected an integer from 1 to 2,147,483,647"),
        (lambda: windows.count(events=True), "events is True; expected an integer"),
        (lambda: windows.count(events="5"), "events is '5'; expected an integer"),
        (lambda: windows.count(events=0), "events is 0; expected an integer from 1"),
        (
            lambda: windows.count(events=2**31),
            "events is 2147483648; expected an integer from 1 to 2,147,483,647",
        ),
        (lambda: windows.last_n("a", 2.0, over="1h"), "last_n of 'a': n is 2.0; expected an integer"),
        (lambda: windows.last_n("a", True, over="1h"), "n is True; expected an integer"),
        (lambda: windows.last_n("a", 0, over="1h"), "n is 0; expected an integer from 1"),
        (
            lambda: windows.count(over="1h", where=True),
            "where is True .bool.; expected a Polars expression",
        ),
        (
            lambda: windows.sum("a", over="1h", where="b"),
            "sum of 'a': where is 'b' .str.; expected a Polars",
        ),
        (
            lambda: windows.share("amount", over="1h"),
            "share: condition is 'amount' .str.; expected a Polars",
        ),
        (lambda: windows.share(None, over="1h"), "share: condition is None .NoneType.; expected"),
        (lambda: windows.share(PAID, over="1h", where=[PAID]), "share: where is .* .list.; expected"),
        (
            lambda: windows.mean(pl.col("amount"), over="1h"),
            "mean: column is col.* .Expr.; expected the name",
        ),
        (
            lambda: windows.quantile("a", 1.0, over="1h"),
            "quantile of 'a': quantile is 1.0; expected a number above 0",
        ),
        (lambda: windows.quantile("a", 1, over="1h"), "quantile is 1.0; expected a number above 0"),
        (lambda: windows.quantile("a", float("nan"), over="1h"), "quantile is nan; expected a finite number"),
        (
            lambda: windows.approximate_quantile("a", 0.0, error=0.01, over="1h"),
            "approximate_quantile of 'a': quantile is 0.0; expected a number above 0",
        ),
        (
            lambda: windows.approximate_quantile("a", 0.5, error=0.5, over="1h"),
            "error is 0.5; expected a number from 0.001 to 0.1",
        ),
        (
            lambda: windows.approximate_distinct("a", error=0.001, over="1h"),
            "approximate_distinct of 'a': error is 0.001; expected a number from 0.01 to 0.1",
        ),
        (
            lambda: windows.approximate_distinct("a", error=None, over="1h"),
            "error is None; expected a finite number",
        ),
        (
            lambda: windows.approximate_distinct(None, error=0.1, over="1h"),
            'column is None(.|\n)*windows.approximate_distinct."amount", error=0.02, over="1h"',
        ),
        (lambda: windows.last(None, over="1h"), "last: column is None .NoneType.; expected the name"),
    ],
)
def test_a_wrong_argument_is_named(declare, message):
    with pytest.raises(DefinitionError, match=message):
        declare()


def test_the_longest_window_can_be_declared():
    assert windows.count(over=LONGEST).duration == LONGEST
