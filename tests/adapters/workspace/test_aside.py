"""Setting a worktree aside and bringing it back exactly: files, staging, untracked ones; and when it must stand."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from golemd.adapters.workspace import (
    Current,
    SetAside,
    Workspace,
    bring_back,
    content_aside,
    current,
    keep_aside,
    remove_worktree,
)
from golemd.adapters.workspace.aside import HINDRANCES_MAX
from golemd.api.faults import Conflict, NotFound
from golemd.api.model import Aside
from tests.adapters.workspace.lab import Lab, on_disk

NAME = "WRK-1.1.aside"
BRANCH = "golem/WRK-1"


async def kept(lab: Lab, quiet_since: float | None = None, big_bytes: int = 1000) -> SetAside:
    since = time.time() + 60 if quiet_since is None else quiet_since
    return await keep_aside(lab.git, lab.workspace(), BRANCH, NAME, quiet_since=since, big_bytes=big_bytes)


async def set_aside(lab: Lab) -> Aside:
    done = await kept(lab)
    assert done.hindrances == ()
    assert done.aside is not None
    clean = (done.aside.tree, done.aside.staged)
    before = lab.rev("refs/golem/kept/WRK-1.1")
    await remove_worktree(lab.git, lab.workspace(), worktree_root=lab.worktrees, keep_as="WRK-1.1", clean=clean)
    assert lab.rev("refs/golem/kept/WRK-1.1") == before, "all of it was safe already"
    assert not lab.workspace().path.exists()
    return done.aside


async def back(lab: Lab, aside: Aside) -> Current:
    return await bring_back(lab.git, lab.workspace(), BRANCH, aside, worktree_root=lab.worktrees, keep_as="WRK-1.1")


def tree(lab: Lab) -> Path:
    return lab.workspace().path


async def test_files_modes_links_and_staging_come_back_as_they_were(lab: Lab) -> None:
    await lab.prepare()
    lab.commit("work", {"a": "a\n", "b": "b\n", "gone": "g\n", "run": "#!/bin/sh\n"}, cwd=tree(lab))
    lab.write(tree(lab), {"a": "changed\n", "b": "staged\n", "new/file": "untracked\n", "added": "added\n"})
    (tree(lab) / "gone").unlink()
    (tree(lab) / "run").chmod(0o755)
    os.symlink("a", tree(lab) / "link")
    lab.sh("add", "b", "added", cwd=tree(lab))
    lab.write(tree(lab), {"b": "staged, then changed\n"})
    status, files, before = lab.status(tree(lab)), on_disk(tree(lab)), await current(lab.git, lab.workspace())
    staged = lab.sh("diff", "--cached", cwd=tree(lab))
    aside = await set_aside(lab)
    assert lab.rev(f"refs/golem/kept/{NAME}")
    assert await content_aside(lab.git, lab.root, BRANCH, aside) == before
    assert await back(lab, aside) == before
    assert (lab.status(tree(lab)), on_disk(tree(lab))) == (status, files)
    assert lab.sh("diff", "--cached", cwd=tree(lab)) == staged
    assert os.readlink(tree(lab) / "link") == "a"
    assert os.access(tree(lab) / "run", os.X_OK)


@pytest.mark.parametrize("what", ["nothing", "all deleted", "staged back"])
async def test_the_edges_come_back_too(lab: Lab, what: str) -> None:
    await lab.prepare()
    if what == "all deleted":
        lab.sh("rm", "-q", "-r", ".", cwd=tree(lab))
        lab.sh("reset", "-q", cwd=tree(lab))
    if what == "staged back":  # the files are those of HEAD, what is staged is not
        lab.write(tree(lab), {"readme": "staged\n"})
        lab.sh("add", "-A", cwd=tree(lab))
        lab.write(tree(lab), {"readme": "hello\n"})
    before, status = await current(lab.git, lab.workspace()), lab.status(tree(lab))
    aside = await set_aside(lab)
    assert await back(lab, aside) == before
    assert lab.status(tree(lab)) == status


async def test_it_comes_back_after_a_collection_of_garbage(lab: Lab) -> None:
    await lab.prepare()
    lab.write(tree(lab), {"readme": "changed\n", "new": "n\n"})
    lab.sh("add", "new", cwd=tree(lab))
    aside = await set_aside(lab)
    lab.sh("gc", "-q", "--prune=now")
    await back(lab, aside)
    assert on_disk(tree(lab)) == {"readme": "changed\n", "src/a.py": "a = 1\n", "new": "n\n"}


async def test_doing_it_again_at_any_point_loses_nothing(lab: Lab) -> None:
    await lab.prepare()
    lab.write(tree(lab), {"new": "n\n"})
    first, second = await kept(lab), await kept(lab)
    assert first == second
    aside = await set_aside(lab)
    await back(lab, aside)
    assert await back(lab, aside) == await current(lab.git, lab.workspace())
    assert on_disk(tree(lab))["new"] == "n\n"
    lab.write(tree(lab), {"new": "newer\n"})
    again = await set_aside(lab)
    await back(lab, again)
    assert on_disk(tree(lab))["new"] == "newer\n"
    assert lab.files(aside.tree)["new"] == "n", "what was kept before is there still"


async def test_what_changes_between_keeping_and_removing_is_kept_as_well(lab: Lab) -> None:
    await lab.prepare()
    done = await kept(lab)
    assert done.aside is not None
    lab.write(tree(lab), {"late": "l\n"})
    left = await remove_worktree(
        lab.git, lab.workspace(), worktree_root=lab.worktrees, keep_as="WRK-1.1", clean=(done.aside.tree,)
    )
    assert left.commit is not None
    assert lab.files(left.commit)["late"] == "l"


async def test_a_worktree_that_is_gone_already_held_what_its_branch_holds(lab: Lab) -> None:
    await lab.prepare()
    await remove_worktree(lab.git, lab.workspace(), worktree_root=lab.worktrees, keep_as="WRK-1.1")
    done = await kept(lab)
    assert done.aside is not None
    assert (await back(lab, done.aside)).head == lab.rev(BRANCH)
    lab.sh("worktree", "remove", "--force", str(tree(lab)))
    lab.sh("branch", "-q", "-D", BRANCH)
    with pytest.raises(NotFound) as caught:
        await kept(lab)
    assert caught.value.code == "branch_missing"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("big", "big is too big to be kept"),
        ("repository", "inner/ is a repository of its own"),
        ("merge", "a merge is unfinished"),
        ("conflict", "a conflict is staged"),
        ("branch", "golem/WRK-1 is not checked out"),
    ],
)
async def test_what_could_not_come_back_as_it_was_lets_it_stand(lab: Lab, what: str, words: str) -> None:
    await lab.prepare()
    lab.branch("other", {"readme": "theirs\n"})
    lab.commit("ours", {"readme": "ours\n"}, cwd=tree(lab))
    if what == "big":
        lab.write(tree(lab), {"big": "x" * 1001})
    elif what == "repository":
        lab.sh("init", "-q", str(tree(lab) / "inner"))
        lab.commit("inside", {"x": "x\n"}, cwd=tree(lab) / "inner")
    elif what == "branch":
        lab.sh("checkout", "-q", "-b", "elsewhere", cwd=tree(lab))
    else:
        lab.sh("merge", "other", cwd=tree(lab), status=1)
    if what == "conflict":
        (Path(lab.sh("rev-parse", "--absolute-git-dir", cwd=tree(lab))) / "MERGE_HEAD").unlink()
    before = on_disk(tree(lab))
    done = await kept(lab)
    assert words in done.hindrances
    assert (done.aside, done.kept.commit) == (None, None)
    assert on_disk(tree(lab)) == before


async def test_a_file_that_was_touched_lately_lets_it_stand_and_ignored_ones_do_not(lab: Lab) -> None:
    lab.commit("ignore", {".gitignore": "*.log\n"})
    await lab.prepare()
    lab.write(tree(lab), {"new": "n", "readme": "changed", "x.log": "x" * 2000})
    for name, age in (("new", 100), ("readme", 5000), ("x.log", 0)):
        os.utime(tree(lab) / name, (time.time() - age, time.time() - age))
    assert (await kept(lab, time.time() - 1000)).hindrances == ("new was changed lately",)
    assert (await kept(lab, time.time() - 50)).hindrances == ()


async def test_many_reasons_are_counted(lab: Lab) -> None:
    await lab.prepare()
    lab.write(tree(lab), {f"{number:03}": "x" for number in range(HINDRANCES_MAX + 5)})
    (tree(lab) / "000").unlink()
    os.symlink("nowhere", tree(lab) / "000")
    hindrances = (await kept(lab, 0)).hindrances
    assert (len(hindrances), hindrances[-1]) == (HINDRANCES_MAX + 1, "and 5 more")


async def test_when_the_branch_has_moved_the_uncommitted_work_is_put_on_top(lab: Lab) -> None:
    await lab.prepare()
    lab.write(tree(lab), {"readme": "uncommitted\n", "new": "n\n"})
    lab.sh("add", "new", cwd=tree(lab))
    aside = await set_aside(lab)
    lab.sh("checkout", "-q", BRANCH)
    tip = lab.commit("by hand", {"src/a.py": "a = 2\n"})
    lab.sh("checkout", "-q", "main")
    expected = await content_aside(lab.git, lab.root, BRANCH, aside)
    there = await back(lab, aside)
    assert there == expected
    assert there.head == tip
    assert on_disk(tree(lab)) == {"readme": "uncommitted\n", "src/a.py": "a = 2\n", "new": "n\n"}


async def test_when_both_have_changed_a_file_a_human_is_asked(lab: Lab) -> None:
    await lab.prepare()
    lab.write(tree(lab), {"readme": "uncommitted\n"})
    aside = await set_aside(lab)
    lab.sh("checkout", "-q", BRANCH)
    lab.commit("by hand", {"readme": "committed\n"})
    for call in (back(lab, aside), content_aside(lab.git, lab.root, BRANCH, aside)):
        with pytest.raises(Conflict):
            await call
    lab.sh("checkout", "-q", "main")
    with pytest.raises(Conflict) as caught:
        await back(lab, aside)
    assert (caught.value.code, "readme" in caught.value.message) == ("aside_conflict", True)
    assert not tree(lab).exists()


async def test_what_lies_at_its_place_is_kept_before_it_comes_back(lab: Lab) -> None:
    await lab.prepare()
    aside = await set_aside(lab)
    lab.write(tree(lab), {"stray": "s\n"})
    await back(lab, aside)
    assert "stray" not in on_disk(tree(lab))
    assert lab.files("refs/golem/kept/WRK-1.1")["stray"] == "s"
    other = Workspace(lab.root, lab.tmp / "elsewhere")
    with pytest.raises(Exception, match="leaves"):
        await bring_back(lab.git, other, BRANCH, aside, worktree_root=lab.worktrees, keep_as="x")
