"""The kind `claude`: Claude Code without a terminal, `claude -p`, its events as JSON lines on standard output.

The prompt goes in by standard input. The result comes back as its structured final answer (`--json-schema`), since an
agent that may only edit its workspace cannot write elsewhere; a result file, where one was written, is as good.
`permissions`: `read` reads the workspace and runs what only reads; `edit` also changes files in the workspace; `full`
does anything, which the program refuses to root unless IS_SANDBOX=1 is set for it. What nobody allowed is denied, never
asked. Words in `args` come last, so they win.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from pathlib import Path
from typing import Final

import msgspec

from golemd.adapters.agents.words import RESULT_SCHEMA, Launch, Login, Request

PROGRAM: Final = "claude"
OLDEST: Final = (2, 1, 197)  # the oldest version whose structured answers and costs were seen to work
LEAST_BUDGET_USD: Final = 0.000001  # the program takes no budget of nothing

_PERMISSIONS: Final = {
    "read": ("--permission-mode", "dontAsk", "--disallowedTools", "Edit,Write,NotebookEdit"),
    "edit": ("--permission-mode", "acceptEdits"),
    "full": ("--permission-mode", "bypassPermissions"),
}
_SCHEMA: Final = msgspec.json.encode(RESULT_SCHEMA).decode()
_ENVIRONMENT: Final = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
_NOTE: Final = (
    "\nGive the result as your structured final answer, with the same fields. You need not write the file named by "
    "GOLEM_RESULT.\n"
)


def launch(request: Request) -> Launch:
    """The program with its orders. Raises OSError when the prompt cannot be read."""
    agent = request.agent
    program, *rest = agent.command or (PROGRAM,)
    session = "" if request.resume else str(uuid.uuid4())
    model = request.model or agent.model
    argv = (
        *(request.located(program), *rest),
        *("-p", "--output-format", "stream-json", "--verbose"),
        *(("--session-id", session) if session else ("--resume", request.resume)),
        *_PERMISSIONS[agent.permissions],
        *("--json-schema", _SCHEMA),
        *((f"--model={model}",) if model else ()),
        *(("--max-budget-usd", _dollars(request.budget_usd)) if request.budget_usd else ()),
        *agent.args,
    )
    prompt = Path(request.prompt_file).read_text(encoding="utf-8")
    return Launch(argv, prompt + _NOTE, env=_ENVIRONMENT, session=session)


def _dollars(amount: float) -> str:
    return f"{max(amount, LEAST_BUDGET_USD):.6f}"


def version_problem(version_text: str) -> str | None:
    """What is wrong with the version that `claude --version` names; None when golemd can work with it."""
    found = re.match(r"\s*(\d{1,6})\.(\d{1,6})\.(\d{1,6})\b", version_text)
    oldest = ".".join(str(part) for part in OLDEST)
    if found is None:
        return f"it does not say its version ({version_text.strip()[:80]!r}), so it may not be Claude Code"
    version = tuple(int(part) for part in found.groups())
    if version < OLDEST:
        return f"version {found[0].strip()} is too old: update Claude Code to {oldest} or later"
    if version[0] > OLDEST[0]:
        return (
            f"version {found[0].strip()} is of a newer kind than this golemd knows: use {OLDEST[0]}.x from {oldest} on"
        )
    return None


def _login_problem(answer: str) -> str | None:
    """What `claude auth status` says of its login. A version without that command, or an odd answer, tells nothing."""
    with contextlib.suppress(msgspec.DecodeError):
        if msgspec.json.decode(answer, type=_AuthStatus).logged_in is False:
            return "is not logged in: run claude once and log in, or pass it a key (pass_env)"
    return None


class _AuthStatus(msgspec.Struct, rename={"logged_in": "loggedIn"}):
    logged_in: bool | None = None


LOGIN: Final = Login(("auth", "status"), _login_problem)
