"""Bytes ↔ MessagePack-RPC messages, without a socket: the one framer of daemon and client.

    request       [0, msgid, method, [params]]        params is one map; [], [{}], [[]] and [nil] mean the empty map
    response      [1, msgid, error, result]           error is nil or a fault {code, class, message, hint, data}
    notification  [2, method, [payload]]              payload is one map, as params is

Rules:
* Nothing is built before its end has been found by the scanner, which reads each byte once, however the bytes are cut
  into pieces, recurses nowhere, and holds no more than one message of `WireLimits.message_bytes`. Only a short request
  of plain values, of which it is known what the scanner would find, is taken at once.
* A message that has passed is clean (see `scanner`). Of a key that occurs twice, the last counts.
* Whatever the bytes, only WireError comes out, and the framer is dead after it: in a damaged stream nobody can say
  where the next message begins.

The format: https://github.com/msgpack/msgpack/blob/master/spec.md and
https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from golemd.api.faults import Fault, WireFault, to_wire
from golemd.api.scanner import INTEGER_MAX as INTEGER_MAX
from golemd.api.scanner import MAP, TOKENS, Scanner, malformed
from golemd.api.scanner import WireLimits as WireLimits

MSGID_MAX: Final = 2**32 - 1
EMPTY_MAP: Final = Raw(b"\x80")
LOOKS: Final = 32  # how often, on average, a trusting framer looks at a byte before it leaves the rest to the scanner
PLAIN_BYTES: Final = 1 << 12  # a longer message is never looked at as a plain one
PLAIN_NESTING: Final = 4  # lists and maps in each other of a plain request: itself, its parameters, their map, a value

# What a client takes from its own daemon, whose answers may be as long as its backlog.
ANSWER_LIMITS: Final = WireLimits(message_bytes=1 << 28, nesting=128, elements=1 << 26)


class WireError(Exception):
    """Bytes that are no acceptable message. `msgid` is that of the request it would have been, where it was legible."""

    def __init__(self, fault: Fault, msgid: int | None = None) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.msgid = msgid


class Request(Struct, frozen=True):
    """A call that wants an answer. `params` is the encoding of a map."""

    msgid: int
    method: str
    params: Raw


class Response(Struct, frozen=True, array_like=True, tag=1, forbid_unknown_fields=True):
    """The answer to a request: `error` when it failed, else `result`, which may be any value."""

    msgid: Annotated[int, Meta(ge=0, le=MSGID_MAX)]
    error: WireFault | None
    result: Raw


class Notification(Struct, frozen=True):
    """News that want no answer. `payload` is the encoding of a map."""

    method: str
    payload: Raw


Message = Request | Response | Notification


class _RequestFrame(Struct, frozen=True, array_like=True, tag=0, forbid_unknown_fields=True):
    msgid: Annotated[int, Meta(ge=0, le=MSGID_MAX)]
    method: str
    params: list[Raw]


class _NotificationFrame(Struct, frozen=True, array_like=True, tag=2, forbid_unknown_fields=True):
    method: str
    payload: list[Raw]


# A plain request has no byte that begins what the scanner must judge (a float, an integer of 64 bits, an extension),
# and its parameters are a map of text to values that hold no more than lists or maps of such.
_HARMLESS: Final = bytes(
    set(range(256)) - {0xC1, 0xC7, 0xC8, 0xC9, 0xCA, 0xCB, 0xCF, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8}
)
_Leaf = None | bool | int | str
_check_plain: Final = msgspec.msgpack.Decoder(dict[str, _Leaf | list[_Leaf] | dict[str, _Leaf]]).decode


class Framer:
    """Takes bytes as they come, gives messages as they end.

    After feed(), ask next_message() until it answers None; so no more is held than one message and one piece.
    `trusting` is for the side that listens to its own daemon: a message that came whole is then taken as msgspec finds
    it, thirty times faster, and the values in it need not have been checked.
    """

    def __init__(self, limits: WireLimits | None = None, *, trusting: bool = False) -> None:
        self._limits = limits or WireLimits()
        self._scanner = Scanner(self._limits)
        self._buffer = bytearray()
        self._error: WireError | None = None
        self._trusting = trusting
        self._looked = 0  # bytes that looks at an unfinished message have cost
        shallow = self._limits.nesting < PLAIN_NESTING
        self._plain_bytes = 0 if shallow else min(PLAIN_BYTES, self._limits.message_bytes, self._limits.elements)

    @property
    def mid_message(self) -> bool:
        """Whether bytes of an unfinished message are held. To be asked when next_message() has answered None."""
        return bool(self._buffer)

    @property
    def held(self) -> int:
        """How many bytes are held that have not become a message yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take what was received. Faults: the WireError that ended this framer, if one did."""
        if self._error:
            raise self._error
        self._buffer += data

    def next_message(self) -> Message | None:
        """The next whole message; None when more bytes are needed. Faults: WireError, and again at every later call."""
        if self._error:
            raise self._error
        if not self._buffer:
            return None
        try:
            if self._trusting:
                return self._whole() if self._may_look() else self._scanned()
            return self._plain() or self._scanned()
        except Fault as fault:
            self._error = WireError(fault, _legible_msgid(self._buffer))
            self._buffer = bytearray()
            raise self._error from fault

    def _may_look(self) -> bool:
        size = len(self._buffer)
        return size <= self._limits.message_bytes and self._looked <= LOOKS * size

    def _scanned(self) -> Message | None:
        end = self._scanner.scan(self._buffer)
        if end is None:
            return None
        message = _build(bytes(self._buffer[:end]))
        del self._buffer[:end]
        self._looked = 0
        return message

    def _whole(self) -> Message | None:
        """What is held as one message, if it is one. Where it is more, or wrong, the scanner tells."""
        try:
            message = _shape(_frames.decode(self._buffer))  # not copied: what was found refers to it
        except (ValueError, RecursionError, Fault) as error:
            if not _is_truncation(error):
                return self._scanned()
            self._looked += len(self._buffer)
            return None
        self._take()
        return message

    def _plain(self) -> Request | None:
        """What is held, if it is one plain request. Every value in it takes a byte, so it cannot be too many."""
        if len(self._buffer) > self._plain_bytes:
            return None
        data = bytes(self._buffer)
        if data.translate(None, _HARMLESS):
            return None
        try:
            message = _shape(_frames.decode(data))
            if not isinstance(message, Request):
                return None
            _check_plain(message.params)
        except (ValueError, Fault):
            return None
        self._take()
        return message

    def _take(self) -> None:
        """All that is held was one message."""
        self._buffer = bytearray()
        self._scanner.begin()
        self._looked = 0


def _is_truncation(error: Exception) -> bool:
    # The wording is all that tells it from other faults. Were it to change, only the speed would suffer.
    return isinstance(error, msgspec.DecodeError) and "truncated" in str(error)


_frames: Final[msgspec.msgpack.Decoder[_RequestFrame | Response | _NotificationFrame]] = msgspec.msgpack.Decoder(
    _RequestFrame | Response | _NotificationFrame
)


def _build(data: bytes) -> Message:
    try:
        return _shape(_frames.decode(data))
    except msgspec.DecodeError as error:
        raise malformed(str(error)) from error


def _shape(frame: _RequestFrame | Response | _NotificationFrame) -> Message:
    if isinstance(frame, _RequestFrame):
        return Request(frame.msgid, frame.method, _only_map(frame.params))
    if isinstance(frame, _NotificationFrame):
        return Notification(frame.method, _only_map(frame.payload))
    return frame


def _only_map(values: list[Raw]) -> Raw:
    if not values:
        return EMPTY_MAP
    start = bytes(memoryview(values[0])[:6])  # no empty list is longer than five bytes
    if len(values) == 1 and TOKENS[start[0]][0] == MAP:
        return values[0]
    if len(values) == 1 and start in _NOTHING:
        return EMPTY_MAP
    raise malformed("its parameters are not one map")


_NOTHING: Final = frozenset({b"\xc0", b"\x90", b"\xdc\x00\x00", b"\xdd\x00\x00\x00\x00"})  # nil, and empty lists
_REQUEST_STARTS: Final = (b"\x94\x00", b"\xdc\x00\x04\x00", b"\xdd\x00\x00\x00\x04\x00")  # a list of four, then 0
_UNSIGNED: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}  # first byte → bytes of number


def _legible_msgid(data: bytearray) -> int | None:
    """The id of the request that `data` begins with, if it goes that far."""
    for start in _REQUEST_STARTS:
        if data.startswith(start) and len(data) > len(start):
            at = len(start) + 1
            first = data[at - 1]
            if first < 0x80:
                return first
            width = _UNSIGNED.get(first, 0)
            if width and len(data) >= at + width:
                msgid = int.from_bytes(data[at : at + width])
                return msgid if msgid <= MSGID_MAX else None
    return None


# --- messages → bytes ---
# Text with lone surrogates (file names that are not UTF-8 come so) is no fault: what cannot be written becomes U+FFFD.
# What raises is a defect of the caller: TypeError for a value of a type that msgspec cannot write, OverflowError for
# an integer of more than 64 bits, RecursionError for a value that contains itself. NaN, infinities and integers beyond
# ±2^53 are written, and refused by the framer on the other side. The result is not held against any limit.

_encode: Final = msgspec.msgpack.Encoder().encode


def encode_request(msgid: int, method: str, params: object) -> bytes:
    """A request; `params` is a Struct or a dict."""
    return _message((0, msgid, method, (params,)))


def encode_response(msgid: int, result: object) -> bytes:
    """The answer to a request that went well."""
    return _message((1, msgid, None, result))


def encode_notification(method: str, payload: object) -> bytes:
    """A notification; `payload` is a Struct or a dict."""
    return _message((2, method, (payload,)))


def encode_error(msgid: int | None, fault: Fault) -> bytes:
    """The answer to a request that failed; without a msgid, the notification `error`. Never raises.

    Data of a fault that cannot be written are left out.
    """
    error = to_wire(fault)
    try:
        return _error_message(msgid, error)
    except (TypeError, OverflowError, RecursionError):
        return _error_message(msgid, WireFault(error.code, error.class_, error.message, error.hint))


def _error_message(msgid: int | None, error: WireFault) -> bytes:
    return encode_notification("error", error) if msgid is None else _message((1, msgid, error, None))


def _message(values: tuple[object, ...]) -> bytes:
    try:
        return _encode(values)
    except UnicodeEncodeError:
        return _encode(_mended(msgspec.to_builtins(values, enc_hook=_open_raw, builtin_types=(bytes,))))


def _open_raw(value: object) -> object:
    if isinstance(value, Raw):
        return msgspec.msgpack.decode(value)
    raise TypeError(f"cannot write a {type(value).__name__}")


def _mended(value: Any) -> Any:  # noqa: ANN401 - any plain value, and the same back
    """The value with every lone surrogate in its text replaced."""
    match value:
        case str():
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        case dict():
            return {_mended(key): _mended(item) for key, item in value.items()}
        case list() | tuple():
            return [_mended(item) for item in value]
        case _:
            return value
