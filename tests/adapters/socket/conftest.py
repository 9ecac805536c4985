"""The fixture of the socket's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.adapters.socket.lab import Lab


@pytest.fixture
async def lab(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Lab]:
    made = Lab(tmp_path, nursery)
    yield made
    for client in made.clients:
        await client.aclose()
