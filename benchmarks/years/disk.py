"""A disk whose process can die at any change, whose power can fail, and which can be full.

Every change of a name, and every sync, below a folder is counted. At a chosen one the process "dies": the
change does not happen and neither does any after it, although the code runs on until it ends. A power loss
also undoes changes of names that their folder was not synced after, and cuts files that were not synced.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAMES = ("replace", "rename", "link", "symlink", "unlink", "remove", "mkdir", "rmdir")
GROWS = ("link", "symlink", "mkdir", "open", "fsync")
# Written by LMDB itself, which syncs them in its own way; locks have no content.
OTHERS = ("data.mdb", "lock.mdb")


class KilledError(BaseException):
    """The process is dead: nothing that it does after this has an effect."""


@dataclass
class Change:
    """A change of a name that its folder was not synced after, and how a power loss undoes it."""

    folder: str
    undo: Callable[[], None]


@dataclass
class Disk:
    """The changes below a folder, and the fault that is to come.

    Attributes
    ----------
    calls
        How many changes and syncs there were since `expect`.
    at
        The call at which the fault happens; None: none.
    full
        True: the fault is a full disk; False: the death of the process.
    happened
        Whether the fault has happened.
    """

    root: Path
    shadow: Path
    chance: random.Random
    calls: int = 0
    at: int | None = None
    full: bool = False
    happened: bool = False
    changes: list[Change] = field(default_factory=list)
    unsynced: dict[int, tuple[str, int]] = field(default_factory=dict)
    kept: int = 0
    real: dict[str, Any] = field(default_factory=dict)

    def expect(self, at: int | None, *, full: bool = False) -> None:
        """Let a fault happen at a call from now on."""
        self.calls, self.at, self.full, self.happened = 0, at, full, False

    def forget(self) -> None:
        """Take everything that is on the disk now as synced."""
        self.changes.clear()
        self.unsynced.clear()

    def lose_power(self) -> int:
        """Undo what a power loss may undo; returns how many changes and files."""
        lost = 0
        changes, unsynced = list(self.changes), dict(self.unsynced)
        self.expect(None)
        self.forget()
        for ino, (path, size) in unsynced.items():
            try:
                state = os.stat(path)
            except FileNotFoundError:
                continue
            if state.st_ino == ino and state.st_size > size:
                os.truncate(path, self.chance.randint(size, state.st_size))
                lost += 1
        # A folder keeps its changes in their order: those after a point are lost.
        kept = {
            folder: self.chance.randint(0, sum(change.folder == folder for change in changes))
            for folder in {change.folder for change in changes}
        }
        undone = []
        for change in changes:
            if kept[change.folder]:
                kept[change.folder] -= 1
            else:
                undone.append(change)
        for change in reversed(undone):
            change.undo()
        self.forget()
        return lost + len(undone)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch every change below the folder while the block runs."""
        self.real = {name: getattr(os, name) for name in (*NAMES, "open", "fsync")} | {"io": io.open}
        try:
            for name in NAMES:
                setattr(os, name, self._changing(name))
            os.open, os.fsync = self._open, self._fsync
            io.open = builtins.open = self._io_open  # type: ignore[assignment]
            yield
        finally:
            for name in (*NAMES, "open", "fsync"):
                setattr(os, name, self.real[name])
            io.open = builtins.open = self.real["io"]

    def _step(self, name: str) -> None:
        """Count a call; let the fault happen."""
        if self.happened:
            if not self.full:
                raise KilledError
            if name in GROWS:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return
        self.calls += 1
        if self.at is not None and self.calls > self.at and (not self.full or name in GROWS):
            self.happened = True
            self._step(name)

    def _changing(self, name: str) -> Callable[..., Any]:
        call = self.real[name]

        def changed(*arguments: Any, **options: Any) -> Any:
            target = arguments[1] if name in ("replace", "rename", "link", "symlink") else arguments[0]
            path = self._inside(target, options.get("dir_fd"))
            if path is None:
                return call(*arguments, **options)
            self._step(name)
            undo = self._undo(name, path, arguments)
            done = call(*arguments, **options)
            if name == "rmdir":
                # A link may get the name of the folder: what was in the folder is not what is behind the link.
                self.changes = [
                    change for change in self.changes if not f"{change.folder}/".startswith(f"{path}/")
                ]
            self.changes.append(Change(os.path.dirname(path), undo))
            return done

        return changed

    def _undo(self, name: str, path: str, arguments: tuple[Any, ...]) -> Callable[[], None]:
        """Return what brings back the names as they are now."""
        before = self._keep(path) if name in ("replace", "rename", "unlink", "remove") else None
        source = os.fspath(arguments[0])

        def undo() -> None:
            if name in ("replace", "rename") and os.path.lexists(path):
                self.real["replace"](path, source)
            if name in ("link", "symlink") and os.path.lexists(path):
                self.real["unlink"](path)
            if name == "mkdir":
                shutil.rmtree(path, ignore_errors=True)
            if before is not None and not os.path.lexists(path) and os.path.isdir(os.path.dirname(path)):
                self.real["link"](before, path, follow_symlinks=False)

        return undo

    def _keep(self, path: str) -> str | None:
        if not os.path.lexists(path) or (os.path.isdir(path) and not os.path.islink(path)):
            return None
        self.kept += 1
        kept = str(self.shadow / str(self.kept))
        self.real["link"](path, kept, follow_symlinks=False)
        return kept

    def _open(self, path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        inside = self._inside(path, options.get("dir_fd")) if flags & os.O_CREAT else None
        if inside is None:
            descriptor: int = self.real["open"](path, flags, *arguments, **options)
            return descriptor
        self._step("open")
        descriptor = self.real["open"](path, flags, *arguments, **options)
        self._written(inside, os.fstat(descriptor).st_ino, 0)
        return descriptor

    def _io_open(self, file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        inside = self._inside(file, None) if set(mode) & set("wax+") else None
        if inside is None or inside.endswith(".lock"):
            # A lock changes nothing: it is also taken by a process that is about to die.
            return self.real["io"](file, mode, *arguments, **options)
        self._step("open")
        opened = self.real["io"](file, mode, *arguments, **options)
        size = os.fstat(opened.fileno()).st_size
        self._written(inside, os.fstat(opened.fileno()).st_ino, size if "a" in mode else 0)
        return opened

    def _written(self, path: str, ino: int, size: int) -> None:
        if not path.endswith((*OTHERS, ".lock")):
            known = self.unsynced.get(ino)
            self.unsynced[ino] = known if known is not None and known[0] == path else (path, size)

    def _fsync(self, descriptor: int) -> None:
        path = self._inside(os.readlink(f"/proc/self/fd/{descriptor}"), None)
        if path is None:
            self.real["fsync"](descriptor)
            return
        self._step("fsync")
        # The machine does not fail here: the simulation keeps what a sync protects.
        self.unsynced.pop(os.fstat(descriptor).st_ino, None)
        self.changes = [change for change in self.changes if change.folder != path]

    def _inside(self, path: Any, folder: int | None) -> str | None:
        if isinstance(path, int):
            return None
        text = os.path.abspath(
            os.path.join("" if folder is None else os.readlink(f"/proc/self/fd/{folder}"), path)
        )
        return text if text.startswith(f"{self.root}/") and not text.endswith(OTHERS) else None
