"""worklog: what was done to items, rendered from the journal."""

from __future__ import annotations

import json

from golemd.api import calls
from golemd.core.imports.worklog import histories
from tests.path.house import House
from tests.path.repositories import Project


def test_what_was_done_is_told_phase_by_phase(daemon: House, demo: Project) -> None:
    asks = json.dumps({"result": "blocked", "question": "Which\none?"})
    first = demo.work("[[write a.txt x]]", title="First")
    daemon.done(first)
    second = demo.work(f"[[build: result {asks}]]", title="Second")
    daemon.until("gate.opened", second)
    third = demo.add(title="Third")
    daemon.call(calls.ItemCancel(id=third, reason="no"))
    view = daemon.call(calls.Worklog())
    assert not view.more
    assert (
        f"— {first} (First)\n\n- **Phase:** build\n- **Outcome:** Complete\n- **Summary:** did: write a.txt\n"
        in view.text
    )
    assert (
        f"— {second} (Second)\n\n- **Phase:** build\n- **Outcome:** Blocked\n- **Summary:** Which one?\n" in view.text
    )
    assert f"— {third} (Third)\n\n- **Outcome:** Cancelled\n- **Summary:** no\n" in view.text
    assert set(histories([view.text.encode()])) == {first, second, third}, "it can be read back"


def test_a_month_is_chosen_and_a_strange_one_refused(daemon: House, demo: Project) -> None:
    daemon.done(demo.work())
    assert daemon.call(calls.Worklog(month="2020-01")).text == ""
    assert daemon.call(calls.Worklog(month="9999-12")).text == ""
    daemon.refused(calls.Worklog(month="2020-13"), "invalid_month", "invalid")


def test_it_is_read_in_pieces(daemon: House, demo: Project) -> None:
    daemon.done(demo.work())
    whole = daemon.call(calls.Worklog())
    rest = daemon.call(calls.Worklog(since=whole.next - 1))
    assert len(rest.text) < len(whole.text)
