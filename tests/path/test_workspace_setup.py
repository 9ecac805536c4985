"""New worktrees of real repositories: `[workspace] copy` and `setup`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from golemd.api import calls
from tests.path.ground import Fifo
from tests.path.house import House
from tests.path.repositories import RESULT, Project, table

COMMITS_ALL = "git -c user.name=x -c user.email=x@x commit -qam 'all of it'"


def project(house: House, agent: str = "", phases: tuple[str, ...] = ("build",), **workspace: Any) -> Project:
    """A project whose worktrees are set up so, and whose agent runs this script."""
    return house.project(
        agents=house.agent("mine", f"set -e\n{agent}\n{RESULT}"),
        phases=[{"name": name, "agent": "mine"} for name in phases],
        execution={"max_retries": 0},
        files={"lock": "1\n"},
        more=table("[workspace]", workspace),
    )


def phase_warnings(house: House, item: str) -> tuple[str, ...]:
    return house.show(item).phases[0].warnings


def test_files_are_copied_and_commands_run_before_the_first_attempt(daemon: House) -> None:
    setup = ['cp .env made && echo "$GOLEM_PHASE $GOLEM_ATTEMPT" >> order', "echo two >> order; echo 2 > lock"]
    demo = project(daemon, "cat .env made order lock > seen", ("plan", "build"), setup=setup, copy=[".env", "local/"])
    (demo.root / ".env").write_text("KEY=1\n", encoding="utf-8")
    item = demo.work()
    daemon.done(item)
    first = f"{item}.1.plan.setup_1.1"
    assert demo.file_of(item, "seen").splitlines() == ["KEY=1", "KEY=1", f"plan {first}", "two", "2"]
    tree = demo.git("ls-tree", "-r", "--name-only", f"golem/{item}").splitlines()
    assert tree == ["README", "golem.toml", "lock", "seen"], "neither copies nor what setup left is committed"
    assert demo.file_of(item, "lock") == "1", "what setup does to tracked files is not the phase's work"
    assert phase_warnings(daemon, item) == ("local/ is not copied: the project's folder has no such file",)
    kinds = [(each.kind, each.command) for each in daemon.show(item).attempts]
    assert kinds == [("setup", setup[0]), ("setup", setup[1]), ("agent", None), ("agent", None)]
    assert daemon.call(calls.LogsRead(id=first)).ended


def test_a_watcher_sees_what_is_set_up(daemon: House) -> None:
    demo = project(daemon, setup=["true", "echo installed"], copy=["absent"])
    demo.add()
    said = daemon.golemctl("run", cwd=demo.root).out
    assert "setup      passed  echo installed" in said
    assert "warning    absent is not copied" in said
    shown = daemon.golemctl("show", "WRK-1", cwd=demo.root).out
    assert "build: warning: absent is not copied: the project's folder has no such file" in shown
    (attempt,) = (line for line in shown.splitlines() if line.startswith("  WRK-1.1.build.setup_2.2 "))
    assert "  echo installed" in attempt
    assert daemon.golemctl("logs", "WRK-1.1.build.setup_2.2").out == "installed\n"


def test_commands_have_the_environment_of_verify_commands(house: House) -> None:
    house.settings(environment={"set": {"COLOUR": "blue-and-green"}})
    house.start()
    demo = project(house, setup=["env > seen; echo $COLOUR; false"])
    item = demo.work()
    question = house.until("gate.opened", item)["data"]["question"]
    seen = (demo.worktree(item) / "seen").read_text(encoding="utf-8")
    assert "COLOUR=blue-and-green" in seen
    assert f"GOLEM_WORKSPACE={demo.worktree(item)}" in seen
    assert "blue" not in question, "secrets are masked in what is shown"


def test_a_failure_asks_with_its_last_lines_and_retry_sets_up_again(daemon: House) -> None:
    demo = project(daemon, setup=["echo one >> log", "echo 'npm ERR! no network' >&2; test -e net"], copy=["net"])
    item = demo.work()
    gate = daemon.until("gate.opened", item)["data"]
    assert (gate["kind"], gate["key"]) == ("failure", "setup")
    assert gate["question"].splitlines()[1:] == ["npm ERR! no network"]
    assert "setup command" in gate["question"].splitlines()[0]
    assert "npm ERR! no network" in daemon.golemctl("gates", cwd=demo.root).out
    (demo.root / "net").touch()
    daemon.decide(item, "retry")
    daemon.done(item)
    planned = [each["data"].get("command", "") for each in daemon.records("attempt.planned", item)]
    assert [command.split()[1] for command in planned if command] == ["one", "'npm", "one", "'npm"]


def test_an_agent_that_commits_everything_does_not_commit_what_was_copied(daemon: House) -> None:
    demo = project(daemon, f"echo work > work; git add -A; {COMMITS_ALL}", copy=["secret.env", "conf"])
    for name in ("secret.env", "conf/local.yml"):
        (demo.root / name).parent.mkdir(exist_ok=True)
        (demo.root / name).write_text("KEY=1", encoding="utf-8")
    item = demo.work()
    daemon.done(item)
    assert demo.git("diff", "--name-only", "main", f"golem/{item}") == "work"


def test_a_setup_command_outlives_the_daemon(daemon: House, fifo: Callable[[str], Fifo]) -> None:
    gate = fifo("gate")
    demo = project(daemon, setup=[f"read go < {gate.path}; echo one >> log", "echo two >> log"], copy=[".env"])
    item = demo.work()
    attempt = f"{item}.1.build.setup_1.1"
    daemon.until("attempt.spawned", attempt=attempt)
    daemon.kill9()
    daemon.start()
    daemon.until("attempt.adopted", attempt=attempt)
    gate.go()
    daemon.done(item)
    assert [each["data"]["left"] for each in daemon.records("worktree.prepared", item)] == [1, 0]


def test_one_that_is_killed_with_its_shim_is_run_again(daemon: House, fifo: Callable[[str], Fifo]) -> None:
    gate = fifo("gate")
    demo = project(daemon, setup=[f"read go < {gate.path}"])
    item = demo.work()
    spawned = daemon.until("attempt.spawned", item)["data"]
    daemon.stop_at_once()
    assert not Path(f"/proc/{spawned['shim_pid']}").exists()
    daemon.start()
    daemon.until("attempt.spawned", attempt=f"{item}.1.build.setup_1.2")
    gate.go()
    daemon.done(item)


def test_a_worktree_that_somebody_removed_is_made_and_set_up_again(daemon: House) -> None:
    demo = project(daemon, "cat .env >> seen", ("plan", "build"), setup=["cp .env ready"], copy=[".env"])
    (demo.root / ".env").write_text("1\n", encoding="utf-8")
    text = (demo.root / "golem.toml").read_text(encoding="utf-8")
    (demo.root / "golem.toml").write_text(text.replace('"plan"', '"plan"\ngate = "approval"'), encoding="utf-8")
    item = demo.work()
    daemon.until("gate.opened", item)
    shutil.rmtree(demo.worktree(item))
    (demo.root / ".env").write_text("2\n", encoding="utf-8")
    daemon.decide(item, "approve")
    daemon.done(item)
    assert demo.file_of(item, "seen").splitlines() == ["1", "2"]
    assert [kind for kind in daemon.types(item) if kind.startswith("worktree.")] == [
        *("worktree.made", "worktree.prepared"),
        *("worktree.gone", "worktree.made", "worktree.prepared"),
    ]


def test_the_configuration_that_the_run_is_pinned_to_rules(daemon: House) -> None:
    demo = project(daemon, "cat which >> seen", ("plan", "build"), setup=["echo old > which"])
    item = demo.add("", title="pinned")
    demo.run()
    daemon.done(item)
    text = (demo.root / "golem.toml").read_text(encoding="utf-8")
    (demo.root / "golem.toml").write_text(text.replace("echo old", "echo new"), encoding="utf-8")
    later = demo.work()
    daemon.done(later)
    assert [demo.file_of(each, "seen").splitlines() for each in (item, later)] == [["old", "old"], ["new", "new"]]
