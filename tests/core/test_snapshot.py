"""The state as bytes and back; `test_machine` does it in any life, and folds on from what was read back."""

from __future__ import annotations

import msgspec
import pytest

from golemd.api import calls
from golemd.core import snapshot
from golemd.core.state import State
from tests.core.world import World, config, picture


def written(state: State) -> bytes:
    return b"".join(snapshot.pieces(snapshot.picture(state)))


def a_world() -> World:
    """Something of everything: items that are done and that wait, a token, money that was spent."""
    world = World()
    world.project(config())
    for number in range(3):
        world.ask(calls.ItemAdd(title=f"t{number}", token=f"token {number}"))
    world.start()
    world.go()
    waiting = world.add()
    world.add(dependencies=(waiting, "DEMO-1"))
    return world


def test_what_was_written_is_what_is_read_back() -> None:
    state = a_world().state
    assert state.ended
    assert state.tokens
    again = snapshot.restored(written(state))
    assert picture(again) == picture(state)
    assert written(again) == written(state)


def test_all_that_a_state_holds_is_written() -> None:
    made_anew = {"index", "shrink", "trail"}  # which is in `trails` and `open_trails`
    assert set(vars(State())) - made_anew <= set(snapshot.Picture.__struct_fields__)


def test_a_picture_stays_as_it_was_while_the_state_goes_on() -> None:
    world = a_world()
    before = written(world.state)
    taken = snapshot.picture(world.state)
    world.ask(calls.ItemEdit(id="DEMO-4", title="another"))
    world.add(dependencies=("DEMO-4",))
    world.ask(calls.ItemCancel(id="DEMO-4"))
    assert b"".join(snapshot.pieces(taken)) == before != written(world.state)


def test_many_nouns_are_written_in_slices() -> None:
    world = World()
    world.project(config())
    for number in range(snapshot.SLICE * 2 + 7):
        world.add(f"item {number}")
    pieces = list(snapshot.pieces(snapshot.picture(world.state)))
    assert max(map(len, pieces)) < len(b"".join(pieces)) / 2
    assert picture(snapshot.restored(b"".join(pieces))) == picture(world.state)


def test_it_is_one_map_that_anybody_can_read() -> None:
    state = a_world().state
    found = msgspec.msgpack.decode(written(state))
    assert list(found) == list(snapshot.Picture.__struct_fields__)
    assert found["seq"] == state.seq
    assert [item["id"] for item in found["items"]] == list(state.items)


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\x80", msgspec.msgpack.encode({"seq": "one"})])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no picture of a state"):
        snapshot.restored(data)


def test_a_picture_that_contradicts_itself_is_refused() -> None:
    found = msgspec.msgpack.decode(written(a_world().state))
    found["open_trails"] = {"DEMO-1": b"123"}
    with pytest.raises(ValueError, match="no trail has differences of 49 bytes"):
        snapshot.restored(msgspec.msgpack.encode(found))
