"""The known name that a wrong one most likely stands for."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MIN_SIMILARITY = 0.5
_MIN_BEGINNING = 3


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar, or None.

    The beginning of a name stands for it, also with a slip: ``onlin`` and ``onlne`` for ``online_store``.
    """
    similarities = [(_similarity(name.lower(), candidate.lower()), candidate) for candidate in sorted(known)]
    similarity, best = max(similarities, key=lambda pair: pair[0], default=(0.0, None))
    return best if similarity >= MIN_SIMILARITY else None


def _similarity(name: str, candidate: str) -> float:
    """Compare two names, 0 to 1: completely; or, for a fifth less, one with the first words of the candidate."""
    of_names = SequenceMatcher(None, name, candidate).ratio()
    if min(len(name), len(candidate)) < _MIN_BEGINNING:
        return of_names
    words = candidate.split("_")
    beginnings = ["_".join(words[:count]) for count in range(1, len(words))]
    of_beginnings = max((SequenceMatcher(None, name, part).ratio() for part in beginnings), default=0.0)
    return max(of_names, 0.8 * of_beginnings)
