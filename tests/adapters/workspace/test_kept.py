"""Nothing is lost: keep and put_back."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from golemd.adapters.workspace import Prepared, Workspace, keep, put_back, snapshot
from golemd.adapters.workspace.repository import dirs_of, in_progress
from golemd.adapters.workspace.types import BIG_BYTES, LISTED_MAX, Kept, Listed
from golemd.api.faults import Conflict, Invalid, NotFound
from tests.adapters.workspace.lab import Lab, on_disk

REF = "refs/golem/kept/WRK-1.1.build.1"
NAME = "WRK-1.1.build.1"
BRANCH = "golem/WRK-1"


class Phase:
    """A prepared worktree with an uncommitted file from before the phase, and its start."""

    def __init__(self, lab: Lab, prepared: Prepared) -> None:
        self.lab = lab
        self.workspace = lab.workspace()
        self.path = self.workspace.path
        self.commit = prepared.head
        self.tree = prepared.tree

    async def keep(self, big_bytes: int = BIG_BYTES) -> Kept:
        return await keep(self.lab.git, self.workspace, NAME, big_bytes=big_bytes)

    async def put_back(self) -> Kept:
        done = await put_back(self.lab.git, self.workspace, BRANCH, self.commit, self.tree, NAME)
        assert (done.head, done.tree) == (self.commit, self.tree)
        assert self.lab.rev("HEAD", cwd=self.path) == self.commit
        assert self.lab.sh("symbolic-ref", "HEAD", cwd=self.path) == f"refs/heads/{BRANCH}"
        return done.kept


@pytest.fixture
async def phase(lab: Lab) -> Phase:
    lab.commit("ignore", {".gitignore": "*.log\n/cache/\n"})
    phase = Phase(lab, await lab.prepare())
    lab.write(phase.path, {"baseline": "from before\n"})
    phase.tree = await snapshot(lab.git, phase.workspace)
    return phase


async def test_a_clean_workspace_keeps_nothing(lab: Lab, phase: Phase) -> None:
    (phase.path / "baseline").unlink()
    assert await phase.keep() == Kept()
    assert lab.rev(REF) == ""


async def test_uncommitted_files_are_kept_and_ignored_and_big_ones_listed(lab: Lab, phase: Phase) -> None:
    lab.write(
        phase.path,
        {"readme": "changed\n", "gr\udcffn\n": "odd", "x.log": "ignored", "cache/a": "a", "big": "b" * 101},
    )
    lab.write(phase.path, {"src/a.py": "c" * 200})
    (phase.path / "link").symlink_to("big")
    kept = await phase.keep(big_bytes=100)
    assert kept.ref == REF
    assert kept.commit == lab.rev(REF)
    files = lab.files(REF)
    assert {name: files[name] for name in ("readme", "baseline", "gr\udcffn\n", "link", "src/a.py")} == {
        "readme": "changed",
        "baseline": "from before",
        "gr\udcffn\n": "odd",
        "link": "big",
        "src/a.py": "a = 1",
    }
    assert not {"big", "x.log", "cache/a"} & set(files)
    assert set(kept.listed) == {
        Listed("big", "big", 101),
        Listed("src/a.py", "big", 200),
        Listed("x.log", "ignored", 7),
        Listed("cache/", "ignored", None),
    }
    assert lab.rev(f"{REF}^1") == phase.commit
    assert "kept" in lab.sh("log", "-1", "--format=%s", REF)


async def test_the_list_of_ignored_files_is_bounded(lab: Lab, phase: Phase) -> None:
    lab.write(phase.path, {f"{number}.log": "" for number in range(LISTED_MAX + 5)})
    kept = await phase.keep()
    assert (len(kept.listed), kept.more) == (LISTED_MAX, 5)


async def test_a_staged_state_that_differs_from_the_files_is_kept_too(lab: Lab, phase: Phase) -> None:
    lab.write(phase.path, {"readme": "staged\n"})
    lab.sh("add", "readme", cwd=phase.path)
    lab.write(phase.path, {"readme": "on disk\n"})
    await phase.keep()
    assert lab.files(REF)["readme"] == "on disk"
    assert lab.files(f"{REF}^2")["readme"] == "staged"


async def test_repositories_inside_are_kept_as_plain_files(lab: Lab, phase: Phase) -> None:
    for name in ("full", "empty", "empty/deeper"):
        lab.sh("init", "-q", str(phase.path / name))
        lab.write(phase.path / name, {"f": name, ".gitignore": "*.log\n", "x.log": "ignored"})
    lab.commit("inner", {}, cwd=phase.path / "full")
    lab.sh("init", "-q", str(phase.path / "nothing"))
    kept = await phase.keep()
    files = lab.files(REF)
    assert {name: text for name, text in files.items() if name.endswith("/f")} == {
        "full/f": "full",
        "empty/f": "empty",
        "empty/deeper/f": "empty/deeper",
    }
    assert Listed("empty/deeper/x.log", "ignored", 7) in kept.listed
    await phase.put_back()
    assert not (phase.path / "full").exists()


async def test_a_repository_that_git_knows_as_a_link_is_kept_with_its_commits(lab: Lab, phase: Phase) -> None:
    (phase.path / "baseline").unlink()
    inner = phase.path / "front end"
    lab.sh("init", "-q", str(inner))
    first = lab.commit("first", {"f": "old", "deep/g": "g"}, cwd=inner)
    lab.sh("branch", "side", cwd=inner)
    second = lab.commit("second", {"f": "new"}, cwd=inner)
    lab.commit("as a link", {}, cwd=phase.path)
    kept = await phase.keep()
    assert kept.listed == ()
    assert {name: text for name, text in lab.files(REF).items() if name.startswith("front")} == {
        "front end/f": "new",
        "front end/deep/g": "g",
    }
    assert {first, second} <= set(lab.sh("rev-list", REF).split())
    assert await phase.keep() == kept


async def test_a_link_whose_folder_is_no_repository_any_more_is_kept_as_plain_files(lab: Lab, phase: Phase) -> None:
    inner = phase.path / "inner"
    lab.sh("init", "-q", str(inner))
    lab.commit("inner", {"f": "f"}, cwd=inner)
    lab.commit("as a link", {}, cwd=phase.path)
    (inner / ".git").rename(lab.tmp / "elsewhere")
    await phase.keep()
    assert lab.files(REF)["inner/f"] == "f"


class Module:
    """A submodule of the project, checked out in the worktree from a remote that has one commit."""

    def __init__(self, lab: Lab, folder: Path, *options: str) -> None:
        remote = lab.tmp / "remote"
        lab.sh("init", "-q", "-b", "main", str(remote))
        lab.commit("theirs", {"f": "f"}, cwd=remote)
        self.commit = lab.commit("theirs too", {}, cwd=remote)
        allowed = ("-c", "protocol.file.allow=always")
        lab.sh(*allowed, "submodule", "--quiet", "add", *options, f"file://{remote}", "module", cwd=folder)
        lab.commit("with a submodule", {}, cwd=folder)
        self.path = folder / "module"


@pytest.mark.parametrize("options", [(), ("--depth", "1")])
async def test_a_submodule_that_its_remote_has_is_only_listed(lab: Lab, phase: Phase, options: tuple[str, ...]) -> None:
    (phase.path / "baseline").unlink()
    module = Module(lab, phase.path, *options)
    if options:  # as `git submodule update` leaves it, which fetches the one commit
        lab.sh("checkout", "-q", "--detach", cwd=module.path)
        lab.sh("branch", "-q", "-D", "main", cwd=module.path)
        lab.sh("update-ref", "-d", "refs/remotes/origin/HEAD", cwd=module.path)
    kept = await phase.keep()
    assert kept == Kept(listed=(Listed("module", "submodule"),))


async def test_a_commit_in_a_submodule_is_kept_where_the_branch_names_it(lab: Lab, phase: Phase) -> None:
    module = Module(lab, phase.path)
    own = lab.commit("own", {"f": "mine"}, cwd=module.path)
    lab.commit("moved the submodule", {}, cwd=phase.path)
    await phase.keep()
    assert {own, module.commit} <= set(lab.sh("rev-list", REF).split())
    assert lab.files(REF)["module/f"] == "mine"


async def test_changes_in_a_submodule_are_kept(lab: Lab, phase: Phase) -> None:
    module = Module(lab, phase.path)
    lab.write(module.path, {"new": "new"})
    await phase.keep()
    assert {name: text for name, text in lab.files(REF).items() if name.startswith("module/")} == {
        "module/f": "f",
        "module/new": "new",
    }


async def test_the_files_are_kept_of_a_submodule_whose_commits_do_not_come(lab: Lab, phase: Phase) -> None:
    module = Module(lab, phase.path, "--depth", "1")
    lab.commit("own", {"f": "mine"}, cwd=module.path)
    await phase.keep()
    assert lab.files(REF)["module/f"] == "mine"


async def test_another_worktree_of_the_repository_inside_is_kept_without_all_branches(lab: Lab, phase: Phase) -> None:
    lab.branch("unrelated", {"u": "u"})
    lab.sh("worktree", "add", "-q", "--detach", "inner", cwd=phase.path)
    own = lab.commit("own", {"f": "f"}, cwd=phase.path / "inner")
    await phase.keep()
    known = lab.sh("rev-list", REF).split()
    assert own in known
    assert lab.rev("unrelated") not in known
    assert lab.files(REF)["inner/f"] == "f"


async def test_commits_that_no_branch_holds_are_kept(lab: Lab, phase: Phase) -> None:
    (phase.path / "baseline").unlink()
    lab.sh("checkout", "-q", "--detach", cwd=phase.path)
    commit = lab.commit("detached", {"x": "x"}, cwd=phase.path)
    kept = await phase.keep()
    assert (kept.commit, lab.rev(REF)) == (commit, commit)


async def test_keeping_again_adds_and_never_replaces(lab: Lab, phase: Phase) -> None:
    first = await phase.keep()
    assert await phase.keep() == first
    lab.write(phase.path, {"baseline": "other\n"})
    second = await phase.keep()
    assert first.commit is not None
    assert second.commit != first.commit
    assert first.commit in lab.sh("rev-list", REF).split()
    (phase.path / "baseline").unlink()
    assert await phase.keep() == second


async def test_a_name_that_is_no_ref_is_refused(lab: Lab, phase: Phase) -> None:
    for bad in ("", "a/b", "..", "a b", "x.lock", "a\0"):
        with pytest.raises(Invalid) as caught:
            await keep(lab.git, phase.workspace, bad)
        assert caught.value.code == "bad_kept_name"


async def test_a_workspace_that_is_gone_keeps_nothing(lab: Lab) -> None:
    with pytest.raises(NotFound) as caught:
        await keep(lab.git, Workspace(lab.root, lab.tmp / "gone"), NAME)
    assert caught.value.code == "worktree_missing"


async def test_a_conflict_in_the_index_is_kept_as_it_is_on_disk(lab: Lab, phase: Phase) -> None:
    lab.branch("other", {"readme": "theirs\n"})
    lab.commit("ours", {"readme": "ours\n"}, cwd=phase.path)
    lab.sh("merge", "-q", "other", cwd=phase.path, status=1)
    await phase.keep()
    assert "<<<<<<<" in lab.files(REF)["readme"]


# --- putting back


async def test_everything_goes_back_to_the_start_and_all_of_it_is_kept(lab: Lab, phase: Phase) -> None:
    commit = lab.commit("the agent's own", {"committed": "c\n"}, cwd=phase.path)
    lab.write(phase.path, {"open": "open\n", "baseline": "spoilt\n", "x.log": "ignored", "new/d/f": "f"})
    (phase.path / "readme").unlink()
    kept = await phase.put_back()
    assert on_disk(phase.path) == {
        ".gitignore": "*.log\n/cache/\n",
        "readme": "hello\n",
        "src/a.py": "a = 1\n",
        "baseline": "from before\n",
        "x.log": "ignored",
    }
    assert lab.status(phase.path) == ["?? baseline"]
    assert lab.rev(f"{REF}^1") == commit
    assert kept.commit == lab.rev(REF)
    assert lab.files(REF)["open"] == "open"
    assert await phase.put_back() == kept


async def test_files_outside_of_a_sparse_checkout_are_like_others(lab: Lab) -> None:
    lab.commit("more", {"docs/a": "a\n", "docs/b": "b\n"})
    lab.sh("sparse-checkout", "set", "--cone", "src")
    phase = Phase(lab, await lab.prepare())
    assert set(on_disk(phase.path)) == {"readme", "src/a.py"}
    lab.write(phase.path, {"docs/a": "changed\n", "docs/new": "new\n"})
    await phase.put_back()
    files = lab.files(REF)
    assert {name: files[name] for name in ("docs/a", "docs/b", "docs/new")} == {
        "docs/a": "changed",
        "docs/b": "b",
        "docs/new": "new",
    }
    assert set(on_disk(phase.path)) <= {"readme", "src/a.py", "docs/a"}
    lab.write(phase.path, {"docs/a": "changed again\n"})
    assert lab.files(await snapshot(lab.git, phase.workspace))["docs/a"] == "changed again"


async def test_the_agents_commits_alone_are_kept_too(lab: Lab, phase: Phase) -> None:
    commit = lab.commit("mine", {"committed": "c\n"}, cwd=phase.path)
    await phase.put_back()
    assert commit in lab.sh("rev-list", REF).split()


async def test_another_branch_checked_out_loses_neither_branch(lab: Lab, phase: Phase) -> None:
    lab.sh("stash", "-q", "-u", cwd=phase.path)
    ours = lab.commit("ours", {"ours": "o"}, cwd=phase.path)
    lab.sh("checkout", "-q", "-b", "side", phase.commit, cwd=phase.path)
    side = lab.commit("side", {"side": "s"}, cwd=phase.path)
    await phase.put_back()
    assert lab.rev("side") == side
    assert {ours, side} <= set(lab.sh("rev-list", REF).split())


async def test_a_deleted_branch_and_rewritten_history_are_put_back(lab: Lab, phase: Phase) -> None:
    lab.sh("checkout", "-q", "--orphan", "new", cwd=phase.path)
    lab.sh("branch", "-q", "-D", BRANCH, cwd=phase.path)
    await phase.put_back()
    orphan = lab.sh("commit-tree", "-m", "orphan", f"{phase.commit}^{{tree}}")
    lab.sh("reset", "-q", "--hard", orphan, cwd=phase.path)
    await phase.put_back()
    assert orphan in lab.sh("rev-list", REF).split()


async def test_an_unfinished_merge_rebase_or_pick_is_ended(lab: Lab, phase: Phase) -> None:
    lab.branch("other", {"readme": "theirs\n"})
    for words in (["merge", "other"], ["rebase", "other"], ["cherry-pick", "other"], ["am"]):
        lab.commit("ours", {"readme": "ours\n"}, cwd=phase.path)
        if words == ["am"]:
            patch = lab.tmp / "patch"
            patch.write_text(lab.sh("format-patch", "--stdout", "main..other") + "\n")
            words = ["am", str(patch)]
        lab.sh(*words, cwd=phase.path, status=None)
        assert in_progress(dirs_of(phase.workspace))
        await phase.put_back()
        assert lab.sh("status", "--long", cwd=phase.path).splitlines()[:2] == [
            f"On branch {BRANCH}",
            "Untracked files:",
        ]
    lab.sh("bisect", "start", cwd=phase.path)
    await phase.put_back()
    assert "bisect" not in lab.sh("status", cwd=phase.path)


async def test_a_crash_half_way_loses_nothing_and_can_be_repeated(lab: Lab, phase: Phase) -> None:
    commit = lab.commit("mine", {"committed": "c\n"}, cwd=phase.path)
    lab.write(phase.path, {"open": "open\n"})
    with pytest.MonkeyPatch.context() as patch, trio.CancelScope() as scope:

        async def stop(*_: object) -> None:
            scope.cancel()
            await trio.lowlevel.checkpoint()

        patch.setattr("golemd.adapters.workspace.kept.files_to", stop)
        await put_back(lab.git, phase.workspace, BRANCH, phase.commit, phase.tree, NAME)
    assert lab.rev(BRANCH) == phase.commit
    await phase.put_back()
    assert commit in lab.sh("rev-list", REF).split()
    assert any("open" in lab.files(kept) for kept in lab.sh("rev-list", REF).split())


async def test_stale_locks_of_a_killed_agent_are_no_obstacle(lab: Lab, phase: Phase) -> None:
    git_dir = Path(lab.sh("rev-parse", "--absolute-git-dir", cwd=phase.path))
    for lock in (git_dir / "index.lock", git_dir / "HEAD.lock", lab.root / ".git/refs/heads/golem/WRK-1.lock"):
        lock.touch()
    await phase.put_back()
    assert lab.status(phase.path) == ["?? baseline"]


async def test_without_the_start_nothing_is_touched(lab: Lab, phase: Phase) -> None:
    lab.write(phase.path, {"open": "open\n"})
    for commit, tree in (("abcd" * 10, phase.tree), (phase.commit, "abcd" * 10)):
        with pytest.raises(Conflict) as caught:
            await put_back(lab.git, phase.workspace, BRANCH, commit, tree, NAME)
        assert caught.value.code == "object_missing"
    assert (phase.path / "open").exists()
    assert lab.rev(REF) == ""
