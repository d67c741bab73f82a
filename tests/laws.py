"""How many examples the laws draw: few in each run of the tests, and LAW_DEPTH times as many in `make laws`.

The laws of windows draw at least LAW_HISTORIES histories: 10,000 in `make laws`.
"""

import os

from hypothesis import settings

DEPTH = int(os.environ.get("LAW_DEPTH", "1"))
HISTORIES = int(os.environ.get("LAW_HISTORIES", "0"))


def examples(count: int) -> settings:
    """Draw a number of examples, without a limit on their time."""
    return settings(max_examples=count * DEPTH, deadline=None)


def histories(count: int) -> settings:
    """Draw a number of histories, as `examples` does."""
    return settings(max_examples=max(count * DEPTH, HISTORIES), deadline=None)
