"""Where moments of keys fall among sorted questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS = 62


@dataclass(frozen=True)
class Questions:
    """The moments that are asked for, sorted by key and moment.

    Attributes
    ----------
    keys
        Int64: the number of the key of each question, rising.
    moments
        Int64: microseconds since 1970-01-01 UTC, rising within a key.
    """

    keys: NDArray[np.int64]
    moments: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.keys)

    def first_from(self, keys: NDArray[np.int64], moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find for each key and moment the first question of that key that is not before the moment.

        Where there is none, it is the first question of the next key, or the number of questions.
        """
        if not len(self):
            return np.zeros(len(keys), dtype=np.int64)
        least, greatest = int(self.moments.min()), int(self.moments.max())
        bits = (greatest - least + 1).bit_length()
        if bits + int(self.keys[-1]).bit_length() <= _BITS:
            asked = (self.keys << bits) | (self.moments - least)
            at = np.clip(moments, least, greatest + 1) - least
        else:
            # Numbers of the moments take fewer bits than the moments.
            distinct = np.unique(self.moments)
            bits = len(distinct).bit_length()
            asked = (self.keys << bits) | np.searchsorted(distinct, self.moments)
            at = np.searchsorted(distinct, moments)
        return np.searchsorted(asked, (keys << bits) | at)
