"""What differs between two fingerprints, by name."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

import msgspec

from featurestore.definitions.fingerprint.parts import PartKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from featurestore.definitions.fingerprint.parts import Fingerprint, Part

Change = Literal["changed", "added", "removed"]
ORDER = "order of "
FEATURES = "features of "
# Every part equals an earlier part, but a name leads to a different one.
NAMES = "names"


class Difference(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing that differs between two fingerprints. `text` prints it.

    Attributes
    ----------
    kind, name, where, schema
        Of the part, see `Part`. `where` is the file after the change, or before it if the part is removed.
    change
        What happened to the part.
    before, after
        Printed values; None where the part has none, or does not exist.
    upstream
        Name of the upstream definition that the part belongs to; empty for the definition itself.
    """

    kind: PartKind
    name: str
    change: Change
    where: str = ""
    schema: str = ""
    before: str | None = None
    after: str | None = None
    upstream: str = ""

    @property
    def text(self) -> str:
        """The difference in a line, such as ``constant LATE_MINUTES 15 -> 20 in feature_repo/late.py``."""
        prefix = f"upstream {self.upstream}: " if self.upstream else ""
        return f"{prefix}{self._subject()}"

    def _subject(self) -> str:
        if self.kind in {"function", "module"}:
            return self._code()
        if self.kind == "upstream":
            return {"changed": "inputs changed order", "added": f"now reads {self.name}"}.get(
                self.change, f"no longer reads {self.name}"
            )
        place = f" of schema {self.schema}" if self.schema else f" in {self.where}" if self.where else ""
        if self.kind in {"check", "package"}:
            return self._check_or_package(place)
        noun = f"column {self.name}" if self.kind == "schema" and self.schema else f"{self.kind} {self.name}"
        if self.name.startswith(ORDER):
            noun = self.name
        if self.change != "changed":
            value = self.after if self.change == "added" else self.before
            return f"{noun}{f' {value}' if value is not None else ''} {self.change}{place}"
        if self.before is None or self.after is None or self.before == self.after:
            return f"{noun} changed{place}"
        return f"{noun} {self.before} -> {self.after}{place}"

    def _code(self) -> str:
        place = f" ({self.where})" if self.where else ""
        if self.kind == "module":
            return f"{self.name} {self.change}{place}"
        if self.name == NAMES:
            return "names lead to other code than before"
        if self.change == "changed":
            return f"body of {self.name} changed{place}"
        return f"{'now uses' if self.change == 'added' else 'no longer uses'} {self.name}{place}"

    def _check_or_package(self, place: str) -> str:
        noun = "" if self.kind == "package" else "check "
        before, after = (
            f"{self.name} {value}" if self.kind == "package" and value is self.before else value
            for value in (self.before or self.name, self.after or self.name)
        )
        if self.change != "changed":
            return f"{noun}{after if self.change == 'added' else before} {self.change}{place}"
        return f"{noun}{before} changed{place}" if before == after else f"{noun}{before} -> {after}{place}"


def differences(before: Fingerprint, after: Fingerprint) -> tuple[Difference, ...]:
    """Name what differs between two fingerprints of one definition.

    The definition's own differences come first, then those of upstream definitions. A difference that several
    definitions share, such as a helper's body or a package's version, is listed once, at the first of them.

    Parameters
    ----------
    before, after
        Such as the fingerprint written into a file, and that of the catalog.

    Returns
    -------
    tuple of Difference
        Empty if, and only if, the digests are equal.
    """
    if before.digest == after.digest:
        return ()
    unique: dict[Difference, Difference] = {}
    for difference in _every_difference(before, after):
        unique.setdefault(msgspec.structs.replace(difference, upstream=""), difference)
    if unique:
        return tuple(unique.values())
    return (Difference(kind="function", name=NAMES, change="changed"),)


def _every_difference(before: Fingerprint, after: Fingerprint) -> Iterator[Difference]:
    yield from _part_differences(before, after, "")
    old = {(definition.kind, definition.name): definition for definition in before.upstream}
    for definition in after.upstream:
        known = old.get((definition.kind, definition.name))
        if known is not None and known.digest != definition.digest:
            yield from _part_differences(known, definition, definition.name)


def _part_differences(before: Fingerprint, after: Fingerprint, upstream: str) -> Iterator[Difference]:
    old, new = _grouped(before.parts), _grouped(after.parts)
    changes: list[Difference] = []
    for key in dict.fromkeys((*old, *new)):
        removed, added = _without_equals(old.get(key, []), new.get(key, []))
        for position in range(max(len(removed), len(added))):
            was = removed[position] if position < len(removed) else None
            now = added[position] if position < len(added) else None
            changes += _difference(was, now, upstream)
    inputs = [[part.name for part in f.parts if part.kind == "upstream"] for f in (before, after)]
    if inputs[0] != inputs[1] and sorted(inputs[0]) == sorted(inputs[1]):
        changes.append(
            Difference(
                kind="upstream",
                name="order of inputs",
                change="changed",
                before=", ".join(inputs[0]),
                after=", ".join(inputs[1]),
                upstream=upstream,
            )
        )
    # An added or removed column or feature already changes the order.
    moved = {d.schema for d in changes if d.change != "changed" or d.name.startswith(FEATURES)}
    yield from (
        d for d in changes if not (d.name.startswith(ORDER) and d.kind == "schema" and d.schema in moved)
    )


def _grouped(parts: Sequence[Part]) -> dict[tuple[str, str, str], list[Part]]:
    groups: dict[tuple[str, str, str], list[Part]] = defaultdict(list)
    for part in parts:
        groups[part.kind, part.schema, part.name].append(part)
    return groups


def _without_equals(old: list[Part], new: list[Part]) -> tuple[list[Part], list[Part]]:
    """Leave out the parts that have an equal part on the other side, in any position."""
    digests = [part.digest for part in old]
    added = []
    for part in new:
        if part.digest in digests:
            digests.remove(part.digest)
        else:
            added.append(part)
    removed = []
    for part in old:
        if part.digest in digests:
            digests.remove(part.digest)
            removed.append(part)
    return sorted(removed, key=lambda p: p.where), sorted(added, key=lambda p: p.where)


def _difference(was: Part | None, now: Part | None, upstream: str) -> Iterator[Difference]:
    part = now or was
    if part is None or (part.kind == "upstream" and was is not None and now is not None):
        # Upstream changes are named at the upstream definition.
        return
    change: Change = (
        "changed" if was is not None and now is not None else "added" if now is not None else "removed"
    )
    yield Difference(
        kind=part.kind,
        name=part.name,
        change=change,
        where=part.where,
        schema=part.schema,
        before=None if was is None else was.value,
        after=None if now is None else now.value,
        upstream=upstream,
    )
