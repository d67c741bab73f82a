"""The distances between distributions equal those of SciPy."""

import math

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from scipy.spatial.distance import jensenshannon

from featurestore.quality.change import distances
from featurestore.quality.change.binning import points_of
from featurestore.quality.change.drift import drift
from featurestore.quality.profile.profile import profile


def of(values, dtype=None):
    return profile(pl.DataFrame({"x": pl.Series(values, dtype=dtype)}), dataset="sales")


def compare(before, after, *, dtype=None):
    """Return the drift of one column."""
    [column] = drift(of(before, dtype), of(after, dtype)).columns
    return column


def both(before, after):
    return (of(values).columns["x"] for values in (before, after))


counts = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8).filter(
    lambda pairs: all(map(sum, zip(*pairs, strict=True)))
)


@given(counts)
def test_measures_over_bins_equal_those_of_scipy(pairs):
    """Jensen-Shannon, the index, and Cramér's V of sides with equal weight equal those of SciPy."""
    before, after = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    p, q = before / before.sum(), after / after.sum()
    assert distances.jensen_shannon(before, after) == pytest.approx(jensenshannon(p, q, base=2), abs=1e-7)
    smooth = [(side + 0.5) / (side + 0.5).sum() for side in (before, after)]
    divergence = scipy.stats.entropy(*smooth) + scipy.stats.entropy(*smooth[::-1])
    assert distances.psi(before, after) == pytest.approx(divergence, abs=1e-12)
    table = np.array([p, q])[:, (p + q) > 0] * 1000
    if table.shape[1] > 1:
        v = math.sqrt(scipy.stats.chi2_contingency(table, correction=False).statistic / table.sum())
        assert distances.cramers_v(before, after) == pytest.approx(v, abs=1e-7)
    assert distances.l_infinity(before, after) == pytest.approx(abs(p - q).max())


numbers = st.lists(st.integers(-40, 40) | st.sampled_from([0.5, 1e6, -1e6]), min_size=2, max_size=60)


@given(numbers, numbers)
@examples(20)
def test_measures_over_numbers_equal_those_of_scipy(before, after):
    """Kolmogorov-Smirnov and Wasserstein equal those of SciPy if the profiles keep all values."""
    measures = compare(before, after, dtype=pl.Float64).measures
    assert measures["ks"] == pytest.approx(scipy.stats.ks_2samp(before, after, method="asymp").statistic)
    distance = scipy.stats.wasserstein_distance(before, after)
    assert measures["wasserstein"] == pytest.approx(distance, rel=1e-9, abs=1e-9)
    if len(set(before)) > 1:
        assert measures["wasserstein_scaled"] == pytest.approx(distance / np.std(before), rel=1e-6)


@given(st.integers(0, 1_000), st.floats(-3, 3), st.floats(0.3, 3))
@examples(10)
def test_measures_over_fixed_bins_are_near_those_of_scipy(seed, shift, scale):
    """Bins as wide as 1/32 of their numbers change the measures only a little."""
    generator = np.random.default_rng(seed)
    before, after = generator.normal(size=3_000), generator.normal(size=3_000) * scale + shift
    measures = compare(before, after).measures
    assert measures["ks"] == pytest.approx(
        scipy.stats.ks_2samp(before, after, method="asymp").statistic, abs=0.03
    )
    distance = scipy.stats.wasserstein_distance(before, after)
    assert measures["wasserstein"] == pytest.approx(distance, abs=0.04 * max(1, scale + abs(shift)))
    points = points_of(*both(before, after), same_hashes=True)
    assert distances.wasserstein(points.at, points.before, points.after) == pytest.approx(
        scipy.stats.wasserstein_distance(points.at, points.at, points.before, points.after)
    )


@pytest.mark.parametrize("degrees", [1, 2, 9, 100, 1000])
def test_the_floor_is_exceeded_by_chance_about_once_in_100_000_times(degrees):
    """The floor of chi-square has the stated probability, up to a factor of two."""
    assert scipy.stats.chi2.sf(distances.chi_square_bound(degrees), degrees) == pytest.approx(3.4e-6, rel=1)


@given(numbers, numbers)
@examples(20)
def test_measures_of_distance_have_no_direction(before, after):
    """The distance from one side to the other equals the distance back."""
    there, back = (compare(*sides, dtype=pl.Float64).measures for sides in ((before, after), (after, before)))
    for name in ("ks", "wasserstein"):
        assert there[name] == pytest.approx(back[name])
    assert there["distinct"] == pytest.approx(1 / back["distinct"])
