"""Preparing, reopening, removing worktrees."""

from __future__ import annotations

import os
import shutil

import pytest
import trio

from golemd.adapters.workspace import Workspace, prepare_worktree, remove_worktree, reopen_worktree, worktree_stands
from golemd.adapters.workspace import worktree as worktree_module
from golemd.api.faults import Conflict, Fault, Invalid, NotFound, Unavailable
from tests.adapters.workspace.lab import Lab, on_disk


async def test_a_worktree_stands_on_its_branch_from_the_tip_of_the_base(lab: Lab) -> None:
    prepared = await lab.prepare()
    path = lab.workspace().path
    assert prepared.base_branch_commit == prepared.base_commit == prepared.head == lab.rev("main")
    assert prepared.tree == lab.rev("main^{tree}")
    assert lab.sh("symbolic-ref", "HEAD", cwd=path) == "refs/heads/golem/WRK-1"
    assert on_disk(path) == {"readme": "hello\n", "src/a.py": "a = 1\n"}
    assert lab.status(path) == []
    assert prepared.kept.commit is None


async def test_the_main_worktree_of_the_user_is_left_alone(lab: Lab) -> None:
    lab.write(lab.root, {"readme": "being edited\n", "scratch": "x"})
    lab.sh("config", "status.showUntrackedFiles", "no")
    await lab.prepare()
    assert (lab.root / "readme").read_text() == "being edited\n"
    assert lab.sh("symbolic-ref", "HEAD") == "refs/heads/main"


async def test_names_with_umlauts_spaces_and_tags_of_the_same_name_do_no_harm(lab: Lab) -> None:
    lab.branch("grün/basis", {"g": "g"})
    lab.sh("tag", "golem/ü", "main")
    lab.sh("tag", "grün/basis", "main")
    workspace = Workspace(lab.root, lab.worktrees / "with space" / "-ü")
    prepared = await prepare_worktree(
        lab.git, workspace, "golem/ü", "grün/basis", worktree_root=lab.worktrees, keep_as="x"
    )
    assert prepared.head == lab.rev("refs/heads/grün/basis") == lab.rev("refs/heads/golem/ü")
    assert (workspace.path / "g").exists()


@pytest.mark.parametrize(
    ("branch", "base", "code"),
    [
        ("golem/x", "absent", "base_branch_missing"),
        ("golem/x", "main~0", "bad_branch_name"),
        ("golem/x", "-b", "bad_branch_name"),
        ("golem/x", "", "bad_branch_name"),
        ("-x", "main", "bad_branch_name"),
        ("a b", "main", "bad_branch_name"),
        ("main/x", "main", "branch_name_taken"),
        ("main", "main", "branch_checked_out"),
    ],
)
async def test_bad_names_are_refused_and_nothing_is_made(lab: Lab, branch: str, base: str, code: str) -> None:
    refs = lab.sh("for-each-ref")
    with pytest.raises(Fault) as caught:
        await prepare_worktree(lab.git, lab.workspace(), branch, base, worktree_root=lab.worktrees, keep_as="x")
    assert caught.value.code == code
    assert lab.sh("for-each-ref") == refs
    assert not lab.workspace().path.exists()


async def test_a_branch_known_only_from_a_remote_can_be_the_base(lab: Lab) -> None:
    lab.sh("update-ref", "refs/remotes/origin/next", lab.branch("next", {"n": "n"}))
    lab.sh("branch", "-q", "-D", "next")
    assert (await lab.prepare(base="origin/next")).head == lab.rev("refs/remotes/origin/next")


async def test_a_path_through_a_symbolic_link_is_refused(lab: Lab) -> None:
    lab.worktrees.mkdir(parents=True)
    (lab.tmp / "outside").mkdir()
    (lab.worktrees / "demo").symlink_to(lab.tmp / "outside")
    (lab.tmp / "outside" / "WRK-1").mkdir()
    with pytest.raises(Invalid) as caught:
        await lab.prepare()
    assert caught.value.code == "path_escapes"
    with pytest.raises(Invalid):
        await remove_worktree(lab.git, lab.workspace(), worktree_root=lab.worktrees, keep_as="x")
    with pytest.raises(Invalid):
        await reopen_worktree(lab.git, lab.workspace(), "main", worktree_root=lab.worktrees, keep_as="x")
    assert (lab.tmp / "outside" / "WRK-1").exists()


async def test_hooks_and_signing_of_the_user_are_not_run(lab: Lab) -> None:
    for hook in ("post-checkout", "pre-commit", "reference-transaction", "pre-merge-commit", "commit-msg"):
        path = lab.root / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch {lab.tmp}/hook-ran\nexit 1\n")
    dependency = lab.branch("golem/WRK-0", {"dep": "dep"})
    lab.commit("on", {"on": "on"})
    for path in (lab.root / ".git" / "hooks").iterdir():
        path.chmod(0o755)
    (lab.home / ".gitconfig").write_text(
        "[commit]\ngpgsign = true\n[gpg]\nprogram = false\n[merge]\nff = only\nverifySignatures = true\n"
    )
    prepared = await lab.prepare(dependencies=[("WRK-0", "golem/WRK-0")])
    assert not (lab.tmp / "hook-ran").exists()
    assert lab.rev(f"{prepared.head}^2") == dependency


# --- dependencies


async def test_branches_of_dependencies_are_merged_by_real_merge_commits(lab: Lab) -> None:
    dependency = lab.branch("golem/WRK-0", {"dep": "dep"})
    lab.sh("branch", "golem/merged", "main")
    prepared = await lab.prepare(
        dependencies=[("WRK-0", "golem/WRK-0"), ("WRK-M", "golem/merged"), ("WRK-G", "golem/gone")]
    )
    assert prepared.base_branch_commit == lab.rev("main")
    assert prepared.head == prepared.base_commit == lab.rev("golem/WRK-1")
    assert lab.sh("rev-list", "--parents", "-1", prepared.head).split()[1:] == [lab.rev("main"), dependency]
    assert (prepared.merged, prepared.missing) == (("WRK-0",), ("WRK-G",))
    assert prepared.tree == lab.rev(f"{prepared.head}^{{tree}}")
    assert lab.sh("log", "-1", "--format=%an <%ae>", prepared.head) == "golemd <golemd@localhost>"
    assert (lab.workspace().path / "dep").exists()


async def test_a_conflict_of_dependencies_names_item_and_files_and_puts_everything_back(lab: Lab) -> None:
    lab.branch("golem/WRK-2", {"readme": "two\n", "grün": "2\n"})
    lab.branch("golem/WRK-3", {"readme": "three\n", "grün": "3\n"})
    refs = lab.sh("for-each-ref")
    with pytest.raises(Conflict) as caught:
        await lab.prepare(dependencies=[("WRK-2", "golem/WRK-2"), ("WRK-3", "golem/WRK-3")])
    assert caught.value.code == "dependency_conflict"
    assert caught.value.data == {"item": "WRK-3", "files": ["grün", "readme"]}
    assert lab.sh("for-each-ref") == refs
    assert not lab.workspace().path.exists()
    assert len(lab.sh("worktree", "list").splitlines()) == 1


async def test_a_conflict_leaves_the_branch_of_an_earlier_try_where_it_was(lab: Lab) -> None:
    lab.branch("golem/WRK-2", {"readme": "two\n"})
    mine = lab.branch("golem/WRK-1", {"mine": "mine"})
    lab.commit("conflicting", {"readme": "main\n"})
    with pytest.raises(Conflict):
        await lab.prepare(dependencies=[("WRK-2", "golem/WRK-2")])
    assert lab.rev("golem/WRK-1") == mine


async def test_a_merge_that_fails_without_a_conflict_says_so(lab: Lab) -> None:
    dependency = lab.branch("golem/WRK-0", {"dep": "dep"})
    unrelated = lab.sh("commit-tree", "-m", "unrelated", f"{dependency}^{{tree}}")
    lab.sh("update-ref", "refs/heads/golem/WRK-0", unrelated)
    with pytest.raises(Unavailable) as caught:
        await lab.prepare(dependencies=[("WRK-0", "golem/WRK-0")])
    assert "unrelated histories" in caught.value.message


# --- again


async def test_preparing_twice_gives_the_same_and_keeps_nothing(lab: Lab) -> None:
    lab.branch("golem/WRK-0", {"dep": "dep"})
    first = await lab.prepare(dependencies=[("WRK-0", "golem/WRK-0")])
    second = await lab.prepare(dependencies=[("WRK-0", "golem/WRK-0")])
    assert (second.tree, second.base_branch_commit) == (first.tree, first.base_branch_commit)
    assert second.kept.ref is None
    assert lab.status(lab.workspace().path) == []
    assert len(lab.sh("worktree", "list").splitlines()) == 2


async def test_every_half_done_try_is_taken_over(lab: Lab) -> None:
    path = lab.workspace().path

    def only_branch() -> None:
        lab.sh("branch", "golem/WRK-1", "main")

    def branch_and_empty_folder() -> None:
        lab.sh("branch", "-f", "golem/WRK-1", "main")
        path.mkdir(parents=True)

    def registration_without_folder() -> None:
        lab.sh("worktree", "add", "-q", "--detach", str(path))
        shutil.rmtree(path)

    def registration_without_files() -> None:
        lab.sh("worktree", "add", "-q", "--detach", "--no-checkout", str(path))

    def folder_without_registration() -> None:
        lab.sh("worktree", "add", "-q", "--detach", str(path))
        shutil.rmtree(lab.root / ".git" / "worktrees" / "WRK-1")

    def folder_with_broken_pointer() -> None:
        lab.sh("worktree", "add", "-q", "--detach", str(path))
        (path / ".git").write_text("nonsense")

    def locked_and_with_a_stale_index_lock() -> None:
        lab.sh("worktree", "add", "-q", "--detach", "--lock", str(path))
        (lab.root / ".git" / "worktrees" / "WRK-1" / "index.lock").touch()

    for leave in (
        only_branch,
        branch_and_empty_folder,
        registration_without_folder,
        registration_without_files,
        folder_without_registration,
        folder_with_broken_pointer,
        locked_and_with_a_stale_index_lock,
    ):
        leave()
        prepared = await lab.prepare()
        assert prepared.kept.commit is None, leave.__name__
        assert lab.status(path) == [], leave.__name__
        assert lab.sh("symbolic-ref", "HEAD", cwd=path) == "refs/heads/golem/WRK-1"
        await remove_worktree(lab.git, lab.workspace(), worktree_root=lab.worktrees, keep_as="x")
        lab.sh("branch", "-q", "-D", "golem/WRK-1")


async def test_a_cancelled_try_can_be_made_again(lab: Lab) -> None:
    with pytest.MonkeyPatch.context() as patch, trio.CancelScope() as scope:

        async def stop(*_: object) -> tuple[str, ...]:
            scope.cancel()
            await trio.lowlevel.checkpoint()
            return ()

        patch.setattr(worktree_module, "_merge_dependencies", stop)
        await lab.prepare()
    assert scope.cancelled_caught
    assert (await lab.prepare()).head == lab.rev("main")


async def test_unknown_commits_of_a_leftover_branch_are_kept_first(lab: Lab) -> None:
    mine = lab.branch("golem/WRK-1", {"mine": "mine"})
    prepared = await lab.prepare()
    assert prepared.kept.ref == "refs/golem/kept/WRK-1.1"
    assert lab.rev("refs/golem/kept/WRK-1.1") == prepared.kept.commit == mine
    assert lab.rev("golem/WRK-1") == lab.rev("main")


async def test_files_in_a_leftover_worktree_or_folder_are_kept_first(lab: Lab) -> None:
    await lab.prepare()
    path = lab.workspace().path
    lab.write(path, {"work": "work\n"})
    commit = lab.commit("detached", {"detached": "d\n"}, cwd=path)
    lab.sh("update-ref", "refs/heads/golem/WRK-1", "main", cwd=path)
    lab.sh("checkout", "-q", "--detach", commit, cwd=path)
    lab.write(path, {"more": "more\n"})
    kept = (await lab.prepare()).kept
    assert kept.commit is not None
    assert set(lab.files(kept.commit)) == {"readme", "src/a.py", "work", "detached", "more"}
    assert lab.rev(f"{kept.commit}^1") == commit

    (path / ".git").unlink()
    shutil.rmtree(lab.root / ".git" / "worktrees" / "WRK-1")
    lab.write(path, {"stray": "stray\n"})
    stray = (await lab.prepare()).kept
    assert stray.commit is not None
    assert lab.files(stray.commit)["stray"] == "stray"
    assert lab.sh("merge-base", kept.commit, stray.commit) == kept.commit


async def test_commits_of_a_worktree_whose_folder_is_gone_are_kept(lab: Lab) -> None:
    await lab.prepare()
    path = lab.workspace().path
    lab.sh("checkout", "-q", "--detach", cwd=path)
    commit = lab.commit("lonely", {"lonely": "x"}, cwd=path)
    shutil.rmtree(path)
    assert (await lab.prepare()).kept.commit == commit


async def test_something_else_at_the_place_is_left_alone(lab: Lab) -> None:
    lab.write(lab.worktrees, {"demo/WRK-1": "a file"})
    with pytest.raises(Unavailable) as caught:
        await lab.prepare()
    assert caught.value.code == "place_taken"
    assert lab.workspace().path.read_text() == "a file"
    blocked = Workspace(lab.root, lab.workspace().path / "inner")
    with pytest.raises(Unavailable) as caught:
        await prepare_worktree(lab.git, blocked, "golem/x", "main", worktree_root=lab.worktrees, keep_as="x")
    assert caught.value.code == "worktree_root_unusable"


async def test_worktrees_of_others_that_are_away_are_not_pruned(lab: Lab) -> None:
    lab.sh("worktree", "add", "-q", "--detach", str(lab.tmp / "usb"))
    shutil.move(lab.tmp / "usb", lab.tmp / "unplugged")
    await lab.prepare()
    await remove_worktree(lab.git, lab.workspace(), worktree_root=lab.worktrees, keep_as="x")
    assert (lab.root / ".git" / "worktrees" / "usb").exists()


async def test_a_branch_that_a_person_has_checked_out_is_not_taken(lab: Lab) -> None:
    lab.sh("checkout", "-q", "-b", "golem/WRK-1")
    with pytest.raises(Conflict) as caught:
        await lab.prepare()
    assert caught.value.code == "branch_checked_out"


async def test_many_worktrees_are_prepared_at_once(lab: Lab) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(lab.prepare, f"WRK-{number}")
    assert len(lab.sh("worktree", "list").splitlines()) == 5


# --- reopen and remove


async def reopen(lab: Lab, tree: str | None = None) -> str:
    found = await reopen_worktree(
        lab.git, lab.workspace(), "golem/WRK-1", worktree_root=lab.worktrees, keep_as="WRK-1.1", tree=tree
    )
    return found.tree


async def test_a_removed_worktree_comes_back_with_its_uncommitted_files(lab: Lab) -> None:
    await lab.prepare()
    path = lab.workspace().path
    commit = lab.commit("work", {"work": "work\n"}, cwd=path)
    lab.write(path, {"open": "open\n", "readme": "changed\n"})
    before = lab.status(path)
    kept = await remove_worktree(lab.git, lab.workspace(), worktree_root=lab.worktrees, keep_as="WRK-1.1")
    assert kept.commit is not None
    assert not path.exists()
    assert lab.rev("golem/WRK-1") == commit
    assert lab.rev(f"{kept.commit}^1") == commit
    tree = lab.rev(f"{kept.commit}^{{tree}}")
    assert await reopen(lab, tree) == tree
    assert lab.status(path) == before
    assert await reopen(lab) == tree
    (path / ".git").write_text("broken")
    assert await reopen(lab) == tree


async def test_removing_twice_or_nothing_is_fine(lab: Lab) -> None:
    await lab.prepare()
    for _ in range(2):
        kept = await remove_worktree(lab.git, lab.workspace(), worktree_root=lab.worktrees, keep_as="WRK-1.1")
        assert kept.commit is None
    assert lab.rev("golem/WRK-1") == lab.rev("main")
    await lab.prepare()
    shutil.rmtree(lab.workspace().path)
    await remove_worktree(lab.git, lab.workspace(), worktree_root=lab.worktrees, keep_as="WRK-1.1")
    assert not (lab.root / ".git" / "worktrees" / "WRK-1").exists()


async def test_a_worktree_whose_folder_is_gone_is_reopened(lab: Lab) -> None:
    await lab.prepare()
    shutil.rmtree(lab.workspace().path)
    assert await reopen(lab) == lab.rev("main^{tree}")


async def test_a_worktree_on_another_branch_is_made_again_after_keeping_it(lab: Lab) -> None:
    await lab.prepare()
    path = lab.workspace().path
    lab.sh("checkout", "-q", "-b", "mine", cwd=path)
    lab.write(path, {"mine": "mine"})
    await reopen(lab)
    assert lab.sh("symbolic-ref", "HEAD", cwd=path) == "refs/heads/golem/WRK-1"
    assert "mine" in lab.files("refs/golem/kept/WRK-1.1")


async def test_without_its_branch_a_worktree_cannot_be_reopened(lab: Lab) -> None:
    with pytest.raises(NotFound) as caught:
        await reopen(lab)
    assert caught.value.code == "branch_missing"


async def test_removal_follows_no_symbolic_link(lab: Lab) -> None:
    await lab.prepare()
    outside = lab.tmp / "outside"
    lab.write(outside, {"precious": "x"})
    os.symlink(outside, lab.workspace().path / "link")
    await remove_worktree(lab.git, lab.workspace(), worktree_root=lab.worktrees, keep_as="WRK-1.1")
    assert (outside / "precious").exists()


async def test_whether_a_worktree_stands_is_told_without_touching_it(lab: Lab) -> None:
    place = lab.workspace()
    assert not await worktree_stands(lab.git, place, "golem/WRK-1")
    await lab.prepare()
    assert await worktree_stands(lab.git, place, "golem/WRK-1")
    assert not await worktree_stands(lab.git, place, "main")
    shutil.rmtree(place.path)
    assert not await worktree_stands(lab.git, place, "golem/WRK-1")
