"""Items that build upon others."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import RESULT, Project


def test_a_dependant_waits_and_then_sees_the_work_it_builds_upon(daemon: House) -> None:
    agent = daemon.agent("copier", f"cp base.txt seen.txt; {RESULT}")
    project = daemon.project(
        agents=agent,
        execution={"max_wip": 2, "max_concurrent": 2},
        pipelines={"copy": [{"name": "copy", "agent": "copier"}]},
    )
    first = project.add("[[write base.txt from the first]]", title="The first one")
    second = project.add(dependencies=(first,), pipeline="copy")
    project.run()
    daemon.done(first, second)
    assert project.file_of(second, "seen.txt") == "from the first"
    assert daemon.records("phase.started", second)[0]["seq"] > daemon.records("item.completed", first)[0]["seq"]
    prompt = (daemon.state / "attempts" / f"{second}.1.copy.1" / "prompt.md").read_text(encoding="utf-8")
    assert f"- {first}: The first one" in prompt


def test_work_of_several_dependencies_is_merged(daemon: House, demo: Project) -> None:
    items = [demo.add(f"[[write {name}.txt {name}]]") for name in ("one", "two")]
    last = demo.add("[[write three.txt three]]", dependencies=tuple(items))
    demo.run()
    daemon.done(last)
    names = demo.git("ls-tree", "--name-only", f"golem/{last}").split()
    assert {"one.txt", "two.txt", "three.txt"} <= set(names)


def test_a_conflict_between_dependencies_opens_a_failure_gate_and_is_mended_by_hand(
    daemon: House, demo: Project
) -> None:
    items = [demo.add(f"[[write same.txt {name}]]") for name in ("one", "two")]
    last = demo.add("[[write own.txt x]]", dependencies=tuple(items))
    demo.run()
    gate = daemon.until("gate.opened", last)["data"]
    assert gate["kind"] == "failure"
    assert "same.txt" in gate["question"]
    assert items[1] in gate["question"]
    demo.halted()
    for item in items:
        demo.git("merge", "-q", "-X", "ours", f"golem/{item}", "-m", "by hand")
    daemon.decide(last, "retry")
    daemon.done(last)
    assert demo.file_of(last, "own.txt") == "x"


def test_a_cancelled_dependency_is_never_met_and_the_dispatch_halts(daemon: House, demo: Project) -> None:
    first = demo.add()
    second = demo.add(dependencies=(first,))
    daemon.call(calls.ItemCancel(id=first))
    demo.run()
    assert demo.halted()["data"]["reason"] == "all_done_or_blocked"
    assert daemon.records("run.created", second) == []


def test_a_dependency_of_another_project_holds_up_too(daemon: House, demo: Project) -> None:
    other = daemon.project("other", prefix="OTH")
    first = other.add()
    second = demo.add(dependencies=(first,))
    demo.run(continuous=True)
    other.run()
    daemon.done(first, second)
    assert daemon.records("phase.started", second)[0]["seq"] > daemon.records("item.completed", first)[0]["seq"]
