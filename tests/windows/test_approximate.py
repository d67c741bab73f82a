"""What is declared with a bound keeps it, and is a function of the events in the window alone."""

import math
import random
from collections import Counter
from datetime import timedelta
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore import windows
from featurestore.testing import MemoryStore
from featurestore.testing.oracle import bits
from featurestore.testing.strategies import START
from featurestore.testing.window_histories import WindowHistory
from featurestore.testing.window_sketches import approximate_distinct, rounded_to_error, value_at
from featurestore.testing.window_stores import require_windows
from featurestore.timing.epoch import MICROSECOND
from featurestore.timing.join import AS_OF
from featurestore.timing.known_at import Timing
from featurestore.windows.cardinality import Registers, exact_limit, hashes, precision_of
from featurestore.windows.histogram import histogram, merged, packed, quantile_of, unpacked
from featurestore.windows.join import windows_at
from featurestore.windows.measures import Measures
from featurestore.windows.significant import (
    bucket,
    nearest_rank,
    of_bucket,
    rounded_to_bits,
    significant_bits,
)
from featurestore.windows.stored_columns import StoredColumns

NUMBERS = st.floats(allow_nan=False) | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0.0, -0.0, 5e-324])
ERRORS = st.sampled_from([0.1, 0.05, 0.01, 0.001])
QUANTILES = st.sampled_from([0.001, 0.1, 0.25, 0.5, 0.7, 0.95, 0.999])


@given(st.lists(NUMBERS, min_size=1, max_size=20), ERRORS)
@examples(100)
def test_a_rounded_number_is_within_the_error_and_keeps_its_order(numbers, error):
    """Offline and online round to the same bits, also the smallest and greatest floats, infinities and whole numbers."""
    digits = significant_bits(error)
    rounded = [of_bucket(bucket(number, digits), digits) for number in numbers]
    offline = rounded_to_bits(pl.Series(list(map(float, numbers))).to_numpy(), digits)
    expected = [rounded_to_error(number, error) + 0.0 for number in numbers]
    assert bits(rounded) == bits(offline.tolist()) == bits(expected)
    for number, close in zip(numbers, rounded, strict=True):
        if math.isfinite(number):
            assert abs(Fraction(close) - Fraction(number)) <= Fraction(error) * abs(Fraction(number))
    ordered = sorted(zip(numbers, rounded, strict=True))
    assert [close for _, close in ordered] == sorted(rounded)


@given(st.lists(NUMBERS, max_size=30), ERRORS, QUANTILES, st.integers(0, 30))
@examples(60)
def test_a_quantile_of_counts_is_the_rounded_quantile_however_they_are_put_together(
    numbers, error, quantile, cut
):
    digits = significant_bits(error)
    counts = histogram(numbers, digits)
    parts = merged(histogram(numbers[:cut], digits), histogram(numbers[cut:], digits))
    assert parts == unpacked(packed(counts)) == counts
    expected = rounded_to_error(value_at(quantile, numbers), error)
    assert bits([quantile_of(parts, quantile, digits)]) == bits(
        [None if expected is None else expected + 0.0]
    )


def test_a_quantile_is_the_decimal_number_that_is_written():
    """0.1 of ten values is one of them, though the float 0.1 is a little more; the median of two is the smaller one."""
    assert [nearest_rank(0.1, 10), nearest_rank(0.95, 20), nearest_rank(0.3, 10)] == [1, 19, 3]
    assert [nearest_rank(0.5, count) for count in (1, 2, 3, 4)] == [1, 1, 2, 2]
    assert nearest_rank(0.999, 1_000) == 999
    assert nearest_rank(1e-9, 5) == 1


@given(st.sampled_from([0.1, 0.05]), st.integers(0, 120), st.integers(0, 2**62), st.data())
@examples(40)
def test_registers_are_those_of_the_set_however_it_is_put_together(error, count, start, data):
    """Any parts, in any order and with repeats, packed and unpacked, have the state of the whole."""
    values = list(range(start, start + count))
    registers = Registers(precision_of(error))
    hashed = hashes(pl.Series(values, dtype=pl.Int64)).tolist()
    expected = registers.of(hashed)
    parts = [
        registers.of(hashed[slice(*sorted(data.draw(st.tuples(*[st.integers(0, count)] * 2))))])
        for _ in range(3)
    ]
    state = registers.of([])
    for part in data.draw(st.permutations([*parts, registers.of(hashed[::2]), registers.of(hashed[1::2])])):
        state = registers.merge(registers.unpack(registers.pack(state)), part)
    assert state == expected
    assert registers.unpack(registers.pack(expected)) == expected
    assert registers.count(expected) == approximate_distinct(values, error)


@pytest.mark.parametrize("error", [0.1, 0.02, 0.01])
def test_the_error_of_different_values_is_within_its_bound(error):
    """Few are exact; the standard error of 40 sets of each size is at most the bound, and the mean is not off."""
    precision = precision_of(error)
    registers, limit = Registers(precision), exact_limit(precision)
    assert [registers.count(registers.of(range(count))) for count in (0, 1, limit)] == [0, 1, limit]
    errors = []
    for size in (2 * limit, 10 * limit, 30 * limit) if error == 0.1 else (3 * limit,):
        for number in range(40 if error == 0.1 else 8):
            values = pl.Series(np.arange(size) + number * 10**9)
            errors.append(registers.count(registers.of(hashes(values).tolist())) / size - 1)
    assert math.sqrt(sum(value * value for value in errors) / len(errors)) <= error
    assert abs(sum(errors) / len(errors)) <= error / 2


def declared(over):
    """Windows with and without a bound over a duration."""
    return {
        "p50": windows.quantile("x", 0.5, over=over),
        "p90": windows.approximate_quantile("x", 0.9, error=0.01, over=over),
        "p10": windows.approximate_quantile("i", 0.1, error=0.1, over=over, where=pl.col("b")),
        "texts": windows.approximate_distinct("s", error=0.1, over=over),
        "numbers": windows.approximate_distinct("x", error=0.05, over=over, where=pl.col("b")),
        "last": windows.approximate_distinct("s", error=0.1, over=over, events=50),
        "recent": windows.quantile("x", 0.7, over=over, events=7),
    }


def many_events(count, seed):
    """A history of one key: negative and repeated values, zeros of both signs, missing ones, and whole numbers beyond 2**53."""
    chance = random.Random(seed)  # noqa: S311 - cases, not secrets
    events = [
        {"k": "a", "n": 0, "event_timestamp": START + tick * MICROSECOND, "id": tick}
        | {
            "x": chance.choice(
                [
                    None,
                    0.0,
                    -0.0,
                    chance.gauss(0, 10),
                    math.ldexp(chance.random(), chance.randrange(-1000, 1000)),
                ]
            )
        }
        | {"i": chance.choice([None, 0, -5, 2**53 + 1, chance.randrange(-(2**63), 2**63)])}
        | {"s": chance.choice([None, f"user {chance.randrange(80)}"]), "b": chance.random() < 0.8}
        for tick in range(count)
    ]
    over = [timedelta(microseconds=length) for length in (25, 110)]
    aggregations = {f"{name}_{n}": w for n, o in enumerate(over) for name, w in declared(o).items()}
    return WindowHistory(Timing(), (), aggregations, events, [], [])


def test_a_store_serves_them_from_blocks(tmp_path):
    """At each timestamp the value is that of the oracle, as events come, leave, and are merged in blocks."""
    history = many_events(261, 0)
    watermarks = [START + tick * MICROSECOND for tick in (24, 25, 120, 121, 240, 260)]
    require_windows(MemoryStore(), history, watermarks, tmp_path, pushed=1)
    estimated = list(history.windows).index("texts_1")
    counts = [history.expected(("a", 0), watermark)[estimated] for watermark in watermarks]
    assert max(counts) > exact_limit(precision_of(0.1)), "no count is estimated"


@given(st.integers(0, 2**32))
@examples(3)
def test_a_join_gives_them_at_any_timestamp(seed):
    """Of some keys at once, in any order of the events; beyond the exact limit too."""
    histories = [many_events(130, seed + number) for number in range(2)]
    rows = [event | {"n": number} for number, history in enumerate(histories) for event in history.events]
    random.Random(seed).shuffle(rows)  # noqa: S311 - cases, not secrets
    ticks = [-1, 0, 24, 25, 60, 109, 110, 129, 200]
    questions = pl.DataFrame(
        [{"k": "a", "n": n, AS_OF: START + tick * MICROSECOND} for n in range(2) for tick in ticks],
        schema_overrides={AS_OF: pl.Datetime("us", "UTC")},
    )
    frame = pl.DataFrame(rows, schema=histories[0].event_schema)
    answers = windows_at(questions, frame, histories[0].windows, keys=("k", "n"), timing=Timing())
    expected = [
        history.expected(("a", 0), START + tick * MICROSECOND) for history in histories for tick in ticks
    ]
    assert bits([list(row) for row in answers.rows()]) == bits(expected)


def test_windows_of_one_bound_share_what_is_stored():
    """Three quantiles of a column have one histogram; another bound has its own."""
    several = {
        f"{number}": windows.approximate_quantile("x", share, error=error, over="1h")
        for number, (share, error) in enumerate([(0.5, 0.01), (0.9, 0.01), (0.99, 0.01), (0.9, 0.1)])
    }
    measures = Measures(several, StoredColumns.of(several), {"x": pl.Float64()})
    assert Counter(measures.place(window) for window in several.values()) == {0: 3, 1: 1}


def test_a_count_keeps_hashes_and_no_values():
    """The text of a user is not in the store if it is only counted approximately."""
    columns = StoredColumns.of({"users": windows.approximate_distinct("s", error=0.1, over="1h")})
    assert (columns.names, columns.hashed) == ((), ("s",))
    values = columns.values({"s": pl.String()})
    stored = pl.DataFrame({"s": ["ada", None, "ada"]}).select(values).to_series()
    assert stored.dtype == pl.UInt64
    assert (stored[0] == stored[2], stored[1]) == (True, None)
