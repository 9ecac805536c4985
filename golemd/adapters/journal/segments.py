"""Segments: the files `journal/<number>-<first seq>.jsonl`, both in 16 hex digits, numbered from 1 without gaps.

A segment is made with its first batch in it: temporary name, write, sync, rename, sync of the folder. So under its own
name it is never empty, and a command never spans two of them. What else lies in the folder is left alone.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

from golemd.adapters.disk import Disk, How
from golemd.adapters.journal.limits import LINE_CEILING

FOLDER: Final = "journal"
LINK: Final = "journal.jsonl"
TEMPORARY: Final = ".tmp"
BROKEN: Final = ".broken"
INDEX_MASK: Final = 0xFF  # every 256th record has its offset in the index …
INDEX_BYTES: Final = 128 * 1024  # … and, where records are long, one after so many bytes
_NAME: Final = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.jsonl", re.ASCII)


class Segment:
    """One file of the journal: its place in the order, its durable size in bytes, and a sparse index of its records."""

    __slots__ = ("_offsets", "_seqs", "first", "number", "path", "size")

    def __init__(self, folder: Path, number: int, first: int) -> None:
        self.path = folder / segment_name(number, first)
        self.number = number
        self.first = first
        self.size = 0
        self._seqs = array("Q", [first])
        self._offsets = array("Q", [0])

    def index(self, seq: int, offset: int) -> None:
        """Record `seq` begins at byte `offset`. In ascending order."""
        self._seqs.append(seq)
        self._offsets.append(offset)

    def index_if_far(self, seq: int, offset: int) -> None:
        """Record `seq`, the first of a batch or chunk, begins at byte `offset`: index it, if the last one is far."""
        if offset - self._offsets[-1] >= INDEX_BYTES and seq & INDEX_MASK:
            self.index(seq, offset)

    def grow(self, first: int, lines: Sequence[bytes]) -> None:
        """These lines, of record `first` and on, are now at the end of the file."""
        self.index_if_far(first, self.size)
        offsets = list(accumulate(map(len, lines), initial=self.size))
        for seq in range(first + (-first & INDEX_MASK), first + len(lines), INDEX_MASK + 1):
            self.index(seq, offsets[seq - first])
        self.size = offsets[-1]

    def index_bytes(self) -> tuple[bytes, bytes]:
        """All indexed records and their offsets, 8 bytes each, for `take_index`."""
        return self._seqs.tobytes(), self._offsets.tobytes()

    def take_index(self, seqs: bytes, offsets: bytes) -> None:
        """Have the index that `index_bytes` gave. Raises ValueError for bytes that are none."""
        self._seqs, self._offsets = array("Q", seqs), array("Q", offsets)
        if not len(self._seqs) == len(self._offsets) > 0:
            raise ValueError("an index of as many records as offsets is needed")

    def nearest(self, seq: int) -> tuple[int, int]:
        """An indexed record at or before `seq`: its seq and byte offset."""
        at = bisect_right(self._seqs, seq) - 1
        return self._seqs[at], self._offsets[at]


def segment_name(number: int, first: int) -> str:
    return f"{number:016x}-{first:016x}.jsonl"


def list_segments(disk: Disk, folder: Path) -> list[Segment]:
    """The segments of a journal folder by number; two files may claim the same one."""
    found = [match for match in map(_NAME.fullmatch, disk.names(folder)) if match]
    return [Segment(folder, int(match[1], 16), int(match[2], 16)) for match in found]


class Lines:
    """A part of a file as whole lines without their line feeds, one chunk at a time, in bounded memory.

    After each list, `start` is the byte offset of its first line, `offset` that of the byte after its last line feed.
    When the iteration is over, `rest` holds what follows the last line feed; more than LINE_CEILING bytes end it too.
    """

    def __init__(self, disk: Disk, file: int, offset: int, end: int, chunk: int) -> None:
        self._disk = disk
        self._file = file
        self._end = end
        self._chunk = chunk
        self.start = offset
        self.offset = offset
        self.rest = b""

    def __iter__(self) -> Iterator[list[bytes]]:
        at = self.offset
        while at < self._end and len(self.rest) <= LINE_CEILING:
            data = self._disk.read(self._file, min(self._chunk, self._end - at), at)
            if not data:
                break
            at += len(data)
            lines = (self.rest + data).split(b"\n")
            self.rest = lines.pop()
            if lines:
                self.start = self.offset
                self.offset = at - len(self.rest)
                yield lines


class Reading:
    """A file open for reading, for a `with`."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._path = path
        self._file = -1

    def __enter__(self) -> int:
        self._file = self._disk.open(self._path, How.READ)
        return self._file

    def __exit__(self, *error: object) -> None:
        self._disk.close(self._file)


def length(lines: list[bytes]) -> int:
    """Bytes that lines take in the file."""
    return sum(map(len, lines)) + len(lines)


async def copy_bytes(disk: Disk, source: Path, offset: int, target: Path, chunk: int) -> int:
    """Copy a file from `offset` on into a new file, durably but for its folder; the bytes copied."""
    copied = 0
    with Reading(disk, source) as old:
        new = disk.open(target, How.CREATE)
        try:
            while data := disk.read(old, chunk, offset + copied):
                append_all(disk, new, data)
                copied += len(data)
            await disk.fdatasync(new)
        finally:
            disk.close(new)
    return copied


def append_all(disk: Disk, file: int, data: bytes) -> None:
    """Append all bytes, however many a single write takes."""
    view = memoryview(data)
    while view:
        taken = disk.append(file, view)
        if taken <= 0:
            raise OSError("a write took no bytes")
        view = view[taken:]
