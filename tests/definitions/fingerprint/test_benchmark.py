"""The benchmark of fingerprints runs, on a few edits of each kind."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_benchmark_runs_on_a_few_edits():
    """Every kind of edit that changes a value is noticed, and no other one."""
    command = [sys.executable, "benchmarks/fingerprint.py", "--small"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "changes no value: noticed (none is right)" in done.stdout
