"""item.cancel: its agents are ended, its gates closed, its branch kept."""

from __future__ import annotations

from golemctl.render.item import show_lines
from golemctl.render.text import Look
from golemd.api import calls
from tests.path.ground import ended
from tests.path.house import House
from tests.path.repositories import Project


def test_an_item_without_a_run_is_cancelled_with_its_reason(daemon: House, demo: Project) -> None:
    item = demo.add()
    view = daemon.call(calls.ItemCancel(id=item, reason="not needed"))
    assert (view.status, view.resolution) == ("cancelled", "cancelled")
    (record,) = daemon.records("item.cancelled", item)
    assert record["data"]["reason"] == "not needed"


def test_the_reason_is_told_by_why_and_at_the_head_of_show_also_after_a_restart(daemon: House, demo: Project) -> None:
    item, other = demo.add(), demo.add()
    daemon.call(calls.ItemCancel(id=item, reason="not needed:\nsee WRK-3"))
    daemon.call(calls.ItemCancel(id=other))
    for _ in range(2):
        assert daemon.call(calls.ItemWhy(id=item)).why == f"{item} is cancelled: not needed:\nsee WRK-3."
        assert _head(daemon, item).startswith("cancelled: not needed: see WRK-3 · feature · ")
        assert _head(daemon, other).startswith("cancelled · feature · ")
        daemon.restart()


def _head(daemon: House, item: str) -> str:
    """The line of `show` that says where an item stands."""
    return show_lines(daemon.show(item), Look(width=120))[1]


def test_the_running_agent_ends_and_what_it_left_is_kept(daemon: House, demo: Project) -> None:
    item = demo.work("[[write half.txt half done]] [[sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    pid = daemon.records("attempt.spawned", item)[0]["data"]["pid"]
    daemon.call(calls.ItemCancel(id=item))
    kept = daemon.until("work.kept", item, then="removed")
    assert ended(pid)
    assert demo.git("show", f"{kept['data']['commit']}:half.txt") == "half done"
    assert demo.git("rev-parse", f"golem/{item}") == demo.git("rev-parse", "main")
    assert not demo.worktree(item).exists()
    assert {"run.aborted", "item.cancelled", "attempt.exited"} <= set(daemon.types(item))


def test_an_open_gate_is_superseded(daemon: House, demo: Project) -> None:
    item = demo.work('[[result {"result": "blocked", "summary": "s", "question": "Which?"}]]')
    daemon.until("gate.opened", item)
    daemon.call(calls.ItemCancel(id=item))
    daemon.until("gate.superseded", item, gate=f"{item}.g1")
    assert daemon.call(calls.GateList()) == ()


def test_cancelling_again_is_a_success_that_says_so(daemon: House, demo: Project) -> None:
    item = demo.add()
    daemon.call(calls.ItemCancel(id=item))
    before = daemon.seq
    assert "already" in (daemon.call(calls.ItemCancel(id=item)).note or "")
    assert daemon.seq == before


def test_an_unknown_item_is_refused(daemon: House, demo: Project) -> None:
    daemon.refused(calls.ItemCancel(id="WRK-1"), "item_not_found", "not_found")


def test_an_item_that_is_done_is_refused(daemon: House, demo: Project) -> None:
    item = demo.work()
    daemon.done(item)
    demo.halted()
    daemon.until("work.kept", item)
    daemon.refused(calls.ItemCancel(id=item), "item_ended", "conflict")


def test_repeating_a_cancel_by_token_has_no_second_effect(daemon: House, demo: Project) -> None:
    item = demo.add()
    first, again = daemon.repeats(calls.ItemCancel(id=item))
    assert (first.status, again.status, again.id) == ("cancelled", "cancelled", item)


def test_a_token_of_another_body_is_refused(daemon: House, demo: Project) -> None:
    one, two = demo.add(), demo.add()
    daemon.reuses(calls.ItemCancel(id=one), calls.ItemCancel(id=two))
