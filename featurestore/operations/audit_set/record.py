"""What serving would have given in place of a training set: cells by cause, and the first of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from featurestore.errors import SkewError
from featurestore.operations.check_leaks.record import utc_text
from featurestore.values.wording import counted


class SetCause(StrEnum):
    """Why a cell of a training set is not what serving would have given."""

    LEAKS_FUTURE = "leaks_future"
    STALE_OR_FUTURE = "stale_or_future"
    STALE = "stale"
    ROUNDED = "rounded"
    NO_KEY = "no_key"
    OTHER = "other"


_WORDS: Final = {
    SetCause.LEAKS_FUTURE: "leaks the future",
    SetCause.STALE_OR_FUTURE: "stale or future",
    SetCause.STALE: "stale",
    SetCause.ROUNDED: "rounded",
    SetCause.NO_KEY: "a key is missing, so that serving has no row",
    SetCause.OTHER: "other",
}


class SetCell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that serving would not have given.

    Attributes
    ----------
    row
        Number of the row in the file, from 0.
    key
        Its keys and timestamp.
    value, served
        What the file has, and what serving would have given.
    known_at
        When the value became known after the row. None: it never did.
    known_before
        When it was known for the last time before the row. None: it was not.
    rounded_to
        The dtype to which what serving gives must be rounded to be the value. None: rounding does not explain it.
    """

    row: int
    key: str
    feature: str
    value: str
    served: str
    cause: SetCause
    known_at: datetime | None = None
    known_before: datetime | None = None
    rounded_to: str | None = None

    def __str__(self) -> str:
        times = [utc_text(time) for time in (self.known_before, self.known_at) if time is not None]
        known = f", known at {' and at '.join(times)}" if times else ""
        rounded = "" if self.rounded_to is None else f", equal as {self.rounded_to}"
        return (
            f"row {self.row:,} ({self.key}) {self.feature} {self.value}, served {self.served}: "
            f"{_WORDS[self.cause]}{known}{rounded}"
        )


class SetFeature(msgspec.Struct, frozen=True, kw_only=True):
    """The cells of one feature, by what serving would have given.

    Attributes
    ----------
    equal
        Cells with the value that serving would have given.
    leaking
        Cells with a value that became known only later: nothing but the future gives it.
    stale_or_future
        Cells with a value that was known before, and became known again later, such as a small count: the value
        does not tell whether it is stale or from the future.
    stale
        Cells with a value that was known before and never later, and is not the newest.
    rounded, rounded_to
        Cells that are equal when what serving gives is rounded to this dtype, such as Float32. None: there are none.
    others
        All other different cells: the row lacks a key of the feature, the feature never had the value for the key, the cell is null where serving has a value,
        or the feature is computed in the request or fitted.
    dtype
        The dtype that serving gives.
    """

    name: str
    equal: int
    leaking: int
    stale_or_future: int
    stale: int
    others: int
    rounded: int = 0
    rounded_to: str | None = None
    dtype: str = ""


class SetRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What serving would have given in place of a training set.

    Attributes
    ----------
    absent
        Features of the service that the training set does not have.
    ignored
        Columns that are neither compared nor a key, timestamp, request value, split, or column of a training set of the
        project; each with the feature that its name resembles. None: it resembles none.
    cells
        The first different cells, those of the rows with the most of them first.
    """

    service: str
    rows: int
    features: tuple[SetFeature, ...]
    absent: tuple[str, ...]
    ignored: dict[str, str | None]
    cells: tuple[SetCell, ...]

    @property
    def different(self) -> int:
        """How many cells differ from what serving would have given."""
        return sum(f.leaking + f.stale_or_future + f.stale + f.rounded + f.others for f in self.features)

    def require_parity(self) -> None:
        """Raise if a cell differs.

        Raises
        ------
        SkewError
            If one does. The message shows the first of them.
        """
        if self.different:
            leaking = sum(feature.leaking for feature in self.features)
            unsure = sum(feature.stale_or_future for feature in self.features)
            perhaps = f", {unsure:,} perhaps" if unsure else ""
            shown = "".join(f"\n  {cell}" for cell in self.cells)
            rounded = [f"{f.name} as {f.dtype}, not {f.rounded_to}" for f in self.features if f.rounded]
            only_rounded = sum(f.rounded for f in self.features) == self.different
            raise SkewError(
                f"{counted(self.different, 'cell')} not as serving would have given, {leaking:,} with knowledge of the "
                f"future{perhaps}{shown}",
                hint=f"write {'; '.join(rounded)}"
                if only_rounded
                else "join the rows with featurestore: featurestore join",
            )
