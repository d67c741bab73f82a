"""A fork (tests/forks.py) is what a new Python would be: its words, folder, variables, streams, and how it ends."""

import os
import signal
import subprocess
from pathlib import Path

import forks
import pytest
from serving import eventually


def run(*words, **options):
    return subprocess.run([forks.python(), *words], capture_output=True, text=True, check=False, **options)


def test_a_fork_has_what_its_caller_gave_it(tmp_path):
    """Words, standard input, working folder, variables, and both outputs."""
    code = "import os, sys; print(sys.argv, input(), os.getcwd(), os.environ['GIVEN']); sys.exit('no')"
    done = run("-c", code, "a", "b c", cwd=tmp_path, input="typed\n", env={**os.environ, "GIVEN": "x"})
    assert done.stdout == f"['-c', 'a', 'b c'] typed {tmp_path} x\n"
    assert (done.returncode, done.stderr) == (1, "no\n")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("pass", 0),
        ("raise SystemExit(7)", 7),
        ("1 / 0", 1),
        ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM),
    ],
)
def test_a_fork_ends_as_its_program_does(code, status):
    """An exit code or a signal reaches the caller."""
    assert run("-c", code).returncode == status


def test_variables_that_are_read_at_the_start_have_a_new_python():
    """The server read them before: a fork would not see them."""
    code = "import polars; print(polars.thread_pool_size())"
    assert run("-c", code, env={**os.environ, "POLARS_MAX_THREADS": "3"}).stdout == "3\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_caller_ends_the_fork(number):
    """Nothing goes on after the process that the test started."""
    code = "import os; print(os.getpid(), flush=True); input()"
    words = [forks.python(), "-c", code]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        fork = int(client.stdout.readline())
        client.send_signal(number)
        assert client.wait(30) == -number
        eventually(lambda: not Path(f"/proc/{fork}").exists(), "the fork outlived its caller")
