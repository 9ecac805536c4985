"""That the proofs on real files see what they are there to see: a command that is gone, or there although refused."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.outside import segments
from tests.faults.proof import Budget, Tally
from tests.faults.real.places import KILLED, Place, Writers


@pytest.fixture(scope="module")
def writers() -> Iterator[Writers]:
    with Writers() as found:
        yield found


@pytest.fixture
def place(writers: Writers, tmp_path: Path) -> Place:
    """A place whose writer has lived once."""
    found = Place(writers, tmp_path / "state", Tally(Budget(1)))
    assert found.live(commands=5) == 0
    assert len(found.told) == 5
    return found


def said(place: Place) -> str:
    place.look("a look")
    return "; ".join(place.tally.violations)


def test_what_was_told_of_is_there_and_the_next_life_finds_it(place: Place) -> None:
    place.start_again("a plain life")
    assert place.ready == sum(place.told[f"n1-{number}"] for number in range(5))
    assert said(place) == ""


def test_a_command_that_is_gone_is_seen(place: Place) -> None:
    file = segments(place.state)[-1]
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    assert "was told of" in said(place)
    assert "the head is ahead" in said(place)


def test_one_that_was_refused_and_is_there_is_seen(place: Place) -> None:
    place.refused.add("n1-2")
    assert "n1-2 was refused" in said(place)


def test_a_changed_line_is_seen_and_so_is_a_start_that_is_refused(place: Place) -> None:
    file = segments(place.state)[0]
    file.write_bytes(file.read_bytes().replace(b"n1-0", b"n1-9", 1))
    shutil.rmtree(place.state / "snapshots")  # so that the start reads that line, wherever it is
    place.start_again("a changed line")
    assert "does not follow" in said(place)
    assert "the next life ends with 65" in said(place)


def test_a_writer_that_was_killed_says_no_more(place: Place) -> None:
    place.begin(commands=1000, at_once=1)
    assert place.hear() is None
    os.kill(place.pid, signal.SIGKILL)
    assert place.end() == KILLED
    place.start_again("a kill")
    assert said(place) == ""
