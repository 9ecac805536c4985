"""Running git: one place that knows the environment, the options, the time limit and how git's errors read.

Rules: the environment is an allow-list, so nothing repository-local (GIT_DIR and its kin) comes through. Hooks,
signing, prompts, pagers, editors and background upkeep are off. Object names and fully qualified refs are the only
names on a command line; paths travel over stdin, ended by NUL. A repository is addressed by its git folder, not by
searching upwards, once it has been found: a worktree whose `.git` an agent has removed never becomes another
repository that happens to lie around it. A git that is cancelled or too slow is ended with its whole process group.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from golemd.adapters.workspace.types import shown
from golemd.api.faults import Conflict, Fault, Invalid, NotFound, Unavailable

REFS_KNOWN: Final = 1000  # names of refs that are remembered to be good
GIT_SECONDS: Final = 120.0
"""The time limit of one git command."""

CHECKOUT_SECONDS: Final = 1800.0
"""The time limit of a command that writes or reads a whole working tree."""

END_SECONDS: Final = 2.0
"""How long a git that is to end has between SIGTERM and SIGKILL."""

LINGER_SECONDS: Final = 2.0
"""How long the pipes of a git that has ended are read on, when something it started still holds them."""

OUTPUT_BYTES: Final = 256 * 1024 * 1024
"""The largest output of one command that is taken."""

ERROR_BYTES: Final = 64 * 1024
"""How much of stderr is looked at."""

EXCLUDES: Final = "golemd-excludes"
"""In a worktree's own git folder: what is ignored in it beside what the project and the user ignore."""

IDENTITY: Final = ("golemd", "golemd@localhost")
"""Author and committer where the user has not configured any."""

ENVIRONMENT: Final = frozenset(
    (
        *("HOME", "PATH", "USER", "LOGNAME", "SHELL", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
        *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH"),
    )
)
"""What git gets of the daemon's environment. The GIT_ names among them are about the user, not about a repository."""

SETTINGS: Final = {
    "core.hooksPath": "/dev/null",
    "core.quotePath": "false",
    "core.fsmonitor": "false",
    "core.splitIndex": "false",
    "core.safecrlf": "false",  # else a file of mixed line endings could not be stored
    "core.pager": "cat",
    "commit.gpgSign": "false",
    "i18n.commitEncoding": "UTF-8",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "rerere.enabled": "false",
    "submodule.recurse": "false",
    "worktree.useRelativePaths": "false",
    "advice.addEmbeddedRepo": "false",
}

_FIXED: Final = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_EDITOR": ":",
    "GIT_SEQUENCE_EDITOR": ":",
    "GIT_PAGER": "cat",
}

_OBJECT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

_TROUBLES: Final[tuple[tuple[str, type[Fault], str, str], ...]] = (
    ("not a git repository", Invalid, "not_a_repository", "run `git init` there, or name another folder"),
    (
        "dubious ownership",
        Unavailable,
        "unsafe_repository",
        "the folder belongs to another user; see safe.directory in git's manual",
    ),
    (
        ".lock': File exists",
        Unavailable,
        "git_locked",
        "another git works there, or one was killed; try again, or remove the lock file that the message names",
    ),
    ("No space left on device", Unavailable, "disk_full", "make room, then try again"),
    ("but expected", Conflict, "branch_moved", "somebody moved the branch meanwhile; look at it, then try again"),
    ("reference already exists", Conflict, "branch_moved", "somebody made the branch meanwhile; try again"),
    (
        "; cannot create",
        Conflict,
        "branch_name_taken",
        "a branch of that name is in the way; rename it or set [project] branch_prefix",
    ),
    ("unable to index file", Unavailable, "unreadable_file", "make the file readable or remove it, then try again"),
    ("could not open directory", Unavailable, "unreadable_file", "make the folder readable or remove it"),
    ("Permission denied", Unavailable, "not_permitted", "look at the owner and mode of what the message names"),
    ("bad object", Conflict, "object_missing", "the commit or tree is gone from the repository (git gc?)"),
    ("not a tree object", Conflict, "object_missing", "the commit or tree is gone from the repository (git gc?)"),
    ("unable to read tree", Conflict, "object_missing", "the commit or tree is gone from the repository (git gc?)"),
    ("failed to unpack tree", Conflict, "object_missing", "the commit or tree is gone from the repository (git gc?)"),
    ("Not a valid object name", Conflict, "object_missing", "the commit or tree is gone from the repository (git gc?)"),
)
"""How git's own words (in LC_ALL=C) become faults; the first that fits counts."""


@dataclass(frozen=True)
class Dirs:
    """Where one working tree and its git folders are."""

    git_dir: Path
    common_dir: Path
    work_tree: Path


@dataclass(frozen=True)
class Output:
    """What a command said: exit status (negative: signal), stdout, the beginning of stderr."""

    status: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """Stdout as one line, without its end of line."""
        return os.fsdecode(self.out.removesuffix(b"\n"))

    @property
    def fields(self) -> list[bytes]:
        """Stdout as NUL-ended fields."""
        return self.out.split(b"\0")[:-1]


@dataclass
class Git:
    """The git program as golemd runs it, and the locks that let one command at a time change a repository.

    Faults of every call: `git_missing`, `git_timeout`, `git_failed` and those of the table above.
    """

    instance: str
    program: Sequence[str] = ("git",)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    seconds: float = GIT_SECONDS
    _locks: dict[Path, trio.Lock] = field(default_factory=dict, repr=False)
    _good_refs: set[str] = field(default_factory=set, repr=False)

    def changing(self, common_dir: Path) -> trio.Lock:
        """Held while refs, worktrees or an index of the repository change. Reading needs no lock."""
        return self._locks.setdefault(common_dir, trio.Lock())

    async def run(
        self,
        place: Path | Dirs,
        *args: str | bytes | Path,
        stdin: bytes = b"",
        index: Path | None = None,
        settings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        statuses: Sequence[int] | None = (0,),
        seconds: float | None = None,
    ) -> Output:
        """Run `git *args`, inside a folder (searching upwards) or on exactly the given dirs.

        `index` replaces the index file. A status outside `statuses` is a fault; None takes any.
        """
        folder = place if isinstance(place, Path) else place.work_tree
        own = excluding(place) if isinstance(place, Dirs) else {}
        options = [f"{name}={value}" for name, value in (SETTINGS | own | dict(settings or {})).items()]
        argv = [*self.program, *(word for option in options for word in ("-c", option)), "-C", folder, *args]
        env = self._environment(place, index) | dict(environment or {})
        output = await _capture(argv, env, stdin, self.seconds if seconds is None else seconds)
        if statuses is not None and output.status not in statuses:
            raise trouble(output, shown(args[0]) if isinstance(args[0], (str, bytes)) else "")
        return output

    def _environment(self, place: Path | Dirs, index: Path | None) -> dict[str, str]:
        env = {name: value for name, value in self.environment.items() if name in ENVIRONMENT}
        env |= _FIXED | {"GOLEM_INSTANCE": self.instance}
        if isinstance(place, Dirs):
            env |= {"GIT_DIR": str(place.git_dir), "GIT_WORK_TREE": str(place.work_tree)}
        if index is not None:
            env["GIT_INDEX_FILE"] = str(index)
        return env

    async def takes(self, dirs: Dirs, ref: str) -> bool:
        """Whether this may be the full name of a ref. What git has said yes to is not asked again for a while."""
        if ref not in self._good_refs:
            if (await self.run(dirs, "check-ref-format", ref, statuses=(0, 1))).status:
                return False
            if len(self._good_refs) >= REFS_KNOWN:
                self._good_refs.clear()
            self._good_refs.add(ref)
        return True

    async def identity(self, dirs: Dirs) -> dict[str, str]:
        """The environment that lets a commit be made: empty for whom git knows the name, else our own identity."""
        env: dict[str, str] = {}
        for who in ("AUTHOR", "COMMITTER"):
            known = await self.run(
                dirs, "var", f"GIT_{who}_IDENT", settings={"user.useConfigOnly": "true"}, statuses=None
            )
            if known.status:
                env |= {f"GIT_{who}_NAME": IDENTITY[0], f"GIT_{who}_EMAIL": IDENTITY[1]}
        return env


def excluding(dirs: Dirs) -> dict[str, str]:
    """The setting that lets git ignore what was copied into a worktree; none where nothing has to be ignored."""
    file = dirs.git_dir / EXCLUDES
    return {"core.excludesFile": str(file)} if file.exists() else {}


def trouble(output: Output, command: str) -> Fault:
    """The fault of a failed command, by git's own words."""
    lines = os.fsdecode(output.err).splitlines() or [f"git {command} ended with status {output.status}"]
    loud = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines
    for needle, kind, code, hint in _TROUBLES:
        for line in (*loud, *lines):
            if needle in line:
                return kind(code, shown(line), hint, command=command, status=output.status)
    message = shown(loud[0])
    hint = "the message is git's own; run the command by hand to see more"
    return Unavailable("git_failed", message, hint, command=command, status=output.status)


def object_name(name: str) -> str:
    """The name itself when it is a full object name; else the fault `bad_object`."""
    if not _OBJECT.fullmatch(name):
        raise Invalid("bad_object", f"not a full object name: {shown(name)[:80]}", "give all hexadecimal digits")
    return name


async def _capture(argv: Sequence[str | bytes | Path], env: Mapping[str, str], stdin: bytes, seconds: float) -> Output:
    try:
        process = await trio.lowlevel.open_process(
            [os.fspath(word) for word in argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd="/",  # the daemon's own folder may be gone; git is told where by -C
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise NotFound("git_missing", f"no program {shown(str(argv[0]))}", "install git, or mend PATH") from error
    except OSError as error:
        hint = "the machine is short of processes or memory, or the program may not be run; try again"
        raise Unavailable("git_not_started", f"could not start git: {error.strerror}", hint) from error
    out, err = bytearray(), bytearray()
    ended = False
    try:
        with trio.move_on_after(seconds):
            await _converse(process, stdin, out, err)
            ended = True
    finally:
        with trio.CancelScope(shield=True):
            await _end(process)
    if not ended:
        message = f"git took longer than {seconds:g} s and was ended"
        raise Unavailable("git_timeout", message, "look for a slow disk or a filter program, then try again")
    if len(out) > OUTPUT_BYTES:
        raise Unavailable("git_output_too_large", f"git said more than {OUTPUT_BYTES} bytes", "the change is too large")
    assert process.returncode is not None
    return Output(process.returncode, bytes(out), bytes(err[:ERROR_BYTES]))


async def _converse(process: trio.Process, stdin: bytes, out: bytearray, err: bytearray) -> None:
    """Feed and read until git has ended; what it left running may hold the pipes only a little longer."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_feed, process.stdin, stdin)
        nursery.start_soon(_drain, process.stdout, out, OUTPUT_BYTES)
        nursery.start_soon(_drain, process.stderr, err, ERROR_BYTES)
        await process.wait()
        nursery.cancel_scope.deadline = trio.current_time() + LINGER_SECONDS


async def _feed(pipe: trio.abc.SendStream, data: bytes) -> None:
    try:
        await pipe.send_all(data)
        await pipe.aclose()
    except trio.BrokenResourceError:
        pass  # git ended without reading all; its status says why


async def _drain(pipe: trio.abc.ReceiveStream, into: bytearray, most: int) -> None:
    """Read to the end; past `most` bytes go on reading, so that git can end, but keep nothing more."""
    async for chunk in pipe:
        if len(into) <= most:
            into += chunk


async def _end(process: trio.Process) -> None:
    """Close the pipes; if git still runs, end its process group: TERM, a while, KILL. Reaps it."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            await trio.aclose_forcefully(pipe)
    if process.returncode is not None:
        return
    # The leader is not reaped before the last signal, so the group's number cannot have become another's.
    pidfd = os.pidfd_open(process.pid)
    try:
        os.killpg(process.pid, signal.SIGTERM)
        with trio.move_on_after(END_SECONDS):
            await trio.lowlevel.wait_readable(pidfd)
        os.killpg(process.pid, signal.SIGKILL)
    finally:
        os.close(pidfd)
    await process.wait()
