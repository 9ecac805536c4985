"""Snapshots: the state after some record, in files, so that a start need not read what came before.

`snapshots/<seq>.msgpack`, the number in 16 hex digits, is one MessagePack array: a Header, and the state as whoever
folds made it. The header says which record the state follows, where that record lies, and which segments came before,
with their sizes and the sparse index of their records; its digest is over everything else in the file.

Rules. A snapshot is never needed and never trusted for what the journal says otherwise: it is used when its digest is
right, its record is in the journal where it says, with the same hash, and every segment before has the size that it
names. One that is damaged, foreign, from another release, or newer than the journal is passed over with a line in the
log, and an older one, or the journal from its first record on, is read instead. A snapshot that cannot be written is no
loss either. Only a journal whose first records were pruned cannot be read without one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from golemd.adapters.disk import Disk
from golemd.adapters.journal.line import HASH_BYTES, BadLine, FutureRecord, decode
from golemd.adapters.journal.segments import Reading, Segment
from golemd.api.events import Record

log = logging.getLogger(__name__)

FOLDER: Final = "snapshots"
FORMAT: Final = 1
PIECE_BYTES: Final = 256 * 1024  # read or written at once
_NAME: Final = re.compile(r"([0-9a-f]{16})\.msgpack", re.ASCII)


class Extent(Struct, frozen=True, array_like=True):
    """A segment as it was: its number, first record, size in bytes, and the index of its records, 8 bytes each."""

    number: int
    first: int
    size: int
    seqs: bytes
    offsets: bytes


class Header(Struct, frozen=True, kw_only=True):
    """What a state follows: record `seq` with its `h`, `d` and `ts`, in the last of `segments` from byte `start` on.

    `fold`: what stands for the code that made the state. `first`: the record with which the journal may begin: 1, until
    what is before it has been pruned.
    """

    format: int = FORMAT
    fold: str
    seq: int
    h: str
    d: int
    ts: str
    first: int
    start: int
    segments: tuple[Extent, ...]
    digest: str = ""


class Codec(Struct, frozen=True):
    """How snapshots are read. `fold`: what stands for the code that folds now; `restore` takes a state's bytes.

    `restore` raises ValueError for bytes that it cannot read, and then nothing has changed.
    """

    fold: str
    restore: Callable[[memoryview], None]


class Start(Struct, frozen=True):
    """Where the reading of a journal begins: behind the record of a snapshot."""

    header: Header
    segments: list[Segment]
    position: int  # in `segments`
    offset: int  # in that segment, of the first byte that is to be read


class Unusable(Exception):
    """A snapshot that is passed over, and why."""


_encode = msgspec.msgpack.Encoder().encode
_decode_file = msgspec.msgpack.Decoder(tuple[Header, msgspec.Raw]).decode


def extent_of(segment: Segment) -> Extent:
    return Extent(segment.number, segment.first, segment.size, *segment.index_bytes())


def names(disk: Disk, folder: Path) -> list[str]:
    """The names of all snapshots of a state folder, the oldest first."""
    return [name for name in disk.names(folder / FOLDER) if _NAME.fullmatch(name)]


def name_of(seq: int) -> str:
    return f"{seq:016x}.msgpack"


def seq_of(name: str) -> int:
    return int(name[:16], 16)


# --- reading -----------------------------------------------------------------------------------------------------


def load(disk: Disk, path: Path) -> tuple[Header, memoryview]:
    """A snapshot that is as it was written. Faults: Unusable, OSError."""
    with Reading(disk, path) as file:
        data = disk.read(file, disk.size(file), 0)
    try:
        header, state = _decode_file(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unusable(f"it is no snapshot: {error}") from error
    if header.format != FORMAT:
        raise Unusable(f"its format is {header.format}, and this golemd reads {FORMAT}")
    if header.digest != _digest(header, state):
        raise Unusable("its digest does not fit its bytes")
    if header.seq != seq_of(path.name):
        raise Unusable(f"it is of record {header.seq}")
    return header, memoryview(state)


def find(disk: Disk, folder: Path, segments: list[Segment], codec: Codec) -> Start | None:
    """Restore the newest snapshot that fits the journal; None when there is none, and the journal is as it was.

    A journal without its first records begins, failing that, with the oldest one that another release made.
    """
    found = names(disk, folder)
    is_pruned = bool(segments) and segments[0].first > 1
    for name in reversed(found):
        if (start := _try(disk, folder / FOLDER / name, segments, codec)) is not None:
            return start
    for name in found if is_pruned else ():
        if (start := _try(disk, folder / FOLDER / name, segments, codec, any_fold=True)) is not None:
            log.warning("%s was made by another release of golemd; the journal's first records are gone", name)
            return start
    return None


def begin(disk: Disk, folder: Path, segments: list[Segment]) -> Start | None:
    """Where a reading of all that is left of a journal begins; None: at record 1, or nowhere."""
    codec = Codec("", lambda state: None)
    for name in names(disk, folder) if segments and segments[0].first > 1 else ():
        if (start := _try(disk, folder / FOLDER / name, segments, codec, any_fold=True)) is not None:
            return start
    return None


def _try(disk: Disk, path: Path, segments: list[Segment], codec: Codec, *, any_fold: bool = False) -> Start | None:
    try:
        header, state = load(disk, path)
        if header.fold != codec.fold and not any_fold:
            raise Unusable("another release of golemd made it")
        start = _fit(disk, header, segments)
        codec.restore(state)
    except (Unusable, ValueError, OSError) as error:
        log.warning("%s/%s is passed over: %s", FOLDER, path.name, error)
        return None
    log.info("going on from the snapshot of record %d", header.seq)
    return start


def _fit(disk: Disk, header: Header, segments: list[Segment]) -> Start:
    """Where to read on after a snapshot that fits what lies in the journal. Faults: Unusable, OSError."""
    last = header.segments[-1]
    if segments and segments[0].number == last.number + 1:
        record, _ = _line_at(disk, segments[0], 0)
        if (record.seq, record.prev) != (header.seq + 1, header.h):
            raise Unusable(f"the journal goes on from another record {header.seq}")
        return Start(header, segments, 0, 0)
    position = next((at for at, segment in enumerate(segments) if segment.number == last.number), None)
    if position is None:
        raise Unusable(f"there is no segment {last.number}")
    known = {extent.number: extent for extent in header.segments}
    for before in segments[: position + 1]:
        _learn(disk, before, known.get(before.number), is_last=before.number == last.number)
    if [each.number for each in segments[: position + 1]] != list(range(segments[0].number, last.number + 1)):
        raise Unusable("a segment is missing")
    record, end = _line_at(disk, segments[position], header.start)
    if (record.seq, record.h) != (header.seq, header.h):
        raise Unusable(f"record {header.seq} of the journal is another one")
    return Start(header, segments, position, end)


def _learn(disk: Disk, segment: Segment, extent: Extent | None, *, is_last: bool) -> None:
    """Take over what a snapshot knows of a segment, which was not read since, if it has the same size."""
    if extent is None or extent.first != segment.first:
        raise Unusable(f"it does not know {segment.path.name}")
    with Reading(disk, segment.path) as file:
        size = disk.size(file)
    if size < extent.size or (size > extent.size and not is_last):
        raise Unusable(f"{segment.path.name} has {size} bytes, and had {extent.size}")
    segment.size = size
    segment.take_index(extent.seqs, extent.offsets)


def _line_at(disk: Disk, segment: Segment, offset: int) -> tuple[Record, int]:
    """The record whose line begins at a byte of a segment, and the byte after it. Faults: Unusable, OSError."""
    line = b""
    with Reading(disk, segment.path) as file:
        while b"\n" not in line:
            piece = disk.read(file, PIECE_BYTES, offset + len(line))
            if not piece:
                raise Unusable(f"its record is not in {segment.path.name}")
            line += piece
    line = line[: line.index(b"\n")]
    try:
        return decode(line), offset + len(line) + 1
    except (BadLine, FutureRecord) as bad:
        raise Unusable(f"{segment.path.name}, byte {offset}: {bad}") from bad


# --- bytes -------------------------------------------------------------------------------------------------------


class Sheaf:
    """The bytes of a snapshot's file, while its state is added piece by piece."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._digest = blake2b(_encode(replace(header, digest="")), digest_size=HASH_BYTES)
        self._state: list[bytes] = []

    def add(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._state.append(piece)

    def pieces(self) -> list[bytes]:
        """The file's bytes in pieces."""
        return [b"\x92", _encode(replace(self._header, digest=self._digest.hexdigest())), *self._state]


def file_of(header: Header, state: Iterable[bytes]) -> list[bytes]:
    """A snapshot's bytes in pieces."""
    sheaf = Sheaf(header)
    for piece in state:
        sheaf.add(piece)
    return sheaf.pieces()


def _digest(header: Header, state: msgspec.Raw) -> str:
    found = blake2b(_encode(replace(header, digest="")), digest_size=HASH_BYTES)
    found.update(state)
    return found.hexdigest()
