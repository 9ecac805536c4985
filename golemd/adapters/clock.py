"""The clock and the dice of the machine: the only place that asks them. Both are given to the engine."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What tells time. Microseconds since the epoch; it may jump."""

    def now_us(self) -> int: ...


class SystemClock:
    """The machine's own."""

    def now_us(self) -> int:
        return time.time_ns() // 1000


def boot_id() -> str:
    """Identifies this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def fresh_instance() -> str:
    """A random name for a new state folder: 128 bits in hex."""
    return secrets.token_hex(16)
