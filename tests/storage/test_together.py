"""Files that are replaced together are all old or all new, also after a kill at any step, once the project is opened."""

import os
import shutil
import sys

import pytest

from featurestore.errors import StoreError
from featurestore.storage.files import write_text
from featurestore.storage.layout import Layout
from featurestore.storage.together import heal, replaced_together

NAMES = ("datasets/a.parquet", "verdicts/a.json", "records/history/a.jsonl", "profiles/new.json")
OLD = dict.fromkeys(NAMES[:3], "old")
NEW = dict.fromkeys(NAMES, "new")
# What Python announces before it asks the file system to change something.
STEPS = ("os.rename", "os.link", "os.remove")


def content(data):
    paths = (path for path in data.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(data).as_posix(): path.read_text() for path in paths}


def visible(data):
    """What readers of the data see."""
    return {name: text for name, text in content(data).items() if "/." not in name}


def replace(layout):
    with replaced_together(layout, "a") as files:
        for name in NAMES:
            write_text("new", files.aside(layout.data / name))


def killed_at(step, work):
    """Do some work in a process that ends without a word before a step. Returns whether it came to the step."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event, _):
            nonlocal left
            if event in STEPS:
                left -= 1
                if left < 0:
                    os._exit(9)

        sys.addaudithook(count)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def kill_between_the_files(layout):
    """Kill a replacement when one file is new and another is old."""
    for step in range(99):
        assert killed_at(step, lambda: replace(layout))
        if {"old", "new"} <= set(visible(layout.data).values()):
            return
        heal(layout)
    raise AssertionError


@pytest.fixture
def layout(tmp_path):
    layout = Layout(tmp_path / "data")
    for name, text in OLD.items():
        write_text(text, layout.data / name)
    return layout


def test_a_kill_at_any_step_leaves_all_old_or_all_new(layout):
    """Each step of a replacement is the last one once; after a healing the files are never mixed."""
    start = layout.data.with_name("start")
    shutil.copytree(layout.data, start)
    seen = []
    while killed_at(len(seen), lambda: replace(layout)):
        heal(layout)
        seen.append(visible(layout.data))
        assert seen[-1] in (OLD, NEW)
        # What the killed process left does not hinder the next.
        replace(layout)
        assert visible(layout.data) == NEW
        shutil.rmtree(layout.data)
        shutil.copytree(start, layout.data)
    assert seen.index(NEW) == seen.count(OLD) > len(NAMES)


def test_a_kill_during_the_healing_is_healed(layout):
    """A healing may be killed at each of its steps too."""
    kill_between_the_files(layout)
    killed = layout.data.with_name("killed")
    shutil.copytree(layout.data, killed, copy_function=os.link)
    steps = 0
    while killed_at(steps, lambda: heal(layout)):
        heal(layout)
        assert visible(layout.data) == OLD
        shutil.rmtree(layout.data)
        shutil.copytree(killed, layout.data, copy_function=os.link)
        steps += 1
    assert steps > len(OLD)


def test_the_files_of_a_living_process_are_left_alone(layout):
    """A project that is opened while another process replaces its files does not bring the old ones back."""
    with replaced_together(layout, "a") as files:
        write_text("new", files.aside(layout.data / NAMES[0]))
        journal = layout.replacing / "a.journal"
        write_text('{"files":[{"path":"datasets/a.parquet","before":"datasets/.a.parquet.before"}]}', journal)
        os.link(layout.data / NAMES[0], layout.data / "datasets/.a.parquet.before")
        before = content(layout.data)
        heal(layout)
        assert content(layout.data) == before
    assert content(layout.data) == OLD | {NAMES[0]: "new"}


def test_a_moved_project_is_healed_where_it_is(layout):
    """The journal names files below the data folder, wherever that is."""
    kill_between_the_files(layout)
    moved = Layout(layout.data.with_name("moved"))
    layout.data.rename(moved.data)
    heal(moved)
    assert visible(moved.data) == OLD


def test_a_damaged_journal_is_not_guessed(layout):
    """A journal that cannot be read stops the opening: no file is changed by luck."""
    write_text("{", layout.replacing / "a.journal")
    with pytest.raises(StoreError, match=r"a\.journal: cannot be read"):
        heal(layout)
    assert content(layout.data) == OLD | {"records/replacing/a.journal": "{"}
