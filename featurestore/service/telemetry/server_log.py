"""Log records of uvicorn and asyncio, as lines of JSON."""

from __future__ import annotations

import logging
from typing import Any

from featurestore.service.runtime.log import log_line

MAX_TRACEBACK = 8_000  # characters


class JsonLines(logging.Handler):
    """Writes each record as one line of JSON to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        line = {"event": "server", "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            line["error"] = logging.Formatter().formatException(record.exc_info)[-MAX_TRACEBACK:]
        log_line(line)


LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"lines": {"class": f"{__name__}.{JsonLines.__name__}"}},
    "loggers": {
        name: {"handlers": ["lines"], "level": "WARNING", "propagate": False}
        for name in ("uvicorn", "asyncio")
    },
}
