"""journal.prune: the oldest files go when they are asked to, what needs them says so, and everything else goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from golemd.api import calls
from tests.path.ground import wait_for_line
from tests.path.house import House


def segments(house: House) -> list[str]:
    return sorted(path.name for path in (house.state / "journal").glob("*.jsonl"))


def kept(house: House) -> list[Path]:
    return sorted((house.state / "snapshots").glob("*.msgpack"))


class Old:
    """A daemon with four lives behind it: `ended` is of the first, `waiting` of the third; it lives in the fourth."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.demo = house.project(execution={"max_retries": 0})
        self.ended = self.demo.work("[[write a.txt x]]")
        house.done(self.ended)
        house.until("report.written", self.ended)
        self.demo.halted()
        house.restart()
        self.cancelled = self.demo.add("of no use")
        house.call(calls.ItemCancel(id=self.cancelled))
        house.restart()
        self.third = house.seq
        self.waiting = self.demo.add("waits")
        house.restart()

    def prune(self) -> int:
        """Prune all that can be; the record with which the journal begins then."""
        view = self.house.call(calls.JournalPrune(before=self.house.seq, token="once"))
        wait_for_line(self.house.log, f"the journal begins with record {view.first}")
        return view.first


@pytest.fixture
def old(daemon: House) -> Old:
    return Old(daemon)


def test_what_would_go_is_said_and_only_then_removed(old: Old) -> None:
    house = old.house
    before = segments(house)
    view = house.call(calls.JournalPrune(before=house.seq, dry_run=True))
    assert (view.first, view.segments, view.held_by) == (old.third, 2, old.waiting)
    assert (view.records, view.dry_run) == (old.third - 1, True)
    assert segments(house) == before
    assert old.prune() == old.third
    assert segments(house) == before[2:]
    assert int(kept(house)[0].name[:16], 16) == old.third - 1
    (pruned,) = house.records("journal.pruned")
    assert (pruned["data"]["first"], pruned["data"]["segments"]) == (old.third, 2)
    assert house.call(calls.JournalPrune(before=house.seq)).segments == 0


def test_the_same_token_again_removes_nothing_more(old: Old) -> None:
    call = calls.JournalPrune(before=old.house.seq, token="once")
    first = old.prune()
    again = old.house.call(call)
    assert (again.first, again.segments, again.repeated) == (first, 2, True)


def test_what_is_left_is_all_there_and_can_be_replayed(old: Old) -> None:
    house, first = old.house, old.prune()
    for _ in range(2):
        view = house.call(calls.JournalVerify(deep=True))
        assert (view.first, view.equal, view.records) == (first, True, house.seq - first + 1)
        assert house.call(calls.ItemShow(id=old.waiting)).title
        assert [item.id for item in house.call(calls.Status(at=first)).items] == []
        assert [item.id for item in house.call(calls.Status(all=True)).items][:2] == [old.ended, old.cancelled]
        house.restart()
    old.demo.run()
    house.done(old.waiting)


def test_what_needs_older_records_says_that_they_were_pruned(old: Old) -> None:
    house, first = old.house, old.prune()
    for call in (calls.ItemShow(id=old.ended), calls.ReportShow(id=old.ended)):
        fault = house.refused(call, "records_pruned", "not_found")
        assert f"the journal begins with record {first}" in fault.message
    house.refused(calls.ItemReopen(id=old.cancelled), "records_pruned", "not_found")
    fault = house.refused(calls.Status(at=first - 1), "before_the_journal", "invalid")
    assert f"Records before {first} were pruned" in fault.message
    view = house.call(calls.EventsRead(since=1))
    assert (view.pruned, view.records[0]["seq"]) == (first, first)
    assert house.call(calls.EventsRead(since=first)).pruned is None
    assert house.call(calls.EventsRead(since="2000-01-01T00:00:00Z")).pruned == first
    assert house.call(calls.Export()).pruned == 2
    told = house.golemctl("events", "--since", "1")
    assert (told.status, f"Records before {first} were pruned" in told.err) == (0, True)
    assert f"Records before {first} were pruned" in house.golemctl("journal", "verify").out
    exported = house.golemctl("export", cwd=old.demo.root)
    assert (exported.status, "2 ended items" in exported.err) == (0, True)


def test_a_prune_that_was_cut_short_is_finished_by_the_next_start(old: Old) -> None:
    house = old.house
    before = {path: path.read_bytes() for path in (house.state / "journal").glob("*.jsonl")}
    first = old.prune()
    house.kill9()
    for path, data in before.items():
        if not path.exists():
            path.write_bytes(data)
    house.log.write_text("", encoding="utf-8")
    house.start()
    wait_for_line(house.log, f"the journal begins with record {first}: what was before it is pruned")
    assert house.call(calls.JournalVerify(deep=True)).first == first


def test_without_any_snapshot_a_pruned_journal_is_refused_with_what_to_do(old: Old) -> None:
    house, first = old.house, old.prune()
    house.stop()
    assert house.golemd("--check").status == 0
    assert f"those before record {first} were pruned" in house.golemd("--check").out
    *newer, newest = kept(house)
    away = {path: path.read_bytes() for path in (*newer, newest)}
    for path in away:
        path.unlink()
    for arguments in ((), ("--check",), ("--repair", str(first + 1))):
        refused = house.golemd(*arguments)
        assert (refused.status, "snapshots/" in refused.err) == (65, True), refused
    kept_base = min(away)
    kept_base.write_bytes(away[kept_base])
    house.start()
    assert house.call(calls.JournalVerify(deep=True)).equal


def test_files_that_nobody_had_pruned_are_missed(old: Old) -> None:
    house = old.house
    house.stop()
    (house.state / "journal" / segments(house)[0]).unlink()
    refused = house.golemd()
    assert (refused.status, "nobody had them pruned" in refused.err) == (65, True)


def test_a_pruned_journal_can_be_repaired(old: Old) -> None:
    house, first = old.house, old.prune()
    for path in kept(house)[1:]:
        path.unlink()
    house.kill9()
    newest = house.state / "journal" / segments(house)[-1]
    newest.write_bytes(newest.read_bytes().replace(b'"journal.pruned"', b'"journal.prUned"'))
    refused = house.golemd()
    assert refused.status == 65
    good = int(refused.err.split("--repair ")[1].split("`")[0])
    assert house.golemd("--repair", str(good)).status == 0
    house.start()  # although the record of the prune is gone: the snapshot that the journal begins with tells of it
    assert house.call(calls.JournalVerify(deep=True)).first == first < good


def test_golemctl_asks_before_it_removes_anything(old: Old) -> None:
    house = old.house
    before = segments(house)
    told = house.golemctl("journal", "prune", "--before", str(house.seq), "--dry-run")
    assert (told.status, "Would remove 2 files of the journal" in told.out) == (0, True)
    assert f"{old.waiting} is not done" in told.out
    refused = house.golemctl("journal", "prune", "--before", str(house.seq))
    assert (refused.status, "Nothing was removed" in refused.err) == (1, True)
    assert segments(house) == before
    assert "nothing to remove" in house.golemctl("journal", "prune", "--before", "1").out
    prune = ("journal", "prune", "--before", str(house.seq), "--token", "once", "--json")
    assert house.golemctl(*prune, "--dry-run").status == 0
    first, again = (house.golemctl(*prune, "--yes") for _ in range(2))
    assert (json.loads(first.out)["segments"], again.status) == (2, 0), again.err
    wait_for_line(house.log, "what was before it is pruned")
    assert segments(house) == before[2:]
