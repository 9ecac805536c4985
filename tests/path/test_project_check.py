"""project.check: what would keep a project from being worked on, before anything is."""

from __future__ import annotations

from pathlib import Path

import pytest

from golemd.api import calls
from golemd.api.checks import CheckView
from golemd.api.faults import Conflict
from tests.path.house import House
from tests.path.repositories import Project, configuration, phase


def check(daemon: House, project: str) -> CheckView:
    return daemon.call(calls.ProjectCheck(project=project))


def told(view: CheckView) -> dict[str, tuple[str, str]]:
    """What was found, without the hints: what → (level, where)."""
    return {finding.what: (finding.level, finding.where) for finding in view.findings}


def configure(project: Project, text: str) -> None:
    (project.root / "golem.toml").write_text(text, encoding="utf-8")


def test_nothing_is_found_where_all_is_well(daemon: House, demo: Project) -> None:
    before = daemon.seq
    view = check(daemon, "demo")
    assert (view.project, view.root, view.errors, view.warnings) == ("demo", str(demo.root), 0, 0)
    assert view.findings == ()
    assert daemon.seq == before
    shown = daemon.golemctl("check", cwd=demo.root)
    assert (shown.status, shown.out.splitlines()[-1]) == (0, "Nothing stands in the way.")


def test_a_folder_that_golemd_knows_nothing_of_is_looked_at_as_well(daemon: House) -> None:
    plain = daemon.root / "plain"
    plain.mkdir()
    (finding, _) = check(daemon, str(plain)).findings
    assert (finding.level, finding.what) == ("error", f"{plain} is not in a git repository")
    assert finding.hint == "go to one, or make one: git init"
    repository = daemon.repository("fresh")
    view = check(daemon, str(repository.root))
    assert (view.project, view.errors) == (None, 0)
    assert [finding.hint for finding in view.findings] == ["golemctl init writes a commented one."]
    configure(repository, configuration("fresh", "NEW", [phase(agent="nobody")], {}, {}, {}))
    shown = daemon.golemctl("check", cwd=repository.root)
    assert shown.status == 1
    assert "there is no agent nobody" in shown.out
    assert "the repository is not registered yet" in " ".join(shown.out.split())
    assert not (repository.root / ".git" / "golemd.lock").exists()


def test_a_prefix_that_another_project_has_is_told_before_init_refuses_it(daemon: House, demo: Project) -> None:
    repository = daemon.repository("fresh")
    for text in ("", '[execution]\nagent = "scripted"\n'):
        if text:
            configure(repository, text)
        view = check(daemon, str(repository.root))
        (finding,) = [each for each in view.findings if each.level == "warning"]
        assert finding.what == "the prefix WRK belongs to the project demo"
        assert finding.hint == "golemctl init --prefix WRK2"
    configure(repository, '[project]\nprefix = "NEW"\n[execution]\nagent = "scripted"\n')
    assert check(daemon, str(repository.root)).warnings == 0


def test_an_empty_repository_and_one_in_the_middle_of_a_merge(daemon: House) -> None:
    empty = daemon.root / "empty"
    empty.mkdir()
    project = Project(daemon, empty, "empty")
    project.git("init", "-q", "--template=", "--initial-branch=main")
    (finding, *_) = check(daemon, str(empty)).findings
    assert (finding.level, finding.what) == ("error", f"{empty} has no commit yet")
    merging = daemon.project(files={"a": "1"})
    (merging.root / ".git" / "MERGE_HEAD").write_text("0" * 40)
    (merging.root / "a").write_text("2")
    assert told(check(daemon, "demo")) == {
        "a merge is under way": ("info", str(merging.root)),
        "1 file with uncommitted changes: items begin at the tip of their branch, without them": (
            "info",
            str(merging.root),
        ),
    }


def test_a_check_that_cannot_be_made_is_a_warning_and_keeps_no_run_from_beginning(daemon: House, demo: Project) -> None:
    item = demo.add("[[write a.txt x]]")
    (demo.root / ".git" / "index").write_text("damaged")
    (finding,) = check(daemon, "demo").findings
    assert (finding.level, finding.where) == ("warning", str(demo.root))
    assert "index" in finding.what
    demo.run()
    daemon.done(item)


def test_every_problem_of_the_configuration_is_told_with_its_line(daemon: House, demo: Project) -> None:
    configure(demo, "[execution]\nmax_wipp = 2\nagent = 'scripted'\nmax_retries = -1\n[triage]\nenabled = 1\n")
    view = check(daemon, "demo")
    assert told(view) == {
        "execution.max_wipp: unknown key; did you mean max_wip?": ("error", "golem.toml:2"),
        "execution.max_retries: must be between 0 and 1000000, not -1": ("error", "golem.toml:4"),
        "triage.enabled: must be true or false, not a whole number": ("error", "golem.toml:6"),
    }
    assert (view.errors, all(finding.stops_all for finding in view.findings)) == (3, True)
    configure(demo, "= 1")
    assert list(told(check(daemon, "demo")).values()) == [("error", "golem.toml:1")]
    (demo.root / "golem.toml").unlink()
    assert told(check(daemon, "demo")) == {"there is no golem.toml": ("error", str(demo.root))}
    (demo.root / "golem.toml").mkdir()
    assert "golem.toml is not a plain file" in next(iter(told(check(daemon, "demo"))))


def test_files_and_commands_that_are_not_there_are_told_at_the_key_that_names_them(daemon: House) -> None:
    verify = ["no-such-tool --all", "./later.sh", "cd x && make", "sh -c true", "./check.sh"]
    phases = [phase(workflows=["docs/there.md", "docs/gone.md", "docs"], verify=verify)]
    project = daemon.project(phases=phases, files={"docs/there.md": "do it", "check.sh": ""})
    (project.root / "check.sh").chmod(0o700)
    project.commit({}, "executable")
    lines = (project.root / "golem.toml").read_text().splitlines()
    workflows = next(number for number, line in enumerate(lines, 1) if line.startswith("workflows"))
    tools = next(number for number, line in enumerate(lines, 1) if line.startswith("verify = ["))
    assert told(check(daemon, "demo")) == {
        "docs/gone.md does not exist": ("error", f"golem.toml:{workflows}"),
        "docs is not a file": ("error", f"golem.toml:{workflows}"),
        "no-such-tool is not on the PATH, so `no-such-tool --all` would fail": ("error", f"golem.toml:{tools}"),
        f"./later.sh does not exist in {project.root}; it must be there when `./later.sh` is run": (
            "warning",
            f"golem.toml:{tools}",
        ),
    }


def test_agents_are_looked_for_and_asked_for_their_version_and_login(daemon: House) -> None:
    old = daemon.program("old", "echo '1.0.0 (Claude Code)'")
    good = 'if test "$1" = --version; then echo "2.1.300 (Claude Code)"; else echo "{\\"loggedIn\\": %s}"; exit 1; fi'
    out, logged_in = daemon.program("out", good % "false"), daemon.program("in", good % "true")
    odd = daemon.program("odd", 'if test "$1" = --version; then echo "2.1.300 (Claude Code)"; else echo what; fi')
    programs = {"old": old, "out": out, "in": logged_in, "odd": odd, "gone": "./gone.sh"}
    agents = {name: {"kind": "claude", "command": [program]} for name, program in programs.items()}
    agents["idle"] = {"kind": "command", "command": ["no-such-program"]}  # which no phase names
    project = daemon.project(phases=[phase(name, agent=name) for name in programs], agents=agents)
    view = check(daemon, "demo")
    text = (project.root / "golem.toml").read_text().splitlines()
    line = {name: text.index(f"[agents.{name}]") + 1 for name in programs}
    assert {what.partition(":")[0]: where for what, (level, where) in told(view).items()} == {
        f"The agent program {project.root}/gone.sh does not exist": f"golem.toml:{line['gone']}",
        old: f"golem.toml:{line['old']}",
        "agent out is not logged in": f"golem.toml:{line['out']}",
    }
    assert any("version 1.0.0 is too old" in finding.what for finding in view.findings)


def test_a_missing_base_branch_and_one_of_an_item_alone(daemon: House, demo: Project) -> None:
    item = demo.add(base="elsewhere")
    assert told(check(daemon, "demo")) == {"its base branch elsewhere does not exist": ("error", item)}
    demo.git("branch", "elsewhere")
    demo.git("branch", "-m", "main", "trunk")
    view = check(daemon, "demo")
    assert [(finding.what, finding.stops_all) for finding in view.findings] == [
        ("the base branch main does not exist", False)
    ]
    daemon.call(calls.ItemEdit(id=item, base="main"))
    (finding,) = check(daemon, "demo").findings
    assert finding.stops_all


def test_a_detached_head_needs_a_base_branch(daemon: House) -> None:
    repository = daemon.repository("loose")
    repository.git("checkout", "-q", "--detach")
    configure(repository, configuration("loose", "LOO", [phase()], {}, {}, {}).replace('base_branch = "main"', ""))
    view = check(daemon, str(repository.root))
    assert ("HEAD is detached, and no base branch is configured") in told(view)


def test_a_repository_that_is_worked_in_itself_needs_a_branch_and_a_clean_tree(daemon: House) -> None:
    project = daemon.project(execution={"workspace": "shared"}, files={"a": "1"})
    assert check(daemon, "demo").findings == ()
    (project.root / "a").write_text("2")
    what = "1 file with uncommitted changes: a run begins when there are none"
    assert told(check(daemon, "demo")) == {what: ("warning", str(project.root))}
    (project.root / ".git" / "MERGE_HEAD").write_text("0" * 40)
    assert told(check(daemon, "demo"))["a merge is under way"] == ("error", str(project.root))
    (project.root / ".git" / "MERGE_HEAD").unlink()
    project.git("checkout", "-q", "--detach", "-f")
    (finding,) = check(daemon, "demo").findings
    assert (finding.hint, finding.stops_all) == ("git switch BRANCH", True)


def test_items_that_wait_for_what_never_comes_are_told(daemon: House, demo: Project) -> None:
    gone = demo.add()
    item = demo.add(dependencies=(gone,))
    daemon.call(calls.ItemCancel(id=gone))
    assert told(check(daemon, "demo")) == {f"it waits for {gone}, which is cancelled": ("warning", item)}
    shown = daemon.golemctl("check", cwd=demo.root)
    assert (shown.status, f"golemctl reopen {gone}" in shown.out) == (0, True)


def test_a_project_that_another_daemon_holds_is_told(daemon: House, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    second = House(tmp_path / "second")
    second.start()
    try:
        project = second.project("theirs", prefix="THE")
        view = check(daemon, str(project.root))
        assert any(f"another golemd holds this project: pid {second.pid}" in what for what in told(view))
    finally:
        second.close()


def test_a_configuration_that_is_not_in_force_yet_is_told(daemon: House, demo: Project) -> None:
    text = (demo.root / "golem.toml").read_text()
    configure(demo, text.replace("max_retries = 0", "max_retries = 1"))
    what = "it has changed and is not in force yet; the next golemctl run or reload brings it into force"
    assert told(check(daemon, "demo"))[what] == ("info", "golem.toml")


def test_a_machine_without_room_and_a_notification_without_a_program_are_told(house: House) -> None:
    house.settings(min_free_gb=900_000, notify={"command": ["no-such-program"]})
    daemon = house.start()
    project = daemon.project()
    view = check(daemon, str(project.root))
    assert view.warnings == 2
    assert "there is no program no-such-program" in " ".join(told(view))
    assert "no agent is started: only" in " ".join(told(view))


def test_a_project_that_does_not_exist_is_refused(daemon: House) -> None:
    daemon.refused(calls.ProjectCheck(project="nowhere"), "project_not_found", "not_found")


# --- before a run ------------------------------------------------------------------------------------------------


def test_a_run_that_no_item_could_profit_from_is_refused(daemon: House, demo: Project) -> None:
    demo.add()
    demo.git("branch", "-m", "main", "trunk")
    fault = daemon.refused(calls.RunStart(project="demo"), "preflight_failed", "conflict")
    assert "the base branch main does not exist" in fault.message
    assert "git branch main" in fault.hint


def test_errors_of_some_items_are_told_with_a_run_that_begins(daemon: House) -> None:
    project = daemon.project(
        phases=[phase(verify=["no-such-tool"])], pipelines={"other": [phase("solo")]}, execution={"max_retries": 0}
    )
    item = project.add(pipeline="other")
    started = project.run()
    assert len(started.warnings) == 1
    assert "no-such-tool is not on the PATH" in started.warnings[0]
    daemon.done(item)
    project.halted()
    project.git("branch", "-m", "main", "trunk")
    with pytest.raises(Conflict, match="No item of demo"):
        project.run()
