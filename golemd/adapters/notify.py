"""sd_notify: tell the service manager how we are, where there is one.

Rules. A manager that is not there, or has gone, is no trouble and costs nothing; nothing here sets a timer.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

SEND_SECONDS: Final = 1.0  # how long a manager that does not read may hold us up
MORE_TIME_SECONDS: Final = 60.0  # what is asked for at a time
ASK_FOR_TIME_SECONDS: Final = 10.0  # between two such questions
RECORDS_A_LOOK: Final = 1024  # between two looks at the clock


def notify(environ: Mapping[str, str], *lines: str) -> bool:
    """Send lines such as READY=1 to NOTIFY_SOCKET; whether they went out. A manager that is gone is no trouble."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.settimeout(SEND_SECONDS)
        sender.connect(address)
        sender.sendall("\n".join(lines).encode())
        return True
    return False


def more_time(seconds: float = 0.0) -> str:
    """The line that asks for time to start or stop, from now on: what is usual and so many seconds on top."""
    return f"EXTEND_TIMEOUT_USEC={int((MORE_TIME_SECONDS + seconds) * 1e6)}"


def watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """Within which time this process must say WATCHDOG=1, again and again; None where nobody watches it."""
    usec = environ.get("WATCHDOG_USEC", "")
    if not usec.isdecimal() or int(usec) == 0 or environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(usec) / 1e6


class LongStart:
    """Called for every record that is read: asks for more time as long as reading goes on."""

    def __init__(self, environ: Mapping[str, str], timer: Callable[[], float] = time.monotonic) -> None:
        self._environ = environ
        self._timer = timer
        self._asked_at = timer()
        self.records = 0

    def __call__(self) -> None:
        self.records += 1
        if self.records % RECORDS_A_LOOK == 0 and self._timer() - self._asked_at >= ASK_FOR_TIME_SECONDS:
            self._asked_at = self._timer()
            notify(self._environ, more_time(), f"STATUS=Reading the journal: {self.records} records")
