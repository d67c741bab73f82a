"""How many different values there are, approximately: exact for few, by HyperLogLog for more.

Each value has a hash of 64 bits. Its first bits name one of m registers, and the number of leading zeros of the rest, plus
one, is its level; a register keeps the greatest level (Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog", 2007). The estimate
from the registers is Ertl's, which needs no tables ("New cardinality estimation algorithms for HyperLogLog sketches", 2017,
algorithm 6). Its relative standard error is ``1.04 / sqrt(m)``. Up to ``m / 8`` different values are counted exactly, so
all is a function of the set of values: neither the order of events nor how they are put together decides.

Registers are counted by level: how many have reached level 1, level 2 and so on. Online the registers that reached a level
are the bits of a whole number, and two parts are put together by ``or``; offline each count is that of different registers among
the events of a window (`featurestore.windows.members`).
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from featurestore.values.exact_integers import bit_lengths
from featurestore.values.stable_hash import stable_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

HASH_BITS: Final = 64
# The standard error of HyperLogLog with one register, and 1 / (2 ln 2).
_ERROR: Final = 1.04
_ALPHA: Final = 0.7213475204444817


def precision_of(error: float) -> int:
    """Return how many bits of a hash name its register, so that the relative standard error is at most `error`."""
    precision = 0
    while error * error * (1 << precision) < _ERROR * _ERROR:
        precision += 1
    return precision


def exact_limit(precision: int) -> int:
    """Return up to how many different values are counted exactly."""
    return (1 << precision) // 8


def hashes(values: pl.Series) -> NDArray[np.uint64]:
    """Hash values to 64 bits, which no version of a package changes. -0.0 has the hash of 0.0, and a null has any."""
    if values.dtype.is_float():
        # NumPy adds: Polars leaves -0.0 + 0.0 as it is.
        values = pl.Series((values.cast(pl.Float64).fill_null(0.0).to_numpy() + 0.0).view(np.int64))
    elif isinstance(values.dtype, pl.Decimal):
        values = values.cast(pl.String)
    return stable_hash([values], 0)


def registers_and_levels(
    hashed: NDArray[np.uint64], precision: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the register and the level of each hash."""
    rest = HASH_BITS - precision
    registers = (hashed >> np.uint64(rest)).astype(np.int64)
    return registers, rest + 1 - bit_lengths(hashed & np.uint64((1 << rest) - 1))


def estimate(reached: Sequence[Any], registers: int) -> Any:
    """Estimate the number of different values.

    Parameters
    ----------
    reached
        How many registers have reached level 1, level 2 and so on: whole numbers, or columns of them (Int64).
    registers
        The number of registers.

    Returns
    -------
    float or NDArray[np.float64]
        The estimates. The steps are the same for numbers and for columns, so that the bits are.
    """
    total: Any = 0.0
    above: Any = 0
    for reaching in reversed(reached):
        total = 0.5 * (total + (reaching - above))
        above = reaching
    return _ALPHA * registers * registers / (total + _of_empty(registers - above, registers))


def _of_empty(empty: Any, registers: int) -> Any:
    """Return what registers that no value has reached add to the sum."""
    if isinstance(empty, int):
        return registers * _sigma(empty / registers)
    counts, places = np.unique(empty, return_inverse=True)
    return np.asarray([registers * _sigma(int(count) / registers) for count in counts])[places]


def _sigma(share: float) -> float:
    if share == 1.0:
        return math.inf
    weight, total, before = 1.0, share, -1.0
    while total != before:
        share *= share
        before = total
        total += share * weight
        weight += weight
    return total


class Registers:
    """The different values of parts of a window: their hashes, or where there are more, registers by level.

    A state is a frozen set of hashes, or a tuple of whole numbers: bit r of number l says that register r has reached
    level l + 1.

    Parameters
    ----------
    precision
        See `precision_of`.
    """

    def __init__(self, precision: int) -> None:
        self._rest = HASH_BITS - precision
        self._limit = exact_limit(precision)
        self._registers = 1 << precision

    def of(self, hashed: Iterable[int]) -> Any:
        """Return the state of some hashes."""
        return self._state(frozenset(hashed))

    def merge(self, first: Any, second: Any) -> Any:
        """Return the state of two parts."""
        if isinstance(first, frozenset) and isinstance(second, frozenset):
            return self._state(first | second)
        longer, shorter = sorted((self._levels(first), self._levels(second)), key=len, reverse=True)
        return tuple(a | b for a, b in zip(longer, shorter, strict=False)) + longer[len(shorter) :]

    def count(self, state: Any) -> int:
        """Return the number of different values, as offline."""
        if isinstance(state, frozenset):
            return len(state)
        estimated: float = estimate([level.bit_count() for level in state], self._registers)
        return max(round(estimated), self._limit + 1)

    def pack(self, state: Any) -> Any:
        """Return the hashes as bytes; or, of all registers, each binary digit of their levels."""
        if isinstance(state, frozenset):
            return struct.pack(f">{len(state)}Q", *sorted(state))
        planes = []
        for digit in range(len(state).bit_length()):
            # Each multiple of 2**d that a register reaches turns digit d of its level over.
            plane = 0
            for level in state[(1 << digit) - 1 :: 1 << digit]:
                plane ^= level
            planes.append(plane.to_bytes(self._registers // 8, "big"))
        return planes

    def unpack(self, packed: Any) -> Any:
        """Return a state from its packed form."""
        if isinstance(packed, bytes):
            return frozenset(struct.unpack(f">{len(packed) * 8 // HASH_BITS}Q", packed))
        planes = [int.from_bytes(plane, "big") for plane in packed]
        levels: list[int] = []
        while reached := self._reached(planes, len(levels) + 1):
            levels.append(reached)
        return tuple(levels)

    def _reached(self, planes: Sequence[int], level: int) -> int:
        """Compare the binary digits of all registers with those of a level, the lowest first."""
        if level >> len(planes):
            return 0
        reached = (1 << self._registers) - 1
        for digit, plane in enumerate(planes):
            reached = plane & reached if level >> digit & 1 else plane | reached
        return reached

    def _state(self, hashed: frozenset[int]) -> Any:
        return hashed if len(hashed) <= self._limit else self._levels(hashed)

    def _levels(self, state: Any) -> tuple[int, ...]:
        if not isinstance(state, frozenset):
            return tuple(state)
        # Of each level, from the greatest down: the registers of its hashes, and all of those above.
        by_level: dict[int, bytearray] = {}
        for hashed in state:
            register, rest = divmod(hashed, 1 << self._rest)
            level = self._rest + 1 - rest.bit_length()
            if level not in by_level:
                by_level[level] = bytearray(self._registers // 8)
            by_level[level][register >> 3] |= 1 << (register & 7)
        reached, levels = 0, []
        for level in range(max(by_level, default=0), 0, -1):
            reached |= int.from_bytes(by_level.get(level, b""), "little")
            levels.append(reached)
        return tuple(levels[::-1])
