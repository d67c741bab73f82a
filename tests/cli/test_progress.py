"""On a terminal, bars show what is done, of how much, and the time to go; elsewhere there is no progress at all."""

import io
from contextlib import contextmanager

from featurestore.cli.output import Output


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self):
        return True


@contextmanager
def terminal(monkeypatch):
    """Stand a terminal in place of standard error, which pytest replaces before each test."""
    stream = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", stream)
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "160")
        yield stream


def test_steps_move_the_bar(monkeypatch):
    """The bar names the step that runs, and how many are done."""
    with terminal(monkeypatch) as stream, Output().progress(3, "building") as step:
        for name in ("a", "b", "c"):
            step(name)
    printed = stream.getvalue()
    assert "building c" in printed
    assert "2 of 3 steps" in printed
    assert "to go" in printed
    assert "%" not in printed


def test_rows_move_the_bar(monkeypatch):
    """Each name has a bar of its rows, with thousands separators."""
    with terminal(monkeypatch) as stream, Output().rows("writing") as step:
        step("view", 0, 20_000)
        step("view", 12_000, 20_000)
    printed = stream.getvalue()
    assert "writing view" in printed
    assert "12,000 of 20,000 rows" in printed


def test_elsewhere_nothing_is_printed(capsys):
    """Logs and pipes hold no bars."""
    with Output().progress(1, "building") as step:
        step("a")
    with Output().rows("writing") as step_rows:
        step_rows("view", 1, 1)
    assert capsys.readouterr().err == ""
