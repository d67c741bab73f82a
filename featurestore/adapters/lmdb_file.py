"""Whether the file of an LMDB store is as featurestore left it, or has to be checked first."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import lmdb

from featurestore.adapters import lmdb_check
from featurestore.adapters.lmdb_check import FAULT, Left, left_at, recorded_at
from featurestore.storage.files import write_bytes

if TYPE_CHECKING:
    from pathlib import Path


def fault_of(folder: Path, *, trusted: bool = True) -> str | None:
    """Check the file of a store, unless it is as the last writer of featurestore left it.

    Parameters
    ----------
    trusted
        False: check it in any case.

    Returns
    -------
    str or None
        What is wrong with the file. None: every row can be found, and none has changed.
    """
    now = left_at(folder)
    if now is None or (trusted and recorded_at(folder) == now):
        return None
    command = [sys.executable, "-P", lmdb_check.__file__, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own file
    if done.returncode < 0:
        return f"a process that read it ended by {signal.Signals(-done.returncode).name}"
    if done.returncode == FAULT:
        return done.stdout.strip()
    if done.returncode != 0:
        raise lmdb.Error(f"the file could not be checked: {done.stderr.strip()[-500:]}")
    _record(folder, now)
    return None


def record(folder: Path) -> None:
    """Record that the file is as featurestore left it."""
    now = left_at(folder)
    if now is not None:
        _record(folder, now)


def _record(folder: Path, left: Left) -> None:
    # Where the folder cannot be written, the next process checks the file again.
    with suppress(OSError):
        write_bytes(json.dumps(left).encode(), folder / "checked.json", private=True, synced=False)
