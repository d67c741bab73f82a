"""Faults as data: what goes wrong, how it is planted in our own code or in a project, and which command must catch it."""

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

import pytest

Plant = Callable[[Path, pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Fault:
    """One way in which a feature store goes wrong.

    Attributes
    ----------
    name
        The fault in a few words; the first column of the table in docs/faults.md.
    plant
        Plants the fault in the code of this process or in the project in a folder.
    caught_by
        The first command of the day (`market_day`) that must not succeed.
    exit_code
        What that command exits with.
    since
        The command before which the fault is planted: those before it run without the fault.
    trains
        Whether the training set is made again on the day. False: the one that was made before the fault is kept.
    pushes
        Whether rows are pushed and deleted on the day.
    """

    name: str
    plant: Plant
    caught_by: str
    exit_code: int = 5
    since: str = "check"
    trains: bool = False
    pushes: bool = False


def code(target: str, before: str, after: str) -> Plant:
    """Plant a fault in one function of ours: a part of its text becomes another.

    Parameters
    ----------
    target
        ``module:name`` below `featurestore`, such as ``"vectors.reader:VectorReader.read"``.
    before, after
        A text that occurs once in the function, and what it becomes.
    """

    def plant(_: Path, patch: pytest.MonkeyPatch) -> None:
        module_name, _, path = target.partition(":")
        module = import_module(f"featurestore.{module_name}")
        function = _function(_resolve(vars(module), path))
        source = textwrap.dedent(inspect.getsource(function))
        if source.count(before) != 1:
            raise ValueError(
                f"{target}: {before!r} occurs {source.count(before)} times, expected once; plant the fault again"
            )
        namespace = dict(vars(module))
        exec(  # noqa: S102 - it is our own code
            compile(
                "from __future__ import annotations\n" + source.replace(before, after), f"<{target}>", "exec"
            ),
            namespace,
        )
        faulty = _function(namespace[path.rpartition(".")[2]])
        # The code and not the name: modules that imported the function have the fault too.
        patch.setattr(function, "__code__", faulty.__code__)

    return plant


def edit(name: str, before: str, after: str) -> Plant:
    """Plant a fault in a file of the project: a text that occurs once becomes another."""

    def plant(folder: Path, _: pytest.MonkeyPatch) -> None:
        path = folder / name
        text = path.read_text()
        if text.count(before) != 1:
            raise ValueError(f"{path}: {before!r} occurs {text.count(before)} times, expected once")
        path.write_text(text.replace(before, after))

    return plant


def both(*plants: Plant) -> Plant:
    """Plant several faults, or a fault and the change of the project in which it shows."""

    def plant(folder: Path, patch: pytest.MonkeyPatch) -> None:
        for part in plants:
            part(folder, patch)

    return plant


def _resolve(names, path):
    head, _, rest = path.partition(".")
    return _resolve(vars(names[head]), rest) if rest else names[head]


def _function(member):
    """Return the function behind a property, a cache or a class method."""
    if isinstance(member, property):
        return member.fget
    if isinstance(member, cached_property):
        return member.func
    if isinstance(member, classmethod | staticmethod):
        return member.__func__
    return inspect.unwrap(member)
