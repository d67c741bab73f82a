"""A lock has one holder on a machine; those who wait for it take turns, in a process and between processes."""

import fcntl
import os
import signal
import threading
import time
from contextlib import ExitStack
from functools import partial

import pytest
from serving import SECONDS, eventually

from featurestore.errors import StoreError
from featurestore.storage import lock
from featurestore.storage.lock import locked, locked_together, patience, try_locked


@pytest.fixture
def path(tmp_path):
    return tmp_path / "view.lock"


def queue():
    """Return the threads that have or wait for the one lock of a test."""
    [threads] = lock._turns._queues.values()
    return threads


def in_order(path, works):
    """Start threads behind this one, which holds the lock: each when the one before it waits."""
    threads = [threading.Thread(target=work) for work in works]
    for i, thread in enumerate(threads):
        thread.start()
        eventually(lambda i=i: len(queue()) == i + 2, "the thread does not wait")
    return threads


@pytest.fixture
def fork():
    """Run work in forks of this process, which are killed at the end of the test."""
    with ExitStack() as forks:

        def start(work):
            process = os.fork()
            if process == 0:
                try:
                    work()
                finally:
                    os._exit(0)
            forks.callback(os.waitpid, process, 0)
            forks.callback(os.kill, process, signal.SIGKILL)
            return process

        yield start


def is_free(path):
    """Return whether no process has locked a file."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_threads_hold_it_in_the_order_in_which_they_came(path):
    """Who is next when one thread leaves holds the lock after it: nobody waits for more than all others once."""
    holders, nexts = [], []

    def hold():
        for _ in range(25):
            with locked(path):
                holders.append(threading.get_ident())
                nexts.append([waiting.item for waiting in queue()[1:2]])

    turns = lock._turns
    turn = turns.turn
    turns.turn = lambda key, until: turn(key, until, threading.get_ident())
    try:
        with locked(path):
            threads = in_order(path, [hold] * 8)
        for thread in threads:
            thread.join(SECONDS)
    finally:
        del turns.turn
    assert len(holders) == 8 * 25
    assert holders[:8] == [thread.ident for thread in threads]
    assert all(in_queue in ([], [holder]) for in_queue, holder in zip(nexts, holders[1:], strict=False))


def test_who_gives_up_leaves_the_queue(path):
    """The wait has a limit, and the next thread gets the lock all the same."""
    held, refused = [], []

    def give_up():
        with (
            patience(time.monotonic()),
            pytest.raises(StoreError, match="another process or thread") as error,
            locked(path),
        ):
            held.append("late")
        refused.append(error.value.retry)

    def hold():
        with locked(path):
            held.append("next")

    with locked(path):
        late = threading.Thread(target=give_up)
        late.start()
        late.join(SECONDS)
        assert len(queue()) == 1
        [thread] = in_order(path, [hold])
    thread.join(SECONDS)
    assert (held, refused) == (["next"], [True])
    with patience(time.monotonic()), pytest.raises(StoreError), locked(path):
        held.append("after its time")
    assert held == ["next"]


def test_only_one_tries_with_success(path):
    """A lock that is held, by a thread or process, is not waited for."""
    with locked(path), try_locked(path) as is_ours:
        assert not is_ours
    with try_locked(path) as is_ours, try_locked(path) as is_ours_too:
        assert (is_ours, is_ours_too) == (True, False)
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with try_locked(path) as is_ours:
            assert not is_ours
    with try_locked(path) as is_ours:
        assert is_ours


def waits(path):
    """Return whether a process waits for a lock that another one holds."""
    turnstile = path.with_name(f"{path.name}.next.lock")
    return turnstile.exists() and not is_free(turnstile) and not is_free(path)


def test_a_process_that_waits_comes_before_one_that_takes_it_again(path, tmp_path, fork):
    """A process with many writers does not keep the lock from the others."""
    log = tmp_path / "log"

    def hold():
        with locked(path):
            log.write_text("held")

    with locked(path):
        fork(hold)
        eventually(lambda: waits(path), "the fork does not wait")
    with locked(path):
        assert log.read_text() == "held"


def test_a_process_that_is_killed_frees_it(path, fork):
    """The lock of a process that dies is released, and so is its place among those who wait."""

    def hold():
        with locked(path):
            signal.pause()

    forks = [fork(hold), fork(hold)]
    eventually(lambda: waits(path), "no fork waits")
    for process in forks:
        os.kill(process, signal.SIGKILL)
    with locked(path):
        assert not is_free(path)


def test_a_fork_has_no_part_in_the_lock_of_its_parent(path, tmp_path, fork):
    """A fork that leaves the block does not free the lock, and one that lives on does not keep it."""
    left, again = tmp_path / "left", tmp_path / "again"

    def leave_and_hold():
        held.close()
        left.touch()
        with locked(path):
            again.touch()

    with ExitStack() as held:
        held.enter_context(locked(path))
        fork(signal.pause)
        fork(leave_and_hold)
        eventually(left.exists, "the fork did not leave the block")
        assert not is_free(path)
    eventually(again.exists, "the fork keeps the lock of its parent")


def test_a_fork_of_a_process_that_is_killed_does_not_keep_its_lock(path, tmp_path, fork):
    """As long as one copy of an open file is open, the system keeps its lock."""
    forked = tmp_path / "forked"

    def hold():
        with locked(path):
            if os.fork() == 0:
                forked.write_text(f"{os.getpid()}")
            signal.pause()

    process = fork(hold)
    eventually(lambda: forked.exists() and forked.read_text(), "there is no fork")
    try:
        os.kill(process, signal.SIGKILL)
        with patience(time.monotonic() + SECONDS), locked(path):
            assert not is_free(path)
    finally:
        os.kill(int(forked.read_text()), signal.SIGKILL)


def is_number(item):
    return isinstance(item, int)


def test_who_has_the_turn_does_what_waits_behind_it(path):
    """Each gets the result of its own item; what does not fit is done alone, after those before it."""
    groups, results = [], {}

    def work(take):
        groups.append(take())
        return [f"{item}!" for item in groups[-1]]

    def do(item):
        results[item] = locked_together(path, item, is_number, work)

    with locked(path):
        threads = in_order(path, [partial(do, item) for item in (1, 2, "three", 4, 5)])
    for thread in threads:
        thread.join(SECONDS)
    assert groups == [[1, 2], ["three", 4, 5]]
    assert results == {item: f"{item}!" for item in (1, 2, "three", 4, 5)}


def test_what_fails_together_fails_for_each_and_nobody_else(path):
    """A failure before the items are taken is that of one thread; the next does the rest."""
    calls, outcomes = [], {}

    def work(take):
        calls.append("work")
        if len(calls) == 1:
            raise ValueError("before")
        items = take()
        if len(calls) == 2:
            raise ValueError("after")
        return items

    def do(item):
        try:
            outcomes[item] = locked_together(path, item, lambda number: number < 3, work)
        except ValueError as error:
            outcomes[item] = str(error)

    with locked(path):
        threads = in_order(path, [partial(do, item) for item in range(4)])
    for thread in threads:
        thread.join(SECONDS)
    assert outcomes == {0: "before", 1: "after", 2: "after", 3: 3}


def test_what_is_refused_is_never_done_and_what_is_done_is_not_refused(path):
    """A thread whose item was taken in time gets its result, also when its time is over then."""
    is_late = threading.Event()
    done, results, refused = [], [], []

    def work(take):
        items = take()
        done.extend(items)
        assert is_late.wait(SECONDS)
        return items

    def do(item, until):
        try:
            with patience(until):
                results.append(locked_together(path, item, is_number, work))
        except StoreError:
            refused.append(item)

    with locked(path):
        limit = time.monotonic() + 0.2
        threads = [threading.Thread(target=do, args=(i, limit + i % 2 * SECONDS)) for i in range(6)]
        for thread in threads:
            thread.start()
    eventually(lambda: time.monotonic() > limit)
    is_late.set()
    for thread in threads:
        thread.join(SECONDS)
    assert sorted(results) == sorted(done)
    assert sorted(results + refused) == list(range(6))
