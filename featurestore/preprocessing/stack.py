"""The last step: named blocks of columns in a pinned order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import msgspec

from featurestore.errors import DefinitionError
from featurestore.preprocessing.selectors import columns_of, selected
from featurestore.values.arguments import names_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from featurestore.preprocessing.selectors import Columns, Selector

_EXAMPLE = 'stack({"numbers": numeric(), "carrier": ["carrier"]})'


class Block(msgspec.Struct, frozen=True):
    """Columns of the fitted vector that are next to each other."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Stack:
    """See `stack`.

    Attributes
    ----------
    blocks
        The names of the blocks in their order, and the features of each.
    """

    kind: ClassVar[str] = "stack"
    reads: ClassVar[None] = None
    blocks: tuple[tuple[str, Columns], ...]

    def __str__(self) -> str:
        shown = (f"{name!r}: {columns}" for name, columns in self.blocks)
        return f"{self.kind}({{{', '.join(shown)}}})"

    def features(self, schema: Mapping[str, pl.DataType], place: str) -> dict[str, tuple[str, ...]]:
        """Return the features of each block.

        Parameters
        ----------
        schema
            The features of the service, before all steps.

        Raises
        ------
        UnknownNameError
            If a feature does not exist.
        DefinitionError
            If a feature is in two blocks or in none, or a selector selects nothing.
        """
        blocks = {name: selected(columns, schema, place) for name, columns in self.blocks}
        taken: dict[str, str] = {}
        for block, features in blocks.items():
            for feature in features:
                if feature in taken:
                    raise DefinitionError(
                        f"{place}: feature {feature!r} is in the blocks {taken[feature]!r} and {block!r}",
                        hint=f"name it in one block; of a selector, leave it out: numeric().exclude({feature!r})",
                    )
                taken[feature] = block
        if missing := [feature for feature in schema if feature not in taken]:
            raise DefinitionError(
                f"{place}: {', '.join(map(repr, missing))} {'is' if len(missing) == 1 else 'are'} in no block",
                hint="name a block for every feature, or leave the feature out of the service",
            )
        return blocks

    def arranged(
        self, origin: Mapping[str, str], schema: Mapping[str, pl.DataType], place: str
    ) -> tuple[Block, ...]:
        """Return the columns of each block.

        Parameters
        ----------
        origin
            For each column that the steps made, in order, the feature that it is computed from.
        schema, place
            As of `features`.
        """
        return tuple(
            Block(name, tuple(c for feature in features for c, source in origin.items() if source == feature))
            for name, features in self.features(schema, place).items()
        )


def stack(blocks: Mapping[str, str | Iterable[str] | Selector]) -> Stack:
    """Put the columns of the vector into named blocks, side by side in this order. The last step of a service.

    The state pins the columns of each block, and so its width and its place. `TrainingData.blocks` shows them.

    Parameters
    ----------
    blocks
        The features of each block, by its name: names of features of the service, or a selector of them. A block has all
        columns that the steps made of its features. Each feature is in one block.

    Raises
    ------
    DefinitionError
        If there is no block, or it has no name or no features.
    """
    if not isinstance(blocks, Mapping) or not blocks:
        raise DefinitionError(
            f"step stack: blocks is {blocks!r}; expected the features of each block, by its name",
            hint=f"example: {_EXAMPLE}",
        )
    names = names_of("step stack: blocks", list(blocks), what="blocks", example=_EXAMPLE)
    return Stack(tuple((name, columns_of(blocks[name], "stack")) for name in names))
