"""The server's log: one JSON object a line on standard error."""

from __future__ import annotations

import sys
from typing import Any

import msgspec


def log_line(line: dict[str, Any]) -> None:
    """Write one line of JSON to standard error."""
    sys.stderr.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stderr.buffer.flush()
