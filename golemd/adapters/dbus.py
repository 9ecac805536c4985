"""Just enough D-Bus for asking a systemd manager over its private socket: connect, call, hear signals.

Rules. Blocking, with one deadline for the life of a connection, so it belongs into a thread. The peer is the manager
itself and no bus: nobody says Hello, and every signal comes unasked. Only the types that are used are known: a method's
arguments are built with `Writer`, an answer is taken apart with `Reader`.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple, Self

CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SIGNATURE = 1, 2, 3, 4, 5, 6, 8
MAX_MESSAGE_BYTES: Final = 1 << 24
RECEIVE_BYTES: Final = 1 << 16
AUTH_BYTES: Final = 512


class DBusError(OSError):
    """The peer refused a call, or what it says cannot be understood."""


class Writer:
    """Little-endian bytes of D-Bus values."""

    def __init__(self) -> None:
        self.data = bytearray()

    def align(self, size: int) -> None:
        """Fill up to a multiple of `size`."""
        self.data += bytes(-len(self.data) % size)

    def byte(self, value: int) -> None:
        self.data.append(value)

    def u32(self, value: int) -> None:
        self.align(4)
        self.data += struct.pack("<I", value)

    def u64(self, value: int) -> None:
        self.align(8)
        self.data += struct.pack("<Q", value)

    def boolean(self, value: bool) -> None:
        self.u32(int(value))

    def text(self, value: str) -> None:
        """A string or an object path."""
        raw = value.encode()
        self.u32(len(raw))
        self.data += raw + b"\0"

    def texts(self, *each: str) -> None:
        """An array of strings."""
        self.u32(0)
        at = len(self.data)
        for value in each:
            self.text(value)
        struct.pack_into("<I", self.data, at - 4, len(self.data) - at)

    def signature(self, value: str) -> None:
        raw = value.encode()
        self.data += bytes([len(raw)]) + raw + b"\0"

    def structs(self, *each: Callable[[], None]) -> None:
        """An array of structs; each is written by a function."""
        self.u32(0)
        at = len(self.data) - 4
        self.align(8)
        start = len(self.data)
        for write in each:
            self.align(8)
            write()
        struct.pack_into("<I", self.data, at, len(self.data) - start)


class Reader:
    """Takes D-Bus values of a little-endian message apart."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def align(self, size: int) -> None:
        self.at += -self.at % size

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def u32(self) -> int:
        self.align(4)
        (value,) = struct.unpack_from("<I", self.data, self.at)
        self.at += 4
        return int(value)

    def text(self) -> str:
        """A string or an object path."""
        return self._until(self.u32())

    def signature(self) -> str:
        return self._until(self.byte())

    def _until(self, size: int) -> str:
        raw = self.data[self.at : self.at + size]
        self.at += size + 1
        return raw.decode("utf-8", "replace")

    def ends_at(self) -> int:
        """Where the array of structs that begins here ends."""
        size = self.u32()
        self.align(8)
        return self.at + size


class Message(NamedTuple):
    """A message that came in. `fields` are those of its header that are texts or numbers."""

    kind: int
    fields: dict[int, str | int]
    body: bytes


class Connection:
    """A connection to a peer's socket; a context manager. All of it within `seconds`. Raises OSError."""

    def __init__(self, path: str, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._serial = 0
        self._buffer = b""
        self._heard: list[Message] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._set_timeout()
            self._socket.connect(path)
            self._authenticate()
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _set_timeout(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the manager did not answer in time")
        self._socket.settimeout(left)

    def _authenticate(self) -> None:
        """As who we are, which the kernel confirms to the peer.

        BEGIN goes out with the rest: systemd would not look at a call that arrives together with it.
        """
        who = str(os.geteuid()).encode().hex().encode()
        self._socket.sendall(b"\0AUTH EXTERNAL " + who + b"\r\nBEGIN\r\n")
        said = b""
        while not said.endswith(b"\r\n") and len(said) < AUTH_BYTES:
            said += self._receive()
        if not said.startswith(b"OK"):
            raise DBusError(f"the manager does not let us in: {said[:AUTH_BYTES]!r}")

    def _receive(self) -> bytes:
        self._set_timeout()
        data = self._socket.recv(RECEIVE_BYTES)
        if not data:
            raise DBusError("the manager closed the connection")
        return data

    def call(self, destination: str, path: str, interface: str, member: str, signature: str, body: Writer) -> Reader:
        """Call a method; what it returned. Raises DBusError with what the peer says, TimeoutError, OSError."""
        self._serial += 1
        self._set_timeout()
        self._socket.sendall(_call(self._serial, destination, path, interface, member, signature, bytes(body.data)))
        while True:
            message = self._take()
            if message.fields.get(REPLY_SERIAL) != self._serial:
                self._heard.append(message)  # a signal may come before the answer
                continue
            if message.kind == ERROR:
                text = Reader(message.body).text() if message.body else message.fields.get(ERROR_NAME, "")
                raise DBusError(f"{member}: {text}")
            return Reader(message.body)

    def next_signal(self, member: str) -> Reader:
        """The next signal of this name, from among those since the connection began. Raises TimeoutError, OSError."""
        while True:
            message = self._heard.pop(0) if self._heard else self._take()
            if message.kind == SIGNAL and message.fields.get(MEMBER) == member:
                return Reader(message.body)

    def _take(self) -> Message:
        while (size := _size(self._buffer)) > len(self._buffer):
            self._buffer += self._receive()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return _parsed(data)


def _call(serial: int, destination: str, path: str, interface: str, member: str, signature: str, body: bytes) -> bytes:
    head = Writer()
    head.data += struct.pack("<cBBBII", b"l", CALL, 0, 1, len(body), serial)
    texts = [(PATH, "o", path), (INTERFACE, "s", interface), (MEMBER, "s", member), (DESTINATION, "s", destination)]

    def field(code: int, kind: str, value: str) -> None:
        head.byte(code)
        head.signature(kind)
        (head.signature if kind == "g" else head.text)(value)

    fields = [*texts, *([(SIGNATURE, "g", signature)] if signature else [])]
    head.structs(*(lambda each=each: field(*each) for each in fields))
    head.align(8)
    return bytes(head.data) + body


HEAD_BYTES: Final = 16


def _size(data: bytes) -> int:
    """How long the message is that begins here, as far as can be told."""
    if len(data) < HEAD_BYTES:
        return HEAD_BYTES
    if data[:1] != b"l":
        raise DBusError("the manager speaks another byte order")
    body, _, fields = struct.unpack_from("<III", data, 4)
    size = HEAD_BYTES + fields + -fields % 8 + body
    if size > MAX_MESSAGE_BYTES:
        raise DBusError("the manager's message is too long")
    return int(size)


def _parsed(data: bytes) -> Message:
    reader = Reader(data)
    reader.at = 12
    end = reader.ends_at()
    readers: dict[str, Callable[[], str | int]] = {
        "s": reader.text,
        "o": reader.text,
        "g": reader.signature,
        "u": reader.u32,
    }
    fields: dict[int, str | int] = {}
    try:
        while reader.at < end:
            reader.align(8)
            code = reader.byte()
            fields[code] = readers[reader.signature()]()
    except (KeyError, struct.error, IndexError) as error:
        raise DBusError("the manager's message cannot be understood") from error
    return Message(data[1], fields, data[end + -end % 8 :])
