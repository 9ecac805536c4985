"""Snapshots: a start goes on from the newest good one and knows all that a whole replay tells; any other is no loss."""

from __future__ import annotations

from pathlib import Path

import msgspec

from golemd.adapters.journal import snapshots
from golemd.adapters.journal.snapshots import Header
from golemd.api import calls
from golemd.core import snapshot
from tests.path.ground import wait_for_line
from tests.path.house import House
from tests.path.repositories import Project

EVERY = 100


def kept(house: House) -> list[Path]:
    return sorted((house.state / "snapshots").glob("*.msgpack"))


def test_a_clean_stop_leaves_one_and_the_next_start_knows_everything(daemon: House, demo: Project) -> None:
    done = demo.work("[[write a.txt x]]")
    daemon.done(done)
    waiting = demo.add("waits")
    demo.halted()
    daemon.until("report.written", done)
    before = daemon.call(calls.Status(all=True)).items
    shown = daemon.call(calls.ItemShow(id=done))
    daemon.stop()
    (only,) = kept(daemon)
    daemon.start()
    assert f"going on from the snapshot of record {daemon.seq - 1}" in daemon.said()
    assert daemon.call(calls.Status(all=True)).items == before
    assert daemon.call(calls.ItemShow(id=done)) == shown
    assert snapshots.seq_of(only.name) == daemon.seq - 1
    assert daemon.call(calls.JournalVerify(deep=True)).equal
    demo.run(targets=(waiting,))
    daemon.done(waiting)
    assert daemon.call(calls.JournalVerify(deep=True)).equal


def test_they_are_taken_as_the_journal_grows_and_a_kill_costs_only_what_came_after(house: House) -> None:
    house.config.write_text(f"[limits]\nsnapshot_events = {EVERY}\n", encoding="utf-8")
    house.start()
    demo = house.project()
    for number in range(2 * EVERY + 10):
        demo.add(title=f"item {number}")
    wait_for_line(house.log, "took a snapshot of record 2")
    house.kill9()
    house.start()
    assert "going on from the snapshot of record 2" in house.said()
    assert len(house.call(calls.Status()).items) == 2 * EVERY + 10
    assert house.call(calls.JournalVerify(deep=True)).equal


def test_a_damaged_one_is_passed_over_and_told(daemon: House, demo: Project) -> None:
    demo.add()
    daemon.stop()
    (only,) = kept(daemon)
    only.write_bytes(only.read_bytes()[:-1])
    daemon.start()
    assert f"snapshots/{only.name} is passed over" in daemon.said()
    assert daemon.call(calls.JournalVerify(deep=True)).equal


def test_a_state_that_the_journal_does_not_tell_of_is_found_by_a_deep_check(daemon: House, demo: Project) -> None:
    item = demo.add(title="true")
    daemon.stop()
    (only,) = kept(daemon)
    header, written = msgspec.msgpack.decode(only.read_bytes(), type=tuple[Header, msgspec.Raw])
    state = snapshot.restored(bytes(written))
    state.items[item] = msgspec.structs.replace(state.items[item], title="false")
    forged = list(snapshot.pieces(snapshot.picture(state)))
    only.write_bytes(b"".join(snapshots.file_of(header, forged)))
    daemon.start()
    assert daemon.call(calls.ItemShow(id=item)).title == "false"
    view = daemon.call(calls.JournalVerify(deep=True))
    assert view.equal is False
    assert view.live_digest != view.replayed_digest
    told = daemon.golemctl("journal", "verify", "--deep")
    assert (told.status, "NOT what the journal says" in told.out) == (1, True)


def test_damage_of_what_a_start_does_not_read_is_found_by_verify_and_check(daemon: House, demo: Project) -> None:
    demo.add(title="innocent")
    daemon.stop()
    (segment,) = (daemon.state / "journal").glob("*.jsonl")
    whole = segment.read_bytes()
    segment.write_bytes(whole.replace(b"innocent", b"Innocent"))
    assert daemon.golemd("--check").status == 65
    daemon.start()
    assert segment.name in daemon.refused(calls.JournalVerify(), "journal_damaged", "unavailable").message
    segment.write_bytes(whole)
