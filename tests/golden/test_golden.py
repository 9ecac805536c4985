"""What every release has written loads for ever: journals, snapshots, and the wire's messages. No file is ever edited.

A later release may know more: fields that were not there then are passed over here, and must have defaults.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

import golemd
from golemd.adapters.disk import RealDisk
from golemd.adapters.journal import Codec, Journal, Limits, check, snapshots
from golemd.api.calls import CALLS, decode_call, reply_type
from golemd.api.events import EVENTS, Record
from golemd.api.wire import Framer, Notification, Request, Response, WireLimits
from golemd.core import snapshot
from golemd.core.configuration import digest
from golemd.core.state import State
from golemd.engine.snapshots import Replay
from tests.golden.examples import plain

HERE: Final = Path(__file__).parent
RELEASES: Final = sorted(path.name for path in HERE.iterdir() if path.is_dir() and (path / "expected.json").exists())

pytestmark = pytest.mark.parametrize("release", RELEASES)


@pytest.fixture
def folder(tmp_path: Path, release: str) -> Path:
    """A copy of a release's state folder, for whoever opens a journal writes to it."""
    return Path(shutil.copytree(HERE / release / "state", tmp_path / "state"))


async def opened(folder: Path, fold: str | None) -> tuple[Journal, State, list[Record]]:
    """A journal as a start reads it, from a snapshot that was made by `fold` if one is named."""
    replay, read = Replay(), list[Record]()

    def take(record: Record) -> None:
        read.append(record)
        replay.take(record)

    codec = None if fold is None else Codec(fold, replay.restore)
    journal = await Journal.open(folder, RealDisk(), lambda: 0, Limits(), take, codec=codec)
    await journal.aclose()
    return journal, replay.state, read


def kept(folder: Path) -> list[tuple[snapshots.Header, Any]]:
    """The snapshots, the oldest first: header, and the state in plain data."""
    found = [snapshots.load(RealDisk(), path) for path in sorted((folder / "snapshots").iterdir())]
    return [(header, msgspec.msgpack.decode(state)) for header, state in found]


def in_plain(state: State) -> Any:
    return msgspec.msgpack.decode(b"".join(snapshot.pieces(snapshot.picture(state))))


def as_then(now: Any, then: Any) -> Any:
    """What is there now, without what could not be there then."""
    if isinstance(then, dict) and isinstance(now, dict):
        return {key: as_then(now.get(key), value) for key, value in then.items()}
    if isinstance(then, list) and isinstance(now, list):
        return [as_then(one, other) for one, other in zip(now, then, strict=False)]
    return now


def expected(release: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / release / "expected.json").read_text(encoding="utf-8"))
    return found


async def test_a_replay_gives_the_state_of_then(release: str, folder: Path) -> None:
    journal, state, read = await opened(folder, None)
    *_, (header, then) = kept(folder)
    assert (journal.durable_seq, len(read), header.seq) == (expected(release)["records"],) * 3
    now = in_plain(state)
    assert {name: len(value) for name, value in then.items() if isinstance(value, list)} == {
        name: len(now[name]) for name, value in then.items() if isinstance(value, list)
    }
    assert as_then(now, then) == then
    assert digest(as_then(now, then)) == expected(release)["digest"]
    assert check(folder, RealDisk()).records == expected(release)["records"]


async def test_a_start_from_each_snapshot_gives_the_same_state(release: str, folder: Path) -> None:
    _, whole, _ = await opened(folder, None)
    found = kept(folder)
    assert len(found) == 2
    for header, _ in reversed(found):
        journal, state, read = await opened(folder, header.fold)
        assert journal.snapshot_seq == header.seq
        assert len(read) == expected(release)["records"] - header.seq
        assert as_then(in_plain(state), in_plain(whole)) == in_plain(whole)
        (folder / "snapshots" / snapshots.name_of(header.seq)).unlink()


async def test_a_later_release_goes_on_from_it_where_the_first_records_were_pruned(release: str, folder: Path) -> None:
    _, whole, _ = await opened(folder, None)
    min((folder / "journal").glob("*.jsonl")).unlink()
    oldest = kept(folder)[0][0].seq
    journal, state, _ = await opened(folder, "of another release")
    assert (journal.snapshot_seq, journal.first) == (oldest, whole.first)
    assert as_then(in_plain(state), in_plain(whole)) == in_plain(whole)


async def test_it_has_an_example_of_every_event(release: str, folder: Path) -> None:
    _, _, read = await opened(folder, None)
    if release == golemd.__version__:
        missing = EVENTS.keys() - {record.type for record in read}
        assert not missing, f"tests/golden/{release} has no {missing}; until it is released, `make` makes it anew"


def test_the_wire_says_the_same(release: str) -> None:
    framer = Framer(WireLimits())
    framer.feed((HERE / release / "wire.msgpack").read_bytes())
    told = json.loads((HERE / release / "wire.json").read_text(encoding="utf-8"))
    messages = list(iter(framer.next_message, None))
    for each in told:
        message = messages.pop(0)
        if "method" in each:
            assert isinstance(message, Request)
            call = decode_call(each["method"], message.params)
            reply = messages.pop(0)
            assert isinstance(reply, Response)
            assert isinstance(call, CALLS[each["method"]])
            assert as_then(plain(call), each["params"]) == each["params"]
            answer = msgspec.msgpack.decode(reply.result, type=reply_type(type(call)))
            assert as_then(plain(answer), each["result"]) == each["result"]
        elif "notification" in each:
            assert isinstance(message, Notification)
            assert message.method == each["notification"]
        else:
            assert isinstance(message, Response)
            assert message.error
    assert not messages
    if release == golemd.__version__:
        assert {each["method"] for each in told if "method" in each} == CALLS.keys()
