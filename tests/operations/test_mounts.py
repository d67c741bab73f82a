"""A file system that is mounted for reading can be read, and one that is full keeps the old state: with our errors."""

import json
import os
import shutil
import subprocess
import sys

import pytest

READS = [
    "get-online buying customer=3 basket=16.0",
    "explain last_order customer=3 --at 2024-01-10T00:00:00Z",
]
WRITES = [
    "push last_order {folder}.rows.csv",
    "delete last_order customer=3",
    "materialize",
    "validate orders",
    "build last_order",
    "training-set visits",
    "release",
    "apply",
    "key add one",
]
ROWS = "customer,event_timestamp,amount,coupon,ordered_at\n1,2024-01-09T22:00:00Z,9,A,2024-01-09T22:00:00Z\n"
# Runs in a name space of mounts of its own, so that no mount outlasts it.
SCRIPT = """
import json, pathlib, subprocess, sys
mounts, folder, *commands = json.loads(sys.argv[1])
for mount in mounts:
    subprocess.run(mount, check=True)
from runner import run
space = pathlib.Path(folder, "data/fill")
if mounts[0][-2] == "tmpfs":
    with space.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
done = [run(*command.replace("{folder}", folder).split(), cwd=pathlib.Path(folder)) for command in commands]
if mounts[0][-2] == "tmpfs":
    space.unlink()
    done.append(run(*commands[0].split(), cwd=pathlib.Path(folder)))
print(json.dumps([[one.returncode, one.stdout + one.stderr] for one in done]))
"""


def mounted(folder, mounts, commands):
    """Run commands of a project under mounts; returns the code and the output of each."""
    words = json.dumps([mounts, str(folder), *commands])
    command = ["unshare", "--mount", sys.executable, "-c", SCRIPT, words]
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def materialized(shop):
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("only root can mount, and only where name spaces are permitted")
    shop.training_set("visits")
    shop.materialize()
    root = shop.settings.root
    root.with_name(f"{root.name}.rows.csv").write_text(ROWS)
    return root


def test_a_mount_for_reading_answers_and_refuses_writes(materialized):
    """Each command that reads answers as before; each that writes ends with our error, and names the file."""
    folder = str(materialized)
    mounts = [
        ["mount", "--bind", folder, folder],
        ["mount", "-o", "remount,ro,bind", folder, folder],
    ]
    answers = mounted(materialized, mounts, [*READS, *WRITES])
    for command, (code, text) in zip(READS, answers, strict=False):
        assert code == 0, (command, text)
        assert "8.0" in text or "2.0" in text
    for command, (code, text) in zip(WRITES, answers[len(READS) :], strict=True):
        assert code == 8, (command, text)
        assert "cannot be written" in text, command
        assert folder in text, command


def test_a_full_disk_keeps_the_old_state(materialized, tmp_path_factory):
    """Each command that writes ends with our error, and the former values are served."""
    small = tmp_path_factory.mktemp("small")
    copy = tmp_path_factory.mktemp("copy") / "shop"
    shutil.copytree(materialized, copy, ignore=shutil.ignore_patterns(".git", ".dvc"))
    small.with_name(f"{small.name}.rows.csv").write_text(ROWS)
    mounts = [
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)],
        ["cp", "-a", f"{copy}/.", str(small)],
    ]
    commands = [READS[0], *WRITES[:2], *WRITES[3:8], READS[0]]
    (right, *refused, during, after) = mounted(small, mounts, commands)
    assert right[0] == 0, right[1]
    for command, (code, text) in zip(commands[1:], refused, strict=False):
        assert code == 8, (command, text)
        assert "No space left" in text, (command, text)
    assert during == after == right
