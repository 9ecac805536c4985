"""Accepting: who is let in, and how many."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import trio

from golemd.adapters.socket.connection import Caller, Connection, Decode, Handler, Outbox, SocketLimits
from golemd.adapters.socket.place import listening, peer_credentials
from golemd.adapters.socket.readers import Readers
from golemd.api.faults import Unavailable
from golemd.api.wire import encode_error

log = logging.getLogger(__name__)

SHORTAGE_SECONDS: Final = 0.1  # pause when there are no descriptors or no memory for another connection
_SHORTAGE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Classify = Callable[[int], str | None]  # process id → Caller.agent


class _Server:
    """The listening socket and its connections."""

    def __init__(self, handler: Handler, decode: Decode, classify: Classify, limits: SocketLimits) -> None:
        self._handler, self._decode, self._limits = handler, decode, limits
        self._classify = classify
        self.readers = Readers()
        self._connections = 0
        self._short = False  # of descriptors or memory, as the log knows already

    async def accept_all(self, listener: socket.socket, nursery: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(listener)
            try:
                sock = _accept(listener)
            except (BlockingIOError, ConnectionError):  # the client has gone again
                continue
            except OSError as error:
                if error.errno not in _SHORTAGE:
                    raise
                if not self._short:
                    log.warning("no connection can be accepted: %s", error.strerror)
                self._short = True
                await trio.sleep(SHORTAGE_SECONDS)
                continue
            self._short = False
            if caller := self._admit(sock):
                self._connections += 1
                nursery.start_soon(self._attend, sock, caller)
            else:
                sock.close()

    def _admit(self, sock: socket.socket) -> Caller | None:
        pid, uid = peer_credentials(sock)
        if uid != os.geteuid():
            log.warning("refused process %d of user %d", pid, uid)
            return None
        if self._connections >= self._limits.connections:
            outbox = Outbox(sock)
            outbox.push(encode_error(None, _too_many_connections(self._limits.connections)))
            outbox.flush()
            return None
        try:
            return Caller(pid, uid, self._classify(pid))
        except Exception:  # whoever cannot be told is given the lesser rights
            log.exception("cannot tell who process %d is", pid)
            return Caller(pid, uid, "unknown")

    async def _attend(self, sock: socket.socket, caller: Caller) -> None:
        try:
            await Connection(sock, caller, self._handler, self._decode, self._limits, self.readers).run()
        except Exception:  # a defect; it costs the connection and not the daemon
            log.exception("the connection of process %d failed", caller.pid)
        finally:
            self._connections -= 1


def _accept(listener: socket.socket) -> socket.socket:
    sock, _ = listener.accept()
    sock.setblocking(False)
    return sock


async def serve(
    path: Path,
    handler: Handler,
    *,
    decode: Decode,
    classify: Classify,
    limits: SocketLimits,
    task_status: trio.TaskStatus[Path] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve clients at `path` until cancelled; started with `path` as soon as clients can connect.

    Faults: Unavailable `socket_folder_unsafe`, `socket_path_taken`, `socket_unavailable`.
    """
    server = _Server(handler, decode, classify, limits)
    with closing(server.readers), listening(path) as listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.readers.run)
            task_status.started(path)
            await server.accept_all(listener, nursery)


def _too_many_connections(limit: int) -> Unavailable:
    return Unavailable(
        "too_many_connections", f"{limit} clients are connected", "close one of them, or try again", limit=limit
    )
