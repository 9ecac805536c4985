"""The keeper of snapshots: writes them beside the journal's own work, and keeps the newest ones.

Rules. Nothing here is the journal's: a snapshot that cannot be written is told in the log and is no reason to stop. It
gets its name when all of it is durable. It is made and written a piece at a time, so that an append waits neither for
the loop nor for a disk that is busy with megabytes.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from golemd.adapters.disk import Disk, How
from golemd.adapters.journal import snapshots
from golemd.adapters.journal.faults import disk_full
from golemd.adapters.journal.segments import TEMPORARY, append_all
from golemd.adapters.journal.snapshots import FOLDER, PIECE_BYTES, Header

log = logging.getLogger(__name__)

KEPT: Final = 2  # the newest ones, beside the one that a pruned journal begins with
FLUSH_BYTES: Final = 1024 * 1024  # made durable at once

Pause = Callable[[], Awaitable[None]]
"""Lets others run, if it is time for that."""


class Keeper:
    """Of the snapshots of one state folder. `room`: bytes of disk that stay free for the journal."""

    def __init__(self, disk: Disk, folder: Path, room: int, pause: Pause) -> None:
        self._disk = disk
        self.folder = folder
        self._place = folder / FOLDER
        self._room = room
        self._pause = pause
        self.turn = trio.Lock()

    async def write(self, header: Header, state: Iterable[bytes]) -> bool:
        """Write the snapshot of a state in its order of bytes; whether that went well. With `turn` held."""
        name = snapshots.name_of(header.seq)
        try:
            sheaf = snapshots.Sheaf(header)
            for piece in state:
                sheaf.add(piece)
                await self._pause()
            await self._write(name, sheaf.pieces())
        except OSError as error:
            log.warning("%s/%s was not written: %s", FOLDER, name, error)
            return False
        log.info("took a snapshot of record %d", header.seq)
        return True

    def clear(self, newest: int, first: int) -> None:
        """Remove what is not needed any more: all but the newest ones up to record `newest`, and those after it.

        The one that a journal without the records before `first` begins with stays, too.
        """
        with suppress(OSError):  # only space is at stake
            found = snapshots.names(self._disk, self.folder)
            seqs = [seq for seq in map(snapshots.seq_of, found) if seq <= newest]
            kept = {snapshots.name_of(seq) for seq in [*seqs[-KEPT:], *(seq for seq in seqs if seq == first - 1)]}
            for name in found:
                if name not in kept:
                    self._disk.unlink(self._place / name)

    def read(self, seq: int) -> memoryview | None:
        """The state that the snapshot of a record holds; None when there is none that can be read."""
        name = snapshots.name_of(seq)
        if name not in self._disk.names(self._place):
            return None
        try:
            return snapshots.load(self._disk, self._place / name)[1]
        except (snapshots.Unusable, OSError) as error:
            log.warning("%s/%s cannot be read: %s", FOLDER, name, error)
            return None

    def are_covered(self, first: int) -> bool:
        """Whether two snapshots can be read without which the records before `first` could not be done without."""
        seqs = [seq for seq in map(snapshots.seq_of, snapshots.names(self._disk, self.folder)) if seq >= first - 1]
        return self.read(first - 1) is not None and any(self.read(seq) is not None for seq in seqs if seq >= first)

    async def _write(self, name: str, pieces: list[bytes]) -> None:
        size = sum(map(len, pieces))
        if (free := self._disk.free_bytes(self.folder)) < size + self._room:
            raise OSError(disk_full(free).message)
        self._make_place()
        temporary = self._place / f"{name}{TEMPORARY}"
        file = self._disk.open(temporary, How.CREATE)
        try:
            try:
                await self._fill(file, pieces)
            finally:
                self._disk.close(file)
            self._disk.rename(temporary, self._place / name)
        except OSError:
            with suppress(OSError):
                self._disk.unlink(temporary)
            raise
        await self._disk.sync_folder(self._place)

    def _make_place(self) -> None:
        """The folder, without what an earlier attempt has left there. That it may be lost itself is no loss either."""
        if FOLDER not in self._disk.names(self.folder):
            self._disk.make_folder(self._place)
        for name in self._disk.names(self._place):
            if name.endswith(TEMPORARY):
                self._disk.unlink(self._place / name)

    async def _fill(self, file: int, pieces: list[bytes]) -> None:
        unflushed = 0
        for block in _blocks(pieces):
            append_all(self._disk, file, block)
            unflushed += len(block)
            if unflushed >= FLUSH_BYTES:
                await self._disk.fdatasync(file)
                unflushed = 0
            await self._pause()
        await self._disk.fdatasync(file)


def _blocks(pieces: list[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about PIECE_BYTES."""
    block = bytearray()
    for piece in pieces:
        block += piece
        while len(block) >= PIECE_BYTES:
            yield bytes(block[:PIECE_BYTES])
            del block[:PIECE_BYTES]
    if block:
        yield bytes(block)
