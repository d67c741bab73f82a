"""Peers that a benchmark compares with: which of them can run on this machine."""

from __future__ import annotations

from importlib.util import find_spec


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
