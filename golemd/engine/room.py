"""What the machine has left for another agent, looked at when one could be started."""

from __future__ import annotations

from msgspec.structs import replace

from golemd.core.admission import Room
from golemd.engine.context import Context
from golemd.engine.effects.places import worktree_root


def look_at_room(engine: Context) -> Room:
    """What is left, as far as a limit asks for it; nobody looks while nothing is dispatched."""
    if any(project.dispatch.on for project in engine.state.projects.values()):
        return room_now(engine)
    return Room()


def room_now(engine: Context) -> Room:
    """What is left at this moment, as far as a limit asks for it."""
    limits, machine = engine.limits, engine.parts.machine
    disk = machine.free_disk([engine.parts.state_dir, worktree_root(engine)]) if limits.min_free_gb else None
    room = Room() if disk is None else Room(disk_bytes=disk.bytes, disk_at=disk.at)
    if limits.min_free_memory_mb:
        pressure = machine.memory_pressure()
        room = replace(room, memory_bytes=machine.available_memory(), memory_pressure=pressure)
    return room
