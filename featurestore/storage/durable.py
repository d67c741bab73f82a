"""Every change of names on disk that must outlast a power loss: synced before the call returns.

A file system keeps a file's content and its name apart. A name that was made, replaced or removed can be undone by a
power loss until the folder that holds it is synced. All code that writes data changes names through these functions.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

# The end of the name of what is not complete yet.
PARTIAL: Final = ".partial"
# Files and folders whose name this process has synced: path, device and inode, because another file may get the name.
_SYNCED: set[tuple[Path, int, int]] = set()


def partial_of(path: Path) -> Path:
    """Return the path beside another one at which this process makes its new content."""
    return path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")


def sync_file(path: Path) -> None:
    """Sync the content of a file to disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder to disk. File systems that cannot sync a folder keep names in their own way."""
    try:
        _sync(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def sync_tree(folder: Path) -> None:
    """Sync a folder with all files and folders below it. Files behind links are not followed."""
    for current, _, files in os.walk(folder):
        for name in files:
            path = Path(current, name)
            if not path.is_symlink():
                sync_file(path)
        sync_folder(Path(current))


def make_folder(folder: Path, *, mode: int = 0o777) -> None:
    """Make a folder and the folders above it that do not exist.

    Parameters
    ----------
    mode
        Permissions of each folder that is made, of which the process's umask takes away.
    """
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(mode=mode, exist_ok=True)
        folder = new
    keep_name(folder)


def keep_name(path: Path) -> None:
    """Sync the folder that holds a name, and those above it, the first time that this process uses the name.

    A process that was killed, or whose disk was full, may have made the name without the sync: that it exists does not
    say that it outlasts a power loss. Folders that this process cannot write to are not synced.
    """
    names = []
    while path != path.parent:
        state = path.stat()
        name = (path, state.st_dev, state.st_ino)
        if name in _SYNCED or not os.access(path.parent, os.W_OK):
            break
        sync_folder(path.parent)
        names.append(name)
        path = path.parent
    # All or none: a name that is in the set says that those above it were synced too.
    _SYNCED.update(names)


def replace(source: Path, target: Path) -> None:
    """Give a synced file or folder the name of another one, which it replaces."""
    source.replace(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def link(source: Path, target: Path) -> None:
    """Give a file a second name."""
    os.link(source, target, follow_symlinks=False)
    sync_folder(target.parent)


def replace_symlink(link: Path, target: str) -> None:
    """Let a symbolic link name another target, in one step. The caller holds a lock of the link."""
    for left in link.parent.glob(f".{link.name}.*{PARTIAL}"):
        left.unlink()  # of a killed process
    partial = partial_of(link)
    try:
        partial.symlink_to(target)
        replace(partial, link)
    finally:
        partial.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file if it exists."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    sync_folder(path.parent)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
