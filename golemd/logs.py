"""Logging to stderr, which journald reads: one line an event, as text or as JSON."""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from typing import Final

TEXT: Final = "%(asctime)s %(levelname)-7s %(message)s"
STDERR_FD: Final = 2


class Stderr:
    """Standard error, unbuffered. It may lie on a full disk: what it does not take is lost, and that is all."""

    def write(self, text: str) -> None:
        data = text.encode(errors="backslashreplace")
        with suppress(OSError):
            while data:
                data = data[os.write(STDERR_FD, data) :]

    def flush(self) -> None:
        """Nothing is held back."""


class JsonLines(logging.Formatter):
    """One JSON object a line: ts, level, logger, message, and the traceback when there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up_logging(level: str, form: str) -> None:
    """Log to stderr from `level` on, as `text` or `json`."""
    handler = logging.StreamHandler(Stderr())
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
