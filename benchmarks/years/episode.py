"""An episode of the simulated year: fifty faults, each at a door, each with its recovery and its checks."""

from __future__ import annotations

import gc
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from featurestore.errors import FeatureStoreError, UnknownNameError
from featurestore.operations.push.logged import LoggedError
from featurestore.operations.release.releases import active_release, release_names
from years.checks import CUSTOMERS, WrongError, check, held_keys, require
from years.disk import KilledError
from years.world import World

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from years.network import Network

FAULTS = ("kill", "power", "full disk", "clock", "store", "network")
DOORS = ("push", "delete", "materialize", "build", "release", "rollback", "keys")
# A release takes as long as fifty pushes.
WEIGHTS = (40, 15, 20, 8, 3, 4, 10)
CLOCK_ERRORS = (-86_400.0, -3_600.0, -30.0, 30.0, 3_600.0, 86_400.0)


class Act(NamedTuple):
    """What a user does at a door."""

    door: str
    do: Callable[[], None]


def episode(  # noqa: PLR0917 - called in another process
    folder: Path,
    template: Path,
    seed: int,
    begin: datetime,
    length: timedelta,
    faults: int,
    counts: Counter[str],
    network: Network | None = None,
) -> None:
    """Let a number of faults happen to a project, and check it after each.

    Raises
    ------
    WrongError
        If an answer is wrong, a write is lost, a recovery fails, or an error is not ours.
    """
    # Each process that dies collects what it held: what was imported before the episode need not be looked at.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    world = World(folder, template, seed, begin + length * (seed - 1), network)
    # How many changes of the disk an act at a door makes: a fault comes at one of them.
    usual: dict[str, int] = {}
    # Each door has a fault before chance decides between them, so that a short episode has faults at all doors.
    unvisited = world.chance.sample(DOORS, len(DOORS))
    done = 0
    try:
        while done < faults:
            world.clock.right += length / faults * (2 * world.chance.random())
            act = _act(world, unvisited[-1] if unvisited else world.chance.choices(DOORS, WEIGHTS)[0])
            fault = world.chance.choice(FAULTS if network is not None else FAULTS[:-1])
            what = f"{done} faults, {fault} at {act.door}"
            if fault in ("kill", "power", "full disk"):
                happened = _at_disk(world, act, fault, usual, what)
            elif fault == "network":
                happened = _lost_network(world, act, usual, what)
            elif fault == "clock":
                happened = _wrong_clock(world, act, what)
            else:
                happened = _lost_store(world, act, what)
            if happened:
                done += 1
                del unvisited[-1:]
                counts[f"{act.door}: {fault}"] += 1
        _recover(world.materialize, "the last fault")
        check(world, after="the last fault")
        audited = world.project.audit()
        require(audited.mismatches == 0, f"the audit finds {audited.mismatches} mismatches at the end")
    finally:
        world.close()


def _act(world: World, door: str) -> Act:
    chance = world.chance
    names = release_names(world.project.layout)
    active = active_release(world.project.layout)
    if door == "rollback" and (active is None or names.index(active) == 0):
        door = "release"
    if door == "push":
        return Act(door, partial(world.push, world.new_rows()))
    if door == "delete":
        return Act(door, partial(world.delete, chance.choice(CUSTOMERS)))
    if door == "materialize":
        return Act(door, partial(world.materialize, full=chance.random() < 0.2))
    if door == "build":
        world.more_orders()
        return Act(door, world.rebuild)
    if door == "keys":
        if world.keys and chance.random() < 0.5:
            return Act(door, partial(world.remove_key, chance.choice(sorted(world.keys))))
        world.number += 1
        return Act(door, partial(world.add_key, f"key{world.number}"))
    return Act(door, world.release if door == "release" else world.rollback)


def _at_disk(world: World, act: Act, fault: str, usual: dict[str, int], what: str) -> bool:
    """Let the process die, the power fail or the disk be full at some change that an act makes."""
    disk = world.disk
    at = world.chance.randrange(usual.get(act.door, 20))
    disk.expect(at, full=fault == "full disk")
    outcome = _tried(act.do, what)
    usual[act.door] = (
        max(usual.get(act.door, 1), disk.calls + 1)
        if not disk.happened
        else usual.get(act.door, disk.calls + 1)
    )
    happened = disk.happened
    if happened and fault == "power":
        disk.lose_power()
    disk.expect(None)
    if outcome is not None:
        if isinstance(outcome, KilledError) or not happened:
            require(happened, f"{what}: {type(outcome).__name__}: {outcome}")
        outcome.__traceback__ = None
        outcome.__context__ = None
        _note_refusal(world, act, outcome)
    del outcome
    if happened and fault != "full disk":
        gc.collect()
        world.new_process()
    if happened:
        check(world, after=what)
        _again(world, act, what)
    check(world, after=f"{what}, and the recovery")
    return happened


def _tried(do: Callable[[], None], what: str) -> BaseException | None:
    try:
        do()
    except (KilledError, FeatureStoreError) as error:
        return error
    except Exception as error:
        raise WrongError(f"{what}: an error that is not ours: {type(error).__name__}: {error}") from error
    return None


def _note_refusal(world: World, act: Act, error: BaseException) -> None:
    """Note that a push was refused: it is not in the log, unless the error says that it may be applied later."""
    if act.door == "push" and isinstance(error, FeatureStoreError) and not isinstance(error, LoggedError):
        for coupon in act.do.args[0]["coupon"]:  # type: ignore[attr-defined]
            if coupon not in world.rows:
                world.doubtful_rows.pop(coupon)
                world.refused_rows[coupon] = f"{type(error).__name__}: {error}"


def _again(world: World, act: Act, what: str) -> None:
    """Do what failed again, as a user would: it succeeds, or it was done."""
    if act.door == "keys":
        name = act.do.args[0]  # type: ignore[attr-defined]
        held = held_keys(world)
        if act.do.func.__name__ == "add_key" and name in held:  # type: ignore[attr-defined]
            world.remove_key(name)
        if act.do.func.__name__ == "remove_key" and name not in held:  # type: ignore[attr-defined]
            # The user hears that there is no such key, and relies on it.
            require(isinstance(_tried(act.do, what), UnknownNameError), f"{what}: a key is removed twice")
            world.doubtful_keys.discard(name)
            return
    if act.door == "rollback":
        names = release_names(world.project.layout)
        if names.index(active_release(world.project.layout)) == 0:
            return
    _recover(act.do, what)


def _recover(do: Callable[[], None], what: str) -> None:
    try:
        do()
    except Exception as error:
        raise WrongError(f"{what}: the recovery fails: {type(error).__name__}: {error}") from error


def _wrong_clock(world: World, act: Act, what: str) -> bool:
    """Act with a wrong clock, correct it, and write again: the store answers as of the right time."""
    world.clock.error = timedelta(seconds=world.chance.choice(CLOCK_ERRORS))
    error = _tried(act.do, what)
    if error is not None:
        _note_refusal(world, act, error)
    check(world, after=f"{what} (by {world.clock.error})")
    world.clock.error = timedelta(0)
    check(world, after=f"{what}, corrected")
    _recover(world.materialize, what)
    if active_release(world.project.layout) is not None:
        # The next push brings the active release back too.
        _recover(partial(world.push, world.new_rows()), what)
    check(world, after=f"{what}, and the recovery")
    return True


def _lost_network(world: World, act: Act, usual: dict[str, int], what: str) -> bool:
    """Lose the network at some command that an act sends, or its answer; then it is back."""
    network, key = world.network, f"{act.door}, network"
    assert network is not None  # noqa: S101 - for mypy
    network.expect(world.chance.randrange(usual.get(key, 4)), answer_lost=world.chance.random() < 0.5)
    error = _tried(act.do, what)
    happened, usual[key] = network.happened, max(usual.get(key, 1), network.commands)
    network.expect(None)
    if error is not None:
        require(happened, f"{what}: {type(error).__name__}: {error}")
        _note_refusal(world, act, error)
    if happened:
        check(world, after=what)
        if error is not None:
            _again(world, act, what)
    check(world, after=f"{what}, and the recovery")
    return happened


def _lost_store(world: World, act: Act, what: str) -> bool:
    """Lose the online store before an act: it is refused, or it heals the store; a full materialization always does."""
    world.lose_store()
    error = _tried(act.do, what)
    if error is not None:
        _note_refusal(world, act, error)
        error.__traceback__ = None
    world.new_process()
    _recover(partial(world.materialize, full=True), what)
    check(world, after=f"{what}, and the recovery")
    if error is not None:
        _again(world, act, what)
        check(world, after=f"{what}, repeated")
    return True
