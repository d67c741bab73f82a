"""States of the grown shop, each in a folder of its own."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from grown_shop import Shop, load, write

StateOf = Callable[..., Shop]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateOf]:
    """Write and load a state of the shop; the changes say which files differ."""
    path, modules, count = list(sys.path), set(sys.modules), 0

    def of(changes: dict[str, str] | None = None) -> Shop:
        nonlocal count
        count += 1
        return load(write(tmp_path / f"checkout{count}", changes))

    yield of
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] in {"schemas", "feature_repo", "lib"}:
            del sys.modules[name]
