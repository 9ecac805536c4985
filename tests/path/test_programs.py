"""Agent programs that cannot be started, end at once, talk too much, or run away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from golemd.api import calls
from tests.path.ground import Fifo, ended
from tests.path.house import House
from tests.path.repositories import RESULT, Project, configuration


def _project(daemon: House, command: list[str], **execution: Any) -> Project:
    agents = {"shell": {"kind": "command", "command": command}}
    return daemon.project(phases=[{"name": "build", "agent": "shell"}], agents=agents, execution=execution)


def test_a_missing_program_opens_a_gate_at_once_and_retry_mends_it(daemon: House) -> None:
    path = daemon.root / "programs" / "later.sh"
    project = _project(daemon, [str(path)])
    item = project.work()
    gate = daemon.until("gate.opened", item)["data"]
    assert (gate["key"], "does not exist" in gate["question"]) == ("unusable", True)
    assert "golem.toml" in gate["question"]
    daemon.program("later.sh", RESULT)
    daemon.decide(item, "retry")
    daemon.done(item)


def test_a_program_that_is_not_on_the_path_is_named(daemon: House) -> None:
    item = _project(daemon, ["no-such-agent-anywhere"]).work()
    assert "no-such-agent-anywhere is not on the PATH" in daemon.until("gate.opened", item)["data"]["question"]


def test_a_program_that_is_not_executable_is_named(daemon: House) -> None:
    path = daemon.root / "plain.sh"
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    item = _project(daemon, [str(path)]).work()
    assert "is not executable" in daemon.until("gate.opened", item)["data"]["question"]


def test_a_program_whose_interpreter_is_missing_opens_a_gate(daemon: House) -> None:
    path = daemon.root / "odd.sh"
    path.write_text("#!/no/such/interpreter\n", encoding="utf-8")
    path.chmod(0o700)
    item = _project(daemon, [str(path)]).work()
    assert daemon.until("gate.opened", item)["data"]["kind"] == "failure"
    assert daemon.records("attempt.rejected", item)[0]["data"]["outcome"] == "unusable"


def test_a_program_that_ends_at_once_says_its_status_and_last_lines(daemon: House) -> None:
    agents = daemon.agent("brief", "echo no licence found >&2; exit 5")
    project = daemon.project(phases=[{"name": "build", "agent": "brief", "max_retries": 0}], agents=agents)
    item = project.work()
    assert "exit status 5" in daemon.until("gate.opened", item)["data"]["question"]
    assert "no licence found" in daemon.records("attempt.rejected", item)[0]["data"]["message"]


def test_a_program_that_is_killed_says_by_which_signal(daemon: House) -> None:
    agents = daemon.agent("dying", "kill -SEGV $$")
    project = daemon.project(phases=[{"name": "build", "agent": "dying", "max_retries": 0}], agents=agents)
    item = project.work()
    assert "signal 11" in daemon.until("gate.opened", item)["data"]["question"]


def test_a_program_that_prints_a_lot_is_no_trouble(daemon: House) -> None:
    agents = daemon.agent("chatter", f"yes 'a line of output' | head -c 8000000; {RESULT}")
    project = daemon.project(phases=[{"name": "build", "agent": "chatter"}], agents=agents)
    item = project.work()
    daemon.done(item)
    assert daemon.call(calls.LogsRead(id=item, offset=7_999_990)).next == 8_000_000


def test_what_was_started_into_another_session_ends_with_the_attempt(
    daemon: House, fifo: Callable[[str], Fifo]
) -> None:
    told = fifo("told")
    runaway = f"setsid sh -c 'trap \"\" TERM HUP; echo $$ > {told.path}; while :; do sleep 600; done' &"
    agents = daemon.agent("parent", f"{runaway}\nread go < {daemon.root}/go\n{RESULT}")
    go = fifo("go")
    project = daemon.project(phases=[{"name": "build", "agent": "parent"}], agents=agents)
    item = project.work()
    pid = int(told.heard())
    go.go()
    daemon.done(item)
    assert ended(pid, 0)
    assert daemon.records("attempt.exited", item)[0]["data"]["ended_descendants"] >= 1


def test_a_relative_command_is_found_from_the_projects_root_and_gets_its_placeholders(daemon: House) -> None:
    agents = {"own": {"kind": "command", "command": ["./tools/agent.sh", "{prompt_file}", "{item}", "{phase}", "{x}"]}}
    project = daemon.repository("own")
    script = f'#!/bin/sh\nhead -n 1 "$1" > seen.txt\necho "$2 $3 $4" >> seen.txt\n{RESULT}\n'
    text = configuration("own", "OWN", [{"name": "build", "agent": "own"}], {}, agents, {})
    (project.root / "tools").mkdir()
    (project.root / "tools" / "agent.sh").write_text(script, encoding="utf-8")
    (project.root / "tools" / "agent.sh").chmod(0o755)
    project.commit({"golem.toml": text})
    daemon.call(calls.ProjectInit(root=str(project.root)))
    item = project.work()
    daemon.done(item)
    assert project.file_of(item, "seen.txt") == f"# {item}: phase build\n{item} build {{x}}"


def test_the_environment_is_an_allow_list_with_what_the_configuration_gives(house: House) -> None:
    house.start(env={"SECRET_OF_MINE": "hidden", "PASSED_ON": "yes", "GIT_DIR": "/nowhere"})
    keys = {"kind": "command", "command": [house.program("env.sh", f"env | sort > env.txt; {RESULT}")]}
    agents = {"shell": keys | {"pass_env": ["PASSED_*"]}}
    project = house.project(phases=[{"name": "build", "agent": "shell"}], agents=agents)
    item = project.work()
    house.done(item)
    seen = dict(line.split("=", 1) for line in project.file_of(item, "env.txt").splitlines() if "=" in line)
    assert seen["PASSED_ON"] == "yes"
    assert {"SECRET_OF_MINE", "GIT_DIR", "NOTIFY_SOCKET", "PYTHONPATH"}.isdisjoint(seen)
    assert (seen["GOLEM_ITEM"], seen["GOLEM_PHASE"], seen["GOLEM_RUN"]) == (item, "build", f"{item}.1")
    assert (seen["GOLEM_ATTEMPT"], seen["GOLEM_INSTANCE"]) == (f"{item}.1.build.1", house.instance)
    assert (seen["GOLEM_WORKSPACE"], seen["GOLEM_PROJECT_ROOT"]) == (str(project.worktree(item)), str(project.root))
    assert seen["GOLEM_SOCKET"] == str(house.socket)


def test_values_set_for_an_agent_reach_it_and_no_record(daemon: House) -> None:
    keys = {"kind": "command", "command": [daemon.program("env.sh", f'echo "$API_KEY" > key.txt; {RESULT}')]}
    project = daemon.project(phases=[{"name": "build", "agent": "shell"}], agents={"shell": keys})
    file = project.root / "golem.toml"
    file.write_text(
        file.read_text(encoding="utf-8") + '\n[agents.shell.env]\nAPI_KEY = "very-secret"\n', encoding="utf-8"
    )
    item = project.work()
    daemon.done(item)
    assert project.file_of(item, "key.txt") == "very-secret"
    assert "very-secret" not in (daemon.state / "journal.jsonl").read_text(encoding="utf-8")
    assert "very-secret" not in (daemon.state / "attempts" / f"{item}.1.build.1" / "spec.json").read_text(
        encoding="utf-8"
    )


def test_the_change_folder_is_the_one_that_is_there_already(daemon: House) -> None:
    mine = 'mkdir -p changes/"$GOLEM_ITEM"_mine && touch changes/"$GOLEM_ITEM"_mine/PLAN.md'
    plan = f'echo "$GOLEM_CHANGES" > first.txt; {mine}; {RESULT}'
    build = f'echo "$GOLEM_CHANGES" > second.txt; {RESULT}'
    agents = {**daemon.agent("planner", plan), **daemon.agent("builder", build)}
    project = daemon.project(
        phases=[{"name": "plan", "agent": "planner"}, {"name": "build", "agent": "builder"}], agents=agents
    )
    item = project.work(title="Add a café!")
    daemon.done(item)
    tree = project.worktree(item)
    assert project.file_of(item, "first.txt") == f"{tree}/changes/{item}_add-a-cafe"
    assert project.file_of(item, "second.txt") == f"{tree}/changes/{item}_mine"
    attempts = (daemon.state / "attempts" / f"{item}.1.{name}.1" for name in ("plan", "build"))
    prompts = [(attempt / "prompt.md").read_text("utf-8") for attempt in attempts]
    assert f"the folder changes/{item}_add-a-cafe," in prompts[0]
    assert f"the folder changes/{item}_mine," in prompts[1]
