"""What went wrong under phase-golem, each named after what its user saw, does not go wrong here.

Two more stand where their ground is: outages and usage limits that burn no retry in `test_claude`, stores of newer
task-golems in `test_import`.
"""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from golemd.api import calls
from tests.path.ground import ended
from tests.path.house import House
from tests.path.repositories import RESULT

TRIAGE = "[triage]\nenabled = true\n"
SHARED = {"workspace": "shared"}


def says(phase: str, **result: Any) -> str:
    return f"[[{phase}: result {json.dumps({'result': 'phase_complete', 'summary': 'did', **result})}]]"


def test_the_quick_start_works_in_a_tree_that_is_not_clean(daemon: House) -> None:
    project = daemon.repository("demo")
    assert daemon.golemctl("init", "--prefix", "WRK", cwd=project.root).status == 0
    assert project.git("status", "--porcelain") == "?? golem.toml", "init touches nothing else"
    (project.root / "golem.toml").write_text(
        '[execution]\nagent = "scripted"\n[triage]\nenabled = false\n[[pipelines.feature.phases]]\nname = "build"\n'
    )
    (project.root / "notes.txt").write_text("mine")
    added = daemon.golemctl("add", "Fix it", "-d", "[[write a.txt x]]", cwd=project.root)
    assert added.out.strip() == "WRK-1"
    assert daemon.golemctl("run", cwd=project.root).status == 0
    assert project.file_of("WRK-1", "a.txt") == "x"


def test_a_second_run_is_not_refused_because_of_what_the_first_left(daemon: House) -> None:
    project = daemon.project(execution=SHARED)
    for name in ("one", "two"):
        daemon.done(project.work(f"[[write {name}.txt x]]"))
        assert project.git("status", "--porcelain") == ""


def test_an_item_may_depend_on_one_that_was_finished_long_ago(daemon: House) -> None:
    project = daemon.project()
    first = project.work("[[write a.txt x]]")
    daemon.done(first)
    daemon.restart()
    daemon.done(project.work("[[append a.txt y]]", dependencies=(first,)))


def test_a_filter_does_not_forget_dependencies_outside_of_it(daemon: House) -> None:
    project = daemon.project()
    first = project.add()
    second = project.add(labels=("docs",), dependencies=(first,))
    project.run(only=("label=docs",))
    assert project.halted()["data"]["reason"] == "filter_exhausted"
    assert "waits for " + first in (daemon.show(second).why or "")


def test_a_triage_that_fails_ends_in_a_question_and_not_in_a_loop(daemon: House) -> None:
    agents = daemon.agent("broken", "exit 1")
    project = daemon.project(more=TRIAGE + 'agent = "broken"\n', agents=agents, execution={"max_retries": 0})
    item = project.work()
    gate = daemon.until("gate.opened", item)["data"]
    assert (gate["kind"], gate["phase"]) == ("failure", "triage")
    assert len(daemon.records("attempt.planned", item)) == 1


def test_stopping_during_triage_ends_it_at_once_and_blocks_nothing(daemon: House) -> None:
    project = daemon.project(more=TRIAGE)
    item = project.work("[[triage: sleep 600]]")
    attempt = daemon.until("attempt.spawned", item)["data"]
    daemon.call(calls.RunStop(project=project.name, now=True))
    assert ended(attempt["pid"])
    daemon.until("attempt.rejected", item, outcome="cancelled")
    assert daemon.show(item).status == "new"


def test_strange_names_renames_and_staged_deletions_are_committed_as_they_are(daemon: House) -> None:
    project = daemon.project(agents=daemon.agent("mover", MOVES + RESULT), phases=[{"name": "build", "agent": "mover"}])
    project.commit({"old.txt": "some text that stays the same\n" * 9, "gone.txt": "x", "sub/keep.txt": "k"})
    item = project.work()
    daemon.done(item)
    listed = project.git("-c", "core.quotePath=off", "ls-tree", "-r", "-z", "--name-only", f"golem/{item}").split("\0")
    for name in ("new name.txt", "-dash", 'qu"ote', "ümläut", "line\nfeed", "sub/keep.txt"):
        assert name in listed
    assert not {"old.txt", "gone.txt"} & set(listed)


MOVES = """
git mv old.txt 'new name.txt' && git rm -q gone.txt
printf x > ./-dash; printf x > 'qu"ote'; printf x > 'ümläut'; printf x > "$(printf 'line\\nfeed')"
"""


def test_what_a_person_described_reaches_every_prompt(daemon: House) -> None:
    project = daemon.project(more=TRIAGE, phases=[{"name": "plan"}, {"name": "build"}])
    item = project.work("Mind the gap. " + says("triage", description={"context": "about trains"}))
    daemon.done(item)
    for phase in ("triage", "plan", "build"):
        prompt = daemon.state / "attempts" / f"{item}.1.{phase}.1" / "prompt.md"
        assert "Mind the gap." in prompt.read_text(encoding="utf-8")


def test_a_human_can_be_asked_for_a_review(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "build", "gate": "approval"}])
    item = project.work("[[write a.txt x]]")
    daemon.until("gate.opened", item)
    daemon.decide(item, "approve")
    daemon.done(item)


def test_an_item_that_is_cancelled_while_it_runs_ends_nothing_else(daemon: House) -> None:
    project = daemon.project(execution={"max_wip": 2, "max_concurrent": 2})
    doomed = project.work("[[sleep 600]]")
    daemon.until("attempt.spawned", doomed)
    daemon.call(calls.ItemCancel(id=doomed))
    daemon.done(project.add("[[write a.txt x]]"))


def test_the_configured_cap_is_kept(daemon: House) -> None:
    project = daemon.project(execution={"default_phase_cap": 1, "max_concurrent": 1})
    project.add()
    project.work()
    assert project.halted()["data"]["reason"] == "cap_reached"


def test_triage_needs_no_pipeline_of_a_certain_name(daemon: House) -> None:
    project = daemon.repository("demo")
    (project.root / "golem.toml").write_text(
        '[execution]\nagent = "scripted"\n[[pipelines.only.phases]]\nname = "build"\n', encoding="utf-8"
    )
    daemon.call(calls.ProjectInit(root=str(project.root)))
    item = project.work("[[write a.txt x]]")
    daemon.done(item)
    assert daemon.show(item).pipeline == "only"


def test_after_a_failure_there_is_something_to_read(daemon: House) -> None:
    agents = daemon.agent("broken", "echo 'it all went wrong'; exit 3")
    project = daemon.project(agents=agents, phases=[{"name": "build", "agent": "broken"}], execution={"max_retries": 0})
    item = project.work()
    gate = daemon.until("gate.opened", item)["data"]
    assert "exit status 3" in gate["question"]
    assert "it all went wrong" in daemon.golemctl("logs", item).out


def test_phases_at_work_in_one_tree_do_not_commit_each_others_files(daemon: House) -> None:
    project = daemon.project(
        phases=[{"name": "plan", "gate": "approval"}], execution={**SHARED, "max_wip": 2, "max_concurrent": 2}
    )
    slow = project.add("[[write changes/WRK-1_slow/plan.md s]] [[sleep 1]]", title="slow")
    quick = project.add("[[write changes/WRK-2_quick/plan.md q]]", title="quick")
    project.run()
    for item in (slow, quick):
        daemon.until("gate.opened", item)
    for item, name in ((slow, "changes/WRK-1_slow/plan.md"), (quick, "changes/WRK-2_quick/plan.md")):
        commit = daemon.until("commit.created", item)["data"]["commit"]
        assert project.git("show", "--name-only", "--format=", commit) == name


def test_it_does_not_matter_from_which_folder_it_is_called(daemon: House) -> None:
    project = daemon.project(files={"sub/deep/x": "x"})
    inside = project.root / "sub" / "deep"
    added = daemon.golemctl("add", "Fix it", "-d", "[[write a.txt x]]", cwd=inside)
    assert daemon.golemctl("run", cwd=inside).status == 0
    assert project.file_of(added.out.strip(), "a.txt") == "x"


def test_a_terminal_that_is_closed_ends_neither_daemon_nor_agents(daemon: House) -> None:
    project = daemon.project()
    item = project.add("[[sleep 0.5]] [[write a.txt x]]")
    watching = daemon.golemctl_process("run", cwd=project.root)
    daemon.until("attempt.spawned", item)
    watching.send_signal(signal.SIGHUP)
    watching.communicate()
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.done(item)


def test_ids_with_strange_prefixes_can_be_targets(daemon: House) -> None:
    project = daemon.project(prefix="my_new-app")
    item = project.add("[[write a.txt x]]")
    assert daemon.golemctl("run", "--target", item, cwd=project.root).status == 0
    assert daemon.show(item).status == "done"


def test_a_prompt_may_be_longer_than_an_argument_can_be(daemon: House) -> None:
    agents = daemon.agent("reader", f'wc -c < "$GOLEM_PROMPT" > size.txt; {RESULT}')
    project = daemon.project(agents=agents, phases=[{"name": "build", "agent": "reader"}])
    for number in range(3):
        project.add("x" * 90_000, title=f"long {number}")
    first = daemon.call(calls.Status()).items[0].id
    project.run(targets=(first,))
    daemon.done(first)
    assert int(project.file_of(first, "size.txt")) > 90_000


def test_an_agent_that_changes_its_folder_still_finds_where_its_result_goes(daemon: House) -> None:
    agents = daemon.agent("wanderer", f"cd /; {RESULT}")
    project = daemon.project(agents=agents, phases=[{"name": "build", "agent": "wanderer"}])
    daemon.done(project.work())
