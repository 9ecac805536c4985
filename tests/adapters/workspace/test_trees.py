"""Trees of what is on disk; differences."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from golemd.adapters.workspace import Git, current, diffstat, snapshot
from golemd.adapters.workspace import snapshot as snapshot_function
from golemd.adapters.workspace.repository import dirs_of
from golemd.adapters.workspace.trees import changes, files_to, remove_folder, take
from golemd.adapters.workspace.types import BIG_BYTES, FILES_MAX, Listed, Workspace
from golemd.api.faults import Conflict, Invalid, NotFound, Unavailable
from tests.adapters.workspace.lab import Lab, on_disk

WITHOUT_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--")
"""Takes from root the right to read everything, so that modes count."""


@pytest.fixture
def here(lab: Lab) -> Workspace:
    return Workspace(lab.root, lab.root)


def modest(lab: Lab) -> Git:
    """A git for which file modes count, whoever runs the tests."""
    program = ("git",) if os.geteuid() else (*WITHOUT_OVERRIDE, "git")
    if len(program) > 1 and shutil.which("setpriv") is None:
        pytest.skip("root without setpriv can read everything")
    return Git("lab", program=program, environment=lab.environment)


async def test_a_snapshot_holds_everything_but_ignored_files_and_touches_no_index(lab: Lab, here: Workspace) -> None:
    lab.write(lab.root, {".gitignore": "*.log\n", "new/file": "new\n", "x.log": "noise", "readme": "changed\n"})
    (lab.root / "src" / "a.py").unlink()
    lab.write(lab.root, {"staged": "staged\n"})
    lab.sh("add", "staged")
    before = (lab.root / ".git" / "index").read_bytes()
    tree = await snapshot(lab.git, here)
    assert lab.files(tree) == {
        ".gitignore": "*.log",
        "new/file": "new",
        "readme": "changed",
        "staged": "staged",
    }
    assert (lab.root / ".git" / "index").read_bytes() == before
    assert not list((lab.root / ".git").glob("golemd-index*"))


async def test_awkward_names_are_whole_in_a_snapshot(lab: Lab, here: Workspace) -> None:
    names = [b"a b", b"new\nline", b"gr\xc3\xbcn", b"bad\xff", b'q"uote', b"-dash", b"tab\t", b":(top)x", b"\\", b"*"]
    for name in names:
        (lab.root / os.fsdecode(name)).write_bytes(name)
    tree = await snapshot(lab.git, here)
    assert {os.fsencode(name) for name in lab.files(tree)} == {*names, b"readme", b"src/a.py"}
    assert {change.path for change in await changes(lab.git, dirs_of(here), lab.rev("HEAD"), tree)} == set(names)


async def test_links_modes_and_renames_are_seen(lab: Lab, here: Workspace) -> None:
    (lab.root / "link").symlink_to("/nowhere")
    (lab.root / "readme").chmod(0o755)
    (lab.root / "src" / "a.py").rename(lab.root / "src" / "b.py")
    found = await changes(lab.git, dirs_of(here), lab.rev("HEAD"), await snapshot(lab.git, here))
    assert {(change.path, change.old_mode, change.new_mode) for change in found} == {
        (b"link", "000000", "120000"),
        (b"readme", "100644", "100755"),
        (b"src/a.py", "100644", "000000"),
        (b"src/b.py", "000000", "100644"),
    }


async def test_a_change_within_the_same_clock_tick_is_seen(lab: Lab, here: Workspace) -> None:
    target = lab.root / "readme"
    lab.sh("config", "core.trustctime", "false")
    stamp = (1_700_000_000_000_000_000,) * 2
    os.utime(target, ns=stamp)
    lab.sh("update-index", "--refresh")
    os.utime(lab.root / ".git" / "index", ns=stamp)
    with target.open("r+") as file:
        file.write("HELLO")
    os.utime(target, ns=stamp)
    assert lab.files(await snapshot(lab.git, here))["readme"] == "HELLO"


async def test_files_of_mixed_line_endings_do_not_fail_a_snapshot(lab: Lab, here: Workspace) -> None:
    lab.sh("config", "core.safecrlf", "true")
    lab.sh("config", "core.autocrlf", "input")
    (lab.root / "mixed").write_bytes(b"a\r\nb\n")
    assert "mixed" in lab.files(await snapshot(lab.git, here))


async def test_repositories_inside_do_not_fail_a_snapshot(lab: Lab, here: Workspace) -> None:
    for name in ("empty", "full", "deep/er"):
        lab.sh("init", "-q", str(lab.root / name))
        lab.write(lab.root / name, {"f": "f"})
    lab.commit("inner", {}, cwd=lab.root / "full")
    lab.write(lab.root, {"broken/.git": "gitdir: /nowhere\n", "broken/f": "f"})
    assert lab.files(await snapshot(lab.git, here)) == {
        "broken/f": "f",
        "full": "gitlink",
        "readme": "hello",
        "src/a.py": "a = 1",
    }


async def test_a_missing_index_is_taken_from_head(lab: Lab, here: Workspace) -> None:
    lab.write(lab.root, {".gitignore": "src\n"})
    (lab.root / ".git" / "index").unlink()
    assert "src/a.py" in lab.files(await snapshot(lab.git, here))


async def test_an_index_that_is_no_file_is_a_fault(lab: Lab, here: Workspace) -> None:
    (lab.root / ".git" / "index").unlink()
    (lab.root / ".git" / "index").mkdir()
    with pytest.raises(Unavailable) as caught:
        await snapshot(lab.git, here)
    assert caught.value.code == "index_unreadable"


async def test_an_index_lock_does_not_hold_a_snapshot_up(lab: Lab, here: Workspace) -> None:
    (lab.root / ".git" / "index.lock").touch()
    assert await snapshot(lab.git, here) == lab.rev("HEAD^{tree}")


@pytest.mark.parametrize("name", ["locked", "folder/inner"])
async def test_what_cannot_be_read_is_a_fault_that_names_it(lab: Lab, here: Workspace, name: str) -> None:
    git = modest(lab)
    lab.write(lab.root, {name: "x"})
    closed = lab.root / name.split("/")[0]
    closed.chmod(0)
    try:
        with pytest.raises(Unavailable) as caught:
            await snapshot(git, here)
        assert caught.value.code == "unreadable_file"
        assert closed.name in caught.value.message
    finally:
        closed.chmod(0o700)


async def test_a_file_that_vanishes_meanwhile_is_tried_again(lab: Lab, here: Workspace) -> None:
    flag = lab.tmp / "failed-once"
    wrapper = lab.tmp / "git"
    wrapper.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *" add "*) [ -e {flag} ] || {{ touch {flag}; echo "error: open(\\"x\\"): No such file or '
        'directory" >&2; exit 128; };; esac\n'
        'exec git "$@"\n'
    )
    wrapper.chmod(0o755)
    lab.write(lab.root, {"new": "new"})
    tree = await snapshot(Git("lab", program=[str(wrapper)], environment=lab.environment), here)
    assert flag.exists()
    assert "new" in lab.files(tree)


async def test_current_is_head_and_the_tree_on_disk(lab: Lab, here: Workspace) -> None:
    lab.write(lab.root, {"new": "new"})
    now = await current(lab.git, here)
    assert now.head == lab.rev("HEAD")
    assert now.tree == await snapshot_function(lab.git, here)
    lab.sh("checkout", "-q", "--orphan", "nothing")
    with pytest.raises(NotFound) as caught:
        await current(lab.git, here)
    assert caught.value.code == "no_commit"


async def test_files_become_those_of_a_tree(lab: Lab, here: Workspace) -> None:
    lab.write(lab.root, {".gitignore": "*.log\n", "left": "left\n", "d": "file\n"})
    tree = await snapshot(lab.git, here)
    (lab.root / "d").unlink()
    lab.write(lab.root, {"d/e/f": "deep", "x.log": "ignored", "readme": "other", "left": "LEFT\n", "n/e/w": "n"})
    (lab.root / "src" / "a.py").unlink()
    lab.sh("init", "-q", str(lab.root / "inner"))
    (lab.root / "bad\udcff\n").write_text("x")
    await files_to(lab.git, dirs_of(here), tree)
    assert on_disk(lab.root) == {
        ".gitignore": "*.log\n",
        "left": "left\n",
        "d": "file\n",
        "x.log": "ignored",
        "readme": "hello\n",
        "src/a.py": "a = 1\n",
    }
    assert not (lab.root / "inner").exists()
    assert not (lab.root / "n").exists()
    assert await snapshot(lab.git, here) == tree


async def test_a_missing_tree_is_a_fault(lab: Lab, here: Workspace) -> None:
    with pytest.raises(Conflict) as caught:
        await files_to(lab.git, dirs_of(here), "abcd" * 10)
    assert caught.value.code == "object_missing"
    with pytest.raises(Conflict):
        await diffstat(lab.git, lab.root, lab.rev("HEAD"), "abcd" * 10)
    with pytest.raises(Invalid):
        await diffstat(lab.git, lab.root, "HEAD", "--output=/x")


def test_a_folder_with_closed_folders_in_it_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "a" / "link").symlink_to(tmp_path)
    (tmp_path / "a" / "b").chmod(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", lambda path, _: Path(path).stat().st_mode & 0o700 == 0o700)
        remove_folder(tmp_path / "a")
    remove_folder(tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert tmp_path.exists()


def test_a_folder_that_cannot_be_removed_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable) as caught:
        remove_folder(tmp_path / "file")
    assert caught.value.code == "not_removed"


async def test_diffstat_counts_lines_names_and_binaries(lab: Lab) -> None:
    first = lab.rev("HEAD")
    lab.sh("mv", "src/a.py", "src/grün b.py")
    (lab.root / "bin").write_bytes(b"\0\1\2")
    lab.write(lab.root, {"readme": "hello\nmore\n", **{f"many/{i}": "" for i in range(FILES_MAX)}})
    second = lab.commit("second", {})
    found = await diffstat(lab.git, lab.root, first, second)
    assert (found.insertions, found.deletions, found.more) == (1, 0, 3)
    few = await diffstat(lab.git, lab.root, second, first)
    stats = {stat.path: (stat.insertions, stat.deletions) for stat in few.files}
    assert stats["bin"] == (None, None)
    everything = {stat.path for stat in (await diffstat(lab.git, lab.root, first, second)).files}
    assert "many/0" in everything
    renamed = await diffstat(lab.git, lab.root, first, lab.sh("commit-tree", "-m", "x", "HEAD^{tree}"))
    assert renamed.insertions == 1


# --- big files ---------------------------------------------------------------------------------------------------


def sparse(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.truncate(size)


async def test_big_new_files_are_listed_and_no_part_of_a_snapshot(lab: Lab, here: Workspace) -> None:
    sparse(lab.root / "data" / "limit", BIG_BYTES)
    sparse(lab.root / "data" / "big [x]*", BIG_BYTES + 1)
    os.symlink("data/limit", lab.root / "link")
    taken = await take(lab.git, dirs_of(here))
    assert set(lab.sh("ls-tree", "-r", "--name-only", taken.tree).split()) == {
        "readme",
        "src/a.py",
        "data/limit",
        "link",
    }
    assert taken.left == (Listed("data/big [x]*", "big", BIG_BYTES + 1),)
    assert await snapshot(lab.git, here) == taken.tree


async def test_a_big_file_that_git_knows_is_part_of_it(lab: Lab, here: Workspace) -> None:
    sparse(lab.root / "readme", BIG_BYTES + 1)
    sparse(lab.root / "staged", BIG_BYTES + 1)
    lab.sh("add", "staged")
    taken = await take(lab.git, dirs_of(here))
    sizes = [line.split()[3] for line in lab.sh("ls-tree", "-l", taken.tree, "readme", "staged").splitlines()]
    assert (sizes, taken.left) == ([str(BIG_BYTES + 1)] * 2, ())


async def test_big_new_files_stay_when_the_files_become_those_of_a_tree(lab: Lab, here: Workspace) -> None:
    start = await snapshot(lab.git, here)
    sparse(lab.root / "data" / "big", BIG_BYTES + 1)
    lab.write(lab.root, {"data/small": "s", "readme": "changed\n"})
    await files_to(lab.git, dirs_of(here), start)
    assert (lab.root / "data" / "big").stat().st_size == BIG_BYTES + 1
    assert not (lab.root / "data" / "small").exists()
    assert (lab.root / "readme").read_text() == "hello\n"


async def test_what_has_not_changed_is_not_read_again(lab: Lab, here: Workspace) -> None:
    """A snapshot trusts the times in the index: the same size and times with other bytes go unseen."""
    lab.sh("config", "core.trustctime", "false")
    names = [lab.root / "many" / str(number) for number in range(50)]
    lab.write(lab.root, {f"many/{path.name}": f"{path.name}\n" for path in names})
    for path in names:
        os.utime(path, (1_700_000_000, 1_700_000_000))
    lab.commit("many", {})
    for path in names:
        path.write_text("x" * path.stat().st_size)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert await snapshot(lab.git, here) == lab.rev("HEAD^{tree}")
