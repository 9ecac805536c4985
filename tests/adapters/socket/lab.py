"""A served socket and clients of it, in one process over real Unix sockets."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio

from golemd.adapters.socket import Handler, Session, SocketLimits, Stream, connect_address, serve
from golemd.api.faults import Invalid, NotFound
from golemd.api.wire import Framer, Notification, Response, encode_notification, encode_request

PATIENCE = 20.0  # seconds; a test that waits longer has failed


class Call(msgspec.Struct):
    """What `decode` makes of a request here."""

    method: str
    params: dict[str, Any]


def decode(method: str, params: msgspec.Raw) -> Call:
    if method == "unknown":
        raise Invalid("unknown_method", "there is no such method")
    return Call(method, msgspec.msgpack.decode(params, type=dict[str, Any]))


class Client:
    """One connection, and the messages that come over it."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._framer = Framer()
        self._msgid = 0

    async def send(self, method: str, **params: object) -> int:
        self._msgid += 1
        await self.stream.send_all(encode_request(self._msgid, method, params))
        return self._msgid

    async def read(self) -> Response | Notification | None:
        """The next message; None at the end of the connection."""
        with trio.fail_after(PATIENCE):
            while (message := self._framer.next_message()) is None:
                try:
                    data = await self.stream.receive_some(1 << 16)
                except trio.BrokenResourceError:
                    return None
                if not data:
                    return None
                self._framer.feed(data)
        assert isinstance(message, Response | Notification)
        return message

    async def response(self) -> tuple[int, Any]:
        """Id and result of the next message, which is an answer; of an error, the code instead of the result."""
        message = await self.read()
        assert isinstance(message, Response), message
        return message.msgid, message.error.code if message.error else msgspec.msgpack.decode(message.result)

    async def news(self) -> tuple[str, Any]:
        """Method and payload of the next message, which is a notification."""
        message = await self.read()
        assert isinstance(message, Notification), message
        return message.method, msgspec.msgpack.decode(message.payload)

    async def error(self) -> str:
        """The code of the next message, which is the notification of an error."""
        method, payload = await self.news()
        assert method == "error"
        return str(payload["code"])

    async def call(self, method: str, **params: object) -> Any:
        msgid = await self.send(method, **params)
        answered, result = await self.response()
        assert answered == msgid
        return result

    async def aclose(self) -> None:
        await self.stream.aclose()


class Lab:
    """Serves `handle` until the test's nursery is cancelled. What methods do: see `handle`."""

    def __init__(self, folder: Path, nursery: trio.Nursery) -> None:
        self.path = folder / "run" / "golemd.sock"
        self.nursery = nursery
        self.scope = trio.CancelScope()
        self.stopped = trio.Event()
        self.release = trio.Event()  # lets every call of `wait` go on
        self.released = trio.Event()  # the first of them has
        self.produced: list[str] = []
        self.calls: list[tuple[Session, Call]] = []
        self.agent: str | None = None
        self.clients: list[Client] = []

    async def start(self, limits: SocketLimits | None = None, handler: Handler | None = None) -> Lab:
        await self.nursery.start(partial(self._run, limits or SocketLimits(), handler or self.handle))
        return self

    async def _run(self, limits: SocketLimits, handler: Handler, task_status: trio.TaskStatus[Path]) -> None:
        with self.scope:
            await serve(
                self.path,
                handler,
                decode=decode,
                classify=self.classify,
                limits=limits,
                task_status=task_status,
            )
        self.stopped.set()

    def classify(self, pid: int) -> str | None:
        return self.agent

    async def connect(self) -> Client:
        with connect_address(self.path) as address:
            stream = await trio.open_unix_socket(address)
        return self.adopt(stream)

    def adopt(self, stream: trio.SocketStream) -> Client:
        """A client over a connection that is there already; closed at the end of the test."""
        client = Client(stream)
        self.clients.append(client)
        return client

    def connect_raw(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        with connect_address(self.path) as address:
            sock.connect(address)
        return sock

    def handle(self, call: Call, session: Session) -> Any:
        self.calls.append((session, call))
        match call.method:
            case "echo":
                return call.params
            case "large":
                return "x" * call.params["bytes"]
            case "who":
                return session.caller
            case "wait" | "wait_then_fail" | "wait_then_follow":
                return self.wait(call, session)
            case "missing":
                raise NotFound("no_such_item", "WRK-9 is not there", "look at status", id="WRK-9")
            case "defect":
                raise ZeroDivisionError("the secret of the house")
            case "unwritable":
                return object()
            case _:
                return Stream({"following": call.params}, self.follower(call))

    async def wait(self, call: Call, session: Session) -> Any:
        await self.release.wait()
        self.released.set()
        if call.method == "wait_then_fail":
            raise ZeroDivisionError("the secret of the house")
        if call.method == "wait_then_follow":
            return Stream("late", self.follower(call))
        return call.params

    def follower(self, call: Call) -> Callable[[Session, int], Awaitable[None]]:
        async def produce(session: Session, msgid: int) -> None:
            self.produced.append(call.method)
            try:
                await self.produce(call, session, msgid)
            finally:
                self.produced.append("end of " + call.method)

        return produce

    async def produce(self, call: Call, session: Session, msgid: int) -> None:
        if call.method == "follow_missing":
            raise NotFound("no_such_item", "WRK-9 is not there")
        if call.method == "follow_defect":
            raise ZeroDivisionError("the secret of the house")
        for number in range(call.params.get("count", 0)):
            record = {"follow": msgid, "n": number, "text": "x" * call.params.get("bytes", 0)}
            if not session.offer(encode_notification("event", record)):
                session.send_last(encode_notification("lagged", {"follow": msgid, "resume_seq": number}))
                return
            await trio.lowlevel.checkpoint()
        if call.method == "follow":
            await trio.sleep_forever()
