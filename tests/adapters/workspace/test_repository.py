"""Finding repositories, holding one, names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from golemd.adapters.workspace import hold_project, inspect_repository, require_usable
from golemd.adapters.workspace.repository import (
    check_branch_name,
    contained,
    dirs_of,
    dirs_of_root,
    move_ref,
    tree_of,
)
from golemd.adapters.workspace.types import Workspace
from golemd.api.faults import Conflict, Fault, Invalid, NotFound, Unavailable
from tests.adapters.workspace.lab import Lab


async def refused(lab: Lab, folder: Path) -> str:
    with pytest.raises(Fault) as caught:
        require_usable(await inspect_repository(lab.git, folder))
    return caught.value.code


async def test_a_repository_is_found_from_a_subdirectory(lab: Lab) -> None:
    found = await inspect_repository(lab.git, lab.root / "src")
    assert (found.root, found.common_dir) == (lab.root, lab.root / ".git")
    assert (found.head_branch, found.head) == ("main", lab.rev("HEAD"))
    assert not found.linked_worktree
    require_usable(found)


async def test_from_a_linked_worktree_the_main_root_is_found(lab: Lab) -> None:
    await lab.prepare()
    found = await inspect_repository(lab.git, lab.workspace().path)
    assert (found.root, found.toplevel, found.linked_worktree) == (lab.root, lab.workspace().path, True)
    assert found.head_branch == "main"


async def test_worktrees_of_a_bare_repository_are_their_own_root(lab: Lab) -> None:
    lab.sh("clone", "-q", "--bare", str(lab.root), str(lab.tmp / "bare.git"))
    lab.sh("worktree", "add", "-q", str(lab.tmp / "tree"), "main", cwd=lab.tmp / "bare.git")
    found = await inspect_repository(lab.git, lab.tmp / "tree")
    assert (found.root, found.common_dir) == (lab.tmp / "tree", lab.tmp / "bare.git")
    lab.sh("clone", "-q", "--bare", str(lab.root), str(lab.tmp / "hidden" / ".git"))
    lab.sh("worktree", "add", "-q", str(lab.tmp / "tree2"), "main", cwd=lab.tmp / "hidden" / ".git")
    assert (await inspect_repository(lab.git, lab.tmp / "tree2")).root == lab.tmp / "tree2"


async def test_a_detached_head_has_no_branch(lab: Lab) -> None:
    lab.sh("checkout", "-q", "--detach")
    assert (await inspect_repository(lab.git, lab.root)).head_branch is None


async def test_what_is_no_repository_is_refused(lab: Lab) -> None:
    assert await refused(lab, lab.home) == "not_a_repository"
    assert await refused(lab, lab.tmp / "absent") == "not_a_repository"
    assert await refused(lab, lab.root / ".git") == "not_a_repository"


async def test_a_bare_repository_is_refused(lab: Lab) -> None:
    lab.sh("init", "-q", "--bare", str(lab.tmp / "bare"))
    assert await refused(lab, lab.tmp / "bare") == "bare_repository"


async def test_a_repository_without_a_commit_is_refused(lab: Lab) -> None:
    lab.sh("init", "-q", str(lab.tmp / "fresh"))
    assert await refused(lab, lab.tmp / "fresh") == "no_commit"


async def test_a_repository_in_the_middle_of_a_rebase_is_refused(lab: Lab) -> None:
    lab.branch("other", {"readme": "theirs\n"})
    lab.commit("ours", {"readme": "ours\n"})
    lab.sh("rebase", "other", status=1)
    assert await refused(lab, lab.root) == "operation_in_progress"
    lab.sh("rebase", "--abort")
    lab.sh("merge", "other", status=1)
    assert (await inspect_repository(lab.git, lab.root)).in_progress == "merge"


async def test_a_separate_git_folder_is_followed(lab: Lab) -> None:
    lab.sh("init", "-q", "--separate-git-dir", str(lab.tmp / "elsewhere"), str(lab.tmp / "sep"))
    lab.commit("x", {"f": "f"}, cwd=lab.tmp / "sep")
    found = await inspect_repository(lab.git, lab.tmp / "sep")
    assert (found.root, found.common_dir) == (lab.tmp / "sep", lab.tmp / "elsewhere")


async def test_a_broken_git_file_of_a_worktree_does_not_lead_into_another_repository(lab: Lab) -> None:
    await lab.prepare()
    workspace = lab.workspace()
    before = dirs_of(workspace)
    (workspace.path / ".git").unlink()
    lab.sh("init", "-q", str(lab.tmp))
    assert dirs_of(workspace) == before
    with pytest.raises(NotFound) as caught:
        dirs_of(Workspace(lab.root, lab.tmp / "other"))
    assert caught.value.code == "worktree_missing"
    (lab.home / ".git").mkdir()
    for no_repository in (lab.home, lab.worktrees):
        with pytest.raises(Invalid):
            dirs_of_root(no_repository)


def test_a_path_must_stay_inside_the_worktree_root(tmp_path: Path) -> None:
    root = tmp_path / "worktrees"
    (root / "demo").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "demo" / "alias").symlink_to(root / "demo")
    contained(root / "demo" / "WRK-1", root)
    contained(root / "not-yet" / "WRK-1", root)
    alias = tmp_path / "alias"
    alias.symlink_to(root)
    contained(alias / "demo" / "WRK-1", root)
    for bad in (
        root / "link" / "WRK-1",
        root / "demo" / "alias",
        root / "demo" / "..",
        root / ".." / "outside" / "x",
        tmp_path / "worktrees-2" / "x",
        root,
    ):
        with pytest.raises(Invalid) as caught:
            contained(bad, root)
        assert caught.value.code == "path_escapes"


async def test_branch_names_are_checked_before_git_sees_them(lab: Lab) -> None:
    dirs = dirs_of_root(lab.root)
    for good in ("main", "grün/ü", "a.b", "x@y"):
        assert await check_branch_name(lab.git, dirs, good) == f"refs/heads/{good}"
    for bad in ("", "-x", "--all", "a b", "a..b", "main~1", "main^{/x}", "x.lock", "a//b", "a\nb", "a\0b", "@{-1}"):
        with pytest.raises(Invalid) as caught:
            await check_branch_name(lab.git, dirs, bad)
        assert caught.value.code == "bad_branch_name"


async def test_a_ref_moves_only_from_where_it_was_thought_to_be(lab: Lab) -> None:
    dirs = dirs_of_root(lab.root)
    first = lab.rev("HEAD")
    second = lab.commit("second", {"b": "b"})
    await move_ref(lab.git, dirs, "refs/heads/x", first, None)
    for new, old in ((second, None), (second, second)):
        with pytest.raises(Conflict) as caught:
            await move_ref(lab.git, dirs, "refs/heads/x", new, old)
        assert caught.value.code == "branch_moved"
    await move_ref(lab.git, dirs, "refs/heads/x", None, first)
    assert lab.rev("refs/heads/x") == ""


async def test_a_commit_that_is_gone_is_named(lab: Lab) -> None:
    with pytest.raises(Conflict) as caught:
        await tree_of(lab.git, dirs_of_root(lab.root), "abcd" * 10)
    assert caught.value.code == "object_missing"


HOLD = """
import sys, pathlib
from golemd.adapters.workspace import hold_project
lock = hold_project(pathlib.Path(sys.argv[1]), "/state/of/first")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_project_is_held_by_one_daemon_at_a_time(lab: Lab) -> None:
    common = lab.root / ".git"
    argv = [sys.executable, "-c", HOLD, str(common)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdin is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(Conflict) as caught:
            hold_project(common, "/state/of/second")
        assert (caught.value.code, caught.value.data) == (
            "project_held",
            {"pid": first.pid, "state": "/state/of/first"},
        )
        first.kill()
    lock = hold_project(common, "/state/of/second")
    assert json.loads((common / "golemd.lock").read_text()) == {"pid": os.getpid(), "state": "/state/of/second"}
    assert not os.get_inheritable(lock._fd)
    lock.release()
    lock.release()
    hold_project(common, "/again").release()


def test_a_holder_that_wrote_nonsense_is_still_a_holder(lab: Lab) -> None:
    lock = hold_project(lab.root / ".git", "/state")
    for nonsense in ("", "[1]", "{"):
        lock.path.write_text(nonsense)
        with pytest.raises(Conflict) as caught:
            hold_project(lab.root / ".git", "/other")
        assert caught.value.data == {"pid": None, "state": None}
    lock.release()


def test_a_lock_that_cannot_be_made_is_unavailable(lab: Lab) -> None:
    (lab.tmp / "golemd.lock").symlink_to("/nowhere")
    os.mkfifo(lab.home / "golemd.lock")
    for folder in (lab.tmp, lab.home, lab.tmp / "absent"):
        with pytest.raises(Unavailable) as caught:
            hold_project(folder, "/state")
        assert caught.value.code == "project_lock_failed"
