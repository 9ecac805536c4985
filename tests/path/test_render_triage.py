"""What triage, findings and follow-ups look like in `golemctl show`."""

from __future__ import annotations

import msgspec

from golemctl.render.item import show_lines
from golemctl.render.text import Look
from golemd.api.model import Brief, Finding, FollowUp
from golemd.api.views import ItemDetail, PhaseView, RunView

FINDING = Finding("Leak", "high", file="a.py", line=7)
PHASE = PhaseView(id="WRK-1.1.review", run="WRK-1.1", name="review", state="completed", findings=(FINDING,))
RUN = RunView(
    id="WRK-1.1",
    state="completed",
    pipeline="feature",
    phases=(PHASE,),
    follow_ups=(
        FollowUp("Docs", "WRK-2"),
        FollowUp("Again", "WRK-3", "there already"),
        FollowUp("More", why="too many"),
    ),
)
ITEM = ItemDetail(
    id="WRK-1",
    project="demo",
    title="Fix it",
    status="done",
    pipeline="feature",
    origin="WRK-9/build",
    brief=Brief(problem="It leaks."),
    runs=(RUN,),
)


def test_an_item_tells_what_triage_made_of_it_and_what_its_agents_found() -> None:
    text = "\n".join(show_lines(ITEM, Look(width=80)))
    for line in (
        "follows from WRK-9/build",
        "Triage says\n  problem: It leaks.",
        "  high  a.py:7  Leak",
        "  follow-up: Docs → WRK-2",
        "  follow-up: Again → WRK-3 there already",
        "  left out: More, too many",
    ):
        assert line in text
    assert "Triage says" not in "\n".join(show_lines(msgspec.structs.replace(ITEM, brief=Brief()), Look()))
