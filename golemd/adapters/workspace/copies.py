"""Files that a new worktree gets from the project's folder because git does not carry them: `.env`, local settings.

Rules. What git tracks in the worktree is never overwritten. What is copied is never committed: paths that no ignore
rule of the project names are ignored through a file of ours, which golemd's git and the attempts' git are told of;
what a rule of the project insists on is not copied. A path must stay inside on both sides, links resolved. What cannot
be copied is a warning; only a full disk is a fault. Copying again is harmless.
"""

from __future__ import annotations

import errno
import fnmatch
import glob
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import trio

from golemd.adapters.disk import FULL
from golemd.adapters.workspace.git import EXCLUDES, Dirs, Git, excluding
from golemd.adapters.workspace.repository import dirs_of, find_dirs
from golemd.adapters.workspace.types import Workspace, shown
from golemd.api.faults import Unavailable

WARNINGS_MAX: Final = 20
"""How many warnings are told; what is beyond is counted."""

RECURSIVE: Final = "**"
"""The part of a pattern that stands for any folders, or none."""

_SPECIAL: Final = re.compile(rb"([\\*?\[\] ])")


class Copied(msgspec.Struct, frozen=True):
    """How many files were copied, and what was not, in sentences."""

    files: int
    warnings: tuple[str, ...] = ()


class _Found(msgspec.Struct):
    """Files to copy, by their path inside (raw bytes), with where each is read from."""

    files: dict[bytes, bytes] = {}
    warnings: list[str] = []


async def copy_files(git: Git, workspace: Workspace, patterns: Sequence[str], leave: Sequence[Path] = ()) -> Copied:
    """Copy files, folders and what wildcards match from the project's folder into a worktree, except what is in the
    folders to `leave`. Faults: `disk_full`, `worktree_missing`.
    """
    dirs = dirs_of(workspace)
    found = await trio.to_thread.run_sync(_find, workspace, patterns, leave)
    async with git.changing(dirs.common_dir):
        wanted = await _ignored(git, dirs, found.files)
        unnamed = found.files.keys() - wanted
        unnamed -= await _tracked(git, dirs, unnamed)
        await _exclude(git, dirs, sorted(unnamed))
        wanted |= await _ignored(git, dirs, unnamed)
        for path in sorted(unnamed - wanted):
            found.warnings.append(f"{shown(path)} is not copied: a .gitignore wants it to be committed")
        files = {path: source for path, source in found.files.items() if path in wanted}
        copied = await trio.to_thread.run_sync(_copy_all, dirs.work_tree, files, found.warnings)
    more = len(found.warnings) - WARNINGS_MAX
    told = found.warnings[:WARNINGS_MAX] + ([f"{more} more files are not copied"] if more > 0 else [])
    return Copied(copied, tuple(told))


def ignoring(workspace: Workspace, environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that let an attempt's own git ignore what was copied into its worktree, beside those that it has."""
    dirs = find_dirs(workspace)
    settings = excluding(dirs) if dirs else {}
    given = environ.get("GIT_CONFIG_COUNT", "")
    count = int(given) if given.isdecimal() else 0
    found: dict[str, str] = {}
    for number, (key, value) in enumerate(settings.items(), count):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        found["GIT_CONFIG_COUNT"] = str(number + 1)
    return found


# --- what there is to copy


def _find(workspace: Workspace, patterns: Sequence[str], leave: Sequence[Path]) -> _Found:
    """What there is to copy, and can be without leaving either side."""
    found = _Found()
    root, work_tree = (os.path.realpath(os.fsencode(path)) for path in (workspace.root, workspace.path))
    left = {os.path.realpath(os.fsencode(folder)) for folder in leave} | {os.path.join(root, b".git")}
    for pattern in patterns:
        names = _matches(root, os.fsencode(pattern), left)
        if not names:
            found.warnings.append(f"{shown(pattern)} is not copied: the project's folder has no such file")
        for name in names:
            source = os.path.realpath(os.path.join(root, name))
            if RECURSIVE in pattern and os.path.islink(os.path.join(root, name)) and os.path.isdir(source):
                found.files[name] = os.path.join(root, name)  # itself: what it leads to is found where it is
            elif _inside(source, root):
                found.files |= _walk(source, name, left)
            else:
                found.warnings.append(f"{shown(name)} is not copied: it leads out of the project's folder")
    for path in [path for path in found.files if _is_beyond_a_link(work_tree, path)]:
        del found.files[path]
        found.warnings.append(f"{shown(path)} is not copied: its folder is a link in the worktree")
    return found


def _matches(root: bytes, pattern: bytes, left: Collection[bytes]) -> list[bytes]:
    """Names inside the root that a pattern stands for, without dots and doubled slashes."""
    names = _expanded(root, b"/" if pattern.startswith(b"/") else b"", [*filter(None, pattern.split(b"/"))], left)
    wanted = (name for name in names if not pattern.endswith(b"/") or os.path.isdir(os.path.join(root, name)))
    return sorted({os.path.normpath(name) for name in wanted})


def _expanded(root: bytes, begin: bytes, parts: Sequence[bytes], left: Collection[bytes]) -> Iterator[bytes]:
    """What the parts of a pattern stand for below a beginning. Unlike glob, `**` follows no links, which may lead round
    in circles, and enters neither a `.git` nor the folders to leave.
    """
    trio.from_thread.check_cancelled()
    if not parts:
        yield begin
        return
    first, *rest = parts
    place = os.path.join(root, begin)
    if first == os.fsencode(RECURSIVE):
        for inner, folders, _ in os.walk(place):
            folders[:] = [each for each in folders if each != b".git" and os.path.join(inner, each) not in left]
            yield from _expanded(root, os.path.relpath(inner, root), rest or [b"*"], left)
        return
    if not glob.has_magic(first):
        there = [first] if os.path.lexists(os.path.join(place, first)) else []
    else:
        there = fnmatch.filter(_names_in(place), first)
    for each in there:
        yield from _expanded(root, os.path.join(begin, each), rest, left)


def _names_in(folder: bytes) -> list[bytes]:
    try:
        return os.listdir(folder)
    except OSError:  # no folder, or a closed one
        return []


def _is_beyond_a_link(work_tree: bytes, path: bytes) -> bool:
    folder = os.path.normpath(os.path.join(work_tree, os.path.dirname(path)))
    return os.path.realpath(folder) != folder


def _inside(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _walk(source: bytes, name: bytes, left: set[bytes]) -> dict[bytes, bytes]:
    """A file, or all files and links below a folder: their path inside the project, and where they are."""
    if any(_inside(source, folder) for folder in left):
        return {}
    if not os.path.isdir(source):
        return {name: source}
    found = {}
    for place, folders, files in os.walk(source):
        trio.from_thread.check_cancelled()
        folders[:] = [each for each in folders if os.path.join(place, each) not in left]
        links = [each for each in folders if os.path.islink(os.path.join(place, each))]
        for each in (*files, *links):
            path = os.path.normpath(os.path.join(name, os.path.relpath(place, source), each))
            found[path] = os.path.join(place, each)
    return found


# --- what git thinks of it


async def _ignored(git: Git, dirs: Dirs, paths: Iterable[bytes]) -> set[bytes]:
    """Those of the paths that git does not track and a rule ignores."""
    listing = b"".join(b"./" + path + b"\0" for path in paths)  # so that none is read as a pathspec's magic
    if not listing:
        return set()
    out = await git.run(dirs, "check-ignore", "-z", "--stdin", stdin=listing, statuses=(0, 1))
    return {path.removeprefix(b"./") for path in out.fields}


async def _tracked(git: Git, dirs: Dirs, paths: Collection[bytes]) -> set[bytes]:
    return set((await git.run(dirs, "ls-files", "-z")).fields) & set(paths) if paths else set()


async def _exclude(git: Git, dirs: Dirs, paths: Sequence[bytes]) -> None:
    """Have paths ignored in this worktree alone, beside what the user has ignored everywhere."""
    file = dirs.git_dir / EXCLUDES
    file.unlink(missing_ok=True)
    if not paths:
        return
    own = await git.run(dirs, "config", "--type=path", "--get", "core.excludesFile", statuses=(0, 1))
    users = Path(own.text) if own.text else _users_default(git.environment)
    try:
        general = users.read_bytes()
    except OSError:
        general = b""
    rules = b"".join(b"/" + _SPECIAL.sub(rb"\\\1", path).replace(b"\n", b"?") + b"\n" for path in paths)
    file.write_bytes(general + b"\n" + rules)


def _users_default(environment: Mapping[str, str]) -> Path:
    """Where git looks when nothing is configured: gitignore(5)."""
    home = environment.get("XDG_CONFIG_HOME") or os.path.join(environment.get("HOME", "/"), ".config")
    return Path(home) / "git" / "ignore"


# --- copying


def _copy_all(work_tree: Path, files: Mapping[bytes, bytes], warnings: list[str]) -> int:
    """Copy what can be copied, say what cannot; how many were. Nothing here is tracked, so it may be overwritten."""
    copied = 0
    for path, source in files.items():
        trio.from_thread.check_cancelled()
        try:
            _copy(os.path.join(os.fsencode(work_tree), path), source)
        except OSError as error:
            if error.errno in FULL:
                message = f"{shown(path)} could not be copied: {error.strerror}"
                raise Unavailable("disk_full", message, "make room, then try again") from error
            warnings.append(f"{shown(path)} is not copied: {error.strerror}")
        else:
            copied += 1
    return copied


def _copy(target: bytes, source: bytes) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not stat.S_ISREG(os.lstat(source).st_mode) and not os.path.islink(source):
        raise OSError(errno.EINVAL, "it is no plain file")  # opening a pipe would wait for its other end
    if os.path.lexists(target):
        os.unlink(target)  # a link there must not be written through
    shutil.copy2(source, target, follow_symlinks=False)
