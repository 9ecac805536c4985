"""Telling a person: the command of `[notify]`, or notify-send where there is a desktop session to show it.

Rules. What is told goes in by standard input, as JSON; notify-send, which reads none, gets a title and a text. One try
is bounded in time, and whatever it leaves running is ended, by the marks that it carries: a program that goes into the
background is found too, and after a crash the next daemon finds it. Who runs a notification is no agent.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import trio

from golemd.adapters.processes import proctable, reaper

END_SECONDS: Final = 2.0  # of grace, for what a try leaves
LAST_WORDS_SECONDS: Final = 1.0  # to read what it wrote; who still holds its pipe then was not started by it
AT_ONCE: Final = 4  # tries of different notifications
ERROR_BYTES: Final = 2000
MAX_TEXT: Final = 400  # characters of a text that notify-send is given
DESKTOP: Final = "notify-send"
SESSION: Final = ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")
"""What a program needs beyond an agent's environment to reach the desktop."""


class Notifier:
    """Tells by running `command` in an environment, which holds secrets; by notify-send when the command is empty.

    `seconds`: how long one try may take.
    """

    def __init__(self, command: tuple[str, ...], environ: Mapping[str, str], instance: str, seconds: float) -> None:
        self._command = command
        self._environ = environ
        self._instance = instance
        self._seconds = seconds
        self._limiter = trio.CapacityLimiter(AT_ONCE)

    @classmethod
    def find(
        cls, command: tuple[str, ...], environ: Mapping[str, str], instance: str, seconds: float
    ) -> Notifier | None:
        """A way to tell people something; None where there is no command, and no desktop session with notify-send."""
        if command or (_has_session(environ) and shutil.which(DESKTOP, path=environ.get("PATH", os.defpath))):
            return cls(command, environ, instance, seconds)
        return None

    def problem(self, path: str) -> str:
        """What would keep it from being started, with this PATH; empty when nothing would."""
        return "" if self._program(path) else f"there is no program {self._name}"

    async def tell(self, about: str, title: str, text: str, document: bytes, path: str = "") -> str:
        """Tell it once. Answers what went wrong; empty when all went well.

        `about`: what to call this notification; `path`: the PATH of agents, empty for the one of the environment.
        """
        if problem := self.problem(path):
            return problem
        import html  # only here: its table of names takes a while

        desktop = ("--app-name=golemd", "--", _plain(title), html.escape(_plain(text), quote=False))
        argv = [self._program(path), *(self._command[1:] if self._command else desktop)]
        async with self._limiter:
            try:
                return await self._run(argv, proctable.FOR_PEOPLE + about, document, path)
            except OSError as error:
                return f"it could not be started: {os.strerror(error.errno or 0)}"

    @property
    def _name(self) -> str:
        return self._command[0] if self._command else DESKTOP

    def _program(self, path: str) -> str:
        """One with a slash in its name is found from the home folder, others on this or the environment's own PATH."""
        name = os.path.join(self._home, os.path.expanduser(self._name)) if "/" in self._name else self._name
        paths = (path, self._environ.get("PATH", os.defpath))
        return next((found for each in paths if each and (found := shutil.which(name, path=each))), "")

    @property
    def _home(self) -> str:
        home = os.path.expanduser("~")
        return home if Path(home).is_dir() else "/"

    async def _run(self, argv: list[str], mark: str, document: bytes, path: str) -> str:
        process = await self._start(argv, mark, document, path)
        assert process.stderr is not None
        said = bytearray()
        ended = False
        async with process.stderr, trio.open_nursery() as nursery:
            nursery.start_soon(_keep_end, process.stderr, said)
            try:
                with trio.move_on_after(self._seconds):
                    await process.wait()
                    ended = True
            finally:
                with trio.CancelScope(shield=True):
                    choose = partial(proctable.choose, self._instance, lambda attempt: attempt == mark)
                    await reaper.end_all(choose, END_SECONDS)
                    await process.wait()
            nursery.cancel_scope.deadline = trio.current_time() + LAST_WORDS_SECONDS
        if not ended:
            return f"it had not ended after {self._seconds:g} s, and was ended"
        return _problem(process.returncode or 0, bytes(said))

    async def _start(self, argv: list[str], mark: str, document: bytes, path: str) -> trio.Process:
        """The program. The document is a file, so that one that does not read its standard input is no trouble."""
        own = {proctable.INSTANCE: self._instance, proctable.ATTEMPT: mark, **({"PATH": path} if path else {})}
        stdin = os.memfd_create("golem-notification", os.MFD_CLOEXEC)
        try:
            os.write(stdin, document)
            os.lseek(stdin, 0, os.SEEK_SET)
            return await trio.lowlevel.open_process(
                argv,
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**self._environ, **own},
                cwd=self._home,
                start_new_session=True,
            )
        finally:
            os.close(stdin)


def _problem(status: int, said: bytes) -> str:
    if status == 0:
        return ""
    how = f"it was ended by signal {-status}" if status < 0 else f"it exited with status {status}"
    lines = [_plain(line) for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    return f"{how}: {lines[-1]}" if lines else how


async def _keep_end(pipe: trio.abc.ReceiveStream, into: bytearray) -> None:
    async for piece in pipe:
        into += piece
        del into[:-ERROR_BYTES]


def _plain(text: str) -> str:
    """One line that does no harm where it is shown."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if len(shown) <= MAX_TEXT else shown[: MAX_TEXT - 1] + "…"


def _has_session(environ: Mapping[str, str]) -> bool:
    """Whether there is a session bus, which notify-send speaks to."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    return bool(environ.get("DBUS_SESSION_BUS_ADDRESS")) or (bool(runtime) and Path(runtime, "bus").exists())
