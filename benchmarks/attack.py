"""Attack the doors of a server and of a project: try what docs/security.md says, as an attacker does.

``make attack`` makes a shop, serves it as a process on this machine, and tries each case in turn:
odd paths with every key, bodies that unpack to gigabytes, connections that never ask, bytes changed
at random, statements of SQL that write files. It prints a table of cases, and exits with 1 if a
promise is broken. The same ``--seed`` tries the same bytes again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/service"))
from attacks import access, bodies, commands, fuzz
from attacks.target import BrokenPromiseError, target

CASES = (*access.CASES, *bodies.CASES, *commands.CASES, *fuzz.CASES)


def main() -> None:
    """Try the cases, and print what each observed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="decides which bytes are changed, and how")
    parser.add_argument(
        "--seconds", type=float, default=15, help="how long each case that could go on for ever takes"
    )
    parser.add_argument("--only", default="", help="try only cases whose name has this text")
    parser.add_argument(
        "--small", action="store_true", help="a short time for each case, to see that all work"
    )
    options = parser.parse_args()
    budget = 0.1 if options.small else options.seconds
    broken = 0
    with (
        TemporaryDirectory() as folder,
        target(Path(folder), seed=options.seed, budget=budget, small=options.small) as attacked,
    ):
        # Hypothesis reads tables there, which take seconds to make.
        set_hypothesis_home_dir(os.environ.get("HYPOTHESIS_STORAGE_DIRECTORY", Path(folder) / "hypothesis"))
        print(f"{'case':44} {'result':8} {'door':20} observed", flush=True)
        for case in CASES:
            if options.only not in case.name:
                continue
            start = time.perf_counter()
            try:
                observed, result = case.attack(attacked), "holds"
            except BrokenPromiseError as error:
                observed, result = str(error), "BROKEN"
                broken += 1
            except pytest.skip.Exception as reason:
                observed, result = str(reason), "skipped"
            seconds = time.perf_counter() - start
            print(f"{case.name:44} {result:8} {case.door:20} {observed} [{seconds:.1f} s]", flush=True)
    if broken:
        sys.exit(f"{broken} promises are broken; to try the same bytes again: --seed {options.seed}")


if __name__ == "__main__":
    main()
