"""One client, from accept to close: what it may use, what it asked for, and what it has still to be sent."""

from __future__ import annotations

import inspect
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from itertools import islice
from time import perf_counter
from typing import Any, Final

import msgspec
import trio
from msgspec import Raw, Struct

from golemd.adapters.socket.readers import Readers
from golemd.api.faults import Fault, Internal, Invalid, Unavailable, from_wire, to_wire
from golemd.api.wire import Framer, Message, Request, WireError, WireLimits, encode_error, encode_response

log = logging.getLogger(__name__)

READ_BYTES: Final = 1 << 16
TURN: Final = 32  # messages of one connection before the others have their turn …
TURN_SECONDS: Final = 0.002  # … or so much time, if that is over sooner
SEND_PARTS: Final = 64  # pieces given to the kernel at once; it takes no more than 1024


class SocketLimits(Struct, frozen=True):
    """What clients may use. `in_flight`: calls and streams of one connection; `finish_seconds`: to send the rest of a
    message once begun, and to take what is left when a connection ends; `follower_bytes`, `reply_bytes`: unsent bytes
    of a connection above which its streams are told to end, and above which nothing more is read from it.
    """

    connections: int = 64
    in_flight: int = 32
    finish_seconds: float = 5.0
    follower_bytes: int = 1 << 20
    reply_bytes: int = 1 << 20
    wire: WireLimits = WireLimits()


class Caller(Struct, frozen=True):
    """Who is at the other end: None for a person, else the attempt id of the agent, or "unknown"."""

    pid: int
    uid: int
    agent: str | None = None


class Session:
    """One connection, as a handler sees it."""

    def __init__(self, caller: Caller, outbox: Outbox, follower_bytes: int) -> None:
        self.caller = caller
        self._outbox = outbox
        self._follower_bytes = follower_bytes

    def offer(self, data: bytes) -> bool:
        """Queue one encoded notification. False, and nothing queued, when the client reads too slowly or has gone:
        the stream is to say so with send_last(), and end.
        """
        outbox = self._outbox
        if outbox.gone or (outbox.queued and outbox.queued + len(data) > self._follower_bytes):
            return False
        self.send_last(data)
        return True

    def flush(self) -> None:
        """Send what was offered without waiting for more."""
        self._outbox.flush()

    def send_last(self, data: bytes) -> None:
        """Queue the one notification that ends a stream, whatever is queued already."""
        self._outbox.push(data)
        self._outbox.wake()


class Stream(Struct, frozen=True):
    """A handler's answer to a call that goes on: the reply, then `produce(session, msgid)` until it returns or the
    connection ends.
    """

    reply: Any
    produce: Callable[[Session, int], Awaitable[None]]


class Later:
    """A handler's answer that is still to come: whoever promised it gives it once, a reply or what is to be raised."""

    __slots__ = ("take",)

    def __init__(self) -> None:
        self.take: Callable[[object], None] = _drop

    def give(self, answer: object) -> None:
        self.take(answer)


def _drop(answer: object) -> None:
    """Nobody waits for the answer."""


# A reply, a Stream, a Later, or a coroutine of a reply or Stream; what it raises is the answer too.
Handler = Callable[[Any, Session], Any]
Decode = Callable[[str, Raw], Any]  # method and parameters → call, or raises a Fault


class Outbox:
    """The bytes that a connection has still to send. `gone`: the other side takes no more, and nothing is kept."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._parts: deque[bytes | memoryview] = deque()
        self._work = trio.lowlevel.ParkingLot()
        self._progress = trio.lowlevel.ParkingLot()
        self.queued = 0  # bytes
        self.gone = False

    def push(self, data: bytes) -> None:
        """Queue a message; flush() or wake() sends it."""
        if data and not self.gone:
            self._parts.append(data)
            self.queued += len(data)

    def wake(self) -> None:
        """Have run() send what is queued, soon; messages that come close together then go together."""
        self._work.unpark_all()

    def flush(self) -> None:
        """Send what the kernel takes at once and leave the rest to run()."""
        try:
            while self._parts:
                self._sent(self._sock.sendmsg(islice(self._parts, SEND_PARTS), (), socket.MSG_NOSIGNAL))
        except BlockingIOError:
            self.wake()
        except OSError:  # the other side has closed: nobody will read the rest
            self.gone = True
            self.queued = 0
            self._parts.clear()
            with suppress(OSError):  # the reader shall see the end too; it may have been reset already
                self._sock.shutdown(socket.SHUT_RDWR)
        if self._progress:
            self._progress.unpark_all()

    def _sent(self, count: int) -> None:
        self.queued -= count
        while count:
            part = self._parts.popleft()
            if count < len(part):
                self._parts.appendleft(memoryview(part)[count:])
                return
            count -= len(part)

    async def below(self, limit: int) -> None:
        """Wait until no more than `limit` bytes are queued."""
        self.flush()
        while self.queued > limit:
            await self._progress.park()

    async def run(self) -> None:
        """Send whatever is left over, whenever the other side takes it. Never returns."""
        while True:
            while not self._parts:
                await self._work.park()
            self.flush()
            if self._parts:
                await trio.lowlevel.wait_writable(self._sock)


class Connection:
    """One client, from accept to close."""

    def __init__(
        self,
        sock: socket.socket,
        caller: Caller,
        handler: Handler,
        decode: Decode,
        limits: SocketLimits,
        readers: Readers,
    ) -> None:
        self._sock = sock
        self._readers = readers
        self._ended = False  # the client sends no more
        self._handler, self._decode, self._limits = handler, decode, limits
        self._outbox = Outbox(sock)
        self._session = Session(caller, self._outbox, self._limits.follower_bytes)
        self._framer = Framer(self._limits.wire)
        self._begun_at: float | None = None  # when the message that is not yet whole began
        self._in_flight = 0
        self._owed = 0  # answers that are still to be given
        self._given = trio.lowlevel.ParkingLot()

    async def run(self) -> None:
        """Read, answer, and close the socket at the end."""
        try:
            async with trio.open_nursery() as sending:
                sending.start_soon(self._outbox.run)
                async with trio.open_nursery() as self._calls, trio.open_nursery() as self._streams:
                    await self._read()
                    self._streams.cancel_scope.cancel()
                while self._owed:
                    await self._given.park()
                with trio.move_on_after(self._limits.finish_seconds):
                    await self._outbox.below(0)
                sending.cancel_scope.cancel()
        finally:
            self._outbox.flush()  # the daemon stops: what was answered goes out as far as the kernel takes it
            self._sock.close()

    async def _read(self) -> None:
        try:
            while True:
                await self._readers.quick(self._sock, self._read_quickly)
                if self._ended or self._outbox.gone:
                    return
                await self._take_all()
                while self._begun_at is not None:
                    if not (data := await self._receive()):
                        return
                    self._framer.feed(data)
                    await self._take_all()
        except WireError as error:
            self._outbox.push(encode_error(error.msgid, error.fault))

    def _read_quickly(self) -> bool:
        """Deal with what has come; whether that is all that there is to do until more comes."""
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:  # reset by a client that left something unread
            data = b""
        if not data:
            self._ended = True
            return False
        try:
            self._framer.feed(data)
            begun = perf_counter()
            for _ in range(TURN):
                message = self._framer.next_message()
                if message is None:
                    self._outbox.flush()
                    return not self._framer.mid_message
                self._take(message)
                if self._outbox.queued > self._limits.reply_bytes or perf_counter() - begun > TURN_SECONDS:
                    return False
        except WireError:  # the framer says it again to who asks next
            return False
        return False

    async def _receive(self) -> bytes:
        """What has come, at least one byte; none when the connection has ended, or will for being slow."""
        while not self._outbox.gone:
            if self._begun_at is None:
                await trio.lowlevel.wait_readable(self._sock)
            elif not await self._readable_by(self._begun_at + self._limits.finish_seconds):
                self._outbox.push(encode_error(None, _slow_message(self._limits.finish_seconds)))
                return b""
            try:
                return self._sock.recv(READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:  # reset by a client that left something unread
                return b""
        return b""

    async def _readable_by(self, deadline: float) -> bool:
        with trio.CancelScope(deadline=deadline) as scope:
            await trio.lowlevel.wait_readable(self._sock)
        return not scope.cancelled_caught

    async def _take_all(self) -> None:
        """Deal with every message that is whole, and note since when one is not. Who has gone is owed nothing more."""
        taken = 0
        await self._outbox.below(self._limits.reply_bytes)
        begun = perf_counter()
        while not self._outbox.gone and (message := self._framer.next_message()) is not None:
            self._take(message)
            taken += 1
            if self._outbox.queued > self._limits.reply_bytes:
                await self._outbox.below(self._limits.reply_bytes)
            elif taken % TURN == 0 or perf_counter() - begun > TURN_SECONDS:
                self._outbox.flush()
                await trio.lowlevel.checkpoint()
                begun = perf_counter()
        self._outbox.flush()
        if not self._framer.mid_message:
            self._begun_at = None
        elif taken or self._begun_at is None:
            self._begun_at = trio.current_time()

    def _take(self, message: Message) -> None:
        if not isinstance(message, Request):
            self._outbox.push(encode_error(None, _not_a_request()))
        elif self._in_flight >= self._limits.in_flight:
            self._outbox.push(encode_error(message.msgid, _too_many_calls(self._limits.in_flight)))
        else:
            self._call(message)

    def _call(self, request: Request) -> None:
        try:
            answer = self._handler(self._decode(request.method, request.params), self._session)
        except Exception as error:
            self._outbox.push(encode_error(request.msgid, _fault_of(error)))
            return
        if isinstance(answer, Later):
            self._in_flight += 1
            self._owed += 1
            answer.take = partial(self._take_answer, request.msgid)
        elif inspect.iscoroutine(answer):
            self._in_flight += 1
            self._calls.start_soon(self._finish, request.msgid, answer)
        else:
            self._answer(request.msgid, answer)

    def _take_answer(self, msgid: int, answer: object) -> None:
        """What was promised for later has come."""
        self._in_flight -= 1
        self._owed -= 1
        if isinstance(answer, Exception):
            self._outbox.push(encode_error(msgid, _fault_of(answer)))
        else:
            self._answer(msgid, answer)
        self._outbox.flush()
        if self._given:
            self._given.unpark_all()

    async def _finish(self, msgid: int, answering: Awaitable[object]) -> None:
        try:
            answer = await answering
        except Exception as error:
            self._outbox.push(encode_error(msgid, _fault_of(error)))
        else:
            self._answer(msgid, answer)
        finally:
            self._in_flight -= 1
        self._outbox.flush()

    def _answer(self, msgid: int, answer: object) -> None:
        stream = answer if isinstance(answer, Stream) else None
        try:
            self._outbox.push(encode_response(msgid, stream.reply if stream else answer))
        except Exception as error:
            self._outbox.push(encode_error(msgid, _fault_of(error)))
            return
        if stream and not self._streams.cancel_scope.cancel_called:
            self._in_flight += 1
            self._streams.start_soon(self._produce, msgid, stream)

    async def _produce(self, msgid: int, stream: Stream) -> None:
        try:
            await stream.produce(self._session, msgid)
        except Exception as error:
            self._session.send_last(encode_error(None, _about_stream(_fault_of(error), msgid)))
        finally:
            self._in_flight -= 1


def _fault_of(error: Exception) -> Fault:
    """What the client is told of an exception. Only the log hears of a defect's particulars."""
    if isinstance(error, Fault):
        return error
    log.error("a call failed", exc_info=error)
    return Internal("internal", "the daemon failed at this call", "its log says why; please report it")


def _about_stream(fault: Fault, msgid: int) -> Fault:
    error = to_wire(fault)
    return from_wire(msgspec.structs.replace(error, data={**error.data, "follow": msgid}))


def _not_a_request() -> Invalid:
    return Invalid("not_a_request", "only requests are answered here", "send [0, msgid, method, [{…}]]")


def _too_many_calls(limit: int) -> Unavailable:
    return Unavailable(
        "too_many_calls", f"{limit} calls of this connection are in flight", "wait for an answer first", limit=limit
    )


def _slow_message(seconds: float) -> Invalid:
    return Invalid(
        "slow_message", f"a message was not finished within {seconds:g} s", "send each message whole", limit=seconds
    )
