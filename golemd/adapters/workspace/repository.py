"""Finding repositories, holding one, and naming what is in them.

Where a worktree's git folder is, is read from git's documented layout (gitrepository-layout: `gitdir`, `commondir`),
not asked of a git that searches upwards; so an agent that breaks the `.git` of its worktree changes nothing here.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from golemd.adapters.workspace.git import Dirs, Git, object_name, trouble
from golemd.adapters.workspace.types import Repository, Workspace, shown
from golemd.api.faults import Conflict, Fault, Invalid, NotFound, Unavailable

LOCK_NAME: Final = "golemd.lock"
HOLDER_BYTES: Final = 4096
"""How much of a lock file is read to name its holder."""

_WHERE: Final = ("--is-bare-repository", "--is-inside-work-tree", "--show-toplevel")
"""What git is asked about a folder. Outside of a working tree it answers the first two, and the last is an error."""
_IN_PROGRESS: Final = (
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("BISECT_LOG", "bisect"),
)


async def inspect_repository(git: Git, folder: Path) -> Repository:
    """The repository around a folder.

    From a linked worktree, root is the main one. Faults: `not_a_repository`, `bare_repository`, `git_missing`,
    `unsafe_repository`.
    """
    _require_folder(folder)
    found = await git.run(folder, "rev-parse", *_WHERE, statuses=None)
    bare, inside, *rest = (*found.text.split("\n", len(_WHERE) - 1), "", "")
    if bare == "true":
        hint = "golemd works in a checked-out repository; clone it, or add a worktree and start there"
        raise Invalid("bare_repository", f"{shown(str(folder))} is a bare repository", hint)
    if inside == "false":
        message = f"{shown(str(folder))} lies inside a git folder, not in a working tree"
        raise Invalid("not_a_repository", message, "go to the project's own folder")
    if found.status:
        raise _nowhere(folder, trouble(found, "rev-parse"))
    toplevel = Path(rest[0])
    here = dirs_of_root(toplevel)
    linked = here.git_dir != here.common_dir
    root = await _main_root(git, here) if linked else toplevel
    dirs = dirs_of_root(root)
    return Repository(
        root=root,
        toplevel=toplevel,
        common_dir=dirs.common_dir,
        head=await commit_of(git, dirs, "HEAD"),
        head_branch=await head_branch(git, dirs),
        in_progress=in_progress(dirs),
        linked_worktree=linked,
    )


def _nowhere(folder: Path, fault: Fault) -> Fault:
    """What git says of a folder that is in no repository, with the way on."""
    if fault.code != "not_a_repository":
        return fault
    return Invalid(fault.code, f"{shown(str(folder))} is not in a git repository", "go to one, or make one: git init")


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise Invalid("not_a_repository", f"no folder {shown(str(folder))}", "name an existing folder")


async def _main_root(git: Git, here: Dirs) -> Path:
    """The main worktree's top; where the main repository is bare or lies elsewhere, the linked worktree's own."""
    main = here.common_dir.parent
    if here.common_dir.name != ".git":
        return here.work_tree
    bare = await git.run(main, "--git-dir", here.common_dir, "rev-parse", "--is-bare-repository")
    return here.work_tree if bare.text == "true" else main


def require_usable(repository: Repository) -> None:
    """Refuse a repository in which no run could begin: `no_commit`, `operation_in_progress`."""
    place = shown(str(repository.root))
    if not repository.has_commit:
        hint = "make a first commit, then try again: git commit --allow-empty -m first"
        raise Invalid("no_commit", f"{place} has no commit yet", hint)
    if repository.in_progress:
        message = f"a {repository.in_progress} is under way in {place}"
        hint = f"finish it or end it (git {repository.in_progress} --abort), then try again"
        raise Conflict("operation_in_progress", message, hint, operation=repository.in_progress)


def in_progress(dirs: Dirs) -> str:
    """The operation that was begun in this working tree and not finished; else empty."""
    return next((name for mark, name in _IN_PROGRESS if os.path.lexists(dirs.git_dir / mark)), "")


# --- where things are


def dirs_of_root(root: Path) -> Dirs:
    """The git folders of a repository's top folder, or of a linked worktree's. Fault: `not_a_repository`."""
    dot = root / ".git"
    try:
        git_dir = dot if dot.is_dir() else _pointed(root, dot.read_bytes().removeprefix(b"gitdir:"))
        common = git_dir / "commondir"
        common_dir = _pointed(git_dir, common.read_bytes()) if common.exists() else git_dir
        if not (common_dir / "HEAD").exists():
            raise FileNotFoundError
    except OSError as error:
        message = f"{shown(str(root))} is not the top of a git repository"
        raise Invalid("not_a_repository", message, "was it moved or removed? register it again") from error
    return Dirs(Path(os.path.realpath(git_dir)), Path(os.path.realpath(common_dir)), root)


def dirs_of(workspace: Workspace) -> Dirs:
    """The git folders of a workspace. Faults: `not_a_repository`, `worktree_missing`."""
    found = find_dirs(workspace)
    if found is None or not workspace.path.is_dir():
        message = f"no worktree at {shown(str(workspace.path))}"
        raise NotFound("worktree_missing", message, "it is made again when the run goes on")
    return found


def find_dirs(workspace: Workspace) -> Dirs | None:
    """The git folders of a workspace that is registered, whether or not its folder is there; else None."""
    root = dirs_of_root(workspace.root)
    if workspace.path == workspace.root:
        return root
    wanted = os.path.realpath(workspace.path)
    for git_dir in sorted(_registrations(root.common_dir)):
        with contextlib.suppress(OSError):
            dot_git = _pointed(git_dir, (git_dir / "gitdir").read_bytes())
            if os.path.realpath(dot_git.parent) == wanted:
                return Dirs(git_dir, root.common_dir, workspace.path)
    return None


def _registrations(common_dir: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError):
        yield from (common_dir / "worktrees").iterdir()


def _pointed(base: Path, content: bytes) -> Path:
    """What a one-line pointer file names, relative to the given folder."""
    return base / os.fsdecode(content.strip(b" \r\n"))


def not_elsewhere(dirs: Dirs, workspace: Workspace, ref: str) -> None:
    """Refuse a branch that somebody has checked out in another working tree: `branch_checked_out`."""
    own = find_dirs(workspace)
    for git_dir in (dirs.common_dir, *_registrations(dirs.common_dir)):
        with contextlib.suppress(OSError):
            head = (git_dir / "HEAD").read_bytes().strip()
            if head == os.fsencode(f"ref: {ref}") and (own is None or git_dir != own.git_dir):
                branch = shown(ref.removeprefix("refs/heads/"))
                message = f"branch {branch} is checked out in another working tree"
                raise Conflict("branch_checked_out", message, "switch to another branch there, then try again")


def contained(path: Path, worktree_root: Path) -> None:
    """Refuse a path that is not really strictly inside the folder for worktrees: `path_escapes`."""
    root = os.path.realpath(worktree_root)
    parent = os.path.realpath(path.parent)
    inside = parent == root or parent.startswith(root.rstrip("/") + "/")
    if not inside or path.name in ("", ".", "..") or path.is_symlink():
        message = f"{shown(str(path))} leaves {shown(str(worktree_root))}"
        raise Invalid("path_escapes", message, "remove the symbolic link, or choose another worktree_root")


# --- names and commits


async def check_branch_name(git: Git, dirs: Dirs, name: str) -> str:
    """The fully qualified ref of a branch name. Fault: `bad_branch_name`."""
    good = bool(name) and not name.startswith("-") and "\0" not in name
    if not good or not await git.takes(dirs, f"refs/heads/{name}"):
        message = f"git does not take {shown(name)!r} as the name of a branch"
        raise Invalid("bad_branch_name", message, "see `git help check-ref-format`")
    return f"refs/heads/{name}"


async def commit_of(git: Git, dirs: Dirs, ref: str) -> str | None:
    """The commit that HEAD or a fully qualified ref names, or None."""
    found = await git.run(dirs, "rev-parse", "-q", "--verify", "--end-of-options", f"{ref}^{{commit}}", statuses=None)
    return found.text if found.status == 0 else None


async def tree_of(git: Git, dirs: Dirs, commit: str) -> str:
    """The tree of a commit. Fault: `object_missing`."""
    name = f"{object_name(commit)}^{{tree}}"
    found = await git.run(dirs, "rev-parse", "-q", "--verify", "--end-of-options", name, statuses=None)
    if found.status:
        hint = "it is gone from the repository (git gc?)"
        raise Conflict("object_missing", f"no commit {commit} in the repository", hint)
    return found.text


async def head_branch(git: Git, dirs: Dirs) -> str | None:
    """The branch checked out, without refs/heads/; None when detached."""
    ref = await git.run(dirs, "symbolic-ref", "-q", "HEAD", statuses=None)
    return ref.text.removeprefix("refs/heads/") if ref.status == 0 else None


async def is_ancestor(git: Git, dirs: Dirs, old: str, new: str) -> bool:
    """Whether commit `new` is, or descends from, `old`; False too when either is gone."""
    found = await git.run(dirs, "merge-base", "--is-ancestor", object_name(old), object_name(new), statuses=None)
    return found.status == 0


async def move_ref(git: Git, dirs: Dirs, ref: str, new: str | None, old: str | None) -> None:
    """Compare and swap of a ref; None stands for absent. Fault: `branch_moved`, `branch_name_taken`."""
    before = object_name(old) if old else "0" * len(new or "0" * 40)
    if new is None:
        await git.run(dirs, "update-ref", "-d", ref, before)
    else:
        await git.run(dirs, "update-ref", "-m", "golemd", "--no-deref", ref, object_name(new), before)


# --- one daemon per project


class ProjectLock:
    """A project held by this daemon, until `release` or the end of the process."""

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self.path = path

    def release(self) -> None:
        """Let another daemon have the project. Again is harmless. The file stays: removing it would race."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def hold_project(common_dir: Path, holder: str) -> ProjectLock:
    """Hold a project's lock file in the common git folder, naming our pid and state folder (`holder`) in it.

    Faults: `project_held` (data: pid, state), `project_lock_failed`.
    """
    path = common_dir / LOCK_NAME
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise _lock_failed(path, error) from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "it is not a plain file")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps({"pid": os.getpid(), "state": holder}).encode() + b"\n", 0)
    except BlockingIOError:
        held = _holder(fd)
        os.close(fd)
        message = f"another golemd holds this project: pid {held['pid']}, state folder {held['state']}"
        hint = "stop that daemon, or use it for this project"
        if held["pid"] == os.getpid():
            message = "this golemd holds the repository already, as a project that was elsewhere"
            hint = "golemctl projects lists them; golemctl projects --remove NAME forgets one"
        raise Conflict("project_held", message, hint, **held) from None
    except OSError as error:
        os.close(fd)
        raise _lock_failed(path, error) from error
    return ProjectLock(fd, path)


def held_elsewhere(common_dir: Path) -> Fault | None:
    """What would keep us from holding a project that we do not hold; None when nothing would. Leaves no trace."""
    if not (common_dir / LOCK_NAME).exists():
        return None
    try:
        hold_project(common_dir, "").release()
    except Fault as fault:
        return fault
    return None


def _holder(fd: int) -> dict[str, object]:
    """Who holds the lock, as far as the file says so."""
    held: dict[str, object] = {"pid": None, "state": None}
    with contextlib.suppress(OSError, ValueError):
        read = json.loads(os.pread(fd, HOLDER_BYTES, 0))
        if isinstance(read, dict):
            held = {"pid": read.get("pid"), "state": shown(str(read.get("state")))}
    return held


def _lock_failed(path: Path, error: OSError) -> Unavailable:
    message = f"cannot hold {shown(str(path))}: {error.strerror}"
    return Unavailable("project_lock_failed", message, "the git folder must be writable and on a local file system")
