"""Files that a worktree gets from the project's folder: found, never tracked ones, never committed, never outside."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trio

from golemd.adapters.workspace import (
    Copied,
    Workspace,
    copies,
    copy_files,
    current,
    excluding,
    ignoring,
    keep,
    snapshot,
)
from golemd.adapters.workspace.repository import dirs_of
from golemd.api.faults import Unavailable
from tests.adapters.workspace.lab import Lab, on_disk


async def copied(lab: Lab, *patterns: str, leave: Sequence[Path] = ()) -> Copied:
    return await copy_files(lab.git, lab.workspace(), patterns, leave)


def tree(lab: Lab) -> Path:
    return lab.workspace().path


async def prepared(lab: Lab, files: dict[str, str], ignored: str = "") -> Lab:
    """A worktree, and files in the project's folder that are not committed."""
    if ignored:
        lab.commit("ignore", {".gitignore": ignored})
    await lab.prepare()
    lab.write(lab.root, files)
    return lab


async def test_files_folders_and_wildcards_are_copied_with_mode_and_time(lab: Lab) -> None:
    files = {".env": "KEY=1", "conf/a/b.yml": "b", "conf/c.yml": "c", "x.local": "x", "deep/y.local": "y", "other": "o"}
    await prepared(lab, files)
    (lab.root / ".env").chmod(0o640)
    os.utime(lab.root / ".env", (1_700_000_000, 1_700_000_000))
    os.symlink("a/b.yml", lab.root / "conf" / "link")
    os.symlink("a", lab.root / "conf" / "folder")
    done = await copied(lab, ".env", "conf/", "**/*.local")
    assert (done.files, done.warnings) == (7, ())
    there = on_disk(tree(lab))
    assert {name: there.get(name) for name in files} == {**files, "other": None}
    found = (tree(lab) / ".env").stat()
    assert (found.st_mode & 0o777, found.st_mtime) == (0o640, 1_700_000_000)
    assert [os.readlink(tree(lab) / "conf" / name) for name in ("link", "folder")] == ["a/b.yml", "a"]


async def test_a_link_is_copied_as_what_it_leads_to_inside_and_not_at_all_outside(lab: Lab) -> None:
    await prepared(lab, {"secrets/env": "KEY=1", "secrets/more": "m"})
    (lab.tmp / "outside").write_text("precious")
    os.symlink("secrets/env", lab.root / ".env")
    os.symlink("secrets", lab.root / "linked")
    os.symlink(lab.tmp / "outside", lab.root / "away")
    done = await copied(lab, ".env", "linked", "away")
    assert done.warnings == ("away is not copied: it leads out of the project's folder",)
    there = on_disk(tree(lab))
    assert (there[".env"], there["linked/more"], "away" in there) == ("KEY=1", "m", False)
    assert not (tree(lab) / ".env").is_symlink()


async def test_wildcards_follow_no_links_where_packages_link_each_other(lab: Lab) -> None:
    """Each of 12 packages links all others, as pnpm lays them out: through links there are 12! ways to a file."""
    names = [f"packages/{number}" for number in range(12)]
    await prepared(lab, {f"{name}/.env": name for name in names} | {"packages/0/.git/x/.env": "git's own"})
    for name in names:
        (lab.root / name / "node_modules").mkdir()
        for other in names:
            os.symlink(f"../../../{other}", lab.root / name / "node_modules" / Path(other).name)
    done = await copied(lab, "**/.env", "packages/*/node_modules/**/1")
    links = {f"{name}/node_modules/1" for name in names}
    assert (done.files, done.warnings) == (len(names) + len(links), ())
    assert all((tree(lab) / name / ".env").read_text() == name for name in names)
    assert all((tree(lab) / link).is_symlink() for link in links)
    assert not (tree(lab) / "packages/0/.git").exists()


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**", {"a/b/c.x", "a/d.x", "e.x", ".h/f.x"}),
        ("**/*.x", {"a/b/c.x", "a/d.x", "e.x", ".h/f.x"}),
        ("a/**", {"a/b/c.x", "a/d.x"}),
        ("*/", {"a/b/c.x", "a/d.x", ".h/f.x"}),
        ("./a//*.x", {"a/d.x"}),
        ("a/*/c.x", {"a/b/c.x"}),
        ("*.x/c", set()),
        ("e.x/*", set()),
        ("**/b", {"a/b/c.x"}),
        ("**/d.x/", set()),
        ("[e].?", {"e.x"}),
    ],
)
async def test_wildcards_are_those_of_glob(lab: Lab, pattern: str, found: set[str]) -> None:
    files = ("a/b/c.x", "a/d.x", "e.x", ".h/f.x")
    await prepared(lab, dict.fromkeys(files, "x"))
    await copied(lab, pattern)
    assert set(on_disk(tree(lab))) - {"readme", "src/a.py"} == found


async def test_looking_for_what_to_copy_can_be_ended_and_holds_up_nobody(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepared(lab, {".env": "1"})
    with trio.CancelScope() as scope:

        def endless(top: bytes) -> Iterator[tuple[bytes, list[bytes], list[bytes]]]:
            trio.from_thread.run_sync(scope.cancel)
            while True:
                yield top, [], []

        monkeypatch.setattr("golemd.adapters.workspace.copies.os.walk", endless)
        async with lab.git.changing(dirs_of(lab.workspace()).common_dir):
            await copied(lab, "**/.env")
    assert scope.cancelled_caught


async def test_what_is_tracked_is_left_as_it_is_in_the_worktree(lab: Lab) -> None:
    await prepared(lab, {"readme": "changed in the project's folder", "src/local.py": "l"})
    done = await copied(lab, "readme", "src")
    assert (done.files, done.warnings) == (1, ())
    assert on_disk(tree(lab)) == {"readme": "hello\n", "src/a.py": "a = 1\n", "src/local.py": "l"}


async def test_what_is_missing_is_a_warning(lab: Lab) -> None:
    await prepared(lab, {".env": "1"})
    done = await copied(lab, "absent", "*.absent", ".env")
    assert done.files == 1
    assert done.warnings == (
        "absent is not copied: the project's folder has no such file",
        "*.absent is not copied: the project's folder has no such file",
    )


async def test_neither_golemd_nor_an_agent_ever_commits_what_was_copied(lab: Lab) -> None:
    await prepared(lab, {".env": "KEY=1", "a [b]*/c d ": "2", "#x": "3", "line\nfeed": "4", "gr\u00fc\u00df": "5"})
    before = await snapshot(lab.git, lab.workspace())
    await copied(lab, ".env", "a [[]b]*", "#x", "line*", "gr\u00fc\u00df")
    lab.write(tree(lab), {"a [b]*/new": "work"})
    assert lab.files(await snapshot(lab.git, lab.workspace())) == {**lab.files(before), "a [b]*/new": "work"}
    (setting,) = excluding(dirs_of(lab.workspace())).items()
    lab.sh("-c", f"{setting[0]}={setting[1]}", "add", "-A", cwd=tree(lab))
    assert lab.status(tree(lab))[0] == "A  a [b]*/new"
    kept = await keep(lab.git, lab.workspace(), "attempt")
    assert {entry.path for entry in kept.listed} == {".env", "a [b]*/c d ", "#x", "line\\x0afeed", "gr\u00fc\u00df"}


async def test_an_attempts_git_is_told_beside_what_it_is_told_already(lab: Lab) -> None:
    await prepared(lab, {".env": "1"})
    assert ignoring(lab.workspace(), {}) == {}, "nothing has been copied yet"
    await copied(lab, ".env")
    file = str(dirs_of(lab.workspace()).git_dir / "golemd-excludes")
    told = {"GIT_CONFIG_KEY_0": "core.excludesFile", "GIT_CONFIG_VALUE_0": file, "GIT_CONFIG_COUNT": "1"}
    assert ignoring(lab.workspace(), {"GIT_CONFIG_COUNT": "?"}) == told
    second = ignoring(lab.workspace(), {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b"})
    assert second == {"GIT_CONFIG_KEY_1": "core.excludesFile", "GIT_CONFIG_VALUE_1": file, "GIT_CONFIG_COUNT": "2"}
    assert ignoring(Workspace(lab.root, lab.root), {}) == ignoring(lab.workspace("WRK-2"), {}) == {}


async def test_what_the_user_ignores_everywhere_is_still_ignored(lab: Lab) -> None:
    await prepared(lab, {".env": "KEY=1"})
    lab.write(lab.home, {".config/git/ignore": "*.swp\n"})
    await copied(lab, ".env")
    lab.write(tree(lab), {"a.swp": "s"})
    assert "a.swp" not in lab.files(await snapshot(lab.git, lab.workspace()))
    lab.sh("config", "core.excludesFile", "~/mine")
    lab.write(lab.home, {"mine": "*.bak\n"})
    await copied(lab, ".env")
    lab.write(tree(lab), {"a.bak": "b"})
    found = lab.files(await snapshot(lab.git, lab.workspace()))
    assert ("a.bak" in found, "a.swp" in found) == (False, True)


async def test_nothing_has_to_be_ignored_by_us_when_the_project_does(lab: Lab) -> None:
    await prepared(lab, {".env": "KEY=1", "node_modules/a.js": "a"}, ignored=".env\nnode_modules/\n")
    assert (await copied(lab, ".env", "node_modules")).files == 2
    assert excluding(dirs_of(lab.workspace())) == {}


async def test_what_a_gitignore_brings_back_is_not_copied(lab: Lab) -> None:
    await prepared(lab, {"keep.env": "KEY=1"}, ignored="*.env\n!keep.env\n")
    done = await copied(lab, "keep.env")
    assert done.files == 0
    assert done.warnings == ("keep.env is not copied: a .gitignore wants it to be committed",)
    assert not (tree(lab) / "keep.env").exists()


async def test_copying_again_takes_the_newest_and_replaces_whatever_is_there(lab: Lab) -> None:
    await prepared(lab, {".env": "1"})
    await copied(lab, ".env")
    lab.write(lab.root, {".env": "2"})
    (lab.tmp / "outside").write_text("precious")
    (tree(lab) / ".env").unlink()
    os.symlink(lab.tmp / "outside", tree(lab) / ".env")
    assert (await copied(lab, ".env")).warnings == ()
    assert ((tree(lab) / ".env").read_text(), (lab.tmp / "outside").read_text()) == ("2", "precious")


async def test_nothing_is_written_through_a_link_that_the_worktree_tracks(lab: Lab) -> None:
    (lab.tmp / "elsewhere").mkdir()
    os.symlink(lab.tmp / "elsewhere", lab.root / "conf")
    lab.commit("a link", {})
    await lab.prepare()
    (lab.root / "conf").unlink()
    lab.write(lab.root, {"conf/x": "x", ".env": "1"})
    done = await copied(lab, "conf", ".env")
    assert (done.files, done.warnings) == (1, ("conf/x is not copied: its folder is a link in the worktree",))
    assert os.listdir(lab.tmp / "elsewhere") == []


async def test_gits_own_folder_and_folders_to_leave_are_never_copied(lab: Lab) -> None:
    await prepared(lab, {"trees/x": "x", "vendor/.git/HEAD": "ref", "vendor/a": "a", ".env": "1"})
    done = await copied(lab, ".", ".git", ".git/config", leave=[lab.root / "trees", lab.root / "trees/x"])
    assert done.warnings == ()
    assert {name for name in on_disk(tree(lab)) if not name.startswith(("readme", "src"))} == {".env", "vendor/a"}
    assert (tree(lab) / "vendor" / ".git" / "HEAD").read_text() == "ref"
    assert (tree(lab) / ".git").is_file()


async def test_what_cannot_be_copied_is_a_warning_each_and_the_rest_is_copied(lab: Lab) -> None:
    await prepared(lab, {".env": "1", "readme2/x": "x"})
    os.mkfifo(lab.root / "pipe")
    (tree(lab) / "readme2").write_text("a file is in the way")
    lab.sh("add", "readme2", cwd=tree(lab))
    done = await copied(lab, "pipe", "readme2", ".env")
    assert done.files == 1
    assert done.warnings == (
        "pipe is not copied: it is no plain file",
        "readme2/x is not copied: File exists",
    )


async def test_many_warnings_are_counted(lab: Lab) -> None:
    await prepared(lab, {})
    done = await copied(lab, *(f"absent{number}" for number in range(copies.WARNINGS_MAX + 3)))
    assert (len(done.warnings), done.warnings[-1]) == (copies.WARNINGS_MAX + 1, "3 more files are not copied")


async def test_a_full_disk_is_a_fault(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    await prepared(lab, {".env": "1"})

    def full(source: bytes, target: bytes, *, follow_symlinks: bool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("golemd.adapters.workspace.copies.shutil.copy2", full)
    with pytest.raises(Unavailable) as caught:
        await copied(lab, ".env")
    assert (caught.value.code, ".env" in caught.value.message) == ("disk_full", True)


async def test_a_worktree_with_copies_stands_where_it_stood(lab: Lab) -> None:
    await prepared(lab, {".env": "1"})
    before = await current(lab.git, lab.workspace())
    await copied(lab, ".env")
    assert await current(lab.git, lab.workspace()) == before
