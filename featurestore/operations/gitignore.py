"""The lines of .gitignore by which git sees DVC's records of raw files, and no other data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.storage.files import write_text

if TYPE_CHECKING:
    from pathlib import Path

FILE = ".gitignore"


def data_lines(data: str = "data") -> tuple[str, ...]:
    """Return the lines about a data folder.

    With ``/data/*``, DVC would take the folder itself for ignored, and would look for no record below it.
    """
    return (f"/{data}/?*", f"!/{data}/raw/", f"!/{data}/pushed.dvc")


def show_records(root: Path, data: str = "data") -> bool:
    """Replace a line that hides the whole data folder, or add the lines that are missing; returns whether it wrote.

    All other lines stay as they are.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    path = root / FILE
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
