"""Hostile clients of a real daemon, many at a time: noise, dawdling, floods, followers that do not read, half-closed
and vanishing connections. Meanwhile a well-behaved client must have every answer, and soon.

At the end the daemon has let go of everything: no descriptor and no memory is left behind, it said nothing about a
defect, and it ends in good order.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from golemctl.client import Client
from golemd.api import calls
from golemd.api.faults import Invalid
from golemd.api.wire import ANSWER_LIMITS, Framer, Message, Notification, Response, WireError, encode_request
from tests.faults.proof import Tally
from tests.faults.rig import Daemon, Rig, rig
from tests.faults.wire.inputs import streams

AT_ONCE: Final = 6
CONNECTIONS: Final = 16
SIEGE: Final = 500  # cases of one daemon: its journal grows by a megabyte with each, and noise may ask for all of it
FLOOD: Final = 30  # connections of one client
FINISH_SECONDS: Final = 0.3
ANSWER_SECONDS: Final = 10.0  # on a busy machine
FOLLOWED_SECONDS: Final = 5.0  # by one client: changes come as fast as they are followed
QUIET_SECONDS: Final = 30.0  # until every connection has ended
EDIT_BYTES: Final = 60_000  # of an edit: followers that do not read are soon behind
GROWN_KIB: Final = 96 << 10
CONFIGURATION: Final = f"[limits]\nconnections = {CONNECTIONS}\nfinish_seconds = {FINISH_SECONDS}\n"
PING: Final = encode_request(7, "ping", calls.Ping())
ADD: Final = calls.ItemAdd(title="an item")
FOLLOW: Final = encode_request(1, "events.follow", calls.EventsFollow(since=1))
DESCRIBE: Final = encode_request(2, "describe", calls.Describe())
MUST_BE_MET: Final = (
    *("noise", "dawdling", "flood", "follower that does not read", "half-closed", "vanished", "many questions"),
    *("told: too_many_connections", "told: malformed", "told: slow_message", "told: lagged", "answers to the good one"),
)


@contextlib.contextmanager
def connected(place: Rig) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(ANSWER_SECONDS)
        _connect(sock, str(place.socket))
        yield sock


def _connect(sock: socket.socket, path: str) -> None:
    """Connect; while the daemon's backlog is full, Linux says EAGAIN instead of waiting."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            return sock.connect(path)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            select.select([], [], [], 0.005)


class Hostile(threading.Thread):
    """One hostile client after the other, until the siege is over: its last case is the number `until`."""

    def __init__(self, place: Rig, tally: Tally, lock: threading.Lock, seed: int, until: int) -> None:
        super().__init__(daemon=True)
        self._place = place
        self._tally = tally
        self._lock = lock
        self._until = until
        self._dice = random.Random(seed)
        self._inputs = streams(seed)
        self._ways: dict[str, Callable[[], None]] = {
            "noise": self._noise,
            "dawdling": self._dawdle,
            "flood": self._flood,
            "follower that does not read": self._follow,
            "half-closed": self._half_close,
            "vanished": self._vanish,
            "many questions": self._ask_much,
        }

    def run(self) -> None:
        while self._goes_on():
            name = self._dice.choice(list(self._ways))
            try:
                self._ways[name]()
            except (OSError, WireError, AssertionError) as error:
                if not isinstance(error, ConnectionError):  # a daemon that closes is right
                    self._expect(False, f"{name}: {error!r}")
            self._meet(name)

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._tally.goes_on or self._tally.cases >= self._until:
                return False
            self._tally.cases += 1
            return True

    def _meet(self, what: str) -> None:
        with self._lock:
            self._tally.meet(what)

    def _expect(self, holds: bool, what: str) -> None:
        with self._lock, contextlib.suppress(BaseException):
            self._tally.expect(holds, what)

    # --- the ways

    def _noise(self) -> None:
        with connected(self._place) as sock:
            noise = b"".join(islice(self._inputs, self._dice.randint(1, 30)))
            sock.sendall(noise.replace(b"shutdown", b"shutdow?"))  # which would be obeyed
            sock.shutdown(socket.SHUT_WR)
            self._listen(sock)

    def _dawdle(self) -> None:
        with connected(self._place) as sock:
            for number in range(len(PING) - 1):
                sock.sendall(PING[number : number + 1])
                if select.select([sock], [], [], FINISH_SECONDS / 6)[0]:
                    break
            self._listen(sock)

    def _flood(self) -> None:
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(connected(self._place)) for _ in range(FLOOD)]
            for sock in socks:
                with contextlib.suppress(ConnectionError):
                    sock.sendall(PING)
            for sock in socks:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    self._listen(sock)

    def _follow(self) -> None:
        """Follow everything, and read only when the daemon has had enough of waiting; not for ever, if it keeps up."""
        until = time.monotonic() + FOLLOWED_SECONDS
        with connected(self._place) as sock:
            sock.sendall(FOLLOW)
            select.select([], [], [], self._dice.uniform(0, 1.0))
            framer, said = Framer(ANSWER_LIMITS, trusting=True), list[Message]()
            while "lagged" not in self._codes(said) and select.select([sock], [], [], 0.2)[0]:
                if time.monotonic() > until or not (data := sock.recv(1 << 16)):
                    break
                framer.feed(data)
                while (message := framer.next_message()) is not None:
                    said = [*said[-1:], message]
            if "lagged" in self._codes(said):
                self._meet("told: lagged")

    def _half_close(self) -> None:
        """Everything that was asked before the half-close is answered after it, be it by a refusal."""
        count = self._dice.randint(1, 60)
        with connected(self._place) as sock:
            sock.sendall(PING * count)
            sock.shutdown(socket.SHUT_WR)
            said = self._listen(sock)
        answers = sum(isinstance(each, Response) for each in said)
        refused = "too_many_connections" in self._codes(said)
        self._expect(answers == count or refused, f"{answers} of {count} were answered: {said[-1:]}")

    def _vanish(self) -> None:
        beginning = self._dice.choice((b"", PING[:5], PING * 300, FOLLOW, DESCRIBE * 40, FOLLOW * 40))
        with connected(self._place) as sock:
            sock.sendall(beginning)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _ask_much(self) -> None:
        """Ask as much as goes in and read nothing; then vanish."""
        with connected(self._place) as sock:
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(4000):
                    sock.send(DESCRIBE * 16)
            select.select([], [], [], 0.05)

    # --- what the daemon says

    def _listen(self, sock: socket.socket) -> list[Message]:
        """Everything until the daemon closes; it must be whole messages."""
        framer = Framer(ANSWER_LIMITS, trusting=True)
        said: list[Message] = []
        try:
            while data := sock.recv(1 << 16):
                framer.feed(data)
                while (message := framer.next_message()) is not None:
                    said.append(message)
            assert not framer.mid_message, "the daemon has closed within a message"
        finally:
            for code in self._codes(said):
                self._meet(f"told: {code}")
        return said

    def _codes(self, said: list[Message]) -> set[str]:
        """The codes of its errors, and the methods of its notifications."""
        errors = {each.error.code for each in said if isinstance(each, Response) and each.error}
        news = [each for each in said if isinstance(each, Notification)]
        told = {msgspec.msgpack.decode(each.payload)["code"] for each in news if each.method == "error"}
        return errors | told | {each.method for each in news}


class Good(threading.Thread):
    """The well-behaved client: asks, changes, and notes how long each answer took."""

    def __init__(self, client: Client, tally: Tally) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._tally = tally
        self.over = threading.Event()
        self.slowest = 0.0
        self.answers = 0
        self.failure = ""

    def run(self) -> None:
        try:
            item = self._ask(ADD).id
            while not self.over.is_set():
                self._ask(calls.Ping())
                try:
                    self._ask(calls.ItemEdit(id=item, description=f"{self.answers}" * (EDIT_BYTES // 6)))
                except Invalid as refusal:
                    if refusal.code != "item_ended":  # noise may be a valid word, and has cancelled it
                        raise
                    item = self._ask(ADD).id
        except Exception as error:
            self.failure = repr(error)

    def _ask(self, call: calls.Call[Any]) -> Any:
        begun = time.monotonic()
        reply = self._client.call(call)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        self.answers += 1
        return reply


def prove(tally: Tally) -> None:
    """Hostile clients beside a good one, until the budget is used up; now and then of another daemon."""
    seed = tally.budget.seed * 100
    while tally.goes_on and not tally.violated:
        with rig(CONFIGURATION) as place:
            daemon = place.start()
            place.init()
            with place.client(ANSWER_SECONDS) as client:
                _besiege(place, daemon, client, tally, seed)
            status = daemon.kill(signal.SIGTERM)
            tally.expect(status == 0, f"the daemon ended with {status}: {daemon.said[-2000:]}")
            for word in ("Traceback", " ERROR "):
                tally.expect(word not in daemon.said, f"the daemon said: {daemon.said[-2000:]}")
        seed += AT_ONCE
    tally.must_have_met(MUST_BE_MET)


def _besiege(place: Rig, daemon: Daemon, client: Client, tally: Tally, seed: int) -> None:
    client.call(calls.Ping())  # it is in before the others are
    descriptors, memory = _descriptors(daemon.pid), _memory_kib(daemon.pid)
    good, lock = Good(client, tally), threading.Lock()
    good.start()
    until = tally.cases + SIEGE
    crowd = [Hostile(place, tally, lock, seed + number, until) for number in range(AT_ONCE)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    good.over.set()
    good.join()
    tally.meet("answers to the good one", good.answers)
    tally.expect(not good.failure, f"the good client failed after {good.answers} answers: {good.failure}")
    tally.expect(good.slowest < ANSWER_SECONDS, f"an answer to the good client took {good.slowest:.1f} s")
    deadline = time.monotonic() + QUIET_SECONDS
    while _descriptors(daemon.pid) > descriptors and time.monotonic() < deadline:
        select.select([], [], [], 0.1)
    tally.expect(
        _descriptors(daemon.pid) <= descriptors, f"{_descriptors(daemon.pid)} descriptors, {descriptors} before"
    )
    grown = _memory_kib(daemon.pid) - memory
    tally.expect(grown < GROWN_KIB, f"the daemon has grown by {grown} KiB")


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _memory_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])
