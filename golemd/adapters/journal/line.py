"""One record, one line: bytes ↔ Record, without a file.

A line is UTF-8 JSON with the keys v seq d ts type project item cause more body data prev h, in this order; `project`,
`item`, `cause`, `more` and `body` are left out when empty. It ends in `,"h":"<32 hex digits>"}`: the BLAKE2b-128 of all
bytes before that. So a reader checks raw bytes and no canonical JSON is needed. The line feed is not part of the line.

Rules. What is encoded is decoded again before it counts, and the decoded record is the one handed out: whoever folds
a new record folds exactly what a replay will give. Lines are split at b"\\n" only, never with str.splitlines.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, Literal, Union

import msgspec
from msgspec import Struct

from golemd.api.events import EVENTS, Event, Record
from golemd.api.faults import Invalid

VERSION: Final = 1
ZERO_HASH: Final = "0" * 32
HASH_BYTES: Final = 16
SEAL_BYTES: Final = len(',"h":""}') + 2 * HASH_BYTES


class BadLine(Exception):
    """These bytes are not a whole, unchanged line. `sealed`: the hash is right, so a writer did write them so."""

    def __init__(self, what: str, *, sealed: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.sealed = sealed


class FutureRecord(Exception):
    """The hash is right, but the version or the type is unknown here: a newer golemd wrote it."""

    def __init__(self, seq: int, what: str) -> None:
        super().__init__(what)
        self.seq = seq
        self.what = what


class _Body(Struct, frozen=True, omit_defaults=True):
    """What the hash covers, in the order of the keys."""

    v: int
    seq: int
    d: int
    ts: str
    type: str
    # Required keys before and after the optional ones: defaults everywhere, and these are always given.
    project: str = ""
    item: str = ""
    cause: str = ""
    more: bool = False
    body: str = ""
    data: Event | None = None
    prev: str = ""


class _Envelope(Struct, frozen=True):
    """The part of a line that every version has."""

    v: int
    seq: int
    type: str


def _shape(event: type[Event]) -> type[Record]:
    """Record for one event: its `type` is a tag, so that one decoder reads all lines in one pass."""
    return msgspec.defstruct(  # type: ignore[return-value]  # typed as Struct; `bases` makes it a Record
        "Record",
        [("v", Literal[1], 1), ("type", str, event.TYPE), ("data", event)],
        bases=(Record,),
        frozen=True,
        kw_only=True,
        omit_defaults=True,
        tag_field="type",
        tag=event.TYPE,
        rename={"type": "~type"},  # the tag takes the key; the attribute keeps its name
    )


_EMPTY: Final = blake2b(digest_size=HASH_BYTES)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Union[tuple(_shape(event) for event in EVENTS.values())]).decode  # noqa: UP007 - built at run time
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_value = msgspec.json.Decoder().decode


def seal(body: bytes) -> bytes:
    """A JSON object without its closing brace → the whole object, sealed with its hash."""
    digest = _EMPTY.copy()
    digest.update(body)
    return body + b',"h":"%b"}' % digest.hexdigest().encode()


def is_sealed(line: bytes) -> bool:
    """Whether the line ends in the hash of what comes before it."""
    return line[-SEAL_BYTES:] == seal(line[:-SEAL_BYTES])[-SEAL_BYTES:] and len(line) > SEAL_BYTES


def encode(
    event: Event,
    *,
    seq: int,
    d: int,
    ts: str,
    project: str = "",
    item: str = "",
    cause: str = "",
    more: bool = False,
    body: str = "",
    prev: str,
    limit: int,
) -> tuple[bytes, Record]:
    """The line (with its line feed) of an event, and the record that every reader will see.

    `limit` is in bytes, line feed included. Faults: Invalid `cannot_record`.
    """
    try:
        plain = _encode(_Body(VERSION, seq, d, ts, event.TYPE, project, item, cause, more, body, event, prev))
        line = seal(plain[:-1])
        record: Record = _decode(line)
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _cannot_record(event, str(error)) from error
    if record.data != event:  # NaN becomes null, a list a tuple: a replay would see something else
        raise _cannot_record(event, "its values do not survive being written as JSON")
    if len(line) >= limit:
        raise _cannot_record(event, f"it takes {len(line) + 1} bytes, and {limit} are allowed")
    return line + b"\n", record


def _cannot_record(event: Event, why: str) -> Invalid:
    return Invalid(
        "cannot_record",
        f"{event.TYPE or type(event).__name__} cannot be recorded: {why}",
        "Nothing was changed. Shorten the text, or take out what is not plain Unicode text.",
        type=event.TYPE,
    )


def decode(line: bytes) -> Record:
    """The record of a line, its hash checked. Faults: BadLine, FutureRecord."""
    if not is_sealed(line):
        raise BadLine("the line's hash does not fit its bytes")
    try:
        record: Record = _decode(line)
        return record
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _undecodable(line, error) from error


def _undecodable(line: bytes, error: Exception) -> BadLine | FutureRecord:
    """Why a sealed line cannot be read."""
    try:
        envelope = _decode_envelope(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return BadLine(f"the line is sealed, but not a record: {error}", sealed=True)
    if envelope.v > VERSION:
        return FutureRecord(envelope.seq, f"record version {envelope.v}")
    if envelope.type not in EVENTS:
        return FutureRecord(envelope.seq, f"event type {envelope.type!r}")
    return BadLine(f"the line is sealed, but not a valid {envelope.type}: {error}", sealed=True)


class Chain:
    """The place in the journal that a reader has reached, and the rules that lead to the next line.

    `seq`, `h`, `d`, `ts` are those of the last good record. A line follows when it is sealed, its `seq` is the next,
    its `prev` is our `h`, and its `d` is at least ours and below its own `seq`.
    """

    __slots__ = ("d", "h", "seq", "ts")

    def __init__(self, seq: int = 0, h: str = ZERO_HASH, d: int = 0, ts: str = "") -> None:
        self.seq = seq
        self.h = h
        self.d = d
        self.ts = ts

    def follow(self, lines: list[bytes]) -> list[Record]:
        """The records of the longest good beginning of `lines`; fewer records than lines mean a bad line."""
        seq, h, d = self.seq, self.h, self.d
        records: list[Record] = []
        add = records.append
        decode_line, fresh_hash = _decode, _EMPTY.copy  # locals: this loop is most of a replay's time
        for line in lines:
            try:
                record: Record = decode_line(line)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                break
            seq += 1
            digest = fresh_hash()
            digest.update(line[:-SEAL_BYTES])
            # The seal itself is not compared: only it is JSON of so many bytes that ends in this `h`.
            if record.h != digest.hexdigest() or record.prev != h or record.seq != seq or not d <= record.d < seq:
                break
            h, d = record.h, record.d
            add(record)
        if records:
            last = records[-1]
            self.seq, self.h, self.d, self.ts = last.seq, last.h, last.d, last.ts
        return records

    def objection(self, line: bytes) -> BadLine:
        """Why the line does not follow. Faults: FutureRecord."""
        try:
            record = decode(line)
        except BadLine as bad:
            return bad
        if record.seq != self.seq + 1:
            return BadLine(f"record {record.seq} stands where {self.seq + 1} belongs")
        if record.prev != self.h:
            return BadLine(f"record {record.seq} does not continue the chain of record {self.seq}")
        return BadLine(f"record {record.seq} names {record.d} as durable, after {self.d}", sealed=True)


def durable_claim(line: bytes) -> int:
    """The `d` of any line that is whole in itself, wherever it stands; 0 for all others."""
    try:
        return decode(line).d
    except (BadLine, FutureRecord):
        return 0


def value_of(line: bytes) -> dict[str, object] | None:
    """A sealed line as a plain map; None when it is not one."""
    if not is_sealed(line):
        return None
    try:
        value = _decode_value(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
