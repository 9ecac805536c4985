"""For `golemd --check` and `golemd --repair SEQ`: a journal that no daemon is using (its lock is held by the caller).

`repair` is the only way past damage. It keeps a copy first, cuts from the end backwards, and makes the new head last:
until then the old head asks for what was durable, so an interrupted repair does not start silently; repeat it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from golemd.adapters.disk import Disk, How
from golemd.adapters.journal import head
from golemd.adapters.journal.faults import failure
from golemd.adapters.journal.head import Mark
from golemd.adapters.journal.limits import Limits
from golemd.adapters.journal.line import VERSION
from golemd.adapters.journal.segments import FOLDER, TEMPORARY, Reading, Segment, copy_bytes, list_segments
from golemd.adapters.journal.snapshots import begin
from golemd.adapters.journal.walk import Torn, Walk, judge, marks_of
from golemd.api.events import JournalRepaired
from golemd.api.faults import Invalid

KEPT: Final = "journal-before-repair-"


class Report(Struct, frozen=True):
    """A sound journal: its last whole command, the digest of all, and the unconfirmed end that a start would cut."""

    records: int
    segments: int
    digest: str
    torn: Torn | None = None
    first: int = 1  # the record with which it begins


def check(folder: Path, disk: Disk, limits: Limits = Limits()) -> Report:  # noqa: B008 - frozen
    """Read a state folder's journal, changing nothing. Faults: JournalDamaged, JournalNewer, JournalFailed."""
    try:
        slots = head.look(disk, folder)
        start = begin(disk, folder, list_segments(disk, folder / FOLDER))
        walk = Walk(disk, folder, limits.chunk_bytes, marks=marks_of(slots), start=start).run()
    except OSError as error:
        raise failure(error) from error
    torn = judge(walk, slots)
    return Report(walk.end.seq - walk.first + 1, len(walk.segments), walk.end.h, torn, walk.first)


async def repair(folder: Path, seq: int, disk: Disk, limits: Limits = Limits()) -> Path:  # noqa: B008 - frozen
    """Copy journal and head aside and cut everything after record `seq`, the end of a command (0: everything).

    Returns the copy's folder. The next start finds what was cut in `Journal.repaired_tail`.
    Faults: Invalid `not_a_command_end`, JournalFailed.
    """
    try:
        disk.make_folder(folder / FOLDER)
        start = begin(disk, folder, list_segments(disk, folder / FOLDER))
        walk = Walk(disk, folder, limits.chunk_bytes, until=seq, start=start).run()
        if walk.fault is not None and walk.first > walk.end.seq + 1 and seq:
            raise walk.fault  # nothing can be read, so there is nothing to cut after
        if walk.end.seq != seq or 0 < seq < walk.first:
            raise _not_an_end(seq, walk)
        kept = await _keep(disk, folder, walk.segments, limits.chunk_bytes)
        repaired = await _cut(disk, folder, walk, kept.name)
        await head.create_head(disk, folder, Mark(VERSION, seq, walk.end.h, repaired))
    except OSError as error:
        raise failure(error) from error
    return kept


def _not_an_end(seq: int, walk: Walk) -> Invalid:
    near = [str(end) for end in (walk.end.seq, walk.next_end) if end is not None and not 0 < end < walk.first]
    return Invalid(
        "not_a_command_end",
        f"record {seq} is not the end of a command in the good part of the journal",
        f"Nothing was changed. The nearest: {' or '.join(near)}.",
        nearest=near,
    )


async def _keep(disk: Disk, folder: Path, segments: list[Segment], chunk: int) -> Path:
    """Copy segments and head into a folder of their own, durably."""
    taken = disk.names(folder)
    number = 1
    while {f"{KEPT}{number}", f"{KEPT}{number}{TEMPORARY}"} & set(taken):
        number += 1
    kept = folder / f"{KEPT}{number}"
    temporary = folder / f"{KEPT}{number}{TEMPORARY}"
    disk.make_folder(temporary)
    disk.make_folder(temporary / FOLDER)
    for segment in segments:
        await copy_bytes(disk, segment.path, 0, temporary / FOLDER / segment.path.name, chunk)
    if head.NAME in taken:
        await copy_bytes(disk, folder / head.NAME, 0, temporary / head.NAME, chunk)
    await disk.sync_folder(temporary / FOLDER)
    await disk.sync_folder(temporary)
    disk.rename(temporary, kept)
    await disk.sync_folder(folder)
    return kept


async def _cut(disk: Disk, folder: Path, walk: Walk, copy: str) -> JournalRepaired:
    """Remove everything after the walk's end, the newest first."""
    end = walk.end
    stays = walk.segments.index(end.segment) + 1 if end.segment is not None else 0
    removed = 0
    for segment in reversed(walk.segments[stays:]):
        with Reading(disk, segment.path) as file:
            removed += disk.size(file)
        disk.unlink(segment.path)
    await disk.sync_folder(folder / FOLDER)
    if end.segment is not None:
        file = disk.open(end.segment.path, How.APPEND)
        try:
            removed += disk.size(file) - end.offset
            disk.truncate(file, end.offset)
            await disk.fdatasync(file)
        finally:
            disk.close(file)
    first = end.segment if end.segment is not None else walk.segments[0] if walk.segments else None
    name = first.path.name if first is not None else ""
    return JournalRepaired(file=name, offset=end.offset, cut_bytes=removed, copy=copy, last_seq=end.seq)
