"""The lines of .gitignore by which git sees DVC's records of raw files, and those of .dvcignore by which DVC sees data alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.storage.durable import PARTIAL
from featurestore.storage.files import write_text

if TYPE_CHECKING:
    from pathlib import Path

FILE = ".gitignore"
DVC_FILE = ".dvcignore"


def data_lines(data: str = "data") -> tuple[str, ...]:
    """Return the lines about a data folder.

    With ``/data/*``, DVC would take the folder itself for ignored, and would look for no record below it.
    """
    return (f"/{data}/?*", f"!/{data}/raw/", f"!/{data}/pushed.dvc", f"!/{data}/served.dvc")


def no_data_lines(data: str = "data") -> tuple[str, ...]:
    """Return the lines about files in the data folder that hold no data: locks, and what a killed process left."""
    return ("__pycache__", f"/{data}/pushed/*.lock", f"/{data}/**/.*{PARTIAL}")


def show_records(root: Path, data: str = "data") -> tuple[str, ...]:
    """Let git see DVC's records, and DVC no file that holds no data; returns the names of the files that were written.

    In .gitignore, lines that hide the whole data folder are replaced. All other lines stay as they are.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    written = [FILE] if _show_data(root / FILE, data) else []
    written += [DVC_FILE] if add_lines(root / DVC_FILE, no_data_lines(data)) else []
    return tuple(written)


def add_lines(path: Path, lines: tuple[str, ...]) -> bool:
    """Add the lines that a file lacks; returns whether it wrote.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    missing = [line for line in lines if line not in before]
    if missing:
        write_text("\n".join([*before, *missing]) + "\n", path)
    return bool(missing)


def _show_data(path: Path, data: str) -> bool:
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    wanted = data_lines(data)
    hiding = {f"{start}{data}{end}" for start in ("", "/") for end in ("", "/", "/*", "/**")}
    kept = [line for line in before if line.strip() not in hiding and line.strip() not in wanted]
    place = next((i for i, line in enumerate(before) if line.strip() in hiding | set(wanted)), len(before))
    above = len([line for line in before[:place] if line in kept])
    after = [*kept[:above], *wanted, *kept[above:]]
    if after == before:
        return False
    write_text("\n".join(after) + "\n", path)
    return True
