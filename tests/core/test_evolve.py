"""The fold: the table is complete, replay gives the same state, and what has ended takes one row."""

from __future__ import annotations

import msgspec
import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.model import EndedItem, Item, Note, NoteKind, Phase, Status
from golemd.core import evolve
from golemd.core.evolve import EFFECTS, fold
from golemd.core.evolve.common import NOTES_KEPT, noted
from golemd.core.state import State
from tests.core.world import End, World, config, phase, picture


def busy_world() -> World:
    """A little of everything."""
    world = World()
    two = (phase("build", verify=("make",), gate=("approval",)), phase("ship"))
    world.project(config(pre=("scope",), phases=two))
    world.project(config("two"))
    world.script = {"scope": [End(result=None)], "make": [End(status=1)], "ship": [End(lost=True)]}
    for _ in range(3):
        world.add(project="demo")
    world.add(project="two")
    world.start(project="demo")
    world.go(project="two")
    for item in ("DEMO-1", "DEMO-2"):
        world.decide(item, "approve", content=world.content(item))
    world.settle()
    return world


def test_every_event_has_an_effect_and_a_tag_of_its_own() -> None:
    assert set(EFFECTS) == set(ev.EVENTS.values())
    assert len(ev.EVENTS) == len(ev.Event.__subclasses__())
    assert all(tag == kind.TYPE and "." in tag for tag, kind in ev.EVENTS.items())


def test_every_record_of_a_busy_day_is_folded_the_same_again() -> None:
    world = busy_world()
    assert len(set(world.types())) > 20
    assert picture(world.replay()) == picture(world.state)


def test_every_record_is_read_as_it_was_written() -> None:
    for record in busy_world().records:
        assert msgspec.json.decode(msgspec.json.encode(record.data), type=ev.EVENTS[record.type]) == record.data


@pytest.mark.parametrize("kind", ev.EVENTS.values(), ids=ev.EVENTS)
def test_a_record_says_only_what_is_not_usual(kind: type[ev.Event]) -> None:
    assert kind.__struct_config__.omit_defaults
    assert kind.__struct_config__.frozen


def test_a_line_of_the_journal_has_its_keys_in_order_and_absent_ones_left_out() -> None:
    world = World()
    world.project()
    token = calls.ItemAdd(title="t", token="tok")
    world.ask(token)
    line = ev.as_line(world.records[-1])
    assert list(line) == ["v", "seq", "d", "ts", "type", "project", "item", "cause", "body", "data", "prev", "h"]
    first = ev.as_line(world.records[0])
    assert list(first) == ["v", "seq", "d", "ts", "type", "project", "more", "data", "prev", "h"]
    assert line["data"] == {
        "title": "t",
        "number": 1,
        "status": "ready",
        "pipeline": "feature",
        "actor": {"uid": 1000, "user": "alice", "host": "box", "client": "test"},
    }


# --- ended items -------------------------------------------------------------------------------------------------


def test_an_ended_item_takes_one_row_and_its_records_stay_known() -> None:
    world = World()
    world.project()
    item = world.add("Title", priority=3)
    world.go()
    state = world.state
    assert (state.items, state.runs, state.attempts, state.gates, state.children) == ({}, {}, {}, {}, {})
    row = state.ended[item]
    assert (row.title, row.priority, row.status, row.runs) == ("Title", 3, Status.DONE, 1)
    assert list(state.trail[item]) == [record.seq for record in world.records if record.item == item]


def test_a_row_can_become_an_item_again() -> None:
    assert set(EndedItem.__struct_fields__) <= set(Item.__struct_fields__)


def test_an_items_records_alone_tell_what_the_live_state_held() -> None:
    world = busy_world()
    for item in ("DEMO-3", "DEMO-1"):
        past = world.partial(item)
        whole = World()
        whole.state = State(shrink=False)
        for record in world.records:
            fold(whole.state, record)
        assert past.items[item] == whole.state.items[item]
        for name in ("runs", "attempts", "gates"):
            mine = {key: value for key, value in getattr(whole.state, name).items() if value.item == item}
            assert getattr(past, name) == mine
        assert past.children == {item: whole.state.children[item]}
    assert past.projects == {}


# --- details -----------------------------------------------------------------------------------------------------


def test_what_people_said_is_never_the_oldest_note_that_goes() -> None:
    notes: tuple[Note, ...] = (Note(NoteKind.COMMENT, "mind the door"),)
    for number in range(NOTES_KEPT + 2):
        notes = noted(Phase("build", notes=notes), NoteKind.FAILURE, str(number))
    assert [note.text for note in notes[:2]] == ["mind the door", "3"]
    assert len(notes) == NOTES_KEPT
    said: tuple[Note, ...] = ()
    for number in range(NOTES_KEPT + 2):
        said = noted(Phase("build", notes=said), NoteKind.ANSWER, str(number))
    assert len(said) == NOTES_KEPT + 2


def test_notes_of_a_phase_are_bounded_and_the_oldest_go_first() -> None:
    world = World()
    world.project(config(max_retries=NOTES_KEPT + 5))
    item = world.add()
    world.script["build"] = [End(result={"result": "failed", "summary": f"no {n}"}) for n in range(NOTES_KEPT + 5)]
    world.held = {"build"}
    world.start()
    for _ in range(NOTES_KEPT + 5):
        world.settle()
        world.end(world.running()[0].id)
    world.settle()
    notes = world.run(item).phase.notes
    assert (len(notes), notes[0].text) == (NOTES_KEPT, "no 5")


def test_only_the_newest_tokens_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evolve, "TOKENS_KEPT", 2)
    world = World()
    world.project()
    for token in ("a", "b", "a", "c"):
        world.ask(calls.ItemAdd(title="t", token=token))
    assert list(world.state.tokens) == ["a", "c"], "a token that is used again is new again"


def test_an_items_first_record_gives_its_order_and_its_last_one_its_time() -> None:
    world = World()
    world.project()
    item = world.add()
    world.now_us += 1_000_000
    world.ask(calls.ItemEdit(id=item, priority=1))
    found = world.item(item)
    assert (found.order, found.created_at[17:19], found.updated_at[17:19]) == (3, "00", "01")


def test_unknown_things_are_errors() -> None:
    state = State()
    for look in (state.item, state.known):
        with pytest.raises(Exception, match="There is no item 'X-1'"):
            look("X-1")
    assert not state.is_done("X-1")
