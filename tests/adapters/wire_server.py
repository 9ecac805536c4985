"""A small server that speaks the wire over a real Unix socket, one behaviour for each connection."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from golemd.api import wire

Behaviour = Callable[["Peer"], object]


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
