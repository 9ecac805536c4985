"""A defect that the planner meets in one project: that one is halted and told of, and all others go on."""

from __future__ import annotations

import os

import pytest

from golemd.api import calls
from tests.path.ground import PACKAGES
from tests.path.house import House

DEFECT = """
from golemd.core import commands, decide

launch = decide._OWN[commands.Launch]

def fails(state, command, now_us):
    if command.item.startswith("BAD"):
        raise StopIteration
    return launch(state, command, now_us)

decide._OWN[commands.Launch] = fails
"""


@pytest.mark.executed  # the defect is planted by what Python reads when it starts
def test_a_project_that_meets_a_defect_is_halted_and_the_others_go_on(house: House) -> None:
    planted = house.root / "planted"
    planted.mkdir()
    (planted / "sitecustomize.py").write_text(DEFECT, encoding="utf-8")
    daemon = house.start(env={"PYTHONPATH": f"{planted}{os.pathsep}{PACKAGES}"})
    bad, good = daemon.project("bad", prefix="BAD"), daemon.project("good", prefix="GOOD")
    item = bad.work("")
    daemon.until("dispatch.halted", reason="internal_error")
    assert daemon.call(calls.ItemWhy(id=item)).why == (
        f"{item} is in progress but does not run: "
        "nothing is dispatched in bad (it ended: internal error); golemctl run starts it."
    )
    daemon.done(good.work(""))
    assert "Launch(item='BAD-1') cannot be decided; please report it" in daemon.said()
    assert "StopIteration" in daemon.said()
    os.truncate(daemon.log, 0)  # no other test may end with a traceback in it
