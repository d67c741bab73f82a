"""What uvicorn and asyncio have to say, as the lines of JSON that all else is told in."""

from __future__ import annotations

import logging
from typing import Any

from featurestore.service.telemetry.journal import log_line


class JsonLines(logging.Handler):
    """Writes each record as one line of JSON to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        line = {"event": "server", "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            line["error"] = logging.Formatter().formatException(record.exc_info)[-8_000:]
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
