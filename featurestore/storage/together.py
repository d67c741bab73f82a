"""Replace several files together: after a failure or a kill all are old, after a success all are new.

The old files get second names, and a journal lists them, before the first file is replaced. The new
files count as soon as the journal is removed. A process that dies before leaves the
journal, and `heal` brings the old files back.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from featurestore.storage.durable import link, remove, replace
from featurestore.storage.files import read_record, translated_write_errors, write_record
from featurestore.storage.lock import locked, try_locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from featurestore.storage.layout import Layout

SUFFIX = ".journal"


class Replaced(msgspec.Struct, frozen=True):
    """A file that is being replaced, and the second name of its old content. None: the file did not exist."""

    path: str
    before: str | None


class Journal(msgspec.Struct, frozen=True):
    """The files of a group, with paths below the data folder where they are in it."""

    files: tuple[Replaced, ...]


class FileGroup:
    """Temporary files that replace the files in place together.

    Parameters
    ----------
    root
        The data folder.
    journal
        Where the files are listed while they are replaced.
    """

    def __init__(self, root: Path, journal: Path) -> None:
        self._root = root
        self._journal = journal
        self._asides: dict[Path, Path] = {}

    def aside(self, path: Path) -> Path:
        """Return where the new content of a file is written until all files of the group are complete."""
        if path not in self._asides:
            aside = path.with_name(f".{path.name}.new")
            aside.unlink(missing_ok=True)  # of a run that was killed
            self._asides[path] = aside
        return self._asides[path]

    def replace_all(self) -> None:
        """Replace all files; if one cannot be replaced, bring back those that were.

        Raises
        ------
        StoreError
            If the file system refuses to replace a file.
        """
        files: list[Replaced] = []
        try:
            files.extend(map(self._second_name, self._asides))
            write_record(Journal(tuple(files)), self._journal)
            for path, aside in self._asides.items():
                with translated_write_errors(path):
                    replace(aside, path)
        except BaseException:
            _restore(files, self._root)
            _end(self._journal, files, self._root)
            raise
        _end(self._journal, files, self._root)

    def _second_name(self, path: Path) -> Replaced:
        """Give the content of a file a second name."""
        if not os.path.lexists(path):
            return Replaced(self._written(path), None)
        before = path.with_name(f".{path.name}.before")
        with translated_write_errors(path):
            before.unlink(missing_ok=True)
            link(path, before)
        return Replaced(self._written(path), self._written(before))

    def remove_asides(self) -> None:
        """Remove the new files that did not replace a file."""
        for aside in self._asides.values():
            aside.unlink(missing_ok=True)

    def _written(self, path: Path) -> str:
        # Below the data folder a path stays right when the project is moved.
        return str(path.relative_to(self._root) if path.is_relative_to(self._root) else path.absolute())


@contextmanager
def replaced_together(layout: Layout, name: str) -> Iterator[FileGroup]:
    """Replace files together at the end of a block. If the block or a replacement fails, all stay as they are.

    Parameters
    ----------
    name
        Name of the definition that the files belong to. One process at a time replaces its files.

    Raises
    ------
    StoreError
        If the file system refuses to replace a file.
    """
    journal = layout.replacing / f"{name}{SUFFIX}"
    group = FileGroup(layout.data, journal)
    with locked(_lock(journal)):
        _heal(journal, layout.data)
        try:
            yield group
            group.replace_all()
        finally:
            group.remove_asides()


def heal(layout: Layout) -> None:
    """Bring back the old files of each group whose replacement was killed. Groups of living processes stay as they are.

    Raises
    ------
    StoreError
        If a journal cannot be read.
    """
    for journal in sorted(layout.replacing.glob(f"*{SUFFIX}")):
        with try_locked(_lock(journal)) as is_ours:
            if is_ours:
                _heal(journal, layout.data)


def _heal(journal: Path, root: Path) -> None:
    if not journal.exists():
        return
    files = read_record(journal, Journal, made_by="featurestore validate").files
    with translated_write_errors(journal):
        _restore(files, root)
        _end(journal, files, root)


def _restore(files: Sequence[Replaced], root: Path) -> None:
    """Give each file its old content; a file that has it already stays as it is."""
    for file in reversed(files):
        path = root / file.path
        if file.before is None:
            if not path.is_dir():
                remove(path)
        elif os.path.lexists(root / file.before):
            replace(root / file.before, path)


def _end(journal: Path, files: Sequence[Replaced], root: Path) -> None:
    """End a replacement: from the first step on, the files in place count."""
    # On disk the journal must be gone before the second names are: without them it would remove what it lists.
    remove(journal)
    for file in files:
        if file.before is not None:
            (root / file.before).unlink(missing_ok=True)


def _lock(journal: Path) -> Path:
    return journal.with_suffix(".lock")
