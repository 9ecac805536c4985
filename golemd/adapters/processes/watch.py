"""Waiting for a folder to change (inotify, which the standard library does not offer)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

IN_MOVED_TO: Final = 0x80
EVENT_BYTES: Final = 4096

_libc: Final = ctypes.CDLL(None, use_errno=True)


@contextmanager
def renames_into(folder: Path) -> Iterator[int]:
    """An fd that becomes readable when a file is renamed into the folder: so records appear. Raises OSError."""
    fd = _checked(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
    try:
        _checked(_libc.inotify_add_watch(fd, os.fsencode(folder), IN_MOVED_TO))
        yield fd
    finally:
        os.close(fd)


def _checked(value: int) -> int:
    if value < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return value
