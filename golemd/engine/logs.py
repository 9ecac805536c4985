"""Reading attempts' logs: the names of the streams, and how much is read at once."""

from __future__ import annotations

from typing import Final

from golemd.adapters.processes.records import Stream

LOG_PIECE: Final = 256 * 1024
STREAMS: Final[dict[str, Stream]] = {"stdout": "stdout", "stderr": "stderr"}
