"""Fixtures of the path tests: a house with a daemon that runs, or one that is still empty."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.path.claude_site import Model, Site, installed
from tests.path.ground import Fifo
from tests.path.house import House
from tests.path.repositories import Project


@pytest.fixture
def house(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """A place without a daemon yet; what is started in it is ended, cleanly, after the test."""
    place = House(tmp_path, hatches=request.node.get_closest_marker("executed") is None)
    try:
        yield place
    finally:
        try:
            place.close()
        finally:
            print(place.said())


@pytest.fixture
def daemon(house: House) -> House:
    """A daemon that runs, without projects."""
    return house.start()


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Callable[[str], Fifo]]:
    """Named pipes for agents and tests to wait for each other."""
    made: list[Fifo] = []

    def make(name: str) -> Fifo:
        made.append(Fifo(tmp_path / name))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def demo(daemon: House) -> Project:
    """A registered project with the one phase `build`, worked on by the scripted agent, and no retries."""
    return daemon.project(execution={"max_retries": 0})


@pytest.fixture(scope="session")
def claude() -> str:
    """The real Claude Code."""
    return installed()


@pytest.fixture
def site(daemon: House, claude: str) -> Iterator[Site]:
    """A daemon whose agent is the real Claude Code, and the fake of its service."""
    with Model() as api:
        yield Site(daemon, claude, api)


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in UTC, wherever the test runs."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
