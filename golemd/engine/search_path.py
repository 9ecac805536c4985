"""Where agents and commands find their programs: `[environment] path`, or the login shell's PATH, or the daemon's."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import trio

from golemd.adapters.login_shell import login_path, login_shell

log = logging.getLogger(__name__)


class SearchPath:
    """The PATH of agents and commands. The login shell is asked in the background; who needs the answer waits for it.

    `configured` is golemd.toml's own word, which needs no asking; `environ` is the daemon's environment.
    """

    def __init__(self, configured: str, environ: Mapping[str, str]) -> None:
        self._configured = configured
        self._told = ""
        self._environ = environ
        self._answered = trio.Event()
        self._again = trio.Event()

    async def keep(self) -> None:
        """Ask the login shell now, and whenever it is to be asked again."""
        while True:
            self._again = trio.Event()
            if not self._configured:
                await self._ask()
            if not self._again.is_set():
                self._answered.set()
                await self._again.wait()

    async def _ask(self) -> None:
        shell = login_shell(self._environ)
        path = await login_path(shell, self._environ)
        if path:
            self._told = path
            return
        other = "told before" if self._told else "of golemd itself"
        log.warning("%s does not tell its PATH, so agents get the one %s; see [environment] path", shell, other)

    def ask_again(self, configured: str) -> None:
        """Configuration was read anew: whoever wants to know from here on waits for the new answer."""
        self._configured = configured
        if self._answered.is_set():
            self._answered = trio.Event()
        self._again.set()

    def give_up(self) -> None:
        """Let nobody wait any longer: the daemon stops."""
        self._answered.set()

    @property
    def is_known(self) -> bool:
        """Whether `known` answers at once."""
        return bool(self._configured) or self._answered.is_set()

    async def known(self) -> str:
        """The PATH to give; empty means the daemon's own."""
        if not self._configured:
            await self._answered.wait()
        return self._configured or self._told
