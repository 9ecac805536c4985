"""journal.verify: every line checked; deep, everything replayed and compared."""

from __future__ import annotations

import json

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def test_a_journal_is_verified_over_all_its_segments(daemon: House, demo: Project) -> None:
    demo.add()
    daemon.restart()
    view = daemon.call(calls.JournalVerify())
    assert (view.records, view.segments, view.deep, view.equal) == (daemon.seq, 2, False, None)
    newest = (daemon.state / "journal.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    assert view.digest == json.loads(newest)["h"]
    assert view.path == str(daemon.state / "journal.jsonl")


def test_a_deep_check_replays_to_the_live_state(daemon: House, demo: Project) -> None:
    asking = demo.add('[[result {"result": "blocked", "summary": "s", "question": "?"}]]')
    done = demo.work("[[write a.txt x]]")
    daemon.done(done)
    daemon.until("gate.opened", asking)
    daemon.call(calls.ItemCancel(id=demo.add()))
    demo.halted()
    view = daemon.call(calls.JournalVerify(deep=True))
    assert (view.deep, view.equal) == (True, True)
    assert view.live_digest == view.replayed_digest


def test_a_deep_check_holds_while_things_happen(daemon: House, demo: Project) -> None:
    items = [demo.add("[[write a.txt x]]") for _ in range(4)]
    demo.run()
    for item in items:
        for kind in ("phase.started", "attempt.spawned", "commit.created", "item.completed"):
            daemon.until(kind, item)
            assert daemon.call(calls.JournalVerify(deep=True)).equal


def test_a_changed_byte_in_the_past_is_found(daemon: House, demo: Project) -> None:
    demo.add(title="innocent")
    (segment,) = (daemon.state / "journal").glob("*.jsonl")
    whole = segment.read_bytes()
    with open(segment, "r+b") as file:
        file.seek(whole.index(b"innocent"))
        file.write(b"I")
    try:
        fault = daemon.refused(calls.JournalVerify(), "journal_damaged", "unavailable")
        assert segment.name in fault.message
    finally:
        segment.write_bytes(whole)
