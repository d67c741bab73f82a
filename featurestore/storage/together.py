"""Replace several files together: after a failure all are old, after a success all are new."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from featurestore.storage.files import translated_write_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FileGroup:
    """Temporary files that replace the files in place together."""

    def __init__(self) -> None:
        self._asides: dict[Path, Path] = {}

    def aside(self, path: Path) -> Path:
        """Return where the new content of a file is written until all files of the group are complete."""
        return self._asides.setdefault(path, path.with_name(f".{path.name}.{os.getpid()}.new"))

    def replace_all(self) -> None:
        """Replace all files; if one cannot be replaced, bring back those that were.

        Raises
        ------
        StoreError
            If the file system refuses to replace a file.
        """
        replaced: list[tuple[Path, Path | None]] = []
        try:
            for path, aside in self._asides.items():
                with translated_write_errors(path):
                    before = _linked(path)
                    replaced.append((path, before))
                    aside.replace(path)
        except BaseException:
            for path, before in reversed(replaced):
                if before is not None:
                    before.replace(path)
                elif not path.is_dir():
                    path.unlink(missing_ok=True)
            raise
        finally:
            for _, before in replaced:
                if before is not None:
                    before.unlink(missing_ok=True)

    def remove_asides(self) -> None:
        """Remove the new files that did not replace a file."""
        for aside in self._asides.values():
            aside.unlink(missing_ok=True)


@contextmanager
def replaced_together() -> Iterator[FileGroup]:
    """Replace files together at the end of a block. If the block or a replacement fails, all stay as they are.

    Raises
    ------
    StoreError
        If the file system refuses to replace a file.
    """
    group = FileGroup()
    try:
        yield group
        group.replace_all()
    finally:
        group.remove_asides()


def _linked(path: Path) -> Path | None:
    """Give the content of a file a second name, and return it; None if the file does not exist."""
    if not os.path.lexists(path):
        return None
    before = path.with_name(f".{path.name}.{os.getpid()}.before")
    before.unlink(missing_ok=True)
    os.link(path, before, follow_symlinks=False)
    return before
