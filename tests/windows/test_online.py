"""Windows online: a store holds events, and each read slides the windows to its own moment."""

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.testing import MemoryStore
from featurestore.testing.strategies import START
from featurestore.testing.window_histories import window_histories
from featurestore.testing.window_stores import require_windows

MOMENTS = st.integers(-2, 40).map(lambda tick: START + timedelta(microseconds=tick))
WATERMARKS = st.lists(MOMENTS, min_size=1, max_size=4, unique=True).map(sorted)


@given(window_histories(), WATERMARKS, st.data())
@examples(25)
def test_a_store_serves_the_windows_of_the_oracle(history, watermarks, data):
    """Built and pushed events, corrections, deletions and expiry, at each watermark and later."""
    pushed = data.draw(st.integers(0, min(4, len(history.events))))
    with tempfile.TemporaryDirectory() as folder:
        require_windows(MemoryStore(), history, watermarks, Path(folder), pushed=pushed)
