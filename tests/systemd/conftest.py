"""Fixtures of the tests with a real systemd manager: the manager, once, and golemd's service, anew for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.path.house import House
from tests.systemd.ground import Machine, Service

NEEDED: Final = ("systemctl", "systemd-run", "unshare", "nsenter", "setpriv", "git")


def _why_not() -> str:
    if os.geteuid() != 0:
        return "a systemd manager of its own needs root"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A user with a systemd manager."""
    if why := _why_not():
        pytest.skip(why)
    made = Machine()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def service(machine: Machine) -> Iterator[Service]:
    """golemd's service, not installed yet."""
    made = Service(machine)
    try:
        yield made
    finally:
        print(machine.said())
        made.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A daemon's place without any service manager but the test itself."""
    place = House(tmp_path)
    try:
        yield place
    finally:
        place.close()
