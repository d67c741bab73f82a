"""Memory of NumPy's arrays in processes that make many of them."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

_LARGEST: Final = 30 << 20  # bytes; glibc does not learn from blocks above 32 MiB


@cache
def keep_freed_memory() -> None:
    """Let this process keep the memory of freed arrays for new ones, up to 60 MiB for each thread.

    By default, glibc returns each array of more than 128 KiB to the system when it is freed, and the system clears the memory
    of each new one: half of the time of a sum over 100,000 numbers, and many threads wait for each other in it. Once a
    larger block was freed, glibc keeps blocks up to that size (mallopt(3), `M_MMAP_THRESHOLD`: "the threshold is dynamic").
    Other systems have their own rules, which this does not change.
    """
    np.empty(_LARGEST, dtype=np.uint8)
