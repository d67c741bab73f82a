"""Where timestamps of keys fall among sorted questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS = 62


@dataclass(frozen=True)
class Questions:
    """The timestamps that are asked for, sorted by key and timestamp.

    Attributes
    ----------
    keys
        Int64: the number of the key of each question, rising.
    timestamps
        Int64: microseconds since 1970-01-01 UTC, rising within a key.
    """

    keys: NDArray[np.int64]
    timestamps: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, part: slice) -> Questions:
        return Questions(self.keys[part], self.timestamps[part])

    def first_from(self, keys: NDArray[np.int64], timestamps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find for each key and timestamp the first question of that key that is not before the timestamp.

        Where there is none, it is the first question of the next key, or the number of questions.
        """
        if not len(self):
            return np.zeros(len(keys), dtype=np.int64)
        first, last = int(self.timestamps.min()), int(self.timestamps.max())
        bits = (last - first + 1).bit_length()
        if bits + int(self.keys[-1]).bit_length() <= _BITS:
            positions = (self.keys << bits) | (self.timestamps - first)
            at = np.clip(timestamps, first, last + 1) - first
        else:
            # Numbers of the timestamps take fewer bits than the timestamps.
            distinct = np.unique(self.timestamps)
            bits = len(distinct).bit_length()
            positions = (self.keys << bits) | np.searchsorted(distinct, self.timestamps)
            at = np.searchsorted(distinct, timestamps)
        return np.searchsorted(positions, (keys << bits) | at)
