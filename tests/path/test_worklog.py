"""worklog: what was done to items, rendered from the journal."""

from __future__ import annotations

import json
import re
from typing import Any

from golemd.api import calls
from golemd.core.imports.worklog import histories
from tests.path.house import House
from tests.path.repositories import Project, configuration, phase


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


def _kept(daemon: House, **fields: Any) -> Project:
    """A project that keeps its worklog in the repository."""
    text = configuration("demo", "WRK", fields.pop("phases", [phase()]), fields.pop("execution", {}), {}, {})
    project = daemon.repository("demo", {"golem.toml": text.replace("[project]\n", "[project]\nworklog = true\n")})
    daemon.call(calls.ProjectInit(root=str(project.root)))
    return project


def _outcomes(text: str) -> list[tuple[str, str, str]]:
    """Item, phase and outcome of each entry."""
    return re.findall(r"^## \S+ — (\S+) .*\n\n(?:- \*\*Phase:\*\* (.*)\n)?- \*\*Outcome:\*\* (.*)", text, re.MULTILINE)


def test_it_is_kept_in_the_repository_and_committed_with_the_work(daemon: House) -> None:
    asks = json.dumps({"result": "blocked", "question": "Which?"})
    project = _kept(daemon, phases=[phase("plan"), phase("build")])
    item = project.work(f"[[plan: write p.txt p]] [[build: result {asks}]]")
    daemon.until("gate.opened", item)
    tree = project.worktree(item)
    assert project.git("status", "--porcelain", cwd=tree) == ""
    [log] = (tree / "_worklog").glob("*.md")
    assert _outcomes(log.read_text(encoding="utf-8")) == [(item, "plan", "Complete")]
    daemon.decide(item, "answer", text="this one")
    daemon.call(calls.ItemEdit(id=item, description="[[build: write b.txt b]]"))
    daemon.done(item)
    text = project.file_of(item, f"_worklog/{log.name}")
    assert _outcomes(text) == [(item, "plan", "Complete"), (item, "build", "Blocked"), (item, "build", "Complete")]
    assert project.git("show", "--name-only", "--format=", f"golem/{item}").split() == [f"_worklog/{log.name}", "b.txt"]


def test_branches_with_worklogs_can_be_merged(daemon: House) -> None:
    project = _kept(daemon)
    items = [project.add(f"[[write {name}.txt x]]") for name in ("one", "two")]
    last = project.add("[[write three.txt x]]", dependencies=tuple(items))
    project.run()
    daemon.done(last)
    [name] = project.git("ls-tree", "--name-only", f"golem/{last}:_worklog").split()[1:]
    assert {item for item, _, _ in _outcomes(project.file_of(last, f"_worklog/{name}"))} == {*items, last}


def test_in_a_shared_tree_it_is_committed_and_the_tree_is_clean(daemon: House) -> None:
    phases = [phase("plan"), phase("build", is_destructive=True), phase("review")]
    project = _kept(daemon, phases=phases, execution={"workspace": "shared"})
    items = [project.add("[[plan: write p.txt p]] [[build: write b.txt b]]") for _ in range(2)]
    project.run()
    daemon.done(*items)
    assert project.git("status", "--porcelain") == ""
    [log] = (project.root / "_worklog").glob("*.md")
    told = _outcomes(log.read_text(encoding="utf-8"))
    assert sorted(told) == [(item, name, "Complete") for item in items for name in ("build", "plan", "review")]


def test_something_else_in_its_place_asks_and_nothing_is_written_through_it(daemon: House) -> None:
    project = _kept(daemon)
    elsewhere = project.root.parent / "elsewhere"
    elsewhere.mkdir()
    (project.root / "_worklog").symlink_to(elsewhere)
    project.git("add", "--all")
    project.git("commit", "-q", "-m", "a link")
    item = project.work("[[write a.txt x]]")
    question = daemon.until("gate.opened", item)["data"]["question"]
    assert "_worklog is no plain folder" in question
    assert list(elsewhere.iterdir()) == []
