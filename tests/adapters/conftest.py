"""Fixtures of the tests of golemctl's client: the socket's place, and servers there that behave as they are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.wire_server import Behaviour, Serve, Server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture
def serve(path: Path) -> Iterator[Serve]:
    servers: list[Server] = []

    def start(*behaviours: Behaviour, at: Path = path) -> Server:
        servers.append(Server(at, list(behaviours)))
        return servers[-1]

    yield start
    for server in servers:
        server.end()
