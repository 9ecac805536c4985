"""The daemon on a disk that is full, or that fails: what it refuses, what it still does, and how it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from golemctl.client import Client, DaemonUnreachable, Following
from golemd.api import calls
from golemd.api.faults import Fault, Unavailable
from tests.faults.outside import head_seq, records_of
from tests.faults.rig import Daemon, Rig, rig, strace

DISK_BYTES: Final = 16 << 20
WRITE_FAILED: Final = 74
UNUSABLE: Final = 78
SECONDS: Final = 30.0
ANY_ROOM: Final = "min_free_gb = 0\n"
LARGE: Final = "x" * 90_000  # of a description: the reserve takes some twenty of them

needs_mount = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small file system needs root and mount(8)"
)
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="injecting errors needs strace")


@pytest.fixture
def small() -> Iterator[Rig]:
    """A rig whose state folder is a small file system of its own, where agents start however little is free."""
    with rig(ANY_ROOM) as place:
        place.state.mkdir(mode=0o700)
        options = f"size={DISK_BYTES},mode=700"
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "rig", place.state], check=False)
        if mounted.returncode != 0:
            pytest.skip("mount(8) is not permitted here")
        try:
            yield place
        finally:
            place.clean_up()
            subprocess.run(["umount", place.state], check=True)


def fill(place: Rig) -> Path:
    """Write a file until the disk is full."""
    filler = place.state / "filler"
    with open(filler, "ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    return filler


def add_until_refused(client: Client) -> tuple[list[str], Fault]:
    """Add large items until that is refused; the ids, and the refusal."""
    added: list[str] = []
    while len(added) < 100:
        try:
            added.append(client.call(calls.ItemAdd(title="large", description=LARGE, token=f"large-{len(added)}")).id)
        except Fault as fault:
            return added, fault
    raise AssertionError("a full disk takes everything")


def refused_edit(client: Client, item: str) -> Fault:
    """Edit an item, at length, until that is refused."""
    for _ in range(100):
        try:
            client.call(calls.ItemEdit(id=item, description=LARGE))
        except Fault as fault:
            return fault
    raise AssertionError("a full disk takes everything")


def until(following: Following, kind: str) -> dict[str, Any]:
    """The next record of a type."""
    while (notice := following.take(SECONDS)) is not None:
        if notice.data["record"]["type"] == kind:
            return dict(notice.data["record"])
    raise AssertionError(f"no {kind} came")


@contextlib.contextmanager
def waiting_agent(place: Rig, client: Client) -> Iterator[tuple[str, int]]:
    """An item whose agent has done its work and runs until a line is written to the descriptor; both."""
    go, ready = place.repository / "go", place.repository / "ready"
    os.mkfifo(go)
    os.mkfifo(ready)
    item = client.call(calls.ItemAdd(title="waits", pipeline="waiting")).id
    client.call(calls.RunStart())
    assert ready.read_text() == "ready\n"
    writer = os.open(go, os.O_RDWR)  # does not wait for a reader
    try:
        yield item, writer
    finally:
        os.close(writer)


@needs_mount
def test_a_full_disk_refuses_changes_answers_records_ends_and_goes_on_by_itself(small: Rig) -> None:
    daemon = small.start()
    small.init()
    with small.client() as client, waiting_agent(small, client) as (item, writer):
        filler = fill(small)
        added, refusal = add_until_refused(client)
        assert isinstance(refusal, Unavailable)
        assert refusal.code == "disk_full"
        with pytest.raises(Unavailable, match="disk is full"):
            client.call(calls.ItemEdit(id=added[0], priority=1))  # however small it is
        assert client.call(calls.ItemAdd(title="large", description=LARGE, token="large-0")).repeated
        assert "disk is full" in (client.call(calls.Status()).daemon.degraded or "")
        assert client.call(calls.ItemShow(id=added[-1])).title == "large"
        with contextlib.closing(client.follow(calls.EventsFollow(since=1, item=item))) as following:
            os.write(writer, b"\n")
            assert until(following, "attempt.exited")["data"]["status"] == 0
            until(following, "attempt.accepted")
            assert client.call(calls.Status()).daemon.degraded is not None
            filler.unlink()
            until(following, "item.completed")  # nobody asked: it has found the room by itself
        assert client.call(calls.Status()).daemon.degraded is None
        again = client.call(calls.ItemAdd(title="large", description=LARGE, token="large-0"))
        assert (again.id, again.repeated) == (added[0], True)
        assert client.call(calls.JournalVerify(deep=True)).equal is True
    assert daemon.kill(signal.SIGTERM) == 0, daemon.said
    assert "Traceback" not in daemon.said


@needs_mount
def test_what_could_not_be_launched_on_a_full_disk_is_launched_when_there_is_room(small: Rig) -> None:
    daemon = small.start()
    small.init()
    with small.client() as client, waiting_agent(small, client) as (first, writer):
        item = client.call(calls.ItemAdd(title="waits for room", dependencies=(first,))).id
        filler = fill(small)
        assert refused_edit(client, item).code == "disk_full"
        with contextlib.closing(client.follow(calls.EventsFollow())) as following:
            os.write(writer, b"\n")
            until(following, "attempt.accepted")
            assert client.call(calls.ItemShow(id=item)).status == "ready"
            filler.unlink()
            while until(following, "item.completed")["item"] != item:
                pass
    assert daemon.kill(signal.SIGTERM) == 0, daemon.said


@needs_mount
def test_a_full_disk_of_worktrees_alone_asks_once_and_the_journal_goes_on(tmp_path: Path) -> None:
    options = "size=262144,mode=700"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "worktrees", tmp_path], check=False).returncode != 0:
        pytest.skip("mount(8) is not permitted here")
    try:
        filler = tmp_path / "filler"
        with open(filler, "ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0" * 4096):
                pass
        with rig(f"{ANY_ROOM}worktree_root = {str(tmp_path)!r}\n") as place:
            daemon = place.start()
            place.init()
            with place.client() as client, contextlib.closing(client.follow(calls.EventsFollow())) as following:
                item = client.call(calls.ItemAdd(title="waits for room")).id
                client.call(calls.RunStart())
                asked = until(following, "gate.opened")["data"]["question"]
                assert "preparing the workspace" in asked
                assert client.call(calls.Status()).daemon.degraded is None
                filler.unlink()
                client.call(calls.ItemUnblock(id=item))
                until(following, "item.completed")
            assert daemon.kill(signal.SIGTERM) == 0, daemon.said
            assert daemon.said.count("enter:") == 1, "it was tried again and again"
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@needs_mount
def test_a_start_on_a_full_disk_waits_for_room_and_no_acknowledgement_is_lost(small: Rig) -> None:
    daemon = small.start()
    small.init()
    with small.client() as client:
        filler = fill(small)
        added, _ = add_until_refused(client)
    daemon.kill()
    with open(filler, "ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 512):
            pass
    stopped = small.launch()
    assert stopped.wait_told("waits for room")
    assert stopped.kill(signal.SIGTERM) == 0, stopped.said
    daemon = small.launch()
    assert "EXTEND_TIMEOUT_USEC" in daemon.wait_told("waits for room")
    assert "the start waits: the disk is too full" in daemon.said
    filler.unlink()
    assert daemon.wait_ready()
    with small.client() as client:
        for number, item in enumerate(added):
            again = client.call(calls.ItemAdd(title="large", description=LARGE, token=f"large-{number}"))
            assert (again.id, again.repeated) == (item, True)
    assert daemon.kill(signal.SIGTERM) == 0
    assert "Traceback" not in daemon.said


# --- a disk that fails -------------------------------------------------------------------------------------------


def add_until_it_ends(place: Rig, prefix: str) -> dict[str, str]:
    """Add items one by one until the daemon is gone; token → id of those that were acknowledged."""
    acknowledged: dict[str, str] = {}
    with place.client() as client:
        for number in range(200):
            token = f"{prefix}-{number}"
            try:
                acknowledged[token] = client.call(calls.ItemAdd(title=token, token=token)).id
            except DaemonUnreachable:
                return acknowledged
            except Unavailable as fault:
                if fault.code != "journal_failed":
                    raise
    raise AssertionError("the daemon has not ended")


def assert_all_there(place: Rig, acknowledged: dict[str, str]) -> None:
    """After a start every acknowledged item is there, and its token is known."""
    daemon = place.start()
    with place.client() as client:
        for token, item in acknowledged.items():
            again = client.call(calls.ItemAdd(title=token, token=token))
            assert (again.id, again.repeated) == (item, True)
        assert client.call(calls.JournalVerify(deep=True)).equal is True
    assert daemon.kill(signal.SIGTERM) == 0
    records = records_of(place.state)
    assert head_seq(place.state) == len(records)


def assert_failed(daemon: Daemon) -> None:
    """It ends because the journal cannot be written, and says so."""
    assert daemon.wait() == WRITE_FAILED, daemon.said
    assert "the journal cannot be written" in daemon.said
    assert "Traceback" not in daemon.said


@needs_strace
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
def test_a_failed_sync_or_write_ends_the_daemon_and_nothing_acknowledged_is_lost(call: str) -> None:
    with rig() as place:
        first = place.start()
        place.init()
        first.kill(signal.SIGTERM)
        daemon = place.start(strace(f"{call}:error=EIO:when=7", trace=call))
        acknowledged = add_until_it_ends(place, "e")
        assert_failed(daemon)
        assert acknowledged
        assert os.strerror(errno.EIO) in daemon.said
        assert_all_there(place, acknowledged)


def test_a_write_past_the_file_size_limit_ends_the_daemon_and_nothing_acknowledged_is_lost() -> None:
    with rig() as place:
        daemon = place.start(["prlimit", f"--fsize={20_000}", "--"])
        place.init()
        acknowledged = add_until_it_ends(place, "f")
        assert_failed(daemon)
        assert len(acknowledged) > 3
        assert_all_there(place, acknowledged)


@needs_strace
def test_a_sync_that_fails_while_starting_is_said_and_the_next_start_is_whole() -> None:
    with rig() as place:
        daemon = place.start()
        place.init()
        daemon.kill()
        assert_failed(place.launch(strace("fdatasync:error=EIO:when=1", trace="fdatasync")))
        assert_all_there(place, {})


def test_a_daemon_that_cannot_say_anything_works_and_ends_in_good_order() -> None:
    with rig() as place:
        daemon = place.start(["sh", "-c", 'exec "$@" 2>/dev/full', "sh"])
        place.init()
        with place.client() as client:
            client.call(calls.ItemAdd(title="unsaid", token="unsaid"))
        assert daemon.kill(signal.SIGTERM) == 0


def test_an_address_that_cannot_be_left_is_said_and_the_daemon_serves() -> None:
    with rig() as place:
        (place.state / "address").mkdir(parents=True)
        place.state.chmod(0o700)
        daemon = place.start()
        with place.client() as client:
            assert client.call(calls.Ping()).pid == daemon.pid
        assert daemon.kill(signal.SIGTERM) == 0
        assert "its address cannot be left" in daemon.said


@needs_strace
@pytest.mark.parametrize("call", ["ftruncate", "pwrite64"])
def test_a_lock_that_cannot_be_written_makes_the_state_folder_unusable(call: str) -> None:
    with rig() as place:
        daemon = place.launch(strace(f"{call}:error=ENOSPC:when=1", trace=call))
        assert daemon.wait() == UNUSABLE
        assert f"{place.state}: {os.strerror(errno.ENOSPC)}" in daemon.said
        assert "Traceback" not in daemon.said


@needs_mount
def test_a_start_waits_for_room_to_keep_what_a_torn_end_holds(small: Rig) -> None:
    daemon = small.start()
    small.init()
    daemon.kill()
    segment = max((small.state / "journal").glob("*.jsonl"))
    with open(segment, "ab") as file:
        file.write(b"torn" * 2000)
        file.truncate()  # and so gives its reserve back
    filler = fill(small)
    daemon = small.launch()
    assert "EXTEND_TIMEOUT_USEC" in daemon.wait_told("waits for room")
    filler.unlink()
    assert daemon.wait_ready()
    assert "the start waits for room" in daemon.said
    assert Path(f"{segment}.broken").read_bytes() == b"torn" * 2000
    with small.client() as client:
        assert client.call(calls.JournalVerify(deep=True)).equal is True
    assert daemon.kill(signal.SIGTERM) == 0
    assert "Traceback" not in daemon.said
