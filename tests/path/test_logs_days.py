"""Logs of items that ended long ago are removed; records and results stay for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from golemd.api import calls
from tests.path.aging import age
from tests.path.ground import wait_for_line
from tests.path.house import House

GONE = {"prompt.md", "stderr.log", "stdout.log"}
STAYS = {"exit.json", "result.json", "spec.json", "started.json"}
ATTEMPT = "WRK-1.1.build.1"


def files(house: House, attempt: str = ATTEMPT) -> set[str]:
    return {path.name for path in (house.state / "attempts" / attempt).iterdir()}


def worked(house: House, days: float, **settings: Any) -> House:
    """A daemon that has done one item and waits with another, and starts again so many days later."""
    house.settings(**settings)
    house.start()
    demo = house.project(phases=[{"name": "build", "gate": "approval"}])
    for _ in range(2):
        item = demo.work()
        house.until("gate.opened", item)
        demo.halted()
    house.decide("WRK-1.g1", "approve")
    house.until("report.written", "WRK-1")
    house.stop()
    age(house.state, timedelta(days=days))
    return house.start()


def test_after_logs_days_the_logs_of_ended_items_are_gone_and_all_else_is_there(house: House) -> None:
    worked(house, 31)
    wait_for_line(house.log, "removed the logs of 1 attempts")
    assert (files(house) & (GONE | STAYS), files(house, "WRK-2.1.build.1") & GONE) == (STAYS, GONE)
    fault = house.refused(calls.LogsRead(id=ATTEMPT), "logs_removed", "not_found")
    assert "logs_days" in fault.message
    assert house.golemctl("logs", "WRK-1").status == 1
    assert house.show("WRK-1").attempts[0].outcome == "phase_complete"
    assert house.call(calls.LogsRead(id="WRK-2.1.build.1")).ended
    house.restart()
    assert house.said().count("removed the logs") == 1, "there is nothing left to remove"


def test_a_reload_brings_a_shorter_time_into_force(house: House) -> None:
    worked(house, 31, logs_days=0)
    house.settings(logs_days=30)
    house.call(calls.Reload())
    wait_for_line(house.log, "removed the logs of 1 attempts")


@pytest.mark.parametrize(
    ("days", "settings"), [(29, {}), (8, {"logs_days": 9}), (4000, {"logs_days": 0})], ids=["30", "chosen", "for ever"]
)
def test_until_then_they_stay(house: House, days: float, settings: dict[str, Any]) -> None:
    worked(house, days, **settings)
    house.restart()
    assert files(house) >= GONE | STAYS
    assert house.call(calls.LogsRead(id=ATTEMPT)).ended
