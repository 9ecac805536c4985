"""Calls over the socket: durable changes, reads, and how long one client waits while others change things."""

from __future__ import annotations

import http.client
import os
import socket
import time
import xmlrpc.client
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, Final

from golemd.api import calls
from golemd.api.wire import encode_request
from tests.bench import load
from tests.bench.contest import Contest, Row, Turn
from tests.bench.journal import slower
from tests.bench.place import Place, said
from tests.bench.writers import RECORD_BYTES
from tests.path.house import House

CONNECTIONS: Final = 256  # more than there are clients
_UNIQUE: Final = "0" * 32
_PING: Final = encode_request(1, "ping", {})


def durable(place: Place) -> Contest:
    """Changes over the socket, each durable before it is answered, from many clients.

    golemd: `item.edit` of the client's own item with a token of its own, as golemctl sends it: decoded and checked,
    decided, staged, folded, durable, answered with the whole item. redis: `XADD` of 300 bytes, `appendfsync always`.
    Fair: the same load generator and number of clients, each with one request under way; the same Unix socket, file
    system and slower flush; both share flushes between clients. The generator's own limit is in `generator`; golemd
    does more for each request (types, identity of the caller, idempotency, a model that is answered), which is its
    work.
    """
    clients = place.size.clients
    servers = [(flush, _golemd(place, flush, clients), place.redis(place.slow(flush))) for flush in place.size.flushes]
    turns = [turn for flush, house, redis in servers for turn in _durable_turns(place, flush, house, redis)]
    rows = [
        Row(f"durable RPC, {clients} clients{slower(f)}, redis XADD", "/s", f"golemd{f}", 0.3, 0.6, peer=f"redis{f}")
        for f in place.size.flushes
    ]
    return Contest(turns, rows)


def ping_beside_changes(place: Place) -> Contest:
    """How long a `ping` takes, 99 of 100 times, while many clients change things as fast as they can.

    golemd: one client, a process of its own, pings one time after the other; the changes are those of `durable`. With
    flushes as they are and with slow ones, for an answer that needs no flush must not wait for one. No peer: the
    bound is what a person at a terminal does not notice, and what other programs may rely on.
    """
    clients = place.size.clients
    houses = [
        (flush, _golemd(place, flush, clients)) for flush in sorted({place.size.flushes[0], place.size.flushes[-1]})
    ]
    turns = [partial(_ping_turn, place, house, flush) for flush, house in houses]
    rows = [
        Row(f"ping p99, {clients} clients changing{slower(flush)}", "ms", f"p99 {flush}", 1.0, 0.3, less=True)
        for flush, _ in houses
    ]
    return Contest(turns, rows)


def reading(place: Place) -> Contest:
    """Reads over the socket from many clients: of the server itself, and of one thing that it manages.

    golemd: `ping`, and `item.why` of an item. supervisord: XML-RPC over its Unix socket, on connections that are kept:
    `getState`, and `getProcessInfo` of a program. Fair: the same load generator and number of clients; each asks its
    peer in that one's own protocol for what is nearest to the other's question.
    """
    clients = place.size.clients
    house = _golemd(place, 0, clients)
    supervisor = place.supervisor().socket
    ours = {"ping": dict[str, str](), "item.why": {"id": "WRK-1"}}
    theirs = {"getState": tuple[str, ...](), "getProcessInfo": ("idle:0",)}
    turns: list[Turn] = []
    for (method, params), (xml, texts) in zip(ours.items(), theirs.items(), strict=True):
        asked, called = encode_request(1, method, params), load.xml_request(f"supervisor.{xml}", *texts)
        turns.append(partial(_constant, place, method, house.socket, asked, load.golemd_answered))
        turns.append(partial(_constant, place, xml, supervisor, called, load.supervisor_answered))
    rows = [
        Row(f"read RPC, {clients} clients, {method} ↔ supervisord {xml}", "/s", method, 3.0, 10.0, peer=xml)
        for method, xml in zip(ours, theirs, strict=True)
    ]
    return Contest(turns, rows)


def one_client(place: Place) -> Contest:
    """How long one Python client waits for one answer after the other, half of the time.

    golemd: golemctl's own client and `ping`. supervisord: Python's xmlrpc client over its Unix socket, on a
    connection that is kept, and `getState`. Fair: both are the libraries that a program would use, both block, both
    ask for little.
    """
    house = _golemd(place, 0, 1)
    transport = _UnixTransport(place.supervisor().socket)
    place.at_end(transport.close)
    state = xmlrpc.client.ServerProxy("http://localhost", transport=transport).supervisor.getState
    turns = [
        lambda: {"golemd": _median_us(lambda: house.call(calls.Ping()), place.size.calls)},
        lambda: {"supervisord": _median_us(state, place.size.calls)},
    ]
    work = "one Python client, p50, supervisord XML-RPC"
    return Contest(turns, [Row(work, "µs", "golemd", 0.4, 0.2, peer="supervisord", less=True)])


def generator(place: Place) -> Contest:
    """What the load generator itself can do, from a server that only sends back what it was sent.

    Beside it, what it gets from redis and from golemd in `durable`: a server near to the first figure is held back by
    the generator, and would be faster with another one.
    """
    clients = place.size.clients
    house, redis = _golemd(place, 0, clients), place.redis()
    turns: list[Turn] = [
        partial(_constant, place, "echo", place.echo(), _PING, bool),
        *_durable_turns(place, 0, house, redis),
    ]
    work = "share of what the load generator can do"
    rows = [
        Row(f"golemd durable RPC, {work}", "/s", "golemd0", peer="echo"),
        Row(f"redis XADD always, {work}", "/s", "redis0", peer="echo"),
    ]
    return Contest(turns, rows)


def _golemd(place: Place, flush: int, clients: int) -> House:
    """A golemd with an item for each client and nothing dispatched."""
    house = place.house(place.slow(flush), limits={"connections": CONNECTIONS})
    project = house.project()
    for _ in range(clients):
        project.add()
    return house


def _durable_turns(place: Place, flush: int, house: House, redis: Path) -> list[Turn]:
    words = (b"XADD", b"records", b"*", b"record", b"x" * RECORD_BYTES)
    xadd = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    return [
        lambda: {f"golemd{flush}": _drive(place, house.socket, edits(place.size.clients), load.golemd_answered)},
        lambda: {f"redis{flush}": _drive(place, redis, lambda number: xadd, load.redis_answered)},
    ]


def edits(clients: int) -> load.Request:
    """Each client changes its own item, every time to another description and with a fresh token."""
    calls_of = []
    for number in range(clients):
        call = {"id": f"WRK-{number + 1}", "description": _UNIQUE, "token": _UNIQUE, "client": "bench"}
        calls_of.append(encode_request(1, "item.edit", call).split(_UNIQUE.encode()))
    run, uses = os.urandom(8).hex().encode(), count()

    def request(number: int) -> bytes:
        return (b"%b%016x" % (run, next(uses))).join(calls_of[number])

    return request


def _drive(place: Place, path: Path, request: load.Request, whole: load.Whole) -> float:
    return load.drive(path, place.size.clients, request, whole, load.for_seconds(place.size.seconds))


def _constant(place: Place, name: str, path: Path, request: bytes, whole: load.Whole) -> dict[str, float]:
    return {name: _drive(place, path, lambda number: request, whole)}


def _ping_turn(place: Place, house: House, flush: int) -> dict[str, float]:
    pinger = place.worker("load", house.socket, _PING.hex(), place.size.seconds)
    request = edits(place.size.clients)
    load.drive(house.socket, place.size.clients, request, load.golemd_answered, lambda: pinger.poll() is None)
    times = said(pinger)
    return {f"p99 {flush}": times["p99"] / 1000}


def _median_us(once: Callable[[], object], times: int) -> float:
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        once()
        took.append((time.perf_counter() - begun) * 1e6)
    return median(took)


class _UnixTransport(xmlrpc.client.Transport):
    """XML-RPC on one kept connection over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        if self._connection[1] is None:
            connection = http.client.HTTPConnection("localhost")
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(self._path))
            self._connection = host, connection
        return self._connection[1]  # type: ignore[return-value]  # it was just made
