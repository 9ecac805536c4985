"""Whether the machine has room for another agent: what it has left, against what golemd.toml wants left.

Agents and commands of phases under way go on; only new ones are held back, and looked at again by a timer.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from golemd.core.slots import Limits

MAX_MEMORY_PRESSURE: Final = 20.0
"""Percent of the last ten seconds in which some program waited for memory; above it no agent is added."""
LOOK_AGAIN_US: Final = 15_000_000
"""Between two looks at a machine that is short of something; nothing announces that it has recovered."""

_GB: Final = 1 << 30
_MB: Final = 1 << 20


class Room(Struct, frozen=True):
    """What the machine has left: bytes, and percent. None: nobody looked, or it cannot be told."""

    disk_bytes: int | None = None
    disk_at: str = ""  # the folder whose file system has the least
    memory_bytes: int | None = None
    memory_pressure: float | None = None


def shortage(room: Room, limits: Limits) -> str:
    """What there is too little of for another agent, in words and figures; empty when there is enough.

    Without a minimum of memory its pressure does not count either.
    """
    min_free_gb, min_free_memory_mb = limits.min_free_gb, limits.min_free_memory_mb
    if room.disk_bytes is not None and room.disk_bytes < min_free_gb * _GB:
        return f"only {room.disk_bytes / _GB:.1f} GB are free at {room.disk_at} (min_free_gb {min_free_gb:g})"
    if not min_free_memory_mb:
        return ""
    if room.memory_bytes is not None and room.memory_bytes < min_free_memory_mb * _MB:
        free = room.memory_bytes // _MB
        return f"only {free} MB of memory are available (min_free_memory_mb {min_free_memory_mb})"
    if room.memory_pressure is not None and room.memory_pressure > MAX_MEMORY_PRESSURE:
        return f"memory is short: programs wait for it {room.memory_pressure:.0f} % of the time"
    return ""
