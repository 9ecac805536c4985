"""events.read: durable records, in the journal's own shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from golemd.api import calls
from golemd.api.wire import encode_request
from tests.bench import history
from tests.path.house import House
from tests.path.repositories import Project
from tests.path.test_changes import Raw

RECORDS = 10_000  # a tenth of a second of reading, and more


def test_records_are_those_of_the_journals_file_key_by_key(daemon: House, demo: Project) -> None:
    demo.add()
    view = daemon.call(calls.EventsRead())
    lines = (daemon.state / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    assert list(view.records) == [json.loads(line) for line in lines]
    assert [list(record) for record in view.records] == [list(json.loads(line)) for line in lines]
    assert (view.next, view.more) == (len(lines) + 1, False)


def test_records_are_chosen_by_item_type_and_start(daemon: House, demo: Project) -> None:
    one, two = demo.add(), demo.add()
    daemon.call(calls.ItemEdit(id=one, priority=1))
    assert [(r["type"], r["item"]) for r in daemon.records("item.", one)] == [("item.added", one), ("item.edited", one)]
    last = daemon.records()[-1]["seq"]
    assert [record["seq"] for record in daemon.call(calls.EventsRead(since=last)).records] == [last]
    assert [record["item"] for record in daemon.records("item.added")] == [one, two]


def test_an_item_that_there_is_not_is_refused(daemon: House, demo: Project) -> None:
    daemon.refused(calls.EventsRead(item="WRK-9"), "item_not_found", "not_found")
    daemon.refused(calls.EventsFollow(item="WRK-9"), "item_not_found", "not_found")


def test_records_can_be_read_from_a_moment_on(daemon: House, demo: Project) -> None:
    demo.add()
    newest = daemon.records()[-1]
    assert [record["seq"] for record in daemon.call(calls.EventsRead(since=newest["ts"])).records] == [newest["seq"]]
    assert daemon.call(calls.EventsRead(since="2999-01-01T00:00:00Z")).records == ()
    assert daemon.call(calls.EventsRead(since="2000-01-01T00:00:00Z")).records[0]["seq"] == 1
    assert daemon.call(calls.EventsRead(since=str(newest["seq"]))).records == (newest,)


def test_a_limited_answer_says_where_to_read_on(daemon: House, demo: Project) -> None:
    for _ in range(5):
        demo.add()
    view = daemon.call(calls.EventsRead(type="item.added", limit=2))
    assert ([record["item"] for record in view.records], view.more) == (["WRK-1", "WRK-2"], True)
    rest = daemon.call(calls.EventsRead(type="item.added", since=view.next))
    assert [record["item"] for record in rest.records] == ["WRK-3", "WRK-4", "WRK-5"]


def test_an_item_is_read_page_by_page(daemon: House, demo: Project) -> None:
    one, _ = demo.add(), demo.add()
    for priority in range(3):
        daemon.call(calls.ItemEdit(id=one, priority=priority))
        demo.add()
    mine = [record for record in daemon.records() if record.get("item") == one]
    found: list[dict[str, Any]] = []
    since, more = 1, True
    while more:
        view = daemon.call(calls.EventsRead(item=one, since=since, limit=1))
        found += view.records
        since, more = view.next, view.more
    assert found == mine
    assert since == daemon.seq + 1
    assert daemon.call(calls.EventsRead(item=one, type="item.added")).records == (mine[0],)


@pytest.mark.parametrize(("method", "params"), [("events.read", {"type": "no.such"}), ("worklog", {"project": "demo"})])
def test_who_reads_all_of_a_long_journal_keeps_nobody_waiting(
    house: House, method: str, params: dict[str, str]
) -> None:
    daemon = house.start()
    demo = daemon.project()
    assert daemon.stop() == 0
    history.write(daemon.state, history.nights(RECORDS, demo.name))
    daemon.start()
    reading, other, pings = Raw(daemon), daemon.new_client(), 0
    reading.send(encode_request(1, method, params))
    while not reading.has_answer():
        other.call(calls.Ping())
        pings += 1
    [answer] = reading.finish()
    other.close()
    assert answer.error is None
    assert pings >= 5, "a ping was answered between two slices"


def test_an_answer_is_cut_before_it_is_too_large_for_a_message(daemon: House, demo: Project) -> None:
    for _ in range(8):
        demo.add("x" * 99_000)
    view = daemon.call(calls.EventsRead(type="item.added"))
    assert 0 < len(view.records) < 8
    assert view.more
    assert len(daemon.records("item.added")) == 8


def test_records_outlive_a_crash(daemon: House, demo: Project) -> None:
    demo.add()
    before = daemon.records()
    daemon.kill9()
    daemon.start()
    assert daemon.records()[: len(before)] == before


def test_a_start_that_is_neither_number_nor_time_is_refused(daemon: House) -> None:
    daemon.refused(calls.EventsRead(since="yesterday"), "invalid_since", "invalid")
