"""After an agent has run: examine and commit_phase."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from golemd.adapters.workspace import (
    Committed,
    Examined,
    Prepared,
    Workspace,
    commit_phase,
    examine,
    refs_digest,
    snapshot,
)
from golemd.adapters.workspace.types import FILES_MAX
from golemd.api.faults import Conflict, Invalid
from tests.adapters.workspace.lab import Lab

BRANCH = "golem/WRK-1"
TRAILERS = (("Golem-Run", "WRK-1.1"), ("Golem-Attempt", "WRK-1.1.build.1"))


class Phase:
    """A worktree at the start of a phase."""

    def __init__(self, lab: Lab, prepared: Prepared, refs: str) -> None:
        self.lab = lab
        self.workspace = lab.workspace()
        self.path = self.workspace.path
        self.commit = prepared.head
        self.tree = prepared.tree
        self.refs = refs

    async def examine(self, *busy: str) -> Examined:
        return await examine(
            self.lab.git, self.workspace, BRANCH, self.commit, self.tree, self.refs, own_prefix="golem/", busy=busy
        )

    async def finish(self, tree: str | None = None, *, sign: bool = False) -> Committed:
        tree = tree or await snapshot(self.lab.git, self.workspace)
        trailers = (*TRAILERS, ("Golem-Tree", tree))
        return await commit_phase(
            self.lab.git,
            self.workspace,
            BRANCH,
            self.commit,
            self.tree,
            tree,
            "[WRK-1][build] grün",
            trailers,
            sign=sign,
        )


@pytest.fixture
async def phase(lab: Lab) -> Phase:
    lab.branch("golem/WRK-9", {"nine": "9"})
    lab.branch("feature", {"feature": "f"})
    lab.sh("tag", "v1")
    prepared = await lab.prepare()
    return Phase(lab, prepared, await refs_digest(lab.git, lab.root))


# --- examine


async def test_an_agent_that_worked_properly_is_found_sound(lab: Lab, phase: Phase) -> None:
    head = lab.commit("mine", {"a b\n": "x"}, cwd=phase.path)
    lab.write(phase.path, {"grün": "g"})
    found = await phase.examine()
    assert found.sound
    assert (found.head, found.branch, found.in_progress, found.foreign) == (head, BRANCH, "", ())
    assert found.files == ("a b\\x0a", "grün")
    assert found.refs_known
    assert found.tree == await snapshot(lab.git, phase.workspace)


async def test_another_branch_or_none_checked_out_is_seen(lab: Lab, phase: Phase) -> None:
    lab.sh("checkout", "-q", "-b", "mine", cwd=phase.path)
    found = await phase.examine()
    assert (found.branch, found.branch_ok, found.holds_start, found.sound) == ("mine", False, True, False)
    lab.sh("checkout", "-q", "--detach", cwd=phase.path)
    assert (await phase.examine()).branch is None
    lab.sh("checkout", "-q", "--orphan", "void", cwd=phase.path)
    void = await phase.examine()
    assert (void.head, void.holds_start) == (None, False)


async def test_rewritten_history_is_seen(lab: Lab, phase: Phase) -> None:
    lab.sh("commit", "-q", "--amend", "-m", "rewritten", cwd=phase.path)
    found = await phase.examine()
    assert (found.branch_ok, found.holds_start, found.sound) == (True, False, False)


async def test_an_unfinished_merge_is_seen(lab: Lab, phase: Phase) -> None:
    lab.sh("merge", "--no-commit", "--no-ff", "feature", cwd=phase.path)
    assert (await phase.examine()).in_progress == "merge"


async def test_what_people_and_other_runs_do_meanwhile_is_normal(lab: Lab, phase: Phase) -> None:
    lab.commit("a person works on main", {"p": "p"})
    lab.sh("branch", "new-branch")
    lab.sh("tag", "v2")
    lab.sh("branch", "-f", "golem/WRK-9", phase.commit)
    assert (await phase.examine("golem/WRK-9")).foreign == ()


async def test_refs_of_others_that_were_deleted_rewound_or_moved_are_named(lab: Lab, phase: Phase) -> None:
    nine = lab.rev("golem/WRK-9")
    feature = lab.rev("feature")
    grown = lab.sh("commit-tree", "-m", "grown", "-p", nine, f"{nine}^{{tree}}")
    lab.sh("update-ref", "refs/heads/golem/WRK-9", grown, cwd=phase.path)
    lab.sh("branch", "-q", "-f", "feature", "main", cwd=phase.path)
    lab.sh("tag", "-f", "v1", grown, cwd=phase.path)
    found = await phase.examine()
    assert {(change.ref, change.what, change.before) for change in found.foreign} == {
        ("refs/heads/golem/WRK-9", "moved", nine),
        ("refs/heads/feature", "rewound", feature),
        ("refs/tags/v1", "moved", phase.commit),
    }
    assert not found.sound
    lab.sh("branch", "-q", "-D", "feature", "golem/WRK-9", cwd=phase.path)
    lab.sh("tag", "-d", "v1", cwd=phase.path)
    gone = await phase.examine("golem/WRK-9")
    assert {(change.ref, change.what, change.after) for change in gone.foreign} == {
        ("refs/heads/golem/WRK-9", "deleted", None),
        ("refs/heads/feature", "deleted", None),
        ("refs/tags/v1", "deleted", None),
    }


async def test_without_the_state_before_nothing_is_claimed_about_refs(lab: Lab, phase: Phase) -> None:
    phase.refs = "abcd" * 10
    lab.sh("branch", "-q", "-D", "feature")
    found = await phase.examine()
    assert (found.refs_known, found.foreign) == (False, ())


async def test_the_list_of_files_is_bounded(lab: Lab, phase: Phase) -> None:
    lab.write(phase.path, {f"many/{number}": "" for number in range(FILES_MAX + 3)})
    found = await phase.examine()
    assert (len(found.files), found.more_files) == (FILES_MAX, 3)


async def test_an_agent_that_removes_its_git_file_is_still_examined(lab: Lab, phase: Phase) -> None:
    (phase.path / ".git").unlink()
    lab.sh("init", "-q", cwd=phase.path)
    lab.write(phase.path, {"new": "n"})
    assert (await phase.examine()).files == ("new",)
    assert (await phase.finish()).files == 1


async def test_a_repository_inside_of_which_a_commit_would_hold_nothing_is_found(lab: Lab, phase: Phase) -> None:
    for name in ("unborn", "made", "staged", "nothing"):
        lab.sh("init", "-q", str(phase.path / name))
    for name in ("made", "staged"):
        lab.commit("inner", {"f": "f"}, cwd=phase.path / name)
    lab.write(phase.path, {"unborn/f": "f"})
    lab.sh("add", "staged", cwd=phase.path)
    (phase.path / "staged" / ".git").rename(lab.tmp / "elsewhere")
    found = await phase.examine()
    assert (found.nested, found.ahead) == (("made", "staged", "unborn"), ())
    lab.sh("rm", "-q", "--cached", "-f", "staged", cwd=phase.path)
    for name in ("made", "unborn"):
        (phase.path / name / ".git").rename(lab.tmp / name)
    mended = await phase.examine()
    assert mended.nested == ()
    assert {"made/f", "staged/f", "unborn/f"} <= set(lab.files(mended.tree))


async def test_a_repository_inside_that_was_there_before_the_phase_is_nobodys_fault(lab: Lab, phase: Phase) -> None:
    lab.sh("init", "-q", str(phase.path / "made"))
    lab.commit("inner", {"f": "f"}, cwd=phase.path / "made")
    assert (await phase.examine()).nested == ("made",)
    base, phase.tree = phase.tree, await snapshot(lab.git, phase.workspace)
    assert (await phase.examine()).nested == ()
    again = await examine(lab.git, phase.workspace, BRANCH, phase.commit, phase.tree, phase.refs, base_tree=base)
    assert (again.nested, again.files) == (("made",), ()), "an earlier attempt of the phase has left it"


async def test_in_a_shared_tree_a_repository_without_a_commit_is_somebody_elses(lab: Lab, phase: Phase) -> None:
    lab.sh("init", "-q", str(lab.root / "unborn"))
    lab.write(lab.root, {"unborn/f": "f"})
    tree = await snapshot(lab.git, Workspace(lab.root, lab.root))
    found = await examine(lab.git, Workspace(lab.root, lab.root), "main", phase.commit, tree, phase.refs)
    assert found.nested == ()


async def test_work_that_only_a_submodule_of_the_worktree_has_is_told_of(lab: Lab, phase: Phase) -> None:
    remote = lab.tmp / "remote"
    lab.sh("init", "-q", str(remote))
    lab.commit("theirs", {"f": "f"}, cwd=remote)
    allowed = ("-c", "protocol.file.allow=always")
    for name in ("one", "two"):
        lab.sh(*allowed, "submodule", "--quiet", "add", f"file://{remote}", name, cwd=phase.path)
    lab.write(phase.path, {"one/untracked": "built"})
    found = await phase.examine()
    assert (found.nested, found.ahead) == ((), ())
    lab.write(phase.path, {"one/f": "changed"})
    lab.commit("own", {"f": "mine"}, cwd=phase.path / "two")
    assert (await phase.examine()).ahead == ("one", "two")


# --- commit


async def test_a_phases_work_is_committed_with_its_trailers(lab: Lab, phase: Phase) -> None:
    lab.write(phase.path, {"new": "1\n2\n", "readme": "changed\n", "-dash\n\udcff": "x"})
    (phase.path / "src" / "a.py").unlink()
    tree = await snapshot(lab.git, phase.workspace)
    done = await phase.finish(tree)
    assert done.commit == done.head == lab.rev(BRANCH) == lab.rev("HEAD", cwd=phase.path)
    assert done.tree == tree == lab.rev(f"{BRANCH}^{{tree}}")
    assert (done.files, done.insertions, done.deletions, done.repeated) == (4, 4, 2, False)
    body = lab.sh("log", "-1", "--format=%B", BRANCH)
    assert body.startswith("[WRK-1][build] grün\n\nGolem-Run: WRK-1.1\n")
    parsed = lab.sh("log", "-1", "--format=%(trailers:key=Golem-Tree,valueonly)", BRANCH)
    assert parsed.strip() == tree
    assert lab.sh("log", "-1", "--format=%cn", BRANCH) == "golemd"
    assert lab.status(phase.path) == []


async def test_what_the_agent_has_committed_itself_is_the_phases_work(lab: Lab, phase: Phase) -> None:
    lab.commit("mine, half", {"a": "1\n"}, cwd=phase.path)
    mine = lab.commit("mine, whole", {"a": "1\n2\n", "b": "3\n"}, cwd=phase.path)
    done = await phase.finish()
    assert done == Committed(mine, mine, lab.rev(f"{mine}^{{tree}}"), 2, 3, 0, subject="mine, whole")
    assert lab.rev(BRANCH) == mine, "there was nothing left to commit"


async def test_a_commit_of_the_rest_counts_what_the_agent_has_committed_before(lab: Lab, phase: Phase) -> None:
    lab.commit("mine", {"a": "1\n"}, cwd=phase.path)
    lab.write(phase.path, {"b": "2\n"})
    done = await phase.finish()
    assert done.commit == lab.rev(BRANCH)
    assert (done.files, done.insertions, done.deletions, done.subject) == (2, 2, 0, "")
    again = await phase.finish()
    assert (again.commit, again.files, again.repeated) == (done.commit, 2, True)


async def test_nothing_changed_means_no_commit(lab: Lab, phase: Phase) -> None:
    assert await phase.finish() == Committed(None, phase.commit, phase.tree)
    assert lab.rev(BRANCH) == phase.commit


async def test_what_is_made_after_the_snapshot_stays_uncommitted(lab: Lab, phase: Phase) -> None:
    lab.write(phase.path, {"work": "work\n"})
    tree = await snapshot(lab.git, phase.workspace)
    lab.write(phase.path, {"coverage": "by verify\n", "work": "touched by verify\n"})
    done = await phase.finish(tree)
    assert lab.files(done.tree)["work"] == "work"
    assert sorted(lab.status(phase.path)) == [" M work", "?? coverage"]


async def test_what_lay_there_before_the_phase_is_not_committed_unless_it_changed(lab: Lab, phase: Phase) -> None:
    lab.write(phase.path, {"left": "left\n", "touched": "1\n", "readme": "left\n"})
    phase.tree = await snapshot(lab.git, phase.workspace)
    lab.write(phase.path, {"work": "work\n", "touched": "2\n"})
    done = await phase.finish()
    assert lab.files(done.tree) == {"readme": "hello", "src/a.py": "a = 1", "touched": "2", "work": "work"}
    assert sorted(lab.status(phase.path)) == [" M readme", "?? left"]


async def test_the_agents_own_commits_stay_and_ours_comes_on_top(lab: Lab, phase: Phase) -> None:
    own = lab.commit("own", {"own": "own\n", "readme": "own\n"}, cwd=phase.path)
    lab.write(phase.path, {"readme": "hello\n", "more": "more\n"})
    done = await phase.finish()
    assert lab.rev(f"{done.commit}^") == own
    assert done.tree == await snapshot(lab.git, phase.workspace)
    assert lab.files(done.tree)["readme"] == "hello"


async def test_a_file_can_become_a_folder_and_a_folder_a_file(lab: Lab, phase: Phase) -> None:
    lab.write(phase.path, {"left": "left\n"})
    phase.tree = await snapshot(lab.git, phase.workspace)
    (phase.path / "readme").unlink()
    (phase.path / "src" / "a.py").unlink()
    (phase.path / "src").rmdir()
    lab.write(phase.path, {"readme/inner": "i\n", "src": "s\n"})
    done = await phase.finish()
    assert lab.files(done.tree) == {"readme/inner": "i", "src": "s"}
    assert lab.status(phase.path) == ["?? left"]


async def test_modes_links_and_inner_repositories_survive(lab: Lab, phase: Phase) -> None:
    lab.sh("init", "-q", str(phase.path / "inner"))
    inner = lab.commit("inner", {"f": "f"}, cwd=phase.path / "inner")
    (phase.path / "link").symlink_to("/nowhere")
    (phase.path / "readme").chmod(0o755)
    done = await phase.finish()
    listing = lab.sh("ls-tree", done.tree)
    assert f"160000 commit {inner}\tinner" in listing
    assert "120000 blob" in listing
    assert "100755 blob" in listing
    assert (phase.path / "inner" / "f").exists()
    assert lab.status(phase.path) == []


async def test_committing_again_finds_the_commit_of_the_attempt(lab: Lab, phase: Phase) -> None:
    lab.write(phase.path, {"work": "work\n"})
    tree = await snapshot(lab.git, phase.workspace)
    first = await phase.finish(tree)
    again = await phase.finish(tree)
    assert again.repeated
    assert (again.commit, again.head, again.files) == (first.commit, first.head, 1)
    later = lab.commit("later", {"later": "l"}, cwd=phase.path)
    third = await phase.finish(tree)
    assert (third.commit, third.head) == (first.commit, later)


@pytest.mark.parametrize("where", ["move_ref", "_show_in_index"])
async def test_a_crash_around_the_move_of_the_branch_makes_one_commit(lab: Lab, phase: Phase, where: str) -> None:
    lab.write(phase.path, {"work": "work\n"})
    tree = await snapshot(lab.git, phase.workspace)
    with pytest.MonkeyPatch.context() as patch, trio.CancelScope() as scope:

        async def stop(*_: object) -> None:
            scope.cancel()
            await trio.lowlevel.checkpoint()

        patch.setattr(f"golemd.adapters.workspace.commit.{where}", stop)
        await phase.finish(tree)
    done = await phase.finish(tree)
    assert done.commit == lab.rev(BRANCH)
    assert lab.sh("rev-list", "--count", f"{phase.commit}..{BRANCH}") == "1"
    assert lab.status(phase.path) == []


async def test_another_branch_checked_out_is_not_committed_to(lab: Lab, phase: Phase) -> None:
    lab.write(phase.path, {"work": "work\n"})
    lab.sh("checkout", "-q", "-b", "mine", cwd=phase.path)
    with pytest.raises(Conflict) as caught:
        await phase.finish()
    assert caught.value.code == "branch_changed"
    lab.sh("checkout", "-q", "--detach", cwd=phase.path)
    with pytest.raises(Conflict):
        await phase.finish()


async def test_a_branch_that_moves_meanwhile_is_not_overwritten(
    lab: Lab, phase: Phase, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.write(phase.path, {"work": "work\n"})
    other = lab.sh("commit-tree", "-m", "x", "-p", phase.commit, f"{phase.commit}^{{tree}}")

    async def slow(*_: object, **__: object) -> str:
        lab.sh("update-ref", f"refs/heads/{BRANCH}", other)
        return lab.sh("commit-tree", "-m", "ours", "-p", phase.commit, f"{phase.commit}^{{tree}}")

    monkeypatch.setattr("golemd.adapters.workspace.commit.make_commit", slow)
    with pytest.raises(Conflict) as caught:
        await phase.finish()
    assert caught.value.code == "branch_moved"
    assert lab.rev(BRANCH) == other


async def test_trailers_are_one_printable_line_and_name_the_attempt(lab: Lab, phase: Phase) -> None:
    for bad in ((("Golem-Run", "x"),), (("Golem-Attempt", "a\nb"),), (("no key", "x"),), (("Golem-Attempt", ""),)):
        with pytest.raises(Invalid) as caught:
            await commit_phase(lab.git, phase.workspace, BRANCH, phase.commit, phase.tree, phase.tree, "m", bad)
        assert caught.value.code == "bad_trailer"


async def test_a_missing_start_tree_is_a_conflict(lab: Lab, phase: Phase) -> None:
    phase.tree = "abcd" * 10
    with pytest.raises(Conflict) as caught:
        await phase.finish()
    assert caught.value.code == "object_missing"


async def test_a_stale_index_lock_goes_and_one_of_a_working_git_stays(lab: Lab, phase: Phase) -> None:
    lab.write(phase.path, {"work": "work\n"})
    lock = Path(lab.sh("rev-parse", "--absolute-git-dir", cwd=phase.path)) / "index.lock"
    lock.touch()
    assert (await phase.finish()).files == 1
    assert not lock.exists()


async def test_a_commit_is_signed_when_asked(lab: Lab, phase: Phase) -> None:
    signer = lab.tmp / "signer"
    signer.write_text(
        '#!/bin/sh\ncat > /dev/null\necho "[GNUPG:] SIG_CREATED D" >&2\necho "[GNUPG:] SIG_CREATED " >&2\n'
        "echo '-----BEGIN PGP SIGNATURE-----'\necho '-----END PGP SIGNATURE-----'\n"
    )
    signer.chmod(0o755)
    (lab.home / ".gitconfig").write_text(f"[gpg]\nprogram = {signer}\n")
    lab.write(phase.path, {"work": "work\n"})
    done = await phase.finish(sign=True)
    assert done.commit is not None
    assert "gpgsig -----BEGIN" in lab.sh("cat-file", "commit", done.commit)


async def test_in_a_shared_workspace_only_the_named_paths_are_committed(lab: Lab) -> None:
    here = Workspace(lab.root, lab.root)
    start = lab.rev("HEAD")
    start_tree = await snapshot(lab.git, here)
    lab.write(lab.root, {"mine\udcff": "m\n", "theirs": "t\n", "staged": "s\n"})
    lab.sh("add", "staged")
    tree = await snapshot(lab.git, here)
    done = await commit_phase(
        lab.git, here, "main", start, start_tree, tree, "", TRAILERS, only=["mine\udcff", "unchanged"]
    )
    assert lab.files(done.tree) == {"mine\udcff": "m", "readme": "hello", "src/a.py": "a = 1"}
    assert sorted(lab.status(lab.root)) == ["?? theirs", "A  staged"]
    assert lab.sh("log", "-1", "--format=%s") == "(no summary)"


async def test_another_tree_of_the_same_attempt_is_another_commit(phase: Phase) -> None:
    """A human changed the tree while a gate was open: the attempt's first commit is not taken for the second."""
    (phase.path / "a.txt").write_text("agent\n")
    one = await phase.finish()
    phase.tree = one.tree
    (phase.path / "a.txt").write_text("human\n")
    two = await phase.finish()
    assert two.commit not in (None, one.commit)
    assert not two.repeated
    assert phase.lab.files(two.tree)["a.txt"] == "human"
    assert (await phase.finish(two.tree)).repeated
