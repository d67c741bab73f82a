"""The suite of dataset versions: what is added can be fetched again, and what is in no version is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import ConfigError, MissingDataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from featurestore.ports import DatasetVersions

PIPELINE = """\
stages:
  copy:
    cmd: copy
    deps: [raw/a.csv]
    outs: [{copied.csv: {persist: true}}]
  count:
    cmd: count
    deps: [copied.csv]
    outs: [{count.txt: {persist: true, cache: false}}]
"""


def require_versions(versions: DatasetVersions, commit: Callable[[Path], str], folder: Path) -> None:
    """Prove an implementation of versions of data files.

    Parameters
    ----------
    versions
        The implementation to prove.
    commit
        Keeps the records of a project as a revision, as a person does with git; returns its name.
    folder
        An empty folder, in no repository. The suite makes projects in it.

    Raises
    ------
    AssertionError
        If a law does not hold. The message is the law.
    """
    for law in (_start, _gaps, _folder, _add, _fetch, _run, _failed_step):
        root = folder / law.__name__.strip("_")
        (root / "raw").mkdir(parents=True)
        if not law(versions, commit, root):
            raise AssertionError(f"{type(versions).__name__}: {(law.__doc__ or '').strip()}")


def _start(versions: DatasetVersions, _: Callable[[Path], str], root: Path) -> bool:
    """Make the repositories once; without them, name that for each file, and refuse to version it."""
    file = _file(root, "a.csv", "a")
    without = versions.gaps(root, [file]) == {file: "no repository"}
    refused = _raises(ConfigError, lambda: versions.add(root, [file]))
    return without and refused and versions.start(root) != () and versions.start(root) == ()


def _gaps(versions: DatasetVersions, _: Callable[[Path], str], root: Path) -> bool:
    """Name each file that has no version, or whose bytes are others than those of its version, and no other file."""
    versions.start(root)
    file, second = _file(root, "a.csv", "abc"), _file(root, "b.csv", "abc")
    before = versions.gaps(root, [file, second])
    versions.add(root, [file])
    added = versions.gaps(root, [file, second])
    file.write_text("abd")
    changed = versions.gaps(root, [file])
    file.write_text("abc")
    return (
        before == {file: "no version", second: "no version"}
        and added == {second: "no version"}
        and changed == {file: "changed"}
        and versions.gaps(root, [file]) == {}
        and versions.gaps(root, []) == {}
    )


def _folder(versions: DatasetVersions, commit: Callable[[Path], str], root: Path) -> bool:
    """Version a folder as a whole: a file that is new in it or gone from it makes another version."""
    versions.start(root)
    day, second = _file(root, "days/1.csv", "1"), _file(root, "days/2.csv", "2")
    versions.add(root, [day.parent])
    before = commit(root)
    covered = versions.gaps(root, [day, second])
    third = _file(root, "days/3.csv", "3")
    new = versions.gaps(root, [day, third])
    versions.add(root, [day.parent])
    second.unlink()
    gone = versions.gaps(root, [day])
    versions.add(root, [day.parent])
    after = commit(root)
    return (
        (covered, new, gone) == ({}, {day: "changed", third: "changed"}, {day: "changed"})
        and versions.gaps(root, [day, third]) == {}
        and versions.fetch(root, second, before, root / "out").read_text() == "2"
        and versions.fetch(root, third, after, root / "out").read_text() == "3"
        and _raises(MissingDataError, lambda: versions.fetch(root, third, before, root / "none"))
        and _raises(MissingDataError, lambda: versions.fetch(root, second, after, root / "none"))
    )


def _add(versions: DatasetVersions, _: Callable[[Path], str], root: Path) -> bool:
    """Leave the data as they are; return one record for each path, in their order; write equal records for equal data."""
    versions.start(root)
    files = [_file(root, "b.csv", "b"), _file(root, "a.csv", "a")]
    records = versions.add(root, files)
    contents = [record.read_bytes() for record in records]
    files[0].write_text("other")
    versions.add(root, files)
    changed = records[0].read_bytes()
    files[0].write_text("b")
    again = versions.add(root, files)
    return (
        len(set(records)) == len(files)
        and again == records
        and changed != contents[0]
        and [record.read_bytes() for record in again] == contents
        and all(record.resolve().is_relative_to(root.resolve()) for record in records)
        and [file.read_text() for file in files] == ["b", "a"]
        and _raises(ConfigError, lambda: versions.add(root, [root / "raw/none.csv"]))
    )


def _fetch(versions: DatasetVersions, commit: Callable[[Path], str], root: Path) -> bool:
    """Give the bytes of each revision, also once the file in place is another or gone, and leave that file alone."""
    versions.start(root)
    file = _file(root, "a.csv", "first")
    versions.add(root, [file])
    first = commit(root)
    file.write_text("second")
    versions.add(root, [file])
    second = commit(root)
    file.write_text("third")
    texts = [
        versions.fetch(root, file, revision, root / "new/out").read_text() for revision in (first, second)
    ]
    kept = file.read_text()
    file.unlink()
    target = root / "target"
    folder = versions.fetch(root, file.parent, second, root / "folder")
    return (
        texts == ["first", "second"]
        and kept == "third"
        and versions.fetch(root, file, second, target) == target
        and target.read_text() == "second"
        and (folder / file.name).read_text() == "second"
        and not file.exists()
        and _raises(MissingDataError, lambda: versions.fetch(root, file, "no-revision", root / "none"))
        and _raises(MissingDataError, lambda: versions.fetch(root, root / "raw/b.csv", second, root / "none"))
        and not (root / "none").exists()
    )


def _run(versions: DatasetVersions, _: Callable[[Path], str], root: Path) -> bool:
    """Run each step that is out of date, inputs first, and no other; version raw files that changed before them."""
    versions.start(root)
    raw = _file(root, "a.csv", "1\n2\n")
    versions.add(root, [raw])
    no_pipeline = _raises(ConfigError, lambda: versions.run(root, _step_of(root)))
    (root / "dvc.yaml").write_text(PIPELINE)
    first, second = versions.run(root, _step_of(root)), versions.run(root, _step_of(root))
    raw.write_text("3\n4\n")
    third = versions.run(root, _step_of(root))
    versioned = versions.gaps(root, [raw]) == {}
    (root / "count.txt").unlink()
    fourth = versions.run(root, _step_of(root))
    return (
        no_pipeline
        and versioned
        and (first, second, fourth) == (("copy", "count"), (), ("count",))
        # The copy has other lines, and as many: its count is made again, and is the same.
        and third == ("raw/a.csv", "copy", "count")
        and (root / "count.txt").read_text() == "2"
    )


def _failed_step(versions: DatasetVersions, _: Callable[[Path], str], root: Path) -> bool:
    """Raise what a step raises, keep the steps before it as done, and run it again the next time."""
    versions.start(root)
    versions.add(root, [_file(root, "a.csv", "1\n")])
    (root / "dvc.yaml").write_text(PIPELINE)
    steps = _step_of(root)

    def fails() -> None:
        raise MissingDataError("count", hint="")

    def step_of(name: str, command: str) -> Callable[[], object] | None:
        return fails if name == "count" else steps(name, command)

    failed = _raises(MissingDataError, lambda: versions.run(root, step_of))
    return failed and versions.run(root, steps) == ("count",) and versions.run(root, steps) == ()


def _step_of(root: Path) -> Callable[[str, str], Callable[[], object] | None]:
    copied = root / "copied.csv"

    def copy() -> None:
        copied.write_text((root / "raw/a.csv").read_text())

    def count() -> None:
        (root / "count.txt").write_text(str(len(copied.read_text().splitlines())))

    steps = {"copy": copy, "count": count}

    def step_of(name: str, command: str) -> Callable[[], object] | None:
        return steps[name] if command == name else None

    return step_of


def _file(root: Path, name: str, text: str) -> Path:
    path = root / "raw" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _raises(kind: type[Exception], call: Callable[[], object]) -> bool:
    try:
        call()
    except kind:
        return True
    return False
