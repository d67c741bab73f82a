"""Every compute engine answers as the fold does, however the rows are cut into spans, row groups and files."""

import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.adapters.polars import PolarsEngine
from featurestore.errors import StoreError
from featurestore.ports import ViewRows
from featurestore.storage.row_groups import Span, spans
from featurestore.testing.engines import require_fold, require_windows
from featurestore.testing.strategies import FEATURES, histories
from featurestore.testing.window_histories import window_histories


@pytest.mark.parametrize("span_bytes", [1, 100, 1 << 30])
@given(history=histories(max_rows=20), cuts=st.lists(st.integers(0, 20), max_size=3))
@examples(10)
def test_the_polars_engine_is_the_fold(span_bytes, history, cuts):
    """One span, many, and several files give the same."""
    with tempfile.TemporaryDirectory() as folder:
        require_fold(PolarsEngine(span_bytes, threads=3), history, Path(folder), cuts=cuts)


@pytest.mark.parametrize("span_bytes", [1, 8_000])
@given(history=window_histories(max_events=20), cuts=st.lists(st.integers(0, 20), max_size=3))
@examples(8)
def test_windows_of_the_polars_engine_are_those_of_the_oracle(span_bytes, history, cuts):
    """A part for each key, for some keys, and for all; the rows of one key and of one identity in several files."""
    with tempfile.TemporaryDirectory() as folder:
        require_windows(PolarsEngine(span_bytes), history, Path(folder), cuts=cuts)


@given(history=histories(), cut=st.integers(0, 8))
@examples(10)
def test_entity_rows_can_be_split(history, cut):
    """Each row is answered for itself: the answers of two halves are the two halves of the answers."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        require_fold(PolarsEngine(), history, Path(folder))
        Path(folder, "0.parquet").rename(file)
        view, entities = ViewRows(history.view[FEATURES], (file,)), history.entity_frame
        halves = [PolarsEngine().historical(half, [view]) for half in (entities[:cut], entities[cut:])]
        assert pl.concat(halves).equals(PolarsEngine().historical(entities, [view]))


def test_row_groups_that_hold_no_wanted_key_are_not_read(tmp_path):
    """Statistics leave them out; what is read comes in spans of about the size asked for."""
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"k": range(100), "x": [0.5] * 100}).write_parquet(
        path, row_group_size=10, compression="uncompressed"
    )

    def found(keys, limit):
        return [
            (s.start, s.rows) for s in spans(path, columns=["k", "x"], keys=pl.Series("k", keys), limit=limit)
        ]

    assert found([5, 17, 85], 1 << 20) == [(0, 20), (80, 10)]
    assert found([5, 17, 85], 1) == [(0, 10), (10, 10), (80, 10)]
    assert found([-1, 100, None], 1) == []
    assert found(list(range(100)), 1 << 20) == [(0, 100)]
    assert next(iter(spans(path, columns=["k"], keys=pl.Series("x", [0.5]), limit=1))) == Span(0, 10)


def test_a_broken_file_is_named(tmp_path):
    """A file that is not Parquet is a failed store, not a traceback of a foreign library."""
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(StoreError, match=r"rows.parquet: cannot be read as Parquet"):
        list(spans(path, columns=["k"], keys=pl.Series("k", [1]), limit=1))
