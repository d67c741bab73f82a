"""A metric is judged by its own history: nobody sets a bound."""

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.quality.change.anomalies import MIN_RUNS, anomalies
from featurestore.quality.change.history import Run, run_of
from featurestore.quality.gate.verdict import Verdict
from featurestore.quality.profile.profile import profile

MONDAY = datetime(2024, 1, 1, 3, tzinfo=UTC)


def runs(values, metric="rows", decisions=None):
    """A run a day, from a Monday, the first of January, on."""
    return [
        Run(
            at=MONDAY + timedelta(days=day),
            decision=(decisions or {}).get(day, "passed"),
            metrics={} if value is None else {metric: value},
        )
        for day, value in enumerate(values)
    ]


def judged(values, **more):
    """The one anomaly of the last run; None: there is none."""
    found = anomalies(runs(values, **more))
    return found[0] if found else None


def test_a_sudden_change_of_volume():
    """Says what was expected, what was found, and since when."""
    found = judged([100.0, 103.0, 98.0, 101.0, 99.0, 100.0, 102.0, 100.0, 50.0])
    assert (found.metric, found.value, found.at, found.since) == (
        "rows",
        50.0,
        *[MONDAY + timedelta(days=8)] * 2,
    )
    assert (found.low, found.high, found.runs) == (
        pytest.approx(88.0, abs=0.1),
        pytest.approx(112.0, abs=0.1),
        8,
    )
    assert judged([100.0, 103.0, 98.0, 101.0, 99.0, 100.0, 102.0, 100.0, 104.0]) is None


def test_too_little_history_judges_nothing():
    """Seven runs before are needed, of the metric itself."""
    assert judged([100.0] * (MIN_RUNS - 1) + [1.0]) is None
    assert judged([100.0] * MIN_RUNS + [1.0]) is not None
    assert judged([None] * 20 + [100.0] * (MIN_RUNS - 1) + [1.0]) is None
    assert anomalies([]) == ()


def test_a_metric_that_never_moved():
    """Is not alarmed by five per cent, nor a share by a percentage point."""
    assert judged([1000.0] * 10 + [1049.0]) is None
    assert judged([1000.0] * 10 + [1051.0]) is not None
    assert judged([0.0] * 10 + [0.009], metric="null_share.amount") is None
    assert judged([0.0] * 10 + [0.011], metric="null_share.amount") is not None


def test_one_odd_run_in_the_history_changes_little():
    """Medians do not follow it."""
    usual = [100.0, 103.0, 98.0, 101.0, 99.0, 100.0, 102.0, 100.0, 97.0, 101.0]
    plain, odd = judged([*usual, 50.0]), judged([*usual[:5], 1e9, *usual[6:], 50.0])
    assert odd.low == pytest.approx(plain.low, abs=10)


def test_since_when():
    """The first of the unbroken runs outside on this side."""
    usual = [100.0, 103.0, 98.0, 101.0, 99.0, 100.0, 102.0, 100.0, 97.0, 101.0]
    assert judged([*usual, 20.0, 100.0, 50.0, 50.0, 50.0]).since == MONDAY + timedelta(days=12)
    assert judged([*usual, 500.0, 50.0, 50.0]).since == MONDAY + timedelta(days=11)


def test_a_lasting_change_becomes_usual():
    """Within half of the runs that make the level."""
    usual = [100.0 + day % 3 for day in range(40)]
    assert judged(usual + [200.0] * 10) is not None
    assert judged(usual + [200.0 + day % 3 for day in range(16)]) is None


def test_refused_runs_are_judged_and_are_no_history():
    """A dataset that was refused says nothing of what is usual."""
    usual = [100.0, 101.0] * 5
    refused = dict.fromkeys(range(10, 40), "refused")
    assert judged([*usual, *[50.0] * 30, 100.0], decisions=refused) is None
    assert judged([*usual, 50.0], decisions={10: "refused"}).value == 50.0


def test_weekdays_have_their_own_level():
    """A Sunday of few rows is usual, a Sunday like a Monday is not, nor a Monday like a Sunday."""
    week = [1000.0, 1010.0, 990.0, 1000.0, 1005.0, 200.0, 210.0]
    weeks = week * 8
    assert judged([*weeks, *week[:6], 205.0]) is None
    found = judged([*weeks, *week[:6], 1000.0])
    assert found.seasons == ("day of week",)
    assert found.high < 300
    assert judged([*weeks, 200.0]).low > 900


def test_days_of_the_month_have_their_own_level():
    """What comes with the first of every month is usual on the first, and nowhere else."""
    days = [MONDAY + timedelta(days=day) for day in range(30 * 7)]
    values = [3000.0 if day.day == 1 else 1000.0 + day.day % 4 for day in days]
    first = max(i for i, day in enumerate(days) if day.day == 1)
    assert judged([*values[:first], 3000.0]) is None
    assert "day of month" in judged([*values[:first], 1000.0]).seasons
    assert judged([*values[: first + 1], 3000.0]) is not None


def test_what_a_day_brought_before_may_come_again():
    """Until its season is known: the second Sunday may be like the first."""
    week = [1000.0, 1010.0, 990.0, 1000.0, 1005.0, 1000.0, 200.0]
    assert judged(week * 2) is None
    assert judged([*week * 2, 200.0]) is not None


def test_growth_is_no_anomaly():
    """A metric that grows steadily is expected to; one that grew and halts is told."""
    assert judged([1000.0 + 20 * day for day in range(100)]) is None
    assert judged([1000.0 + 20 * day for day in range(100)] + [2000.0]) is not None


def test_freshness_is_a_metric():
    """The age of the newest moment, without any expectation; a stalled source is told."""
    verdict = Verdict(
        dataset="sales", contract="Sales", decision="passed", rows_in=1, rows_passed=1, rows_quarantined=0
    )

    def run(day, newest):
        at = MONDAY + timedelta(days=day)
        rows = pl.DataFrame(
            {"at": [at - timedelta(hours=newest)], "day": [(at - timedelta(hours=newest)).date()]}
        )
        return run_of(verdict, profile(rows, dataset="sales"), at)

    usual = [run(day, 2) for day in range(10)]
    assert usual[0].metrics["age.at"] == 2 * 3600
    assert usual[0].metrics["age.day"] == 3 * 3600
    assert anomalies([*usual, run(10, 2)]) == ()
    assert [found.metric for found in anomalies([*usual, run(10, 26)])] == ["age.at", "age.day"]


values = st.lists(st.floats(-1e6, 1e6), min_size=MIN_RUNS, max_size=60)


@given(values, st.floats(-1e9, 1e9))
def test_what_is_told_lies_outside_what_was_expected(before, last):
    """And the same history gives the same answer."""
    found = judged([*before, last])
    assert found == judged([*before, last])
    if found is not None:
        assert not found.low <= last <= found.high
        assert found.low <= found.high


@given(values, st.floats(-1e6, 1e6), st.integers(-20, 20))
def test_units_do_not_matter(before, last, power):
    """What is anomalous in miles is so in inches."""
    one, other = judged([*before, last]), judged([value * 2.0**power for value in (*before, last)])
    assert (one is None) == (other is None)


@pytest.mark.parametrize("length", [9, 20, 50, 100, 400])
def test_noise_alone_is_seldom_told(length):
    """Of 300 histories of nothing but noise at most one in a hundred."""
    generator = random.Random(length)  # noqa: S311 - any noise will do
    told = sum(judged([generator.gauss(1000, 100) for _ in range(length)]) is not None for _ in range(300))
    assert told <= 3
