from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.processes.helpers import Place, place


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    """A state folder and its runner; the test fails if it leaves a process behind."""
    with place(tmp_path / "state") as one:
        yield one
