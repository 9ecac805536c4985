"""Worktrees of items that wait: after a day they are set aside, and come back exactly, in time and after crashes."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from golemd.api import calls
from golemd.api.faults import Conflict
from tests.path.aging import age
from tests.path.ground import run_command
from tests.path.house import House
from tests.path.repositories import RESULT, Project, table

A_DAY = timedelta(days=1, minutes=1)
ASKS = """printf '{"item_id":"%s","phase":"%s","result":"blocked","summary":"s","question":"Which?"}' """ + (
    '"$GOLEM_ITEM" "$GOLEM_PHASE" > "$GOLEM_RESULT"'
)
WORKS = f"""
if [ -e untracked/file ]; then cat README untracked/file .env > seen; {RESULT}
else mkdir untracked; echo half > untracked/file; echo changed > README; git add README; echo more >> README; {ASKS}
fi"""


def waiting(house: House, script: str = WORKS, **more: Any) -> tuple[Project, str]:
    """A daemon with an item whose agent has begun, and asks."""
    house.start()
    demo = house.project(
        agents=house.agent("mine", f"set -e\n{script}"),
        phases=[{"name": "build", "agent": "mine"}],
        execution={"max_retries": 0},
        **more,
    )
    item = demo.work()
    house.until("gate.opened", item)
    demo.halted()
    return demo, item


def state_of(tree: Path) -> list[str]:
    """What git says of a worktree: what has changed, what is staged, what is not."""
    questions = (("status", "--porcelain", "-uall"), ("diff", "--cached"), ("diff",))
    return [run_command(["git", "-C", tree, *question]).out for question in questions]


def a_day_passes(house: House, *trees: Path) -> None:
    """The daemon is stopped, a day goes by, and it starts again."""
    house.stop()
    age(house.state, A_DAY)
    then = time.time() - A_DAY.total_seconds()
    for tree in trees:
        for path in tree.rglob("*"):
            os.utime(path, (then, then), follow_symlinks=False)
    house.start()


def test_after_a_day_it_is_removed_and_an_answer_brings_everything_back(house: House) -> None:
    setup = table("[workspace]", {"copy": [".env"], "setup": ["echo ready > .ready"]})
    demo, item = waiting(house, more=setup)
    (demo.root / ".env").write_text("KEY=1\n", encoding="utf-8")
    tree = demo.worktree(item)
    assert "?? untracked/file" in state_of(tree)[0]
    a_day_passes(house, tree)
    kept = house.until("work.kept", item, then="aside")["data"]
    house.decide(item, "answer", "this one")  # waits until it is away
    demo.run()
    house.until("worktree.made", item, rebuilt=True)
    house.done(item)
    assert demo.git("rev-parse", f"refs/golem/kept/{item}.1.aside") == kept["commit"]
    assert demo.file_of(item, "seen").splitlines() == ["changed", "more", "half", "KEY=1"]
    assert [kind for kind in house.types(item) if kind in ("worktree.made", "worktree.prepared")] == [
        *("worktree.made", "worktree.prepared"),
        *("worktree.made", "worktree.prepared"),
    ]


def test_while_it_is_aside_people_are_told_and_can_look(house: House) -> None:
    demo, item = waiting(house)
    tree = demo.worktree(item)
    a_day_passes(house, tree)
    house.until("work.kept", item, then="aside")
    house.restart()
    assert not tree.exists()
    assert house.golemctl("path", item).status == 1
    assert "set aside" in house.golemctl("path", item).err
    shown = house.golemctl("show", item).out
    assert "with all that it held; it comes back when needed" in shown
    diff = house.golemctl("diff", item).out
    assert "+half" in diff
    assert "+more" in diff
    assert house.show(item).runs[0].kept_ref == f"refs/golem/kept/{item}.1.aside"


def test_it_comes_back_with_the_staging_it_had(house: House) -> None:
    demo, item = waiting(house, f"[ -e untracked ] && sleep 600\n{WORKS}")
    tree = demo.worktree(item)
    before = state_of(tree)
    a_day_passes(house, tree)
    house.until("work.kept", item, then="aside")
    house.decide(item, "answer", "this one")
    demo.run()
    house.until("attempt.spawned", attempt=f"{item}.1.build.2")
    assert state_of(tree) == before


def test_a_daemon_that_dies_between_keeping_and_removing_does_the_rest_at_its_next_start(house: House) -> None:
    demo, item = waiting(house)
    tree = demo.worktree(item)
    a_day_passes(house, tree)
    house.until("work.kept", item, then="aside")
    house.stop()
    assert not tree.exists()
    tree.mkdir()
    (tree / "late").write_text("left", encoding="utf-8")
    house.start()
    assert not tree.exists()
    assert demo.git("show", f"refs/golem/kept/{item}.1:late") == "left", "nothing is removed that is not kept"


def test_an_approval_is_bound_to_what_will_come_back(house: House) -> None:
    house.start()
    demo = house.project(phases=[{"name": "build", "gate": "approval"}, {"name": "ship"}])
    item = demo.work("[[build: write a.txt a]]")
    house.until("gate.opened", item)
    demo.halted()
    a_day_passes(house, demo.worktree(item))
    house.until("work.kept", item, then="aside")
    house.restart()  # which waits until it is removed
    demo.git("checkout", "-q", f"golem/{item}")
    demo.commit({"b.txt": "by hand"}, "by hand")
    demo.git("checkout", "-q", "main")
    with pytest.raises(Conflict) as caught:
        house.decide(f"{item}.g1", "approve")
    assert caught.value.code == "content_changed"
    house.decide(f"{item}.g2", "approve")
    demo.run()
    house.done(item)
    assert demo.file_of(item, "b.txt") == "by hand"


@pytest.mark.parametrize("what", ["touched", "big"])
def test_one_that_must_stand_stands_and_the_journal_says_why(house: House, what: str) -> None:
    demo, item = waiting(house)
    tree = demo.worktree(item)
    if what == "big":
        with open(tree / "big", "wb") as file:
            file.truncate(51 << 20)
        a_day_passes(house, tree)
    else:
        a_day_passes(house)
    left = house.until("work.kept", item, then="left")["data"]
    words = {"touched": "untracked/file was changed lately", "big": "big is too big to be kept"}
    assert words[what] in left["listed"]
    assert tree.exists()
    house.restart()
    assert len(house.records("work.kept", item)) == 1, "it is looked at again a day later, not before"


def test_a_run_that_ends_while_it_is_aside_keeps_what_it_held(house: House) -> None:
    demo, item = waiting(house)
    a_day_passes(house, demo.worktree(item))
    house.until("work.kept", item, then="aside")
    house.call(calls.ItemCancel(id=item))
    house.until("report.written", item)
    assert demo.git("show", f"refs/golem/kept/{item}.1.aside:untracked/file") == "half"
    said = house.golemctl("report", item).out
    assert f"refs/golem/kept/{item}.1.aside" in said
