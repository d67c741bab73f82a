"""States of the grown shop, each in a folder of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from grown_shop import Shop, load, write

StateOf = Callable[..., Shop]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateOf]:
    """Write and load a state of the shop; the changes say which files differ."""
    count = 0

    def of(changes: dict[str, str] | None = None) -> Shop:
        nonlocal count
        count += 1
        return load(write(tmp_path / f"checkout{count}", changes))

    # A state may configure Polars when it is loaded: that ends with the test.
    with pl.Config():
        yield of
