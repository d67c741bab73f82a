"""Plots as text: equal numbers give equal SVG."""

from featurestore.report.histograms import Bar
from featurestore.report.svg import bar, histogram, sparkline, stacked


def test_a_histogram_of_before_and_now():
    """Now is filled, before is an outline.

    The smallest share is visible, and a share of 0 has no bar.
    """
    assert histogram((Bar("0", 0.5, 0.5), Bar("1", 0.5, 0.0), Bar("2", 0.0, 0.0001)), title="delay") == (
        '<svg class="plot" viewBox="0 0 300 80" preserveAspectRatio="none" role="img"><title>delay</title>'
        '<path class="now" d="M0.5 72v-70h99V72zM200.5 72v-1h99V72z"/>'
        '<path class="before" d="M0 72V2H100V2H200V72H300V72"/>'
        '<path class="base" d="M0 72H300"/></svg>'
    )


def test_days_without_rows_are_marked():
    """A mark below the base line distinguishes a day without rows from a small number."""
    assert histogram((Bar("a", None, 4), Bar("b", None, 0), Bar("c", None, 1)), title="days", gaps=True) == (
        '<svg class="plot" viewBox="0 0 300 80" preserveAspectRatio="none" role="img"><title>days</title>'
        '<path class="now" d="M0.5 72v-70h99V72zM200.5 72v-17.5h99V72z"/>'
        '<path class="gap" d="M100.5 76h99"/><path class="base" d="M0 72H300"/></svg>'
    )


def test_a_bar_with_its_earlier_size():
    """A line across shows the earlier size."""
    assert bar(0.25, 0.5, title="UA") == (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"><title>UA</title>'
        '<rect class="now" width="25" height="10"/>'
        '<path class="before" d="M50 0v10"/></svg>'
    )


def test_parts_of_a_whole():
    """Parts are drawn next to each other; a part of size 0 is not drawn."""
    assert stacked([3, 0, 1], title="statuses") == (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"><title>statuses</title>'
        '<rect class="p1" x="0" width="75" height="10"/><rect class="p3" x="75" width="25" height="10"/></svg>'
    )


def test_a_sparkline_of_runs():
    """The last run is a dot, a refused run a cross, a run without the metric a gap."""
    assert sparkline([1.0, 3.0, None, 2.0], title="rows", refused=[False, True, False, False]) == (
        '<svg class="spark" viewBox="0 0 120 24" role="img"><title>rows</title>'
        '<path class="line" d="M4 20L41.3 4M116 12"/>'
        '<path class="refused" d="M38.3 1l6 6m0-6l-6 6"/><circle class="last" cx="116" cy="12" r="3"/></svg>'
    )


def test_one_run_is_a_dot():
    """A line needs two runs; a constant metric is a line in the middle."""
    assert "line" not in sparkline([5.0], title="rows")
    assert 'd="M4 12L116 12"' in sparkline([5.0, 5.0], title="rows")


def test_titles_are_escaped():
    """The name of a column may contain any characters."""
    assert "<title>a &lt;b&gt; &amp; c</title>" in bar(1, None, title="a <b> & c")
