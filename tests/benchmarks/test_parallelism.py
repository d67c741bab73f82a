"""The parallelism of a program: how many of its threads were ready while it worked."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from parallelism import Parallelism, measured_parallelism


def test_shortest():
    """Work of several threads takes its share of the cores; serial work takes as long as on one core."""
    parallelism = Parallelism({1: 1.0, 4: 4.0, 32: 16.0})
    assert parallelism.shortest(16) == 1.0 + 1.0 + 1.0
    assert parallelism.speed_up(16) == 7.0
    assert parallelism.serial_share == pytest.approx(1 / 21)
    assert parallelism.line().split() == ["5%", "0%", "19%", "0%", "76%", "7.0"]


def test_one_thread():
    """Work in one thread is serial, and all of it is seen."""
    with measured_parallelism() as parallelism:
        sum(number * number for number in range(1_000_000))
    assert parallelism.total > 0
    assert parallelism.serial_share > 0
