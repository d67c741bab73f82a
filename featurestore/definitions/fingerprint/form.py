"""The canonical form of a piece of code, and what it reads from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from featurestore.definitions.fingerprint.parts import part_digest

if TYPE_CHECKING:
    from featurestore.definitions.fingerprint.scopes import ImportTarget


class Parameter(str):
    """A parameter's name: it counts only if a keyword of the closure can reach it."""

    __slots__ = ()


class Read(NamedTuple):
    """What code reads from outside: a global name with the attributes taken from it.

    Attributes
    ----------
    chain
        Such as ``("helper", "scaled")`` for ``helper.scaled(...)``.
    origin
        The import inside the function that binds the first name; None for a module-level name.
    """

    chain: tuple[str, ...]
    origin: ImportTarget | None = None


@dataclass(frozen=True)
class Form:
    """The canonical form of some statements.

    Attributes
    ----------
    reads
        What the code reads from outside, each once, in the order of appearance.
    keywords
        Names of keyword arguments in calls.
    expands_keywords
        True where a call passes ``**names``: every parameter of the closure may be reached by name.
    opaque
        True where reads are computed at run time and cannot be followed.
    imports_computed
        True where the name of an imported module is computed at run time.
    attributes
        Names of all attributes.
    """

    tokens: tuple[str, ...]
    reads: tuple[Read, ...]
    keywords: frozenset[str]
    expands_keywords: bool
    opaque: bool
    imports_computed: bool
    attributes: frozenset[str]
    _digests: dict[frozenset[str], str] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def _parameters(self) -> frozenset[str]:
        return frozenset(token for token in self.tokens if isinstance(token, Parameter))

    def digest(self, keywords: frozenset[str], *, every_keyword: bool = False) -> str:
        """Digest the form; names of parameters count where they are among `keywords`."""
        counted = self._parameters if every_keyword else self._parameters & keywords
        if counted not in self._digests:
            self._digests[counted] = part_digest(
                "_" if isinstance(token, Parameter) and token not in counted else token
                for token in self.tokens
            )
        return self._digests[counted]
