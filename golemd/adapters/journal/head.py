"""`head`: what the journal cannot say about itself, namely where its durable end is.

Two slots of 512 bytes, one sector each, written in turn. A slot is a sealed JSON object (see `line`), padded with
spaces: `{"v":1,"seq":7,"record":"<h of record 7>","repaired":{…}?,"h":"…"}`. The head may be older than the journal,
never newer: a slot is written after the sync of its records and before anyone is answered. `repaired` says that
the journal was cut after record `seq` and that this is not recorded yet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from golemd.adapters.disk import Disk, How
from golemd.adapters.journal.faults import JournalNewer
from golemd.adapters.journal.line import VERSION, ZERO_HASH, seal, value_of
from golemd.adapters.journal.segments import append_all
from golemd.api.events import JournalRepaired

SLOT_BYTES: Final = 512
NAME: Final = "head"


class Mark(Struct, frozen=True, omit_defaults=True):
    """The durable end: record `seq`, whose hash is `record`."""

    v: int
    seq: int = 0
    record: str = ZERO_HASH
    repaired: JournalRepaired | None = None


GENESIS: Final = Mark(VERSION)


def to_slot(mark: Mark) -> bytes:
    """512 bytes, the last a line feed."""
    slot = seal(msgspec.json.encode(mark)[:-1])
    if len(slot) >= SLOT_BYTES:  # long names in `repaired`: the head's first purpose goes before that
        slot = seal(msgspec.json.encode(Mark(mark.v, mark.seq, mark.record))[:-1])
    return slot.ljust(SLOT_BYTES - 1) + b"\n"


def from_slot(slot: bytes) -> Mark | None:
    """The mark of a slot; None when the slot is not whole. Faults: JournalNewer."""
    value = value_of(slot.rstrip(b" \n")) if len(slot) == SLOT_BYTES else None
    if value is None:
        return None
    version = value.get("v")
    if isinstance(version, int) and version > VERSION:
        raise JournalNewer(NAME, 0, 0, f"head version {version}")
    try:
        return msgspec.convert(value, Mark)
    except msgspec.ValidationError:
        return None


class Head:
    """The open head file. `mark` is the newest valid slot."""

    def __init__(self, disk: Disk, file: int, slots: list[Mark | None]) -> None:
        self._disk = disk
        self._file = file
        self.slots = slots
        valid = [mark for mark in slots if mark is not None]
        self.mark = max(valid, key=_age) if valid else None
        newest = slots.index(self.mark) if self.mark is not None else 1
        self._next = 1 - newest

    def write(self, mark: Mark) -> None:
        """Write the older slot. Not synced: after a power cut the head may be older than the journal."""
        slot = to_slot(mark)
        if self._disk.write_at(self._file, slot, self._next * SLOT_BYTES) != SLOT_BYTES:
            raise OSError("the head was written in part only")
        self.slots[self._next] = self.mark = mark
        self._next = 1 - self._next

    async def sync(self) -> None:
        await self._disk.fdatasync(self._file)

    def close(self) -> None:
        self._disk.close(self._file)


def look(disk: Disk, folder: Path) -> list[Mark | None] | None:
    """The slots of a head, nothing changed; None when there is no head."""
    if NAME not in disk.names(folder):
        return None
    file = disk.open(folder / NAME, How.READ)
    try:
        return _slots(disk, file)
    finally:
        disk.close(file)


async def open_head(disk: Disk, folder: Path) -> Head:
    """Open the head as the device holds it, not as the page cache shows it."""
    file = disk.open(folder / NAME, How.UPDATE)
    try:
        await disk.fdatasync(file)
        disk.drop_cache(file)
        return Head(disk, file, _slots(disk, file))
    except BaseException:
        disk.close(file)
        raise


async def create_head(disk: Disk, folder: Path, mark: Mark = GENESIS) -> None:
    """Make or replace the head, both slots alike, durably."""
    temporary = folder / f"{NAME}.tmp"
    if temporary.name in disk.names(folder):
        disk.unlink(temporary)
    file = disk.open(temporary, How.CREATE)
    try:
        append_all(disk, file, to_slot(mark) * 2)
        await disk.fdatasync(file)
    finally:
        disk.close(file)
    disk.rename(temporary, folder / NAME)
    await disk.sync_folder(folder)


def _age(mark: Mark) -> tuple[int, bool]:
    """The newer mark is the larger; of two for one record, the one that tells of a repair came later."""
    return mark.seq, mark.repaired is not None


def _slots(disk: Disk, file: int) -> list[Mark | None]:
    return [from_slot(disk.read(file, SLOT_BYTES, number * SLOT_BYTES)) for number in (0, 1)]
