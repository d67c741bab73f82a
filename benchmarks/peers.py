"""Peers that a benchmark compares with: which of them can run on this machine, and the memory of each."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def missing_module(modules: tuple[str, ...]) -> str | None:
    """Return the first of the modules that is not installed, or None."""
    return next((module for module in modules if find_spec(module) is None), None)


def print_skipped(peer: str, reason: str) -> None:
    """Print that a peer is left out, and why."""
    print(f"skipped: {peer}: {reason}", flush=True)


def runnable(peer: str, modules: tuple[str, ...]) -> bool:
    """Say whether all modules of a peer are installed; print a line if one is not."""
    missing = missing_module(modules)
    if missing is not None:
        print_skipped(peer, f"{missing} is not installed; see benchmarks/requirements.in")
    return missing is None


def peak_memory() -> float:
    """Return how many MiB this process had in memory at most."""
    # Not getrusage: its maximum includes the memory of the parent at the fork.
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
