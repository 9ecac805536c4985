"""logs.follow: an attempt's output as it is written, until the attempt is over."""

from __future__ import annotations

from collections.abc import Callable

from golemd.api import calls
from tests.path.ground import GUARD_SECONDS, Fifo
from tests.path.house import House
from tests.path.repositories import RESULT, Project


def test_output_comes_as_it_is_written_and_the_end_is_told(daemon: House, fifo: Callable[[str], Fifo]) -> None:
    go = fifo("go")
    agents = daemon.agent("talker", f"echo one; read word < {go.path}; echo two; {RESULT}")
    project = daemon.project(phases=[{"name": "build", "agent": "talker"}], agents=agents)
    item = project.work()
    daemon.until("attempt.spawned", item)
    following = daemon.client.follow(calls.LogsFollow(id=item))
    first = following.take(GUARD_SECONDS)
    assert first is not None
    assert (first.method, first.data["text"], first.data["offset"]) == ("log", "one\n", 0)
    assert (following.started.attempt, first.data["attempt"]) == (f"{item}.1.build.1", f"{item}.1.build.1")
    go.go()
    second, last = following.take(GUARD_SECONDS), following.take(GUARD_SECONDS)
    following.close()
    assert second is not None
    assert last is not None
    assert (second.data["text"], second.data["offset"], second.data["next"]) == ("two\n", 4, 8)
    assert last.method == "ended"


def test_the_whole_output_of_an_ended_attempt_comes_at_once_from_the_offset_asked_for(
    daemon: House, demo: Project
) -> None:
    item = demo.work("[[write a.txt hello]]")
    daemon.done(item)
    following = daemon.client.follow(calls.LogsFollow(id=item, offset=10))
    first, last = following.take(GUARD_SECONDS), following.take(GUARD_SECONDS)
    following.close()
    assert first is not None
    assert last is not None
    assert (first.data["text"], last.method) == ("write a.txt hello\n", "ended")


def test_an_item_without_an_attempt_is_refused(daemon: House, demo: Project) -> None:
    daemon.refused(calls.LogsFollow(id=demo.add()), "attempt_not_found", "not_found")
    daemon.refused(calls.LogsFollow(id="WRK-9"), "attempt_not_found", "not_found")
