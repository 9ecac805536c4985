"""The journal for a shell: `tail -F journal.jsonl | jq` shows what happens, also across a restart."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.path.ground import GUARD_SECONDS
from tests.path.house import House
from tests.path.repositories import Project


@contextlib.contextmanager
def _tail(daemon: House, program: str) -> Iterator[subprocess.Popen[bytes]]:
    """`tail -F | jq` of the journal from its first line on; its output is followed without buffers."""
    for needed in ("jq", "tail"):
        assert shutil.which(needed), f"{needed} is not installed; this test needs it"
    link = daemon.state / "journal.jsonl"
    tail = subprocess.Popen(["tail", "-n", "+1", "-F", link], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    jq = subprocess.Popen(["jq", "--unbuffered", "-r", program], stdin=tail.stdout, stdout=subprocess.PIPE)
    assert tail.stdout is not None
    tail.stdout.close()
    try:
        yield jq
    finally:
        for process in (tail, jq):
            process.kill()
            process.wait()
        assert jq.stdout is not None
        jq.stdout.close()


def _read_until(jq: subprocess.Popen[bytes], wanted: str) -> list[str]:
    assert jq.stdout is not None
    deadline = time.monotonic() + GUARD_SECONDS
    seen = b""
    while wanted not in seen.decode().splitlines():
        if not select.select([jq.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            pytest.fail(f"{wanted!r} did not come: {seen.decode()}")
        seen += os.read(jq.stdout.fileno(), 65536)
    return seen.decode().splitlines()


def test_a_run_can_be_watched_with_tail_and_jq_across_a_restart(daemon: House, demo: Project) -> None:
    with _tail(daemon, '"\\(.type) \\(.item // "-")"') as jq:
        item = demo.work("[[write a.txt x]]")
        first = _read_until(jq, f"item.completed {item}")
        assert first[0] == "daemon.started -"
        assert [line for line in first if line.startswith("attempt.")] == [
            f"attempt.{what} {item}" for what in ("planned", "spawned", "exited", "accepted")
        ]
        demo.halted()
        daemon.restart()
        second = demo.work("[[write b.txt x]]")
        later = _read_until(jq, f"item.completed {second}")
        assert f"item.added {second}" in later
        assert "daemon.started -" in later


def test_jq_can_read_every_line_of_a_journal(daemon: House, demo: Project) -> None:
    item = demo.work("[[write ü.txt »x«]] [[build.1: sleep 0]]", title="Schöne Grüße \u202e \U0001f600")
    daemon.done(item)
    with open(daemon.state / "journal.jsonl", "rb") as journal:
        done = subprocess.run(
            ["jq", "-c", ".seq"], stdin=journal, capture_output=True, timeout=GUARD_SECONDS, check=True
        )
    numbers = [int(line) for line in done.stdout.split()]
    assert numbers == list(range(1, len(numbers) + 1))
