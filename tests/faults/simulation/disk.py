"""The disk of the journal: `crashdisk` with flushes that take their time, errors, and a witness of what is durable."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import Final

import trio

from tests.adapters.journal.crashdisk import CrashDisk, PowerCut
from tests.adapters.journal.nodes import File, Folder
from tests.faults.simulation.world import World

QUICK_BYTES: Final = 2048  # such syncs let nobody else run in between, and larger ones do
CHANGING: Final = frozenset({"append", "fdatasync", "write_at", "sync_folder", "rename", "truncate"})
"""Operations that may fail, and at which the daemon may end."""


class SimDisk(CrashDisk):
    """A disk of a world. It is given its world by `belongs_to`, after each crash anew."""

    world: World

    def __init__(self, image: Mapping[str, bytes] | None = None, *, waits: bool = True) -> None:
        super().__init__(image, waits=waits)
        self.fails_in: int | None = None  # operations that still work
        self.is_gone = False  # its daemon is dead, and the next one has a disk of its own

    def belongs_to(self, world: World) -> SimDisk:
        """Let the world watch it."""
        self.world = world
        self.before = self._before
        self.after = self._after
        return self

    def fill(self, room: int) -> None:
        """Only so many bytes may still be taken."""
        self.room = room

    def _before(self, operation: str) -> None:
        if self.is_gone:
            raise PowerCut
        if self.fails_in is not None and operation in CHANGING:
            self.fails_in -= 1
            if self.fails_in < 0:
                self.world.meet("disk errors")
                self.world.tell("disk", f"{operation} fails")
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        life = self.world.life
        if life is not None and operation in CHANGING and self.world.chance(self.world.weather.moments):
            self.world.meet("crashes at a disk operation")
            life.crash(f"at {operation}", power=self.world.chance(0.5))
            raise PowerCut

    def _after(self, operation: str) -> None:
        if operation in ("fdatasync", "sync_folder") and not self.is_gone:
            self.world.witness.look(self)

    def _is_quick(self, written: int | None) -> bool:
        return not self.world.weather.slowness and written is not None and written <= QUICK_BYTES

    async def fdatasync(self, file: int, written: int | None = None) -> None:
        if self.world.weather.slowness:
            with trio.CancelScope(shield=True):
                await trio.sleep(self.world.dice.expovariate(1 / self.world.weather.slowness))
        await super().fdatasync(file, written)

    def segments(self) -> list[tuple[str, File]]:
        """The journal's segments in order, those whose names no crash can take away."""
        folder = self.root.entries.get("journal")
        found = folder.durable if isinstance(folder, Folder) else {}
        files = ((name, found[name]) for name in sorted(found) if name.endswith(".jsonl"))
        return [(name, file) for name, file in files if isinstance(file, File)]
