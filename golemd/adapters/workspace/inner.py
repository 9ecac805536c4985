"""Repositories inside a workspace: submodules, and those that an agent has made or cloned.

For the repository around it each is one entry, a gitlink, that names a commit; one without a commit is nothing at all.
So what it holds is lost with its folder, unless a remote of its own has it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from golemd.adapters.workspace.git import CHECKOUT_SECONDS, Dirs, Git
from golemd.adapters.workspace.repository import commit_of, dirs_of_root
from golemd.api.faults import Fault

GITLINK: Final = "160000"


class Inner(msgspec.Struct, frozen=True):
    """A repository inside, and what nobody else has: commits (tips of its history), and changed files."""

    git_dir: Path | None
    """None: it is none any more, or broken, and only its files can be had."""
    tips: tuple[str, ...] = ()
    changed: bool = True

    @property
    def is_safe(self) -> bool:
        """Whether its remotes have all that it holds."""
        return not self.tips and not self.changed


async def gitlinks(git: Git, dirs: Dirs, index: Path) -> list[bytes]:
    """The gitlinks of an index whose folder holds something."""
    entries = (await git.run(dirs, "ls-files", "-z", "-s", index=index)).fields
    found = (entry.partition(b"\t")[2] for entry in entries if entry.startswith(GITLINK.encode()))
    return [path for path in found if is_there(dirs, path)]


def is_there(dirs: Dirs, path: bytes) -> bool:
    """Whether files are at the place of a repository inside; a submodule that was not fetched is an empty folder."""
    folder = dirs.work_tree / os.fsdecode(path)
    return folder.is_dir() and not folder.is_symlink() and any(name != ".git" for name in os.listdir(folder))


async def declared(git: Git, dirs: Dirs) -> set[bytes]:
    """The paths of submodules, as .gitmodules on disk names them."""
    file = dirs.work_tree / ".gitmodules"
    if not file.is_file():
        return set()
    args = ("config", "-z", "--file", file, "--get-regexp", r"^submodule\..*\.path$")
    found = await git.run(dirs, *args, statuses=None)  # whoever breaks it has no submodules
    return {entry.partition(b"\n")[2] for entry in found.fields}


async def ahead(git: Git, dirs: Dirs, paths: Collection[bytes]) -> list[bytes]:
    """Those of some submodules with commits, or changes of tracked files, that no remote of theirs has."""
    there = [path for path in sorted(paths) if is_there(dirs, path)]
    return [path for path in there if not (await look(git, dirs, path, untracked=False)).is_safe]


async def look(git: Git, dirs: Dirs, path: bytes, *, untracked: bool = True) -> Inner:
    """What a repository inside holds; `untracked`: whether files that it does not track count as changes."""
    try:
        inner = dirs_of_root(dirs.work_tree / os.fsdecode(path))
        refs = () if inner.common_dir == dirs.common_dir else ("refs/heads", "refs/stash")  # or a worktree of this one
        tips = await _own_tips(git, inner, refs)
        which = "normal" if untracked else "no"
        args = ("status", "--porcelain", "-z", f"--untracked-files={which}", "--ignore-submodules=none")
        changed = bool((await git.run(inner, *args, seconds=CHECKOUT_SECONDS)).out)
    except (Fault, OSError):  # whatever an agent has done to it, its files are kept
        return Inner(None)
    return Inner(inner.git_dir, tuple(tips), changed)


async def _own_tips(git: Git, inner: Dirs, refs: Sequence[str]) -> list[str]:
    """The commits of HEAD and of some refs that no history of a remote has, as far as it was fetched."""
    listing = await git.run(inner, "for-each-ref", "--format=%(objectname)", *refs) if refs else None
    tips = [await commit_of(git, inner, "HEAD") or "", *(listing.text.split() if listing else ())]
    ends = inner.common_dir / "shallow"  # where a history that was fetched in part begins
    known = ("--remotes", *(ends.read_text(encoding="ascii").split() if ends.exists() else ()), "--")
    found = dict.fromkeys(filter(None, tips))
    return [tip for tip in found if (await git.run(inner, "rev-list", "-1", tip, "--not", *known)).out]


async def fetched(git: Git, dirs: Dirs, found: Iterable[Inner]) -> list[str]:
    """Bring the commits of repositories inside into the one around them; those that came.

    One that does not come, from a shallow clone say, is let go: the files that it ended with are kept as they are.
    """
    options = ("-q", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")
    settings = {"protocol.file.allow": "always"}
    came: list[str] = []
    for inner in found:
        if inner.git_dir is not None and inner.tips:
            source = str(inner.git_dir)
            fetch = await git.run(dirs, "fetch", *options, source, *inner.tips, settings=settings, statuses=None)
            came += inner.tips if fetch.status == 0 else ()
    return came
