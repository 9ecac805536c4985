"""A timer on the wall clock (timerfd, which the standard library has from Python 3.13 on only).

An event loop sleeps by the monotonic clock, which stands still while the machine is suspended and knows nothing of a
clock that is set. A timer on CLOCK_REALTIME is due when its moment has come, and TFD_TIMER_CANCEL_ON_SET tells of
every jump. Nobody wakes up for it before: see timerfd_create(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from typing import Final

import trio

TFD_TIMER_ABSTIME: Final = 1
TFD_TIMER_CANCEL_ON_SET: Final = 2
AT_ONCE_NS: Final = 1  # after the epoch: long past

_libc: Final = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    """struct itimerspec."""

    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class WallAlarm:
    """An `adapters.clock.Alarm` on the machine's wall clock. Raises OSError where the kernel gives none."""

    def __init__(self) -> None:
        self._fd = int(_libc.timerfd_create(time.CLOCK_REALTIME, os.O_CLOEXEC | os.O_NONBLOCK))
        if self._fd < 0:
            raise _last_error()

    def set(self, moment_us: int | None) -> None:
        """Ring at this moment, at once when it has passed; None: not at all."""
        moment_ns = 0 if moment_us is None else max(AT_ONCE_NS, moment_us * 1000)
        if self._arm(moment_ns) < 0:
            error = _last_error()
            # The clock was set before this call, and nobody has heard of it yet; the timer itself is armed.
            if error.errno != errno.ECANCELED or self._arm(AT_ONCE_NS) < 0:
                raise error

    def _arm(self, moment_ns: int) -> int:
        setting = _Setting(_Timespec(0, 0), _Timespec(*divmod(moment_ns, 1_000_000_000)))
        flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET
        return int(_libc.timerfd_settime(self._fd, flags, ctypes.byref(setting), None))

    async def rings(self) -> None:
        """Until the moment has come, or the clock was set or the machine woke up."""
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            try:
                os.read(self._fd, 8)
            except BlockingIOError:
                continue  # it was set anew just now
            except OSError as error:
                if error.errno != errno.ECANCELED:
                    raise
            return

    def close(self) -> None:
        """Let go of the timer; nobody may wait for it any more."""
        os.close(self._fd)


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
