"""A machine that is short of disk or memory: new agents wait for room, and people are told with figures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from golemd.api import calls
from tests.path.ground import Fifo, wait_for_line
from tests.path.house import House
from tests.path.repositories import RESULT

MUCH_GB = 1_000_000
MUCH_MB = 1_000_000


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"min_free_gb": MUCH_GB}, r"only [\d.]+ GB are free at /\S+ \(min_free_gb 1e\+06\)"),
        ({"min_free_memory_mb": MUCH_MB}, r"only \d+ MB of memory are available \(min_free_memory_mb 1000000\)"),
    ],
)
def test_new_agents_wait_and_why_status_and_the_log_say_what_is_short(
    house: House, settings: dict[str, Any], words: str
) -> None:
    house.settings(**settings)
    house.start()
    demo = house.project()
    item = demo.work()
    wait_for_line(house.log, "new agents wait")
    why = house.call(calls.ItemWhy(id=item)).why
    assert re.fullmatch(rf"{item} is in progress but does not run: {words}\.", why), why
    status = house.call(calls.Status())
    assert re.fullmatch(words, status.daemon.held_back or "")
    assert status.projects[0].dispatch.state == "running"
    said = house.golemctl("status", cwd=demo.root).out
    assert re.search(rf"New agents wait: {words}\.", " ".join(said.split())), said
    assert house.types(item) == ["item.added", "item.moved"]
    house.stop()
    house.settings()
    house.start()
    house.done(item)
    assert house.call(calls.Status()).daemon.held_back is None


def test_the_file_system_of_worktrees_counts_too(house: House) -> None:
    trees = house.root / "trees"
    house.settings(min_free_gb=MUCH_GB, worktree_root=str(trees))
    house.start()
    demo = house.project()
    demo.work()
    assert str(trees) in wait_for_line(house.log, "new agents wait") or str(house.state) in house.said()
    shown = json.loads(house.golemctl("status", "--json", cwd=demo.root).out)
    assert shown["daemon"]["held_back"]


def test_what_is_under_way_goes_on_while_the_machine_is_short(house: House, fifo: Callable[[str], Fifo]) -> None:
    gate = fifo("gate")
    house.start()
    phase = {"name": "build", "agent": "mine", "verify": ["true"]}
    demo = house.project(agents=house.agent("mine", f"read go < {gate.path}; {RESULT}"), phases=[phase])
    item = demo.work()
    house.until("attempt.spawned", item)
    house.call(calls.Shutdown(keep_agents=True))
    house.wait()
    house.settings(min_free_gb=MUCH_GB)
    house.start()
    gate.go()
    house.done(item)
    assert house.records("evidence.recorded", item)[0]["data"]["outcome"] == "passed"
    second = demo.add()
    demo.run()
    wait_for_line(house.log, "new agents wait")
    assert "attempt.planned" not in house.types(second)
