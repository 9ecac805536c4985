"""One task that reads for many: who has something to say is heard, nobody is kept waiting, nothing is left behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing

from golemd.adapters.socket.readers import READY, Readers


@contextmanager
def pairs(count: int) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Connected sockets; ours do not block."""
    made = [socket.socketpair() for _ in range(count)]
    for ours, _ in made:
        ours.setblocking(False)
    try:
        yield made
    finally:
        for pair in made:
            for sock in pair:
                sock.close()


@pytest.fixture
def readers(nursery: trio.Nursery) -> Iterator[Readers]:
    found = Readers()
    nursery.start_soon(found.run)
    yield found
    found.close()


async def test_what_comes_is_read_until_reading_says_that_more_is_to_be_done(readers: Readers) -> None:
    came: list[bytes] = []
    with pairs(1) as ((ours, theirs),):

        def read() -> bool:
            came.append(ours.recv(100))
            return came[-1] != b"more"

        async with trio.open_nursery() as nursery:
            nursery.start_soon(readers.quick, ours, read)
            for word in (b"one", b"two", b"more"):
                theirs.send(word)
                await trio.testing.wait_all_tasks_blocked()
        assert came == [b"one", b"two", b"more"]
        theirs.send(b"later")
        await trio.testing.wait_all_tasks_blocked()
        assert came[-1] == b"more"
        await readers.quick(ours, lambda: ours.recv(100) != b"later")


async def test_an_end_is_something_that_comes(readers: Readers) -> None:
    with pairs(1) as ((ours, theirs),):
        theirs.close()
        await readers.quick(ours, lambda: ours.recv(1) != b"")


async def test_what_reading_raises_is_raised_where_it_was_asked_for(readers: Readers) -> None:
    with pairs(2) as ((ours, theirs), (other, speaker)):
        theirs.send(b"x")
        with pytest.raises(ZeroDivisionError):
            await readers.quick(ours, lambda: bool(1 / 0))
        speaker.send(b"x")
        await readers.quick(other, lambda: other.recv(1) != b"x")


async def test_who_gives_up_is_read_for_no_more(readers: Readers) -> None:
    with pairs(1) as ((ours, theirs),):
        with trio.CancelScope() as scope:
            scope.cancel()
            await readers.quick(ours, lambda: False)
        assert scope.cancelled_caught
        theirs.send(b"x")
        await trio.testing.wait_all_tasks_blocked()
        assert ours.recv(1) == b"x"


async def test_many_that_speak_at_once_leave_the_others_their_turn(readers: Readers) -> None:
    turns: list[str] = []
    with pairs(4 * READY) as sockets:
        for _, theirs in sockets:
            theirs.send(b"x")

        async def watch() -> None:
            while turns.count("read") < 4 * READY:
                turns.append("other")
                await trio.lowlevel.checkpoint()

        def reading(ours: socket.socket) -> bool:
            turns.append("read")
            return ours.recv(1) == b""

        async with trio.open_nursery() as nursery:
            for ours, _ in sockets:
                nursery.start_soon(readers.quick, ours, lambda ours=ours: reading(ours))
            nursery.start_soon(watch)
    runs = "".join("r" if turn == "read" else " " for turn in turns).split()
    assert max(map(len, runs)) <= 2 * READY  # the last of one round of the scheduler, and the first of the next
    assert turns.count("read") == 4 * READY
