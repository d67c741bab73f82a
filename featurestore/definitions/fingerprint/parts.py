"""The fingerprint of a definition: one digest, and the parts by which a difference is named."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

PartKind: TypeAlias = Literal[
    "function",
    "constant",
    "module",
    "schema",
    "check",
    "policy",
    "reader",
    "timing",
    "step",
    "upstream",
    "package",
]
DefinitionKind: TypeAlias = Literal[
    "source", "dataset", "feature view", "on-demand view", "feature service", "training set"
]

PART_DIGEST_LENGTH = 16
MAX_PRINTED = 80


class Part(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing that decides the values of a definition.

    Attributes
    ----------
    kind
        ``function``: a function, method or class of the project. ``constant``: a module-level value, or
        a variable of an enclosing function. ``module``: the statements of a module that count as a whole.
        ``schema``, ``check``, ``policy``: what the Pandera schema declares. ``reader``: how a source is
        read. ``timing``: when rows become known and expire. ``step``: what is fitted to the rows of train and
        applied to features. ``upstream``: a definition that this one
        reads. ``package``: an installed distribution that computes.
    name
        Name of the thing within its file, schema or definition.
    digest
        16 hexadecimal digits. Two parts of equal kind and digest have the same meaning.
    where
        File, as a POSIX path relative to the project's root; empty where no file applies.
    schema
        Name of the schema that a ``schema``, ``check`` or ``policy`` part belongs to.
    value
        The printed value, at most 80 characters; None where a printed value would not help a reader.
    """

    kind: PartKind
    name: str
    digest: str
    where: str = ""
    schema: str = ""
    value: str | None = None


class Fingerprint(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What decides the values of one definition.

    Plain data: ``msgspec.json.encode`` writes it and ``msgspec.json.decode(..., type=Fingerprint)``
    reads it back. Compare `digest` to find out whether two belong together; call
    `featurestore.definitions.fingerprint.differences` to name the difference.

    Attributes
    ----------
    digest
        ``"sha256:"`` and 64 hexadecimal digits. Covers all parts and all upstream definitions, but not
        the files that hold the code: a function that moves keeps its digest.
    kind
        Kind of the definition, such as ``"feature view"``.
    name
        Name of the definition.
    parts
        The definition's own parts. Parts of kind ``upstream`` carry the digests of the definitions that
        it reads directly.
    upstream
        Every definition that this one reads, directly or through others, each once and inputs first.
        Their own `upstream` is empty.
    """

    digest: str
    kind: DefinitionKind
    name: str
    parts: tuple[Part, ...]
    upstream: tuple[Fingerprint, ...] = ()


def part_digest(tokens: Iterable[str]) -> str:
    """Digest one part: 16 hexadecimal digits."""
    return _sha256(tokens)[:PART_DIGEST_LENGTH]


def full_digest(tokens: Iterable[str]) -> str:
    """Digest a definition: ``"sha256:"`` and 64 hexadecimal digits."""
    return f"sha256:{_sha256(tokens)}"


def value_part(kind: PartKind, name: str, value: object, *, where: str = "", schema: str = "") -> Part:
    """Make a part whose printed value is also what counts."""
    text = str(value)
    return Part(
        kind=kind, name=name, digest=part_digest([text]), where=where, schema=schema, value=shortened(text)
    )


def shortened(text: str) -> str:
    """Cut a printed value at 80 characters."""
    return text if len(text) <= MAX_PRINTED else f"{text[: MAX_PRINTED - 1]}…"


def _sha256(tokens: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(tokens).encode("utf-8", "surrogatepass")).hexdigest()
