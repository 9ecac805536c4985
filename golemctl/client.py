"""The daemon, from a client's side: a blocking Unix socket that speaks `golemd.api.wire`. No event loop.

Rules. A refusal of the daemon comes out as the Fault that it raised. When no answer came at all, DaemonUnreachable is
raised, and its message says whether anything can have changed. Every change carries a token, so that repeating it has
no second effect; a connection that breaks before the answer is tried once more with the same token.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from golemd.api import wire
from golemd.api.calls import Call, Change, reply_type
from golemd.api.faults import Internal, Unavailable, WireFault, from_wire
from golemd.api.views import FollowStarted

CLIENT_NAME: Final = "golemctl"
CALL_SECONDS: Final = 60.0
"""How long an answer is waited for, unless --timeout says otherwise."""
BACKLOG_SECONDS: Final = 2.0
"""How long a daemon that has more connections waiting than it can take is tried again."""
BACKLOG_PAUSE_SECONDS: Final = 0.02
TRACED: Final = 300
"""So many characters of what is asked are shown to whoever traces it."""
RECEIVE_BYTES: Final = 1 << 16
PAUSE_SECONDS: Final = 0.002
"""When nothing has come for so long, what is there of a long message may be all of it."""
SUN_PATH_BYTES: Final = 107
"""The longest socket path that fits into a socket address."""

R = TypeVar("R")


class DaemonUnreachable(Unavailable):
    """No answer came: nobody listens, the connection broke, or nothing was said in time."""


class Disconnected(Exception):
    """The connection ended while something was expected on it."""


class Notice(Struct, frozen=True):
    """A notification of a follow: `event`, `log`, `lagged` or `ended`, with what it says."""

    method: str
    data: dict[str, Any]


class Connection:
    """One socket with its framer. Deadlines are monotonic seconds; None waits for as long as it takes."""

    def __init__(self, path: Path, deadline: float) -> None:
        self._socket = _connect(path, deadline)
        self._framer = wire.Framer(wire.ANSWER_LIMITS, trusting=True)
        self.msgid = 0
        """Of the newest request."""

    def send(self, call: Call[Any], deadline: float | None) -> None:
        """Send a request. Raises Disconnected, TimeoutError."""
        self.msgid += 1
        self._set_deadline(deadline)
        try:
            self._socket.sendall(wire.encode_request(self.msgid, call.METHOD, call))
        except ConnectionError as error:
            raise Disconnected from error

    def receive(self, deadline: float | None) -> wire.Message:
        """The next message. Raises Disconnected, TimeoutError, wire.WireError."""
        while (message := self._framer.next_message()) is None:
            enough = 2 * self._framer.held
            self._set_deadline(deadline)
            if not self._take():
                raise Disconnected
            # A long message is looked at again when there is twice as much of it, or when nothing more comes.
            while RECEIVE_BYTES < self._framer.held < enough and self._more_comes() and self._take():
                pass
        return message

    def _take(self) -> bool:
        """Take what comes next. False: the connection has ended. Raises TimeoutError."""
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except ConnectionError:
            return False
        self._framer.feed(data)
        return bool(data)

    def _more_comes(self) -> bool:
        return bool(select.select([self], [], [], PAUSE_SECONDS)[0])

    def fileno(self) -> int:
        """Of its socket, to wait for."""
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def _set_deadline(self, deadline: float | None) -> None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


class Following:
    """A follow under way, on a connection of its own. `started` is what the daemon answered first."""

    def __init__(self, connection: Connection, started: FollowStarted) -> None:
        self._connection = connection
        self.started = started

    def take(self, seconds: float | None = None) -> Notice | None:
        """The next notification; None when `seconds` have passed without one. Raises Disconnected, or a Fault."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            try:
                message = self._connection.receive(deadline)
            except TimeoutError:
                return None
            except wire.WireError as error:
                raise Disconnected from error
            if not isinstance(message, wire.Notification):
                continue
            _raise_if_error(message)
            data = msgspec.msgpack.decode(message.payload, type=dict[str, Any])
            if data.get("follow") == self._connection.msgid:
                return Notice(message.method, data)

    def close(self) -> None:
        self._connection.close()


class Client:
    """Asks the daemon that listens at `path`.

    `start_hint` is how a person starts one there; `trace` is told in short what is asked and answered.
    """

    def __init__(
        self,
        path: Path,
        *,
        timeout: float | None = None,
        start_hint: str = "",
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self._timeout = timeout
        self._start_hint = start_hint or "Start it in another terminal: golemd"
        self._trace = trace
        self._connection: Connection | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(self, call: Call[R], *, seconds: float = CALL_SECONDS) -> R:
        """The reply to a call. `seconds`: how long it may take when no --timeout was given.

        Raises the daemon's own Fault, or DaemonUnreachable.
        """
        call = signed(call)
        seconds = self._timeout or seconds
        deadline = time.monotonic() + seconds
        try:
            return self._ask_twice(call, deadline)
        except TimeoutError as error:
            self.close()
            raise _no_answer(
                "daemon_silent", f"golemd did not answer {call.METHOD} within {seconds:g} s.", call
            ) from error
        except Disconnected as error:
            self.close()
            message = f"The connection to golemd broke before it answered {call.METHOD}."
            raise _no_answer("connection_lost", message, call) from error

    def follow(self, call: Call[FollowStarted]) -> Following:
        """Start a follow on a connection of its own. Raises like call()."""
        own = Client(self.path, timeout=self._timeout, start_hint=self._start_hint, trace=self._trace)
        try:
            started = own.call(call)
        except BaseException:
            own.close()
            raise
        assert own._connection is not None  # the call was answered on it
        return Following(own._connection, started)

    def _ask_twice(self, call: Call[R], deadline: float) -> R:
        try:
            return self._ask(call, deadline)
        except Disconnected:
            self.close()
        try:
            return self._ask(call, deadline)
        except DaemonUnreachable as error:  # it heard the first time, so it may have acted
            raise Disconnected from error

    def _ask(self, call: Call[R], deadline: float) -> R:
        if self._connection is None:
            self._connection = self._connected(deadline)
        connection, begun = self._connection, time.monotonic()
        if self._trace is not None:
            self._tell(f"> {call.METHOD} {_as_sent(call)}")
        with contextlib.suppress(Disconnected):  # what it said before it closed is read first
            connection.send(call, deadline)
        while True:
            try:
                message = connection.receive(deadline)
            except wire.WireError as error:
                raise self._unreachable("What listens there does not speak golemd's protocol") from error
            if isinstance(message, wire.Notification):
                _raise_if_error(message)
            elif isinstance(message, wire.Response) and message.msgid == connection.msgid:
                said = f"{len(message.result)} bytes" if message.error is None else message.error.code
                self._tell(f"< {call.METHOD} {said} in {(time.monotonic() - begun) * 1e3:.1f} ms")
                return _reply(call, message)

    def _tell(self, line: str) -> None:
        if self._trace is not None:
            self._trace(line if len(line) <= TRACED else line[: TRACED - 1] + "…")

    def _connected(self, deadline: float) -> Connection:
        self._tell(f"  connecting to {self.path}")
        try:
            return Connection(self.path, min(deadline, time.monotonic() + BACKLOG_SECONDS))
        except FileNotFoundError as error:
            raise self._unreachable("golemd is not running (no socket)") from error
        except ConnectionRefusedError as error:
            raise self._unreachable("golemd is not running (nobody listens)") from error
        except OSError as error:
            raise self._unreachable(f"The daemon cannot be reached ({os.strerror(error.errno or 0)})") from error

    def _unreachable(self, what: str) -> DaemonUnreachable:
        # "(no socket)" + path reads "(no socket at PATH)".
        message = f"{what[:-1]} at {self.path})." if what.endswith(")") else f"{what}: {self.path}."
        return DaemonUnreachable("daemon_unreachable", message, self._start_hint, socket=str(self.path))


def signed(call: Call[R]) -> Call[R]:
    """The call with a token and the client's name, where it is a change that has none yet."""
    if not isinstance(call, Change):
        return call
    token = call.token or os.urandom(16).hex()
    signed_call: Call[R] = msgspec.structs.replace(call, token=token, client=call.client or CLIENT_NAME)
    return signed_call


def _as_sent(call: Call[Any]) -> str:
    """What a call asks, as JSON: as the daemon gets it, since text that is not UTF-8 is mended on the way."""
    *_, (params,) = msgspec.msgpack.decode(wire.encode_request(0, call.METHOD, call))
    return msgspec.json.encode(params).decode()


def _reply(call: Call[R], response: wire.Response) -> R:
    if response.error is not None:
        raise from_wire(response.error)
    try:
        reply: R = msgspec.msgpack.decode(response.result, type=reply_type(type(call)))
    except msgspec.ValidationError as error:
        message = f"The answer to {call.METHOD} is not understood: {error}."
        hint = "golemctl and golemd may be of different releases: golemctl version"
        raise Internal("answer_not_understood", message, hint) from error
    return reply


def _raise_if_error(message: wire.Notification) -> None:
    """The daemon ends a connection with the notification `error`: too many connections, bytes it cannot read."""
    if message.method == "error":
        raise from_wire(msgspec.msgpack.decode(message.payload, type=WireFault))


def _no_answer(code: str, message: str, call: Call[Any]) -> DaemonUnreachable:
    if not isinstance(call, Change):
        return DaemonUnreachable(code, message, "Nothing was changed; ask again.")
    hint = f"It is unknown whether it took effect. Repeating the same command with --token {call.token} is safe."
    return DaemonUnreachable(code, message, hint, token=call.token)


# --- the socket --------------------------------------------------------------------------------------------------


def _connect(path: Path, deadline: float) -> socket.socket:
    """A connected socket. A path too long for an address is reached through its open folder."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        if len(os.fsencode(path)) <= SUN_PATH_BYTES:
            _connect_patiently(sock, str(path), deadline)
            return sock
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _connect_patiently(sock, f"/proc/self/fd/{folder}/{path.name}", deadline)
        finally:
            os.close(folder)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect_patiently(sock: socket.socket, address: str, deadline: float) -> None:
    """Connect; while the daemon's backlog is full (EAGAIN, which no descriptor announces the end of), try again."""
    sock.setblocking(False)
    while True:
        try:
            return sock.connect(address)
        except OSError as error:
            if error.errno != errno.EAGAIN or time.monotonic() > deadline:
                raise
        time.sleep(BACKLOG_PAUSE_SECONDS)
