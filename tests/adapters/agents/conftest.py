"""The lab of each test, the real claude, and the fake of the service that it asks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.adapters.agents.lab import Lab
from tests.fakes.messages_api import MessagesApi

INSTALL: Final = Path(__file__).parents[2] / "fakes" / "install_claude"
NO_NODE: Final = 3


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture(scope="session")
def claude() -> str:
    """The real program, installed once; a machine without node or npm has none, and no other reason counts."""
    done = subprocess.run([INSTALL], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == NO_NODE:
        pytest.skip("node and npm are needed to install claude")
    assert done.returncode == 0, "claude could not be installed: see what npm says"
    return done.stdout.strip()


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as server:
        yield server
