"""Watches what a block of code changes on disk, and what of it a power loss could undo."""

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# Locks have no content. Without the record of a check, a store is checked again.
UNSYNCED = (".lock", "checked.json")
CHANGES = ("replace", "rename", "link", "symlink", "unlink", "mkdir", "rmdir", "open")


@dataclass
class Disk:
    """The calls in a folder, in order: ("fsync", path), ("replace", old, new), ("write store",) and so on."""

    root: Path
    calls: list[tuple[str, ...]] = field(default_factory=list)
    before: dict[Path, tuple[int, ...]] = field(default_factory=dict)
    too_early: list[str] = field(default_factory=list)  # files that got their name before they were synced

    def lost(self, until: int | None = None) -> set[str]:
        """Return the new files and names that a power loss could undo, of the calls before `until`."""
        calls = self.calls[:until]
        lost = set()
        for path, identity in _content(self.root).items():
            if self.before.get(path) == identity or path.name.endswith(UNSYNCED):
                continue
            if self.before.get(path, (None,))[0] != identity[0] and not self._synced(
                path.parent, path, calls
            ):
                lost.add(f"name {path.relative_to(self.root)}")
            is_content = (
                path.is_file() and not path.is_symlink() and path.name not in ("data.mdb", "lock.mdb")
            )
            if is_content and ("fsync", str(identity[0])) not in calls:
                lost.add(f"content {path.relative_to(self.root)}")
        return lost

    def position(self, *call):
        """Return the position of a call that begins with some words."""
        return next(i for i, done in enumerate(self.calls) if done[: len(call)] == call)

    def _synced(self, folder, path, calls):
        folder, path = str(folder.resolve()), str(folder.resolve() / path.name)
        changes = [i for i, call in enumerate(calls) if path in call[1:] and call[0] != "fsync"]
        syncs = [i for i, call in enumerate(calls) if call == ("fsync", folder)]
        return bool(syncs) and syncs[-1] > max(changes, default=-1)


def _content(root):
    states = {}
    for path in root.rglob("*"):
        state = path.lstat()
        # The times of a folder change with its names.
        states[path] = (state.st_ino,) if path.is_dir() else (state.st_ino, state.st_size, state.st_mtime_ns)
    return states


@contextmanager
def watched(root, monkeypatch):
    """Record the calls of a block that change something below a folder."""
    disk = Disk(root, before=_content(root))
    with monkeypatch.context() as patched:
        for name in CHANGES:
            patched.setattr(os, name, _recording(name, getattr(os, name), disk))
        sync = os.fsync

        def fsync(descriptor):
            sync(descriptor)
            state = os.fstat(descriptor)
            path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
            disk.calls += [("fsync", path), ("fsync", str(state.st_ino))]

        patched.setattr(os, "fsync", fsync)
        yield disk


def _recording(name, call, disk):
    def record(*arguments, **options):
        path = Path(arguments[0])
        is_file = name in ("replace", "rename") and path.is_file() and not path.is_symlink()
        is_file = is_file and not str(arguments[1]).endswith(UNSYNCED)
        if is_file and ("fsync", str(path.stat().st_ino)) not in disk.calls:
            disk.too_early.append(str(arguments[1]))
        done = call(*arguments, **options)
        flags = arguments[1] if name == "open" and len(arguments) > 1 else os.O_CREAT
        if flags & os.O_CREAT:
            paths = [str(Path(part).absolute()) for part in arguments[:2] if isinstance(part, str | Path)]
            disk.calls.append((name, *paths))
        return done

    return record
