"""git, for showing what has changed. Nothing here writes to a repository that golemd looks after."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Final

from golemctl.render.text import clean
from golemd.api.faults import Conflict, Unavailable

_LOCAL: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX")
"""Variables that would turn git to another repository than the folder's own."""
_OPTIONS: Final = ("-c", "diff.autoRefreshIndex=false")
"""Without it `git diff` writes what it has found of unchanged files to the index, also of an item being worked on."""
UNTRACKED_SHOWN: Final = 20


def environment() -> dict[str, str]:
    """The caller's environment without what belongs to some other repository; locks are left to those who must."""
    own = {name: value for name, value in os.environ.items() if name not in _LOCAL}
    return own | {"GIT_OPTIONAL_LOCKS": "0"}


def show(folder: str, *arguments: str, colour: bool) -> int:
    """Run git with the terminal as its output, pager included; its exit status, 0 or 1.

    Ctrl-C is for git and its pager, which may live on. Raises KeyboardInterrupt when git has ended by it.
    """
    options = [] if colour else ["-c", "color.ui=false"]
    before = signal.signal(signal.SIGINT, lambda *_: None)  # not ignored: git would ignore it, too
    try:
        with _started([*options, *arguments], folder) as process:
            status = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    if status == -signal.SIGINT:
        raise KeyboardInterrupt
    return int(status not in (0, -signal.SIGPIPE))  # SIGPIPE: nobody reads on, as in `| head`


def read(folder: str, *arguments: str) -> str:
    """What git prints, on its success; raises Conflict with what it says otherwise."""
    with _started(["-c", "color.ui=false", *arguments], folder, subprocess.PIPE) as process:
        output, errors = process.communicate()
    if process.returncode:
        said = clean(errors.decode("utf-8", "replace").strip())
        raise Conflict("git_failed", f"git {arguments[0]} in {folder}: {said or 'failed'}", "")
    text: str = output.decode("utf-8", "replace")
    return text


def untracked(folder: str) -> list[str]:
    """Files of a folder that git has not been told of, cleaned, the first few."""
    listed = read(folder, "ls-files", "-z", "--others", "--exclude-standard").split("\0")
    names = [clean(name) for name in listed if name]
    more = len(names) - UNTRACKED_SHOWN
    return names[:UNTRACKED_SHOWN] + ([f"… and {more} more"] if more > 0 else [])


def _started(arguments: list[str], folder: str, pipe: int | None = None) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            ["git", "-C", folder, *_OPTIONS, *arguments], stdout=pipe, stderr=pipe, env=environment()
        )
    except OSError as error:
        message = f"git is not installed, or not in PATH ({os.strerror(error.errno or 0)})."
        raise Unavailable("git_missing", message, "Install git first.") from error
