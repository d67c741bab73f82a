"""The history on a page has rows, quarantined share, and the metrics that changed."""

from datetime import UTC, datetime

import pandera.polars as pa
import polars as pl
from msgspec.structs import replace

from featurestore.definitions.contract import contract_of
from featurestore.quality.change.history import Metric, Run
from featurestore.report.trends import MAX_TRENDS, trends


class People(pa.DataFrameModel):
    """People."""

    age: pl.Float64 = pa.Field(metadata={"personal": True})


PEOPLE = contract_of(People)


def run(day, decision="passed", *, rows=9.0, share=0.0, means=None):
    """A run with its rows, its quarantined share, and the means of columns."""
    metrics = (Metric("rows", rows), Metric("quarantined_share", share))
    metrics += tuple(Metric("mean", value, (column,)) for column, value in (means or {}).items())
    return Run(at=datetime(2024, 1, day, tzinfo=UTC), decision=decision, metrics=metrics)


def test_metrics_that_changed_are_shown():
    """Metrics that never changed and metrics of personal values are not shown."""
    runs = [
        run(1, means={"a": 1.0, "b": 5.0, "c": 7.0, "age": 30.0}),
        run(2, means={"a": 1.0, "b": 6.0, "c": 7.1, "age": 40.0}),
        run(3, means={"a": 1.0, "b": 6.0, "c": 9.9, "age": 50.0}),
    ]
    fresh = [Metric("fresh", float(day), ("age",), ("1d",)) for day in (1, 2, 3)]
    runs = [replace(run, metrics=(*run.metrics, m)) for run, m in zip(runs, fresh, strict=True)]
    names = [trend.name for trend in trends(runs, PEOPLE)]
    assert names == ["rows", "quarantined_share", "c.mean", "b.mean"]


def test_a_change_that_is_not_visible_is_not_shown():
    """It would be a steep line between two equal numbers."""
    runs = [run(1, means={"a": 150.70001}), run(2, means={"a": 150.70002})]
    assert [trend.name for trend in trends(runs, PEOPLE)] == ["rows", "quarantined_share"]


def test_shares_are_percentages_and_other_metrics_are_numbers():
    """The kind of a metric decides, not its name: the mean of a column called share is a number."""
    runs = [run(1, share=0.0, means={"share": 0.5}), run(2, share=0.25, means={"share": 0.75})]
    _, quarantined, mean = trends(runs, PEOPLE)
    assert (quarantined.text(0.25), mean.text(0.75)) == ("25.0%", "0.75")


def test_a_refused_run_has_no_metrics_of_columns():
    """It is a gap in their lines, and a cross in the lines of the metrics that it has."""
    rows, _, mean = trends(
        [
            run(1, means={"a": 1.0}),
            run(2, "refused", rows=4.0, share=0.5),
            run(3, means={"a": 2.0}),
        ],
        PEOPLE,
    )
    assert mean.values == (1.0, None, 2.0)
    assert 'class="refused"' in rows.line
    assert 'class="refused"' not in mean.line


def test_many_metrics_are_cut_short():
    """A page stays small, however many metrics change."""
    runs = [run(day, means={str(i): float(day) for i in range(500)}) for day in (1, 2)]
    assert len(trends(runs, PEOPLE)) == MAX_TRENDS + 2


def test_without_runs_there_are_no_trends():
    """A dataset without history has an empty list of trends."""
    assert trends([], PEOPLE) == ()
