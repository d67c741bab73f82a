"""Which definition made a file, and whether that is the definition that reads it now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import polars as pl

from featurestore.definitions.fingerprint import Fingerprint, changed_files, differences, fingerprint
from featurestore.definitions.fingerprint.installed import SEMANTICS_PART as SEMANTICS
from featurestore.errors import SkewError, StoreError
from featurestore.storage.files import write_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from featurestore.definitions.catalog import Node
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.definitions.fingerprint.definition_parts import Fingerprinted
    from featurestore.storage.layout import Layout

KEY = "featurestore.fingerprint"
MAX_NAMED = 5
# The command that makes the data of each kind of definition.
COMMANDS = {
    "source": "featurestore validate {}",
    "dataset": "featurestore build {}",
    "feature view": "featurestore build {}",
    "training set": "featurestore training-set {}",
}
PACKAGES = "with DVC run instead: featurestore pipeline --write && dvc repro"


def metadata_of(definition: Node | TrainingSet) -> dict[str, str]:
    """Return the metadata by which a Parquet file says which definition made it."""
    return {KEY: msgspec.json.encode(fingerprint(definition)).decode()}


def made_by(path: Path) -> Fingerprint | None:
    """Read the fingerprint that a Parquet file was made by; None: it carries none.

    Raises
    ------
    StoreError
        If the file is damaged, or its fingerprint cannot be read.
    """
    try:
        text = pl.read_parquet_metadata(path).get(KEY)
        return None if text is None else msgspec.json.decode(text, type=Fingerprint)
    except (pl.exceptions.PolarsError, msgspec.DecodeError) as error:
        raise StoreError(
            f"{path}: its fingerprint cannot be read: {error}", hint="make the file again"
        ) from error


def require_made_by(definition: Node | TrainingSet, path: Path) -> Path:
    """Refuse a file that other code than the definition's made; returns the path.

    Raises
    ------
    SkewError
        If the file carries another fingerprint than the definition has now, or none.
    StoreError
        As `made_by`.
    """
    now, before = fingerprint(definition), made_by(path)
    if before is None:
        raise other_definition(
            f"{path} does not say which definition made it: featurestore did not write this file",
            None,
            definition,
        )
    if before.digest != now.digest:
        raise other_definition(
            f"{path} was made by another definition of {now.kind} {now.name!r}", before, definition
        )
    return path


def other_definition(
    message: str, before: Fingerprint | None, definition: Fingerprinted, *, then: Iterable[str] = ()
) -> SkewError:
    """Return the error of data that another definition made: it names the differences, and what to do.

    Commands help only a process that has the present definitions. A process that read the files before they changed
    has to start again.

    Parameters
    ----------
    message
        What was made by another definition.
    before
        What the data were made by; None: not known.
    definition
        The definition that the data should have been made by, as this process has it.
    then
        Commands to run after those that make the definition's own data again.
    """
    now = fingerprint(definition)
    different = () if before is None else differences(before, now)
    commands = (*commands_after(before, now), *then)
    hint = f"run: {' && '.join(commands)}"
    packages = [difference for difference in different if difference.kind == "package"]
    if packages:
        hint = f"{hint}; {PACKAGES}"
        made_with = dict.fromkeys(
            f"{d.name}=={d.before}" for d in packages if d.before and d.name != SEMANTICS
        )
        if made_with:
            hint = f"{hint}. A machine that only serves needs the same versions: pip install {' '.join(made_with)}"
    changed = changed_files(definition)
    if changed:
        hint = f"{start_again_hint(changed)}. If that does not help, {hint}"
    return SkewError(
        f"{message}{named(difference.text for difference in different)}",
        hint=hint,
        definition=now.name,
        differences=different,
        commands=commands,
    )


def defined_otherwise(before: Fingerprint, now: Fingerprint | None, changed: Sequence[str]) -> SkewError:
    """Return the error of a process that would write by a definition which changed after it read it.

    Parameters
    ----------
    before
        The definition as the process read it.
    now
        The definition in the files of the project; None: it is no longer defined.
    changed
        The files that changed.
    """
    different = () if now is None else differences(before, now)
    what = "is no longer defined" if now is None else "changed after this process read it"
    return SkewError(
        f"{before.kind} {before.name!r} {what}; nothing was written{named(difference.text for difference in different)}",
        hint=start_again_hint(changed),
        definition=before.name,
        differences=different,
    )


def start_again_hint(changed: Sequence[str]) -> str:
    """Return the hint for a process that read files before they changed."""
    more = f" and {len(changed) - MAX_NAMED:,} more" if len(changed) > MAX_NAMED else ""
    return (
        f"start this process again: it read {', '.join(changed[:MAX_NAMED])}{more} before the last change of the "
        "definitions; in a notebook: open the project again"
    )


def named(texts: Iterable[str]) -> str:
    """List differences under a message, the first `MAX_NAMED` of them."""
    lines = [f"\n  {text}" for text in texts]
    more = f"\n  and {len(lines) - MAX_NAMED:,} more" if len(lines) > MAX_NAMED else ""
    return "".join((":" if lines else "", *lines[:MAX_NAMED], more))


def commands_after(before: Fingerprint | None, now: Fingerprint) -> tuple[str, ...]:
    """List the commands that make the data of a definition again, those of changed inputs first."""
    known = {(upstream.kind, upstream.name): upstream.digest for upstream in (before or now).upstream}
    changed = [
        upstream for upstream in now.upstream if known.get((upstream.kind, upstream.name)) != upstream.digest
    ]
    commands = [
        COMMANDS[upstream.kind].format(upstream.name)
        for upstream in (*changed, now)
        if upstream.kind in COMMANDS
    ]
    if now.kind != "training set":
        return tuple(commands)
    # Views are built for a training set; the store is filled from them.
    views = any(upstream.kind == "feature view" for upstream in changed)
    return (*commands[:-1], *(["featurestore materialize"] if views else []), *commands[-1:])


def keep_fingerprint(value: Fingerprint, layout: Layout) -> None:
    """Keep a fingerprint by its digest, so that data which carry only the digest can be compared part by part."""
    path = layout.definition(value.digest)
    if not path.exists():
        write_record(value, path, indent=0)


def find_fingerprint(digest: str, layout: Layout) -> Fingerprint | None:
    """Return the fingerprint of a digest; None: it was not kept here.

    Raises
    ------
    StoreError
        If its file cannot be read.
    """
    path = layout.definition(digest)
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Fingerprint)
    except msgspec.DecodeError as error:
        raise StoreError(f"{path}: cannot be read: {error}", hint="remove the file") from error
