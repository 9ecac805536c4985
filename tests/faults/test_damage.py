"""Damage of a journal that a real daemon wrote: refused with the right status and a way out, and never touched.

What the journal's reader makes of every single byte is tested beside it; here the whole program answers.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pytest

from golemd.adapters.journal.head import Mark, to_slot
from golemd.adapters.journal.line import seal
from golemd.api import calls
from tests.faults.outside import SEAL, commands_of, digests_of, lines_of, records_of, segments
from tests.faults.rig import Rig, rig

DAMAGED: Final = 65
NEWER: Final = 76
CHANGED_BYTES: Final = 18
SEED: Final = 20261121
AT_ONCE: Final = 3  # daemons that read at the same time


@pytest.fixture(scope="module")
def original() -> Iterator[Rig]:
    """A place whose daemon has lived three times: about 60 records in three segments, two of them with work done."""
    with rig() as place:
        for life in range(3):
            daemon = place.start()
            if life == 0:
                place.init()
            _work(place, life)
            assert daemon.kill(15) == 0
        assert len(segments(place.state)) == 3
        assert 50 <= len(records_of(place.state)) <= 90
        yield place


def _work(place: Rig, life: int) -> None:
    """Add, edit, run to the end, and decide the gate of an item that asks."""
    with place.client() as client:
        pipeline = ("plain", "approved", "plain")[life]
        added = client.call(calls.ItemAdd(title=f"item {life}", pipeline=pipeline, description="[[write a.txt a]]"))
        client.call(calls.ItemEdit(id=added.id, priority=7))
        if life == 2:
            return
        following = client.follow(calls.EventsFollow(since=1, item=added.id))
        client.call(calls.RunStart())
        with contextlib.closing(following):
            while (notice := following.take(30.0)) is not None:
                kind = notice.data["record"]["type"]
                if kind == "gate.opened":
                    gate = client.call(calls.GateList())[0]
                    client.call(calls.GateDecide(gate=gate.id, option="approve", content=gate.digest))
                if kind == "work.kept" and client.call(calls.ItemShow(id=added.id)).status == "done":
                    return
        pytest.fail(f"{added.id} did not finish")


@pytest.fixture
def copy(original: Rig, tmp_path: Path) -> Rig:
    """A copy that a test may damage."""
    return copy_of(original, tmp_path)


def copy_of(original: Rig, folder: Path) -> Rig:
    """The state folder copied, without snapshots, so that a start reads all of the journal; the repository stays."""
    place = Rig(folder / "p")
    shutil.copytree(original.state, place.state, symlinks=True)
    shutil.rmtree(place.state / "snapshots")
    (place.state / "address").unlink()
    place.socket = original.root / f"{folder.name[-20:]}.sock"
    return place


class Refusal(NamedTuple):
    """What `golemd` and `golemd --check` made of a journal."""

    start: subprocess.CompletedProcess[str]
    check: subprocess.CompletedProcess[str]


def refused(place: Rig, status: int) -> Refusal:
    """Start and check a damaged journal: both refuse with the status, and no file of the journal changes."""
    before = digests_of(place.state)
    found = Refusal(place.run(), place.run("--check"))
    assert [each.returncode for each in found] == [status, status], found
    assert found.start.stderr == found.check.stderr
    assert digests_of(place.state) == before
    return found


def cut_after(place: Rig, seq: int, keep: bytes = b"") -> Path:
    """Let the journal end after a record, and then with `keep`; its last segment."""
    for segment in reversed(segments(place.state)):
        lines = [line for line in segment.read_bytes().split(b"\n")[:-1] if msgspec.json.decode(line)["seq"] <= seq]
        if lines:
            segment.write_bytes(b"".join(line + b"\n" for line in lines) + keep)
            return segment
        segment.unlink()
    raise AssertionError(f"nothing is left up to record {seq}")


def set_head(place: Rig, record: Any) -> None:
    """Let the head say that the journal is durable up to a record."""
    (place.state / "head").write_bytes(to_slot(Mark(1, record["seq"], record["h"])) * 2)


# --- single bytes ------------------------------------------------------------------------------------------------


class Change(NamedTuple):
    """One byte of one segment: where it is, where its line begins, and what it becomes."""

    segment: str
    line: int
    at: int
    byte: int
    kind: str


def _changes(place: Rig) -> list[Change]:
    """Bytes of lines of every segment and as many types as there are, with random places and values."""
    dice = random.Random(SEED)
    lines = []
    for segment in segments(place.state):
        start = 0
        for line in segment.read_bytes().split(b"\n")[:-1]:
            lines.append((segment.name, start, line + b"\n", msgspec.json.decode(line)["type"]))
            start += len(line) + 1
    dice.shuffle(lines)
    rarest = sorted(lines, key=lambda line: sum(line[3] == before[3] for before in lines[: lines.index(line)]))
    found = []
    for name, start, line, kind in rarest[:CHANGED_BYTES]:
        at = dice.randrange(len(line))
        found.append(Change(name, start, start + at, line[at] ^ dice.randint(1, 255), kind))
    return found


def test_any_changed_byte_stops_the_daemon_with_the_place_and_the_way_out(original: Rig, tmp_path: Path) -> None:
    changes = _changes(original)
    assert {change.segment for change in changes} == {segment.name for segment in segments(original.state)}
    assert len({change.kind for change in changes}) >= 15

    def attempt(number: int) -> None:
        change = changes[number]
        (tmp_path / f"b{number}").mkdir()
        place = copy_of(original, tmp_path / f"b{number}")
        file = place.state / "journal" / change.segment
        data = bytearray(file.read_bytes())
        data[change.at] = change.byte
        file.write_bytes(data)
        said = refused(place, DAMAGED).start.stderr
        assert f"journal/{change.segment}, byte {change.line}:" in said, (change, said)
        assert "golemd --repair " in said

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(attempt, range(len(changes))))


# --- the end of the journal --------------------------------------------------------------------------------------


def _last_large_command(place: Rig) -> list[Any]:
    """The newest command of several records."""
    return [command for command in commands_of(records_of(place.state)) if len(command) >= 3][-1]


def _torn(place: Rig) -> tuple[list[Any], Path, bytes]:
    """Tear the last line of that command; the command, its segment, and what is left of it there."""
    command = _last_large_command(place)
    lines = lines_of(place.state)[command[0]["seq"] - 1 : command[-1]["seq"]]
    left = b"".join(line + b"\n" for line in lines)[: -len(lines[-1]) // 2]
    return command, cut_after(place, command[0]["seq"] - 1, left), left


def test_a_torn_last_command_that_nobody_was_told_of_is_cut_kept_recorded_and_said(copy: Rig) -> None:
    before = records_of(copy.state)
    command, segment, left = _torn(copy)
    set_head(copy, before[command[0]["seq"] - 2])
    assert copy.run("--check").returncode == 0
    daemon = copy.start()
    said = daemon.said
    daemon.kill()
    broken = segment.with_name(segment.name + ".broken")
    assert broken.read_bytes() == left
    after = records_of(copy.state)
    assert after[: command[0]["seq"] - 1] == before[: command[0]["seq"] - 1]
    repaired = after[command[0]["seq"] - 1]
    assert repaired["type"] == "journal.repaired"
    assert repaired["data"]["copy"] == broken.name
    assert (repaired["data"]["cut_bytes"], repaired["data"]["last_seq"]) == (len(left), command[0]["seq"] - 1)
    assert broken.name in said
    assert copy.run("--check").returncode == 0


def test_the_same_cut_below_the_head_is_damage(copy: Rig) -> None:
    command, segment, _ = _torn(copy)
    set_head(copy, command[-1])
    said = refused(copy, DAMAGED).start.stderr
    assert segment.name in said
    assert f"golemd --repair {command[0]['seq'] - 1}" in said


def test_a_whole_command_missing_at_the_end_is_damage(copy: Rig) -> None:
    last = records_of(copy.state)[-1]["seq"]
    cut_after(copy, last - 1)
    assert f"record {last} was durable" in refused(copy, DAMAGED).start.stderr


@pytest.mark.parametrize("head", [None, b"", b"\0" * 1024, b"garbage\n" * 128])
def test_a_journal_without_a_valid_head_is_refused(copy: Rig, head: bytes | None) -> None:
    (copy.state / "head").unlink()
    if head is not None:
        (copy.state / "head").write_bytes(head)
    assert "head" in refused(copy, DAMAGED).start.stderr


@pytest.mark.parametrize("covered", [True, False])
def test_a_record_of_a_future_type_asks_for_the_newer_daemon(copy: Rig, covered: bool) -> None:
    last = records_of(copy.state)[-1]
    segment = segments(copy.state)[-1]
    line = segment.read_bytes().split(b"\n")[-2]
    body = line[: line.rindex(SEAL)].replace(b'"daemon.stopped"', b'"daemon.dreamt"')
    body = body.replace(b'"seq":%d,' % last["seq"], b'"seq":%d,' % (last["seq"] + 1))
    body = body.replace(last["prev"].encode(), last["h"].encode())
    future = seal(body)
    segment.write_bytes(segment.read_bytes() + future + b"\n")
    if covered:
        set_head(copy, msgspec.json.decode(future))
    said = refused(copy, NEWER).start.stderr
    assert "daemon.dreamt" in said
    assert "newer golemd" in said


# --- the way out -------------------------------------------------------------------------------------------------


def test_a_repair_keeps_a_copy_cuts_and_is_recorded_by_the_next_start(copy: Rig) -> None:
    before = records_of(copy.state)
    file = segments(copy.state)[1]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x20
    file.write_bytes(data)
    damaged = digests_of(copy.state)
    said = refused(copy, DAMAGED).start.stderr
    seq = int(said.split("golemd --repair ")[1].split("`")[0])
    done = copy.run("--repair", str(seq))
    assert done.returncode == 0, done.stderr
    (kept,) = copy.state.glob("journal-before-repair-*")
    assert str(kept) in done.stdout
    assert digests_of(kept) == damaged
    daemon = copy.start()
    with copy.client() as client:
        assert client.call(calls.JournalVerify(deep=True)).equal is True
    daemon.kill(15)
    after = records_of(copy.state)
    assert after[:seq] == before[:seq]
    assert after[seq]["type"] == "journal.repaired"
    assert (after[seq]["data"]["copy"], after[seq]["data"]["last_seq"]) == (kept.name, seq)
    assert copy.run("--check").returncode == 0


def test_a_repair_within_a_command_is_refused_and_names_the_ends_beside_it(copy: Rig) -> None:
    command = _last_large_command(copy)
    (copy.state / "head").write_bytes(b"")
    before = digests_of(copy.state)
    done = copy.run("--repair", str(command[0]["seq"]))
    assert done.returncode == 2
    assert f"{command[0]['seq'] - 1} or {command[-1]['seq']}" in done.stderr
    assert digests_of(copy.state) == before
    assert not list(copy.state.glob("journal-before-repair-*"))
