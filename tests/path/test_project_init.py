"""project.init: register a repository."""

from __future__ import annotations

from pathlib import Path

from golemd.api import calls
from tests.path.ground import run_command
from tests.path.house import House
from tests.path.repositories import Project


def test_a_repository_is_registered_with_its_configuration(daemon: House) -> None:
    project = daemon.project()
    registered, configured = daemon.records("project.")
    assert (registered["data"]["root"], registered["data"]["base_branch"]) == (str(project.root), "main")
    assert (configured["data"]["by"], configured["data"]["config"]["name"]) == ("init", "demo")
    assert registered["more"] is True


def test_a_repository_without_configuration_gets_a_commented_one_and_nothing_else(daemon: House) -> None:
    project = daemon.repository("fresh")
    ready = daemon.call(calls.ProjectInit(root=str(project.root), prefix="FR"))
    assert (ready.project.name, ready.project.prefix, ready.written, ready.again) == ("fresh", "FR", True, False)
    assert ready.config_file == str(project.root / "golem.toml")
    assert project.git("status", "--porcelain") == "?? golem.toml"
    assert "# " in (project.root / "golem.toml").read_text(encoding="utf-8")


def test_a_folder_inside_and_a_linked_worktree_stand_for_the_repository(daemon: House) -> None:
    project = daemon.repository("fresh")
    (project.root / "deep").mkdir()
    project.git("worktree", "add", "-q", daemon.root / "linked")
    first = daemon.call(calls.ProjectInit(root=str(project.root / "deep")))
    again = daemon.call(calls.ProjectInit(root=str(daemon.root / "linked")))
    assert (first.project.root, again.project.root, again.again) == (str(project.root), str(project.root), True)


def test_registering_again_is_a_success_that_says_so_and_takes_a_changed_configuration(
    daemon: House, demo: Project
) -> None:
    call = calls.ProjectInit(root=str(demo.root))
    before = daemon.seq
    assert daemon.call(call).again is True
    assert daemon.seq == before
    text = (demo.root / "golem.toml").read_text(encoding="utf-8")
    (demo.root / "golem.toml").write_text(text.replace("grace_seconds = 1.0", "grace_seconds = 2.0"), encoding="utf-8")
    assert daemon.call(call).again is True
    assert daemon.records("project.configured")[-1]["data"]["config"]["execution"]["grace_seconds"] == 2.0


def test_what_is_no_repository_is_refused(daemon: House) -> None:
    plain = daemon.root / "plain"
    plain.mkdir()
    daemon.refused(calls.ProjectInit(root=str(plain)), "not_a_repository", "invalid")
    daemon.refused(calls.ProjectInit(root=str(daemon.root / "missing")), "not_a_repository", "invalid")


def test_a_bare_repository_is_refused(daemon: House) -> None:
    bare = daemon.root / "bare.git"
    assert run_command(["git", "init", "-q", "--bare", bare], env=daemon.env).status == 0
    daemon.refused(calls.ProjectInit(root=str(bare)), "bare_repository", "invalid")


def test_a_repository_without_a_commit_is_refused(daemon: House) -> None:
    empty = daemon.root / "empty"
    assert run_command(["git", "init", "-q", empty], env=daemon.env).status == 0
    daemon.refused(calls.ProjectInit(root=str(empty)), "no_commit", "invalid")
    assert not (empty / "golem.toml").exists()


def test_a_repository_in_the_middle_of_a_rebase_is_refused(daemon: House) -> None:
    project = daemon.repository("fresh")
    project.commit({"a": "main"})
    project.git("checkout", "-q", "-b", "side", "HEAD~1")
    project.commit({"a": "side"})
    assert run_command(["git", "-C", project.root, "rebase", "main"], env=daemon.env).status != 0
    fault = daemon.refused(calls.ProjectInit(root=str(project.root)), "operation_in_progress", "conflict")
    assert "rebase" in fault.message


def test_all_errors_of_a_golem_toml_are_told_at_once(daemon: House) -> None:
    text = '[project]\nprefix = "9 9"\n[execution]\nagent = "scripted"\nmax_wip = 0\nmax_retrys = 1\n'
    project = daemon.repository("fresh", {"golem.toml": text})
    fault = daemon.refused(calls.ProjectInit(root=str(project.root)), "configuration_invalid", "invalid")
    told = fault.data["problems"]
    assert len(told) == 3, told
    for line, key, words in ((2, "prefix", ""), (5, "max_wip", ""), (6, "max_retrys", "max_retries")):
        assert any(f"golem.toml:{line}:" in each and key in each and words in each for each in told), told


OLD = """[execution]
workspace = "worktree"
agent = "scripted"
max_wipp = 3
[agents.claude]
model = "opus"
[[pipelines.feature.phases]]
name = "build"
workflows = ["docs/build.md"]
destructive = true
"""


def test_a_phase_golem_toml_is_used_as_it_is(daemon: House) -> None:
    project = daemon.repository("old", {"phase-golem.toml": OLD})
    ready = daemon.call(calls.ProjectInit(root=str(project.root)))
    assert (ready.written, ready.config_file) == (False, str(project.root / "phase-golem.toml"))
    unknown, free = ready.warnings
    assert unknown.endswith("phase-golem.toml:4: execution.max_wipp: unknown key, ignored; did you mean max_wip?")
    assert free.startswith("As under phase-golem, claude may do anything")
    assert project.git("status", "--porcelain") == ""
    assert daemon.call(calls.ProjectInit(root=str(project.root))).warnings == (), "it is said once"
    item = Project(daemon, project.root, "old").work()
    daemon.done(item)


def test_a_golem_toml_can_be_made_from_a_phase_golem_toml(daemon: House) -> None:
    project = daemon.repository("old", {"sub/phase-golem.toml": OLD})
    made = daemon.golemctl("init", "--from", "phase-golem.toml", "--prefix", "OLD", cwd=project.root / "sub")
    assert made.status == 0, made.err
    written = (project.root / "golem.toml").read_text(encoding="utf-8")
    assert made.out.splitlines()[1] == f"Wrote {project.root}/golem.toml"
    assert f"From now on golem.toml is read, and {project.root}/sub/phase-golem.toml no more." in made.err
    assert project.git("status", "--porcelain") == "?? golem.toml"
    for line in ('prefix = "OLD"', 'workspace = "worktree"', 'workflows = ["sub/docs/build.md"]', 'model = "opus"'):
        assert line in written
    (registered,) = daemon.call(calls.ProjectList())
    assert registered.prefix == "OLD"
    source = str(project.root / "sub" / "phase-golem.toml")
    again = daemon.call(calls.ProjectInit(root=str(project.root), prefix="OLD", from_=source))
    assert (again.again, again.written, again.warnings) == (True, False, ())
    daemon.refused(calls.ProjectInit(root=str(project.root), from_=source), "configuration_exists", "conflict")
    missing = calls.ProjectInit(root=str(project.root), from_="phase-golem.toml")
    daemon.refused(missing, "configuration_missing", "invalid")


def test_workflows_of_a_file_elsewhere_are_named_absolutely(daemon: House) -> None:
    project = daemon.repository("fresh")
    source = daemon.root / "elsewhere.toml"
    source.write_text(OLD, encoding="utf-8")
    daemon.call(calls.ProjectInit(root=str(project.root), from_=str(source)))
    (configured,) = daemon.records("project.configured")
    (phase,) = configured["data"]["config"]["pipelines"]["feature"]["phases"]
    assert phase["workflows"] == [f"{daemon.root}/docs/build.md"]


def test_names_and_prefixes_of_others_are_refused_with_a_proposal(daemon: House, demo: Project) -> None:
    other = daemon.repository("other", {"golem.toml": '[execution]\nagent = "scripted"\n'})
    fault = daemon.refused(calls.ProjectInit(root=str(other.root)), "prefix_taken", "conflict")
    assert fault.data["proposal"] == "WRK2"
    daemon.refused(calls.ProjectInit(root=str(other.root), prefix="9 9"), "invalid_prefix", "invalid")
    bare = daemon.repository("bare")
    fault = daemon.refused(calls.ProjectInit(root=str(bare.root), prefix="9 9"), "invalid_prefix", "invalid")
    assert fault.message == "The prefix '9 9' is not one.", "no file is blamed that there is not"
    named = daemon.repository("third", {"golem.toml": '[project]\nname = "demo"\n[execution]\nagent = "scripted"\n'})
    daemon.refused(calls.ProjectInit(root=str(named.root), prefix="TH"), "name_taken", "conflict")
    daemon.refused(calls.ProjectInit(root=str(demo.root), prefix="XY"), "prefix_fixed", "conflict")


def test_a_repository_that_another_daemon_holds_is_refused_naming_it(
    daemon: House, tmp_path: Path, demo: Project
) -> None:
    second = House(_folder(tmp_path / "second"))
    try:
        second.start()
        fault = second.refused(calls.ProjectInit(root=str(demo.root)), "project_held", "conflict")
        assert str(daemon.pid) in fault.message
    finally:
        second.close()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_repeating_an_init_by_token_has_no_second_effect(daemon: House) -> None:
    project = daemon.repository("fresh")
    first, again = daemon.repeats(calls.ProjectInit(root=str(project.root)))
    assert (first.project.name, again.project.name) == ("fresh", "fresh")


def test_a_token_of_another_body_is_refused(daemon: House) -> None:
    one, two = daemon.repository("one"), daemon.repository("two")
    daemon.reuses(calls.ProjectInit(root=str(one.root)), calls.ProjectInit(root=str(two.root)))
