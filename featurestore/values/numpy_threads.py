"""Threads that compute with NumPy, each a part of the rows: how many there are, and the memory of their arrays."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import polars as pl

# Threads take turns in Python, between two steps of NumPy. On 16 cores, 16 threads were slower than 4.
_MAX_THREADS: Final = 8
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


def numpy_threads() -> int:
    """Return how many threads compute with NumPy at once: those of Polars, at most 8."""
    return min(pl.thread_pool_size(), _MAX_THREADS)
