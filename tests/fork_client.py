"""Stands for `python` and for the programs beside it: asks the fork server to run one (tests/forks.py)."""

import json
import os
import signal
import socket
import sys
from pathlib import Path

# What Python and the libraries read when they start.
STARTS = ("PYTHON", "POLARS", "OPENBLAS", "FEAST")


def main() -> None:
    """Run a program in a fork, or in a new Python if it needs words or variables that came too late for the server."""
    folder, name = Path(sys.argv[0]).absolute().parents[1], Path(sys.argv[0]).name
    python, variables = json.loads((folder / "server.json").read_text())
    words = sys.argv[1:] if name == "python" else [str(Path(python).with_name(name)), *sys.argv[1:]]
    is_option = bool(words) and words[0].startswith("-") and words[0] not in {"-c", "-m"}
    if not words or is_option or variables != {k: v for k, v in os.environ.items() if k.startswith(STARTS)}:
        os.execv(python, [python, *words])  # noqa: S606 - this process becomes it
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(str(folder / "socket"))
        request = json.dumps([words, dict(os.environ), str(Path.cwd())]).encode() + b"\0"
        socket.send_fds(server, [request[:1]], [0, 1, 2])
        server.sendall(request[1:])
        answers = server.makefile()
        pid = int(answers.readline())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: os.kill(pid, number))
        code = int(answers.readline())
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
