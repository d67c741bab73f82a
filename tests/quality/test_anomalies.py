"""A metric is compared with its own history: nobody sets a threshold."""

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.definitions.contract import contract_of
from featurestore.quality.change.anomalies import MIN_RUNS, anomalies
from featurestore.quality.change.history import Metric, Run, run_of
from featurestore.quality.gate.verdict import Verdict
from featurestore.quality.profile.profile import profile
from featurestore.quality.rules.rule_id import RuleId

MONDAY = datetime(2024, 1, 1, 3, tzinfo=UTC)
ROWS = RuleId("rows")
NULL_SHARE = RuleId("null_share", ("amount",))


def runs(values, metric=ROWS, decisions=None):
    """A run a day, from a Monday, the first of January, on."""
    return [
        Run(
            at=MONDAY + timedelta(days=day),
            decision=(decisions or {}).get(day, "passed"),
            metrics=() if value is None else (Metric.of(metric, value),),
        )
        for day, value in enumerate(values)
    ]


def anomaly(values, **more):
    """Return the anomaly of the last run; None if there is none."""
    result = anomalies(runs(values, **more))
    return result[0] if result else None


def test_a_sudden_change_of_volume():
    """An anomaly has the value, the expected range, and the time of its start."""
    result = anomaly([100.0, 103.0, 98.0, 101.0, 99.0, 100.0, 102.0, 100.0, 50.0])
    assert (result.metric, result.value, result.at, result.since) == (
        ROWS,
        50.0,
        *[MONDAY + timedelta(days=8)] * 2,
    )
    assert (result.low, result.high, result.runs) == (
        pytest.approx(88.0, abs=0.1),
        pytest.approx(112.0, abs=0.1),
        8,
    )
    assert anomaly([100.0, 103.0, 98.0, 101.0, 99.0, 100.0, 102.0, 100.0, 104.0]) is None


def test_too_little_history_gives_no_anomaly():
    """Seven earlier runs must have the metric."""
    assert anomaly([100.0] * (MIN_RUNS - 1) + [1.0]) is None
    assert anomaly([100.0] * MIN_RUNS + [1.0]) is not None
    assert anomaly([None] * 20 + [100.0] * (MIN_RUNS - 1) + [1.0]) is None
    assert anomalies([]) == ()


def test_a_metric_that_never_moved():
    """A constant metric may move by five percent, and a share by one percentage point."""
    assert anomaly([1000.0] * 10 + [1049.0]) is None
    assert anomaly([1000.0] * 10 + [1051.0]) is not None
    assert anomaly([0.0] * 10 + [0.009], metric=NULL_SHARE) is None
    assert anomaly([0.0] * 10 + [0.011], metric=NULL_SHARE) is not None


def test_one_unusual_run_in_the_history_changes_little():
    """The range follows medians, so one unusual run does not widen it much."""
    usual = [100.0, 103.0, 98.0, 101.0, 99.0, 100.0, 102.0, 100.0, 97.0, 101.0]
    plain, unusual = anomaly([*usual, 50.0]), anomaly([*usual[:5], 1e9, *usual[6:], 50.0])
    assert unusual.low == pytest.approx(plain.low, abs=10)


def test_since_when():
    """An anomaly starts with the first of the consecutive runs on the same side."""
    usual = [100.0, 103.0, 98.0, 101.0, 99.0, 100.0, 102.0, 100.0, 97.0, 101.0]
    assert anomaly([*usual, 20.0, 100.0, 50.0, 50.0, 50.0]).since == MONDAY + timedelta(days=12)
    assert anomaly([*usual, 500.0, 50.0, 50.0]).since == MONDAY + timedelta(days=11)


def test_a_lasting_change_becomes_usual():
    """After half of the runs that make the level, a changed value is expected."""
    usual = [100.0 + day % 3 for day in range(40)]
    assert anomaly(usual + [200.0] * 10) is not None
    assert anomaly(usual + [200.0 + day % 3 for day in range(16)]) is None


def test_refused_runs_are_compared_and_are_not_part_of_the_history():
    """Refused data do not change what is expected."""
    usual = [100.0, 101.0] * 5
    refused = dict.fromkeys(range(10, 40), "refused")
    assert anomaly([*usual, *[50.0] * 30, 100.0], decisions=refused) is None
    assert anomaly([*usual, 50.0], decisions={10: "refused"}).value == 50.0


def test_weekdays_have_their_own_level():
    """Few rows on a Sunday are expected.

    A Sunday like a Monday is an anomaly, and so is a Monday like a Sunday.
    """
    week = [1000.0, 1010.0, 990.0, 1000.0, 1005.0, 200.0, 210.0]
    weeks = week * 8
    assert anomaly([*weeks, *week[:6], 205.0]) is None
    result = anomaly([*weeks, *week[:6], 1000.0])
    assert result.seasons == ("day of week",)
    assert result.high < 300
    assert anomaly([*weeks, 200.0]).low > 900


def test_days_of_the_month_have_their_own_level():
    """The volume of the first of each month is expected on a first only."""
    days = [MONDAY + timedelta(days=day) for day in range(30 * 7)]
    values = [3000.0 if day.day == 1 else 1000.0 + day.day % 4 for day in days]
    first = max(i for i, day in enumerate(days) if day.day == 1)
    assert anomaly([*values[:first], 3000.0]) is None
    assert "day of month" in anomaly([*values[:first], 1000.0]).seasons
    assert anomaly([*values[: first + 1], 3000.0]) is not None


def test_what_a_day_brought_before_may_come_again():
    """Until a season is known, the second Sunday may be like the first."""
    week = [1000.0, 1010.0, 990.0, 1000.0, 1005.0, 1000.0, 200.0]
    assert anomaly(week * 2) is None
    assert anomaly([*week * 2, 200.0]) is not None


def test_the_name_of_a_column_does_not_make_a_metric_a_share():
    """A mean of a column called market_share may not move by one percentage point, a share may."""
    mean = RuleId("mean", ("market_share",))
    assert anomaly([0.0] * 10 + [0.009], metric=mean) is not None
    assert anomaly([0.0] * 10 + [0.009], metric=RuleId("null_share", ("mean",))) is None


def test_an_expectation_is_another_series_than_the_metric_of_the_same_kind():
    """Equal kind and column with other parameters is another identity."""
    of_profile = Metric("null_share", 0.0, ("amount",))
    of_expectation = Metric("null_share", 0.5, ("amount",), ("0.5",))
    run = Run(at=MONDAY, decision="passed", metrics=(of_profile, of_expectation))
    assert run.values() == {NULL_SHARE: 0.0, RuleId("null_share", ("amount",), ("0.5",)): 0.5}
    assert msgspec.json.decode(msgspec.json.encode(run), type=Run) == run


def test_growth_is_no_anomaly():
    """A metric that grows steadily is expected to grow; one that stops is an anomaly."""
    assert anomaly([1000.0 + 20 * day for day in range(100)]) is None
    assert anomaly([1000.0 + 20 * day for day in range(100)] + [2000.0]) is not None


def test_freshness_is_a_metric():
    """A stalled source is an anomaly: the age of its newest timestamp is a metric."""

    class Sales(pa.DataFrameModel):
        """Sales."""

        at: pl.Datetime("us", "UTC")
        day: pl.Date

    verdict = Verdict(
        dataset="sales", contract="Sales", decision="passed", rows_in=1, rows_passed=1, rows_quarantined=0
    )

    def run(day, newest):
        at = MONDAY + timedelta(days=day)
        rows = pl.DataFrame(
            {"at": [at - timedelta(hours=newest)], "day": [(at - timedelta(hours=newest)).date()]}
        )
        return run_of(verdict, profile(rows, dataset="sales"), contract_of(Sales), at)

    usual = [run(day, 2) for day in range(10)]
    assert usual[0].values()[RuleId("age", ("at",))] == 2 * 3600
    assert usual[0].values()[RuleId("age", ("day",))] == 3 * 3600
    assert anomalies([*usual, run(10, 2)]) == ()
    assert [result.name for result in anomalies([*usual, run(10, 26)])] == ["at.age", "day.age"]


values = st.lists(st.floats(-1e6, 1e6), min_size=MIN_RUNS, max_size=60)


@given(values, st.floats(-1e9, 1e9))
def test_an_anomaly_lies_outside_its_expected_range(before, last):
    """The value is outside the range, and the same history gives the same answer."""
    result = anomaly([*before, last])
    assert result == anomaly([*before, last])
    if result is not None:
        assert not result.low <= last <= result.high
        assert result.low <= result.high


@given(values, st.floats(-1e6, 1e6), st.integers(-20, 20))
def test_units_do_not_matter(before, last, power):
    """An anomaly in miles is an anomaly in inches."""
    in_miles, in_inches = anomaly([*before, last]), anomaly([value * 2.0**power for value in (*before, last)])
    assert (in_miles is None) == (in_inches is None)


@pytest.mark.parametrize("length", [9, 20, 50, 100, 400])
def test_noise_alone_is_seldom_an_anomaly(length):
    """At most one in a hundred histories of pure noise ends with an anomaly."""
    generator = random.Random(length)  # noqa: S311 - any noise will do
    anomalous = sum(
        anomaly([generator.gauss(1000, 100) for _ in range(length)]) is not None for _ in range(300)
    )
    assert anomalous <= 3
