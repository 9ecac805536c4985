"""The PATH of the user's login shell: what a terminal finds, and a daemon that a service manager has started does not.

Rules. The shell has no terminal, nothing to read and a session of its own, so it can neither ask nor wait for an
answer. It is asked as an interactive one first, for many people extend their PATH there alone; one that then goes
astray (into a multiplexer, another shell, a wait) is asked again as a plain one. The answer stands between two marks,
for start-up files print what they like; what they start may hold the pipe, so nobody waits for its end.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import trio

from golemd.adapters.agents.ask import asked
from golemd.adapters.clock import fresh_instance

LOGIN_SHELL_SECONDS: Final = 5.0  # for each of the ways of asking
ANSWER_BYTES: Final = 1 << 20  # of all that is printed before the answer is whole
LEAVE_SECONDS: Final = 1.0  # from the answer to the shell's end, before it is ended

_WAYS: Final = (("-i", "-c"), ("-c",))
# Words that all shells read alike; the PATH is then that of a child, as programs see it, whatever the shell calls it.
_QUESTION: Final = """/bin/sh -c 'printf "%s%s%s" "$1" "$PATH" "$1"' sh """
_OURS: Final = ("GOLEM", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "INVOCATION_ID", "JOURNAL_STREAM")


def login_shell(environ: Mapping[str, str]) -> str:
    """The user's login shell: SHELL, or else what the user database says."""
    if environ.get("SHELL", "").startswith("/"):
        return environ["SHELL"]
    try:
        return pwd.getpwuid(os.getuid()).pw_shell or "/bin/sh"
    except KeyError:
        return "/bin/sh"


async def login_path(shell: str, environ: Mapping[str, str], seconds: float = LOGIN_SHELL_SECONDS) -> str:
    """The PATH that a login shell gives to programs; empty when it does not tell. Takes `seconds` twice at most."""
    own = {name: value for name, value in environ.items() if not name.startswith(_OURS)}
    for way in _WAYS:
        path = await _asked_so(shell, way, own | {"TERM": "dumb"}, seconds)
        if path:
            return path
    return ""


async def _asked_so(shell: str, way: tuple[str, ...], environ: Mapping[str, str], seconds: float) -> str:
    mark = f"golemd-{fresh_instance()}-"
    argv = (f"-{os.path.basename(shell)}", *way, _QUESTION + mark)  # the hyphen is what makes it a login shell
    path = ""
    with suppress(OSError), trio.move_on_after(seconds):
        async with asked(argv, environ, program=shell) as (process, said):
            path = await _between(said, os.fsencode(mark))
            with trio.move_on_after(LEAVE_SECONDS):
                await process.wait()
    return path


async def _between(said: trio.abc.ReceiveStream, mark: bytes) -> str:
    whole = b""
    while whole.count(mark) < 2:
        piece = await said.receive_some(65_536)
        whole += piece
        if not piece or len(whole) > ANSWER_BYTES:
            return ""
    return os.fsdecode(whole.split(mark)[1])
