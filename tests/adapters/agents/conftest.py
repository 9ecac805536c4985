"""The lab of each test, the real claude, and the fake of the service that it asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.agents.lab import Lab
from tests.fakes.messages_api import MessagesApi
from tests.path.claude_site import installed


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture(scope="session")
def claude() -> str:
    """The real Claude Code."""
    return installed()


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as server:
        yield server
