"""The history of a dataset's runs: rows and quarantine always, else what moved, and what moved most just now first."""

from datetime import UTC, datetime

from featurestore.quality.change.history import Run
from featurestore.report.trends import MAX_TRENDS, trends


def run(day, decision="passed", **metrics):
    return Run(at=datetime(2024, 1, day, tzinfo=UTC), decision=decision, metrics={**metrics})


def test_what_moved_is_told():
    """What never moved is not, nor is the mean of a personal column."""
    runs = [
        run(
            1,
            rows=9.0,
            quarantined_share=0.0,
            **{"mean.a": 1.0, "mean.b": 5.0, "mean.c": 7.0, "mean.age": 30.0},
        ),
        run(
            2,
            rows=9.0,
            quarantined_share=0.0,
            **{"mean.a": 1.0, "mean.b": 6.0, "mean.c": 7.1, "mean.age": 40.0},
        ),
        run(
            3,
            rows=9.0,
            quarantined_share=0.0,
            **{"mean.a": 1.0, "mean.b": 6.0, "mean.c": 9.9, "mean.age": 50.0},
        ),
    ]
    assert [t.name for t in trends(runs, personal={"age"})] == [
        "rows",
        "quarantined_share",
        "mean.c",
        "mean.b",
    ]


def test_a_move_that_is_not_seen_is_not_told():
    """It would be a steep line between two equal numbers."""
    runs = [run(1, rows=9.0, **{"mean.a": 150.70001}), run(2, rows=9.0, **{"mean.a": 150.70002})]
    assert [t.name for t in trends(runs)] == ["rows", "quarantined_share"]


def test_a_refused_run_has_no_figures_of_its_columns():
    """It is a gap in their lines, and a cross in those that it has."""
    rows, _, mean = trends(
        [
            run(1, rows=9.0, quarantined_share=0.0, **{"mean.a": 1.0}),
            run(2, "refused", rows=4.0, quarantined_share=0.5),
            run(3, rows=9.0, quarantined_share=0.0, **{"mean.a": 2.0}),
        ]
    )
    assert mean.values == (1.0, None, 2.0)
    assert 'class="refused"' in rows.drawn
    assert 'class="refused"' not in mean.drawn


def test_many_figures_are_cut_short():
    """A page stays small, however many columns move."""
    runs = [run(day, rows=9.0, **{f"mean.{i}": float(day) for i in range(500)}) for day in (1, 2)]
    assert len(trends(runs)) == MAX_TRENDS + 2


def test_no_run():
    """There is nothing to tell."""
    assert trends([]) == ()
