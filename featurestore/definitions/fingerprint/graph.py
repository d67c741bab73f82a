"""The graph of a closure: its nodes, what each reads, and the digest of it all."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from featurestore.definitions.fingerprint.parts import Part, full_digest, part_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from featurestore.definitions.fingerprint.form import Form
    from featurestore.definitions.fingerprint.parts import PartKind


@dataclass(eq=False)
class Node:
    """One piece of code, or one value, of a closure.

    Attributes
    ----------
    form
        The canonical form of code; None for a value.
    tokens
        The text of a value.
    cells
        Variables of enclosing functions, by name.
    links
        What it reads, in the order of appearance.
    """

    kind: PartKind
    name: str
    file: Path
    form: Form | None = None
    tokens: tuple[str, ...] = ()
    printed: str | None = None
    cells: Mapping[str, Any] = field(default_factory=dict)
    links: list[Node] = field(default_factory=list)


class Graph:
    """The nodes of a closure.

    Attributes
    ----------
    nodes
        By a key that is the same whenever the same code or value is met.
    roots
        Where the closure starts, in order.
    keywords
        Names by which code outside of the closure reaches parameters.
    """

    def __init__(self) -> None:
        self.nodes: dict[tuple[object, ...], Node] = {}
        self.roots: list[Node] = []
        self.keywords: set[str] = set()

    def parts(self, relative: Callable[[Path], str]) -> list[Part]:
        """List the nodes as parts, each once.

        Parameters
        ----------
        relative
            Returns a file's path relative to the project's root.
        """
        keywords, every = self._reachable_names()
        return [
            Part(
                kind=node.kind,
                name=node.name,
                digest=_digest(node, keywords, every=every),
                where=relative(node.file),
                value=node.printed,
            )
            for node in self.nodes.values()
        ]

    def digest(self) -> str:
        """Digest the graph as it is reached from its roots.

        Each node is numbered when it is first met. So files do not count, but the target of each name does.
        """
        keywords, every = self._reachable_names()
        numbers: dict[Node, int] = {}
        order: deque[Node] = deque()

        def number(node: Node) -> str:
            if node not in numbers:
                numbers[node] = len(numbers)
                order.append(node)
            return str(numbers[node])

        tokens = [number(node) for node in self.roots]
        while order:
            node = order.popleft()
            links: Iterable[str] = map(number, node.links)
            tokens += [node.kind, _digest(node, keywords, every=every), *links, ";"]
        return full_digest(tokens)

    def _reachable_names(self) -> tuple[frozenset[str], bool]:
        forms = [node.form for node in self.nodes.values() if node.form is not None]
        names = self.keywords.union(*(form.keywords for form in forms))
        return frozenset(names), any(form.expands_keywords for form in forms)


def _digest(node: Node, keywords: frozenset[str], *, every: bool) -> str:
    if node.form is None:
        return part_digest(node.tokens)
    return node.form.digest(keywords, every_keyword=every)
