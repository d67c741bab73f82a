"""Fitted state: what the steps of a service learned, as a readable file that names exactly the rows it saw."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from featurestore.errors import ContractError
from featurestore.preprocessing.categories import Mapped, MultiHot, OneHot
from featurestore.preprocessing.dates import Cycled
from featurestore.preprocessing.discretize import Binned
from featurestore.preprocessing.embedding import Embedded
from featurestore.preprocessing.hashing import Hashed
from featurestore.preprocessing.impute import Filled
from featurestore.preprocessing.numbers import Clipped, Linear, Scaled
from featurestore.preprocessing.predict import Predicted
from featurestore.preprocessing.stack import Block
from featurestore.preprocessing.target import TargetMeans
from featurestore.preprocessing.words import Counted

if TYPE_CHECKING:
    from featurestore.preprocessing.step import State

# Raise it with every change of a state's fields, or of what its expressions compute.
FORMAT: Final = 1

ColumnState: TypeAlias = (
    Filled
    | Scaled
    | Linear
    | Clipped
    | Binned
    | Cycled
    | OneHot
    | MultiHot
    | Mapped
    | TargetMeans
    | Counted
    | Hashed
    | Embedded
    | Predicted
)


def require_readable(state: State, place: str) -> None:
    """Refuse a state that its file would not hold: JSON has no NaN and no infinity.

    Raises
    ------
    ContractError
        If what is read back differs.
    """
    try:
        back = msgspec.json.decode(msgspec.json.encode(state), type=ColumnState)
    except (msgspec.MsgspecError, UnicodeError, OverflowError) as error:
        raise _unreadable(state, place) from error
    if back != state:
        raise _unreadable(state, place)


def _unreadable(state: State, place: str) -> ContractError:
    return ContractError(
        f"{place}: what was learned cannot be kept in a file: {state!r:.200}; expected finite numbers and text",
        hint="clip the feature or the label first, or give it another unit",
    )


class FittedStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one step learned.

    Attributes
    ----------
    step
        The step as it was declared, as text.
    columns
        What it learned about each of its columns.
    blocks
        The blocks that it puts the columns into, in their order. Empty: it leaves them in their places.
    """

    step: str
    columns: dict[str, ColumnState]
    blocks: tuple[Block, ...] = ()


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """Exactly which rows a state was fitted to.

    Attributes
    ----------
    training_set
        The training set that the rows are from.
    split
        The split that they are in. None: the training set is not split, and all its rows were fitted to.
    rows
        How many they are.
    digest
        Digest of these rows, with the features as they were joined.
    """

    training_set: str
    split: str | None
    rows: int
    digest: str


class FittedState(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps of a service learned, and from what.

    Attributes
    ----------
    format
        The version of this form.
    service
        The name of the feature service.
    definition
        Digest of the definition of the service, with its steps.
    features
        Names and dtypes of the fitted vector, in order.
    """

    format: int
    service: str
    definition: str
    certificate: Certificate
    steps: tuple[FittedStep, ...]
    features: dict[str, str]

    @property
    def blocks(self) -> dict[str, slice]:
        """The place of each named block in the vector, in order. Empty: the steps declare no blocks."""
        places, start = {}, 0
        for block in self.steps[-1].blocks if self.steps else ():
            places[block.name] = slice(start, start + len(block.columns))
            start += len(block.columns)
        return places

    @property
    def digest(self) -> str:
        """Digest of the content."""
        return f"sha256:{hashlib.sha256(msgspec.json.encode(self, order='deterministic')).hexdigest()}"


class StateFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a fitted state.

    Attributes
    ----------
    digest
        Digest of `state`, by which an edit is found.
    """

    digest: str
    state: FittedState
