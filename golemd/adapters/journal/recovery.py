"""The start of a journal: believe the device and not the page cache, replay, refuse damage, cut a torn end.

Order, so that a crash at any point leaves a journal that starts or refuses for the same reason as before: sync and drop
what may be cached → read and judge → copy the torn bytes aside → say so in the head → cut → head. The cut is told by
the head's `repaired` until the journal's next record has taken its place. A disk too full for what that makes anew is
waited for, where the caller can wait: what was begun is begun again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from golemd.adapters.disk import FULL, Disk, How
from golemd.adapters.journal import head, snapshots
from golemd.adapters.journal.faults import failure
from golemd.adapters.journal.head import Head, Mark
from golemd.adapters.journal.limits import Limits
from golemd.adapters.journal.line import VERSION
from golemd.adapters.journal.segments import BROKEN, FOLDER, LINK, TEMPORARY, Segment, copy_bytes, list_segments
from golemd.adapters.journal.snapshots import Codec
from golemd.adapters.journal.walk import End, Torn, Walk, collector_paused, judge, marks_of
from golemd.api.events import JournalRepaired, Record

Wait = Callable[[], Awaitable[None]]
"""How a start waits a while for room on the disk."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class Recovered(Struct, frozen=True):
    """A journal that may be written: all of it up to `end` is durable, and nothing is behind it.

    `snapshot_seq`: the record of the snapshot with which its reading began; 0 for none.
    """

    segments: list[Segment]
    end: End
    head: Head
    repaired: JournalRepaired | None
    snapshot_seq: int


async def recover(
    disk: Disk,
    folder: Path,
    limits: Limits,
    on_record: Callable[[Record], None],
    codec: Codec | None = None,
    wait_for_room: Wait | None = None,
) -> Recovered:
    """Replay the journal of a state folder, from a snapshot on where `codec` can read one, and make its end sound.

    Without `wait_for_room` a full disk is a fault like any other. Faults: JournalFault.
    """
    try:
        return await _recover(disk, folder, limits, on_record, codec, wait_for_room)
    except OSError as error:
        raise failure(error) from error


async def _recover(
    disk: Disk,
    folder: Path,
    limits: Limits,
    on_record: Callable[[Record], None],
    codec: Codec | None,
    wait_for_room: Wait | None,
) -> Recovered:
    opened = await _settle(disk, folder)
    try:
        slots = None if opened is None else opened.slots
        segments = list_segments(disk, folder / FOLDER)
        with collector_paused():
            start = None if codec is None else snapshots.find(disk, folder, segments, codec)
        walk = Walk(disk, folder, limits.chunk_bytes, on_record, marks_of(slots), start=start).run()
        torn = judge(walk, slots)
        if opened is None:
            await _made(partial(head.create_head, disk, folder), disk, folder, wait_for_room)
            opened = await head.open_head(disk, folder)
        if walk.segments:
            _trim(disk, walk.segments[-1])  # what it reserved may be needed now
        copy = ""
        if torn is not None:
            keep = partial(_keep, disk, folder / FOLDER, torn, limits.chunk_bytes)
            copy = await _made(keep, disk, folder, wait_for_room)
        return await _mend(disk, folder, walk, torn, copy, opened)
    except BaseException:
        if opened is not None:
            opened.close()
        raise


async def _settle(disk: Disk, folder: Path) -> Head | None:
    """Make durable, or find lost, whatever a former process left in the caches. The head, opened, if there is one."""
    disk.make_folder(folder / FOLDER)
    await disk.sync_folder(folder)
    await disk.sync_folder(folder / FOLDER)
    segments = list_segments(disk, folder / FOLDER)
    if segments:
        file = disk.open(segments[-1].path, How.APPEND)
        try:
            await disk.fdatasync(file)
            disk.drop_cache(file)
        finally:
            disk.close(file)
    return await head.open_head(disk, folder) if head.NAME in disk.names(folder) else None


async def _mend(disk: Disk, folder: Path, walk: Walk, torn: Torn | None, copy: str, opened: Head) -> Recovered:
    """Cut what is torn and has been copied, bring the head up to the end, clear leftovers away."""
    end, segments, before = walk.end, walk.segments, opened.mark
    repaired = before.repaired if before is not None and before.seq == end.seq else None
    mark = Mark(VERSION, end.seq, end.h, repaired)
    if torn is not None:
        repaired = JournalRepaired(
            file=torn.segment.path.name, offset=torn.offset, cut_bytes=torn.bytes, copy=copy, last_seq=end.seq
        )
        mark = Mark(VERSION, end.seq, end.h, repaired)
    if mark != before or None in opened.slots:
        opened.write(mark)
        await opened.sync()
    if torn is not None and not await _cut(disk, folder, torn):
        segments = segments[:-1]
    _clear(disk, folder)
    return Recovered(segments, end, opened, repaired, walk.begun)


async def _made(make: Callable[[], Awaitable[T]], disk: Disk, folder: Path, wait_for_room: Wait | None) -> T:
    """What `make` makes, as soon as the disk has room for it."""
    waits = False
    while True:
        try:
            return await make()
        except OSError as error:
            if wait_for_room is None or error.errno not in FULL:
                raise
            if not waits:
                log.warning("the start waits for room on the disk of %s: %s", folder, error)
            waits = True
        _clear(disk, folder)  # what was begun takes room, too
        await wait_for_room()


def _trim(disk: Disk, segment: Segment) -> None:
    file = disk.open(segment.path, How.APPEND)
    try:
        disk.truncate(file, segment.size)
    finally:
        disk.close(file)


async def _keep(disk: Disk, folder: Path, torn: Torn, chunk: int) -> str:
    """Copy what will be cut beside its segment, durably; the copy's name."""
    taken = disk.names(folder)
    name = f"{torn.segment.path.name}{BROKEN}"
    number = 1
    while name in taken:
        number += 1
        name = f"{torn.segment.path.name}{BROKEN}.{number}"
    temporary = folder / f"{name}{TEMPORARY}"
    if temporary.name in taken:
        disk.unlink(temporary)
    await copy_bytes(disk, torn.segment.path, torn.offset, temporary, chunk)
    disk.rename(temporary, folder / name)
    await disk.sync_folder(folder)
    return name


async def _cut(disk: Disk, folder: Path, torn: Torn) -> bool:
    """Cut the torn bytes off; whether anything is left of their segment. One without a record is removed."""
    if torn.offset == 0:
        disk.unlink(torn.segment.path)
        await disk.sync_folder(folder / FOLDER)
        return False
    file = disk.open(torn.segment.path, How.APPEND)
    try:
        disk.truncate(file, torn.offset)
        await disk.fdatasync(file)
    finally:
        disk.close(file)
    torn.segment.size = torn.offset
    return True


def _clear(disk: Disk, folder: Path) -> None:
    """Remove files that were never given their name. They hold nothing that anyone was told."""
    for place in (folder / FOLDER, folder):
        for name in disk.names(place):
            if name.endswith(TEMPORARY) and (place != folder or name in (head.NAME + TEMPORARY, LINK + TEMPORARY)):
                disk.unlink(place / name)
