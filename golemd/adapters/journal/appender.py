"""The newest segment: appending to it, keeping space aside for it, and following it with the next one.

Rules. Every staged byte has its space set aside before it counts as staged, so a full disk shows here, where nothing is
promised yet, and not in the middle of a write. Below half of the reserve only essential records are let in. Any
other failure is the caller's to make final.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from golemd.adapters.disk import Disk, How
from golemd.adapters.journal.faults import NO_ROOM, disk_full
from golemd.adapters.journal.limits import Limits
from golemd.adapters.journal.segments import FOLDER, LINK, TEMPORARY, Segment, append_all


class Appender:
    """Owns the file that is written. `segments` are the published ones; `degraded`: the reserve cannot be renewed."""

    def __init__(self, disk: Disk, folder: Path, limits: Limits, segments: list[Segment]) -> None:
        self._disk = disk
        self._folder = folder
        self._limits = limits
        self._low = limits.reserve_bytes // 2
        self._segment: Segment | None = None
        self._file = -1
        self._published = False
        self._end = 0  # of the staged bytes, in the segment's file
        self._reserved = 0  # space is set aside up to here
        self.segments = segments
        self.degraded = False

    def secure(self, first: int, count: int, *, essential: bool = False) -> None:
        """Let `count` more bytes in, the first of them of record `first`. Faults: Unavailable `disk_full`, OSError."""
        if self._segment is None or self._end + count + self._low > self._reserved:
            try:
                self._renew(first, count)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                self.degraded = True
                if not essential or self._segment is None or self._end + count > self._reserved:
                    raise disk_full(self._disk.free_bytes(self._folder)) from error
        self._end += count

    async def write(self, first: int, lines: Sequence[bytes]) -> None:
        """Append the lines that were secured, those of record `first` and on, durably. Faults: OSError."""
        data = b"".join(lines)
        if self._published and self._size >= self._limits.segment_bytes:
            self._follow(first, len(data))
        segment = self._segment
        if segment is None:
            raise OSError("nothing was secured")
        append_all(self._disk, self._file, data)
        await self._disk.fdatasync(self._file, len(data))
        segment.grow(first, lines)
        if not self._published:
            await self._publish(segment)

    def recheck(self, first: int) -> bool:
        """Try to renew the reserve if that failed before; whether there is room. `first`: the next record. OSError."""
        if self.degraded:
            try:
                self._renew(first, 0)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
        return not self.degraded

    def close(self, *, trim: bool) -> None:
        """Close; with `trim` the reserve is given back, for when all that was secured is written."""
        if self._segment is None:
            return
        if not trim:
            self._disk.close(self._file)
        else:
            self._retire(self._file, self._segment.size)
            if not self._published:
                self._disk.unlink(_temporary(self._segment.path))
        self._segment = None

    @property
    def _size(self) -> int:
        return self._segment.size if self._segment is not None else 0

    def _renew(self, first: int, count: int) -> None:
        if self._segment is None:
            self._begin(first, count)
        else:
            self._reserved = self._set_aside(self._file, self._end, count + self._limits.reserve_bytes)
        self.degraded = False

    def _set_aside(self, file: int, offset: int, count: int) -> int:
        """Reserve, or where the file system cannot, look whether there is room; up to where."""
        if not self._disk.reserve(file, offset, count) and self._disk.free_bytes(self._folder) < count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return offset + count

    def _begin(self, first: int, count: int) -> None:
        """Make the next segment under its temporary name; nothing is changed when there is no room for it."""
        number = self.segments[-1].number + 1 if self.segments else 1
        segment = Segment(self._folder / FOLDER, number, first)
        temporary = _temporary(segment.path)
        file = self._disk.open(temporary, How.CREATE)
        try:
            reserved = self._set_aside(file, 0, count + self._limits.reserve_bytes)
        except OSError:
            self._disk.close(file)
            self._disk.unlink(temporary)
            raise
        self._segment, self._file, self._published = segment, file, False
        self._end, self._reserved = 0, reserved

    def _follow(self, first: int, count: int) -> None:
        """Start the next segment; without room for it the old one just grows on, inside its reserve."""
        old, size = self._file, self._size
        try:
            self._begin(first, count)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            return
        self.degraded = False
        self._end = count
        self._retire(old, size)

    def _retire(self, file: int, size: int) -> None:
        with suppress(OSError):  # only space is at stake
            self._disk.truncate(file, size)
        self._disk.close(file)

    async def _publish(self, segment: Segment) -> None:
        """Give the segment its name, durably, and point the link at it."""
        self._disk.rename(_temporary(segment.path), segment.path)
        await self._disk.sync_folder(segment.path.parent)
        self._published = True
        self.segments.append(segment)
        temporary = self._folder / f"{LINK}{TEMPORARY}"
        try:
            if temporary.name in self._disk.names(self._folder):
                self._disk.unlink(temporary)
            self._disk.symlink(f"{FOLDER}/{segment.path.name}", temporary)
            self._disk.rename(temporary, self._folder / LINK)
        except OSError as error:  # the link is for people; the next segment makes it anew
            if error.errno not in NO_ROOM:
                raise


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}{TEMPORARY}")
