"""What golemd makes of what a claude writes, be it damaged, endless or from another release, and of how it exits."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from tests.adapters.agents import samples
from tests.path.house import House

VERSION: Final = '[ "$1" != --version ] || { echo "2.1.328 (Claude Code)"; exit; }'
ANSWER: Final = {"item_id": "@item", "phase": "@phase", "result": "phase_complete", "summary": "it is done"}
GOOD: Final = samples.init() + samples.said() + samples.result(structured_output=ANSWER)
BIG: Final = 50_000_000
SPARE_KB: Final = 24 * 1024  # what reading a line of any length may cost the daemon
UNKNOWN: Final = (
    samples.line({"type": "thought", "text": "hm"})
    + samples.line({"type": "system", "subtype": "moon_phase", "session_id": 7})
    + samples.line(["no", "object"])
    + b"\xff\xfe no text\n{no json\n\n"
)
FAILURES: Final = {
    # what is written, the exit status → words of the rejection
    "nothing": (b"", 0, "it exited with status 0 before it was done"),
    "cut in the middle of its answer": (GOOD[: GOOD.index(b"it is done")], 0, "before it was done"),
    "no result event": (samples.init() + samples.said(), 0, "it exited with status 0 before it was done"),
    "no event at all": (b"<html>log in first</html>\n", 1, "it exited with status 1 before it was done"),
    "a good answer and a bad status": (GOOD, 3, "it said that it was done, and exited with status 3"),
    "an error that calls itself a success": (GOOD.replace(b'"is_error": false', b'"is_error": true'), 0, "All done."),
}


def _claude(daemon: House, stream: bytes, status: int = 0, before: str = "") -> str:
    """A program that says it is claude and writes a stream."""
    file = daemon.root / "stream"
    file.write_bytes(stream)
    fill = f'sed "s/@item/$GOLEM_ITEM/; s/@phase/$GOLEM_PHASE/" {shlex.quote(str(file))}'
    return daemon.program("claude", f"{VERSION}\n{before}\n{fill}\nexit {status}")


def _work(daemon: House, program: str, max_retries: int = 0) -> str:
    agents = {"claude": {"kind": "claude", "command": [program]}}
    phases = [{"name": "build", "agent": "claude", "max_retries": max_retries}]
    return daemon.project(phases=phases, agents=agents).work()


def _most_kb(daemon: House) -> int:
    """The most memory that the daemon has had so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{daemon.pid}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("name", FAILURES)
def test_what_is_no_success_costs_a_retry_and_says_why(daemon: House, name: str) -> None:
    stream, status, words = FAILURES[name]
    item = _work(daemon, _claude(daemon, stream, status), max_retries=1)
    rejected = daemon.until("attempt.rejected", item)["data"]
    assert (rejected["outcome"], rejected["spends"], rejected["put_back"]) == ("failed", "retry", True)
    assert words in rejected["message"]


@pytest.mark.parametrize("stream", [UNKNOWN + GOOD + UNKNOWN, GOOD.replace(b"\n", b"\n" + UNKNOWN), GOOD.rstrip()])
def test_events_of_another_release_and_noise_are_passed_over(daemon: House, stream: bytes) -> None:
    item = _work(daemon, _claude(daemon, stream))
    daemon.done(item)
    assert daemon.records("attempt.session", item)[0]["data"]["session"] == samples.SESSION


@pytest.mark.parametrize(
    "line",
    [
        f"head -c {BIG} /dev/zero | tr '\\0' x; echo",
        f'printf \'{{"type":"user","x":"\'; head -c {BIG} /dev/zero | tr \'\\0\' x; printf \'"}}\\n\'',
        f"head -c {BIG} /dev/zero | tr '\\0' x >&2",
    ],
    ids=["noise", "an event", "errors"],
)
def test_a_line_of_50_mb_costs_the_daemon_no_memory_and_hides_nothing(daemon: House, line: str) -> None:
    item = _work(daemon, _claude(daemon, GOOD, before=line))
    daemon.until("attempt.spawned", item)
    before = _most_kb(daemon)
    daemon.done(item)
    assert _most_kb(daemon) - before < SPARE_KB
