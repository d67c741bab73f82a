"""The widths of a program's work: how many of its threads were ready while it was done."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from widths import Widths, watched


def test_shortest():
    """Work of a width takes as long as its share of the cores, and serial work as long as it is."""
    widths = Widths({1: 1.0, 4: 4.0, 32: 16.0})
    assert widths.shortest(16) == 1.0 + 1.0 + 1.0
    assert widths.speed_up(16) == 7.0
    assert widths.serial_share == pytest.approx(1 / 21)
    assert widths.line().split() == ["5%", "0%", "19%", "0%", "76%", "7.0"]


def test_one_thread():
    """Work in one thread is serial, and all of it is seen."""
    with watched() as widths:
        sum(number * number for number in range(1_000_000))
    assert widths.total > 0
    assert widths.serial_share > 0
