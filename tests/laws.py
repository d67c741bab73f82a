"""How many examples the laws draw: few in each run of the tests, and LAW_DEPTH times as many in `make laws`."""

import os

from hypothesis import settings

DEPTH = int(os.environ.get("LAW_DEPTH", "1"))


def examples(count: int) -> settings:
    """Draw a number of examples, without a limit on their time."""
    return settings(max_examples=count * DEPTH, deadline=None)
