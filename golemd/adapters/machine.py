"""What the machine has left: disk, memory, and how much programs wait for memory."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import psutil

PRESSURE: Final = Path("/proc/pressure/memory")
"""Pressure stall information, which a kernel may be without: Documentation/accounting/psi.rst."""
_SOME: Final = re.compile(r"some avg10=(\d+(?:\.\d+)?)")


class Free(NamedTuple):
    """Bytes that are free, and where."""

    bytes: int
    at: str


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
    return int(psutil.virtual_memory().total)


def total_swap() -> int:
    """Bytes that can be swapped out at most."""
    return int(psutil.swap_memory().total)


def available_memory() -> int:
    """Bytes that can be had without swapping."""
    return int(psutil.virtual_memory().available)


def memory_pressure(file: Path = PRESSURE) -> float | None:
    """Percent of the last ten seconds in which some program waited for memory; None where that is not told."""
    try:
        found = _SOME.search(file.read_text(encoding="ascii", errors="replace"))
    except OSError:  # without the file, or with one that cannot be read since the kernel was told not to count
        return None
    return float(found[1]) if found else None
