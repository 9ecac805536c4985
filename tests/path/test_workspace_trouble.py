"""Agents that do to their worktree what they should not."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import RESULT, Project

GIT = "git -c user.name=x -c user.email=x@x"


def _project(daemon: House, script: str) -> Project:
    agents = daemon.agent("shell", f"set -e\n{script}\n{RESULT}")
    return daemon.project(phases=[{"name": "build", "agent": "shell"}], agents=agents, execution={"max_retries": 0})


def test_commits_of_the_agents_own_are_kept_and_the_rest_is_committed_on_top(daemon: House) -> None:
    script = f"echo one > one.txt; git add one.txt; {GIT} commit -qm 'my own'; echo two > two.txt"
    project = _project(daemon, script)
    item = project.work()
    daemon.done(item)
    subjects = project.git("log", "--format=%s", f"main..golem/{item}").splitlines()
    assert subjects == [f"[{item}][build] done", "my own"]


def test_an_agent_that_committed_everything_itself_is_fine(daemon: House) -> None:
    project = _project(daemon, f"echo one > one.txt; git add one.txt; {GIT} commit -qm 'all of it'")
    item = project.work()
    daemon.done(item)
    assert project.git("log", "--format=%s", f"main..golem/{item}") == "all of it"


def test_another_branch_checked_out_opens_a_failure_gate(daemon: House) -> None:
    project = _project(daemon, "git checkout -q -b elsewhere; echo x > x.txt")
    item = project.work()
    gate = daemon.until("gate.opened", item)["data"]
    assert (gate["kind"], gate["key"]) == ("failure", "history")
    assert "elsewhere" in gate["question"]
    assert f"golem/{item}" in gate["question"]


def test_rewritten_history_opens_a_failure_gate_and_abort_keeps_it(daemon: House) -> None:
    project = _project(daemon, f"echo x > x.txt; git add x.txt; {GIT} commit -q --amend -m 'rewritten'")
    item = project.work()
    assert "rewrote history" in daemon.until("gate.opened", item)["data"]["question"]
    daemon.decide(item, "abort")
    daemon.until("work.kept", item, then="removed")
    assert project.git("log", "-1", "--format=%s", f"golem/{item}") == "rewritten"
    assert project.git("log", "-1", "--format=%s", "main") == "begin"


def test_a_branch_of_somebody_else_that_is_rewound_or_deleted_opens_a_failure_gate(daemon: House) -> None:
    project = _project(daemon, "git branch -q -D precious")
    project.git("branch", "precious")
    item = project.work()
    assert "refs/heads/precious (deleted)" in daemon.until("gate.opened", item)["data"]["question"]


def test_an_unfinished_merge_opens_a_failure_gate(daemon: House) -> None:
    script = f"git branch -q side; echo a > f; git add f; {GIT} commit -qm a; git checkout -q side; echo b > f; git add f; {GIT} commit -qm b; git checkout -q golem/$GOLEM_ITEM; {GIT} merge -q side || true"  # noqa: E501 - one line of shell
    project = _project(daemon, script)
    item = project.work()
    assert "merge" in daemon.until("gate.opened", item)["data"]["question"]


def test_a_repository_inside_is_the_next_attempts_to_mend_as_no_commit_would_hold_its_files(daemon: House) -> None:
    made = f"git init -q web; echo x > web/a.txt; cd web; git add a.txt; {GIT} commit -qm mine; cd .."
    script = f"if [ -d web ]; then rm -r web/.git; else {made}; fi"
    project = _project(daemon, script)
    item = project.work()
    daemon.done(item)
    assert project.file_of(item, "web/a.txt") == "x"
    rejected = daemon.until("attempt.rejected", item)["data"]
    assert (rejected["outcome"], rejected["spends"]) == ("nested", "fix")
    assert "nothing of the files in web" in rejected["message"]


def test_a_repository_inside_that_stays_asks_and_what_is_in_it_is_kept(daemon: House) -> None:
    made = f"git init -q web; echo x > web/a.txt; cd web; git add a.txt; {GIT} commit -qm mine; cd .."
    project = _project(daemon, f"[ -d web ] || {{ {made}; }}; git add web")
    item = project.work()
    assert daemon.until("gate.opened", item)["data"]["key"] == "nested"
    daemon.decide(item, "skip")
    kept = daemon.until("work.kept", item, then="removed")["data"]
    assert project.git("show", f"{kept['commit']}:web/a.txt") == "x"


def test_a_deleted_worktree_is_a_failure_that_a_retry_mends(daemon: House, demo: Project) -> None:
    agents = daemon.agent("vandal", 'cd /; rm -rf "$GOLEM_WORKSPACE"; ' + RESULT)
    project = daemon.project("other", prefix="OTH", phases=[{"name": "build", "agent": "vandal"}], agents=agents)
    item = project.work()
    assert daemon.until("gate.opened", item)["data"]["kind"] == "failure"
    daemon.program("vandal.sh", f"echo mended > a.txt; {RESULT}")
    daemon.decide(item, "retry")
    daemon.done(item)
    assert project.file_of(item, "a.txt") == "mended"


def test_a_worktree_that_is_deleted_after_its_work_was_verified_is_made_again_for_the_commit(daemon: House) -> None:
    agents = daemon.agent("shell", f"echo good > a.txt; {RESULT}")
    phases = [{"name": "build", "agent": "shell", "verify": ['cd /; rm -rf "$GOLEM_WORKSPACE"']}]
    project = daemon.project(phases=phases, agents=agents)
    item = project.work()
    daemon.done(item)
    assert project.file_of(item, "a.txt") == "good"


def test_names_of_any_bytes_are_committed_as_they_are(daemon: House) -> None:
    script = r"""printf x > 'with space'; printf x > "$(printf 'new\nline')"; printf x > 'ümläut ✓'
printf x > "$(printf 'bad\377byte')"; printf x > -dash; mkdir 'a b'; printf x > 'a b/[c]*?'"""
    project = _project(daemon, script)
    item = project.work()
    daemon.done(item)
    listed = project.git("-c", "core.quotePath=true", "ls-tree", "-r", "--name-only", f"golem/{item}").splitlines()
    for name in ("with space", r'"new\nline"', r'"bad\377byte"', "-dash", "a b/[c]*?"):
        assert name in listed
    assert any("uml" in name or r"\303\274ml" in name for name in listed)


def test_ignored_files_are_not_committed_and_huge_leftovers_are_listed(daemon: House) -> None:
    agents = daemon.agent("lazy", "echo x > out.log; echo y > half.txt; exit 3")
    project = daemon.project(
        phases=[{"name": "build", "agent": "lazy"}],
        agents=agents,
        execution={"max_retries": 0},
        files={".gitignore": "*.log\n"},
    )
    item = project.work()
    kept = daemon.until("work.kept", item, then="put_back")["data"]
    assert project.git("show", f"{kept['commit']}:half.txt") == "y"
    daemon.decide(item, "abort")
    removed = daemon.until("work.kept", item, then="removed")["data"]
    assert any("out.log" in each for each in removed["listed"])


def test_the_users_own_checkout_is_never_touched(daemon: House, demo: Project) -> None:
    (demo.root / "README").write_text("work in progress\n", encoding="utf-8")
    (demo.root / "untracked").write_text("mine\n", encoding="utf-8")
    before = demo.git("status", "--porcelain"), demo.git("rev-parse", "HEAD"), demo.git("symbolic-ref", "HEAD")
    item = demo.work("[[write README other]]")
    daemon.done(item)
    assert (
        demo.git("status", "--porcelain"),
        demo.git("rev-parse", "HEAD"),
        demo.git("symbolic-ref", "HEAD"),
    ) == before


def test_a_missing_base_branch_opens_a_failure_gate(daemon: House, demo: Project) -> None:
    item = demo.work(base="nowhere")
    gate = daemon.until("gate.opened", item)["data"]
    assert "nowhere" in gate["question"]
    daemon.call(calls.ItemCancel(id=item))


def test_a_tree_that_cannot_be_put_back_yet_is_tried_again_later_and_not_at_once(daemon: House) -> None:
    kept = "$(git rev-parse --git-common-dir)/refs/golem/kept"
    agents = daemon.agent("shell", f"mkdir -p {kept}; touch {kept}/$GOLEM_ATTEMPT.lock left.txt; exit 3")
    project = daemon.project(phases=[{"name": "build", "agent": "shell"}], agents=agents, execution={"max_retries": 0})
    item = project.work()
    assert daemon.until("gate.opened", item)["data"]["key"] == "no_result"
    while f"keep:{item}.1.build.1: " not in daemon.said():
        daemon.call(calls.Ping())
    for number in range(400):  # after each of which it is planned anew
        project.add(title=f"another {number}")
    assert daemon.said().count(f"keep:{item}.1.build.1: ") == 1
    assert daemon.show(item).status == "blocked"
