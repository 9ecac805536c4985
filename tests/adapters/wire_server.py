"""A small server that speaks the wire over a real Unix socket, one behaviour for each connection."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from golemd.api import wire
from golemd.api.faults import Fault

Behaviour = Callable[["Peer"], object]
Serve = Callable[..., "Server"]
"""Starts a server with its behaviours, one a connection."""


class Peer:
    """The server's end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._framer = wire.Framer()

    def request(self) -> tuple[int, str, dict[str, Any]]:
        """The next request. Raises EOFError when there is none."""
        while (message := self._framer.next_message()) is None:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._framer.feed(data)
        assert isinstance(message, wire.Request)
        return message.msgid, message.method, msgspec.msgpack.decode(message.params)

    def answer(self, result: object) -> dict[str, Any]:
        """Take a request and answer it; its parameters."""
        msgid, _, params = self.request()
        self.socket.sendall(wire.encode_response(msgid, result))
        return params

    def reset(self) -> None:
        """End the connection so that the other side gets ECONNRESET."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Server:
    """One thread; connection number n gets behaviour n, then is closed. After the last it listens no more."""

    def __init__(self, path: Path, behaviours: list[Behaviour]) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        _bind(self._listener, path)
        self._listener.listen()
        self._behaviours = behaviours
        self.errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for number, behaviour in enumerate(self._behaviours):
            connection, _ = self._listener.accept()
            if number == len(self._behaviours) - 1:
                self._listener.close()
            with connection:
                connection.settimeout(10)
                try:
                    behaviour(Peer(connection))
                except BaseException as error:
                    self.errors.append(error)

    def end(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._listener.close()
        if self.errors:
            raise self.errors[0]


def _bind(listener: socket.socket, path: Path) -> None:
    """Bind to a path of any length."""
    folder = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


class Desk:
    """Answers every connection at once, by a table of methods; keeps what was asked.

    A value in the table is the answer, or a Fault, or a function of the parameters. After the answer to a follow the
    `records` are sent as its events.
    """

    def __init__(self, path: Path, answers: dict[str, Any], records: list[dict[str, Any]]) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._answers = answers
        self._records = records
        self._listener = socket.socket(socket.AF_UNIX)
        _bind(self._listener, path)
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(EOFError, ConnectionError):
            peer = Peer(connection)
            while True:
                msgid, method, params = peer.request()
                self.asked.append((method, params))
                answer = self._answers[method]
                answer = answer(params) if callable(answer) else answer
                if isinstance(answer, Fault):
                    connection.sendall(wire.encode_error(msgid, answer))
                    continue
                connection.sendall(wire.encode_response(msgid, answer))
                for record in self._records if method == "events.follow" else ():
                    note = {"follow": msgid, "record": record}
                    connection.sendall(wire.encode_notification("event", note))

    def end(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()
