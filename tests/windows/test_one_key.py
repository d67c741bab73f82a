"""The windows of one key over its stored events are those of the oracle, however the events are cut into blocks."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples, histories

from featurestore import windows as declare
from featurestore.errors import ContractError
from featurestore.testing import oracle
from featurestore.testing.oracle import known_at
from featurestore.testing.strategies import START
from featurestore.testing.window_histories import window_histories
from featurestore.testing.window_oracle import events_known
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import MICROSECOND, microseconds
from featurestore.values.codec import HEADER, seal
from featurestore.values.event_codec import (
    EMPTY_HEAD,
    BlockList,
    checksum,
    decode_block,
    decode_head,
    decode_numbers,
    encode_head,
)
from featurestore.windows.blocks import KeyEvents
from featurestore.windows.measures import Measures
from featurestore.windows.one_key import KeyWindows
from featurestore.windows.open_head import OpenHead
from featurestore.windows.stored_columns import StoredColumns

START_MICROSECONDS = microseconds(START)


class Blocks:
    """The rows of one key, as a store holds them."""

    def __init__(self, measures: Measures, leaf_events: int, node_blocks: int) -> None:
        sizes = {"leaf_events": leaf_events, "node_blocks": node_blocks, "max_free": 2 * leaf_events}
        self.measures, self.sizes = measures, sizes
        self.head, self.blocks = EMPTY_HEAD, {}
        self.opened = OpenHead(EMPTY_HEAD)

    def fetch(self, wanted):
        """Read blocks; each must be the one that the list names."""
        blocks = [self.blocks[number] for number, _ in wanted]
        assert [checksum(block) for block in blocks] == [check for _, check in wanted]
        return blocks

    def in_use(self):
        """List the numbers of all blocks that the head reaches."""
        numbers = []
        for level, blocks in enumerate(self.head.lists):
            pending = [(level, blocks)] if blocks else []
            while pending:
                depth, child = pending.pop()
                numbers.append(child.number)
                if depth >= 0:
                    below = BlockList(self.blocks[child.number])
                    assert 0 < below.size <= 2 * self.sizes["node_blocks"], "a list is too long"
                    pending += [(depth - 1, block) for block in below.children()]
        return numbers

    def write(self, events, *, clear=False, remove=None, changes=(), forget=None):
        """Rewrite the events, and require that no block of the head before changes."""
        before = self.in_use()
        rewriting = KeyEvents(self.head, self.measures, self.fetch, **self.sizes)
        if clear:
            rewriting.clear()
        if remove is not None:
            rewriting.remove(remove)
        rewriting.change(changes)
        rewriting.append(events)
        if forget is not None:
            rewriting.forget(forget)
        head = rewriting.head()
        assert not set(rewriting.written) & set(before)
        self.blocks |= rewriting.written
        self.head = decode_head(seal(b"", bytes(HEADER.size) + encode_head(head)))
        self.opened = OpenHead(self.head)
        after = self.in_use()
        assert len(after) == len(set(after))
        assert len(head.events) <= 2 * self.sizes["leaf_events"], "the row of the key has too many events"
        free = self.head.free
        assert len(free) <= 2 * self.sizes["leaf_events"], "the row of the key has too many free numbers"
        if self.head.more_free:
            number, check = self.head.more_free
            assert checksum(self.blocks[number]) == check
            free = [*free, number, *decode_numbers(self.blocks[number])]
        assert sorted([*after, *free]) == list(range(self.head.next_number)), "a block is lost"

    def answer(self, windows: KeyWindows, now: int):
        """Compute the windows."""
        values, started = windows.start(self.opened, now)
        for asking in started:
            try:
                wanted = next(asking)
                while True:
                    (number, check, _, _), is_leaf = wanted
                    [content] = self.fetch([(number, check)])
                    wanted = asking.send(decode_block(content, is_leaf=is_leaf))
            except StopIteration:
                continue
        return values


def stored_events(history, key, now, columns):
    """The events of a key that are known at a timestamp, as a store holds them."""
    events = [event for event in history.events if (event["k"], event["n"]) == key]
    events.sort(key=lambda event: [(event[n] is not None, event[n] or 0) for n in history.event_schema])
    deleted = [d[EVENT_TIMESTAMP] for d in history.deletions if (d["k"], d["n"]) == key]
    known = events_known(now, events, history.timing, identity=history.identity, deleted=deleted)
    frame = pl.DataFrame(known, schema=history.event_schema, orient="row")
    timestamp = pl.col(EVENT_TIMESTAMP).dt.epoch("us").alias("timestamp")
    hashed = columns.values(frame.schema)[len(columns.names) :]
    return frame.select(timestamp, *columns.names, *hashed, *columns.held()).rows()


def early_events(events, data):
    """Draw events to write before the others: some of them, and some that are replaced later."""
    shifts = data.draw(
        st.lists(st.sampled_from([None, 0, 0, 0, 1, -1, 5]), min_size=len(events), max_size=len(events))
    )
    early = [
        (event[0] + shift, *event[1:])
        for event, shift in zip(events, shifts, strict=True)
        if shift is not None
    ]
    return sorted(early, key=lambda event: event[0])


def changed(change, written):
    """Whether other events were written at a timestamp."""
    timestamp, events = change
    return [event for event in written if event[0] == timestamp] != events


@given(window_histories(max_events=25), st.integers(1, 3), st.integers(1, 3), st.data())
@histories(30)
def test_the_windows_of_a_key_are_those_of_the_oracle(history, leaf_events, node_blocks, data):
    """For every size of blocks, all batches of events, and all that was written and forgotten before."""
    same_key = {"k": "a", "n": 0}
    history = replace(history, identity=(), events=[event | same_key for event in history.events])
    columns = StoredColumns.of(history.windows)
    measures = Measures(history.windows, columns, history.event_schema)
    windows = KeyWindows(history.windows, list(history.windows), columns, history.event_schema)
    durations = [window.duration for window in history.windows.values()]
    known_until = START + data.draw(st.integers(10, 45)) * MICROSECOND
    history = replace(
        history,
        events=[e for e in history.events if known_at(e, history.timing) <= known_until],
        deletions=[],
    )
    events = stored_events(history, ("a", 0), known_until, columns)
    blocks = Blocks(measures, leaf_events, node_blocks)
    blocks.write(events[: data.draw(st.integers(0, len(events)))])
    blocks.write([], clear=True)
    written = early_events(events, data)
    size = data.draw(st.integers(1, 30))
    for start in range(0, len(written), size):
        blocks.write(written[start : start + size])
    newest = written[-1][0] if written else START_MICROSECONDS - 100
    timestamps = sorted({event[0] for event in [*written, *events]})
    now_at = {timestamp: [e for e in events if e[0] == timestamp] for timestamp in timestamps}
    changes = [(timestamp, there) for timestamp, there in now_at.items() if timestamp <= newest]
    changes = [change for change in changes if data.draw(st.booleans()) or changed(change, written)]
    blocks.write([event for event in events if event[0] > newest], changes=changes)
    if None not in durations:
        blocks.write([], forget=microseconds(known_until) - max(durations) // MICROSECOND)
    step = data.draw(st.sampled_from([1, 5, 21]))  # a read goes on from the ones before, earlier or later
    for number in range(22):
        now = known_until + number * step % 22 * MICROSECOND
        values = blocks.answer(windows, microseconds(now))
        expected = history.expected(("a", 0), now)
        typed = [
            float(a) if isinstance(e, float) and a is not None else a
            for a, e in zip(values, expected, strict=True)
        ]
        assert oracle.bits(typed) == oracle.bits(expected)


APPENDED = st.lists(st.integers(1, 5), min_size=1, max_size=8)  # events at each of the next timestamps
CHANGED = st.dictionaries(
    st.integers(0, 30), st.integers(0, 3), min_size=1, max_size=8
)  # events at a timestamp


REMOVED = st.none() | st.integers(-1, 40)  # events up to a timestamp


@given(
    st.integers(1, 3),
    st.integers(1, 2),
    st.lists(st.tuples(APPENDED, REMOVED, CHANGED), min_size=1, max_size=5),
)
@examples(40)
def test_changed_events_take_the_place_of_those_before(leaf_events, node_blocks, steps):
    """Many events of one timestamp in many blocks; timestamps that lose all their events, also the newest; removed events."""
    declared = {f"count_{n}": declare.count(over=timedelta(microseconds=n)) for n in range(1, 40, 3)}
    declared["values"] = declare.last_n("i", 1_000, over="lifetime")
    declared["recent"] = declare.last_n("i", 1_000, over=timedelta(microseconds=9))
    declared["since"] = declare.time_since(over="lifetime")
    columns, schema = StoredColumns.of(declared), {"i": pl.Int64()}
    windows = KeyWindows(declared, list(declared), columns, schema)
    blocks = Blocks(Measures(declared, columns, schema), leaf_events, node_blocks)
    expected: dict[int, list[int]] = {}
    values = count()
    for appended, removed, changes in steps:
        start = max((t for t, there in expected.items() if there), default=-1) + 1
        later = {start + n: [next(values) for _ in range(repeats)] for n, repeats in enumerate(appended)}
        blocks.write([(t, value) for t, there in later.items() for value in there])
        expected |= later
        newest = start + len(appended) - 1
        if removed is not None:
            blocks.write([], remove=removed)
            expected = {t: [] if t <= removed else there for t, there in expected.items()}
        stored = max((t for t, there in expected.items() if there), default=-1)
        now_at = {t: [next(values) for _ in range(n)] for t, n in sorted(changes.items()) if t <= stored}
        blocks.write([], changes=[(t, [(t, value) for value in there]) for t, there in now_at.items()])
        expected |= now_at
        present = [(t, value) for t in sorted(expected) for value in expected[t]]
        assert [t for t, _ in blocks.head.events][-1:] == [t for t, _ in present][-1:]
        for now in (newest, newest + 3, newest + 1, newest + 1):  # a read goes on from the ones before
            *counts, newest_first, recent, since = blocks.answer(windows, now)
            assert since == ((now - present[-1][0]) / 1_000_000 if present else None)
            assert newest_first == [value for _, value in reversed(present)]
            assert recent == [value for t, value in reversed(present) if t > now - 9]
            assert counts == [sum(t > now - n for t, _ in present) for n in range(1, 40, 3)]


def answers_of(events, declared):
    """The windows of one key over events that are stored in one row, at the timestamp of the last one."""
    frame = pl.DataFrame(events)
    columns = StoredColumns.of(declared)
    windows = KeyWindows(declared, list(declared), columns, frame.schema)
    values = columns.values(frame.schema)
    rows = frame.select(pl.int_range(pl.len()).alias("timestamp"), *values, *columns.held()).rows()
    blocks = Blocks(Measures(declared, columns, frame.schema), 1, 1)
    blocks.write(rows)
    return blocks.answer(windows, len(rows))


def test_decimals_are_compared_as_numbers():
    """They are stored as text, of which "9.50" is greater than "10.00"."""
    money = pl.Series(["9.50", "10.00", "-3.00", "-20.00"]).cast(pl.Decimal(10, 2))
    over = {"over": "1h"}
    declared = {"max": declare.max("money", **over), "min": declare.min("money", **over)}
    assert answers_of({"money": money}, declared) == ["10.00", "-20.00"]


def test_a_sum_beyond_64_bits_raises_and_its_mean_does_not():
    """A sum inside a tree of blocks may be larger than what it is rounded to."""
    events = {"i": [2**62, 2**62, -(2**62)]}
    assert answers_of(events, {"sum": declare.sum("i", over="1h")}) == [2**62]
    for window in (declare.sum("i", over="1h"), declare.sum("i", events=5)):
        with pytest.raises(
            OverflowError, match="window 'total': the sum 9,223,372,036,854,775,808 does not fit"
        ):
            answers_of({"i": [2**62, 2**62]}, {"count": declare.count(over="1h"), "total": window})
    assert answers_of({"i": [2**62] * 4}, {"mean": declare.mean("i", over="1h")}) == [2.0**62]


def test_numbers_that_are_not_finite_are_refused():
    """As offline: they have no exact sum."""
    with pytest.raises(ContractError, match="inf"):
        answers_of({"x": [1.0, float("inf"), 2.0]}, {"sum": declare.sum("x", over="1h")})
