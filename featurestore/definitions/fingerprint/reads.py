"""What code reads from outside, collected while its canonical form is written."""

from __future__ import annotations

from featurestore.definitions.fingerprint.form import Form, Read

# Reads through these are computed at run time: the whole module counts.
OPAQUE_BUILTINS = frozenset({"__import__", "eval", "exec", "globals", "locals", "vars"})
OPAQUE_CHAINS = frozenset(
    {("sys", "modules"), ("sys", "_getframe"), ("inspect", "currentframe"), ("inspect", "stack")}
)
IMPORTERS = frozenset({"imp", "importlib", "pkgutil", "runpy", "zipimport"})
STATIC_IMPORTLIB = frozenset({("metadata",), ("resources",), ("import_module",)})


class Reads:
    """Collects what a form holds in addition to its tokens; see `Form` for the meaning of each."""

    def __init__(self) -> None:
        self.all: list[Read] = []
        self.keywords: set[str] = set()
        self.attributes: set[str] = set()
        self.expands_keywords = False
        self.opaque = False
        self.imports_computed = False

    def add(self, read: Read) -> None:
        """Add a read, and see whether it can be followed."""
        self.all.append(read)
        origin, chain = read.origin, read.chain
        if origin is None:
            path = chain
            self.opaque |= chain[0] in OPAQUE_BUILTINS or chain == ("getattr",)
            self.imports_computed |= chain[0] in {"import_module", "__import__"}
        else:
            path = (*origin.module.split("."), *([origin.name] if origin.name else []), *chain[1:])
            self.imports_computed |= origin.name == "import_module"
        self.opaque |= path[:2] in OPAQUE_CHAINS
        self.imports_computed |= path[0] in IMPORTERS and path[1:2] not in STATIC_IMPORTLIB

    def add_keyword(self, name: str | None) -> None:
        """Add the keyword of a call; None for ``**names``."""
        if name is None:
            self.expands_keywords = True
        else:
            self.keywords.add(name)

    def form(self, tokens: list[str]) -> Form:
        """Return the form of the tokens with these reads."""
        return Form(
            tokens=tuple(tokens),
            reads=tuple(dict.fromkeys(self.all)),
            keywords=frozenset(self.keywords),
            expands_keywords=self.expands_keywords,
            opaque=self.opaque or self.imports_computed,
            imports_computed=self.imports_computed,
            attributes=frozenset(self.attributes),
        )
