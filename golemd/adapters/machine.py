"""The machine: who it is, and what it has left of disk and memory."""

from __future__ import annotations

import os
import pwd
import re
import socket
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, Protocol

PRESSURE: Final = Path("/proc/pressure/memory")
"""Pressure stall information, which a kernel may be without: Documentation/accounting/psi.rst."""
_SOME: Final = re.compile(r"some avg10=(\d+(?:\.\d+)?)")


class Free(NamedTuple):
    """Bytes that are free, and where."""

    bytes: int
    at: str


class Machine(Protocol):
    """The seam that this module fills: what each answers is said where it is written."""

    def host_name(self) -> str: ...
    def user_name(self, uid: int) -> str: ...
    def free_disk(self, folders: Sequence[Path]) -> Free | None: ...
    def available_memory(self) -> int: ...
    def memory_pressure(self) -> float | None: ...


def host_name() -> str:
    """What the machine is called."""
    return socket.gethostname()


@lru_cache(maxsize=64)
def user_name(uid: int) -> str:
    """What a user is called; empty when nobody has that number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def free_disk(folders: Sequence[Path]) -> Free | None:
    """The least that users may still write on the file systems of some folders, which need not exist yet."""
    found = [free for folder in folders if (free := _free_at(folder)) is not None]
    return min(found, default=None)


def _free_at(folder: Path) -> Free | None:
    for place in (folder, *folder.parents):
        try:
            known = os.statvfs(place)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return Free(known.f_bavail * known.f_frsize, str(folder))
    return None


def total_memory() -> int:
    """Bytes of memory that there are."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def total_swap() -> int:
    """Bytes that can be swapped out at most."""
    import psutil  # only here and below: nobody asks at the start, of which it would take a twentieth

    return int(psutil.swap_memory().total)


def available_memory() -> int:
    """Bytes that can be had without swapping."""
    import psutil

    return int(psutil.virtual_memory().available)


def memory_pressure(file: Path = PRESSURE) -> float | None:
    """Percent of the last ten seconds in which some program waited for memory; None where that is not told."""
    try:
        found = _SOME.search(file.read_text(encoding="ascii", errors="replace"))
    except OSError:  # without the file, or with one that cannot be read since the kernel was told not to count
        return None
    return float(found[1]) if found else None
