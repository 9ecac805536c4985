"""What an agent's file is given, and what it answers: how its program is started, and what its output says.

A Reader takes the output in pieces of any size, as the logs hold it, and keeps a bounded amount whatever they hold.
What it reads was written by a program that may have been cut off or misled: no input makes it raise.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from golemd.api.config import Agent
from golemd.api.model import Brief, ResultCode

Trouble = Literal["", "transient", "limit", "budget", "agent", "fatal"]
"""What kept an agent from its end: "transient" passes by itself (network, overload); "limit" is an account that is used
up for now; "budget" is what it was told that it may spend; "agent" is its own failure, which costs a retry; "fatal"
needs a human (not logged in, no such model)."""


def located(program: str, project_root: str) -> str:
    """A program with a slash in its name is found from the project's root, others on the agent's PATH."""
    if "/" not in program:
        return program
    return os.path.normpath(os.path.join(project_root, os.path.expanduser(program)))


class Request(Struct, frozen=True, kw_only=True):
    """One attempt, as far as the agent's program is concerned. Paths are absolute.

    `model`: what the phase asks for, "" as the agent's section says. `resume`: the session to go on with, "" for a new
    one. `budget_usd`: what may still be spent; 0 is no limit.
    """

    agent: Agent
    item: str
    phase: str
    number: int
    description: str
    prompt_file: str
    result_file: str
    workspace: str
    project_root: str
    model: str = ""
    resume: str = ""
    budget_usd: float = 0.0

    def located(self, program: str) -> str:
        """A program with a slash in its name is found from the project's root, others on the agent's PATH."""
        return located(program, self.project_root)


class Launch(Struct, frozen=True):
    """What to run. `stdin`: text for the program's standard input, or None for an empty one.

    `env`: variables that the program should have unless the configuration sets them otherwise; no secrets.
    `session`: the id that a new session gets, where the program lets us choose it; "" otherwise.
    """

    argv: tuple[str, ...]
    stdin: str | None = None
    env: dict[str, str] = {}
    session: str = ""


class Reading(Struct, frozen=True, kw_only=True):
    """What a program's output says of this one run of it; what it does not say is empty.

    `input_tokens` holds everything that the model read, cached or not. `cost_usd` is known at the end of a turn; what a
    killed turn cost stays unknown. `result`: the structured final answer, as a result file would hold it. `ended`: the
    final event was seen. `success`: final event, its error flag and the exit status agree that all is well. `message`:
    the final words, or what went wrong. `reset_us`: wall clock at which a limit ends, 0 when unknown. `cannot_resume`:
    this session has no future; the next run must begin a new one.
    """

    session: str = ""
    model: str = ""
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    result: bytes | None = None
    ended: bool = False
    success: bool = False
    trouble: Trouble = ""
    message: str = ""
    reset_us: int = 0
    cannot_resume: bool = False


class Reader(Protocol):
    """Reads the output of one run of a program."""

    def feed(self, data: bytes) -> None:
        """The next piece of its standard output."""

    def feed_errors(self, data: bytes) -> None:
        """The next piece of its standard error."""

    def reading(self, status: int | None) -> Reading:
        """What was said so far. `status`: how it exited (not 0 when a signal ended it), None while it runs."""


class Silent:
    """The reader of programs whose output is for people: it says nothing."""

    def feed(self, data: bytes) -> None:
        """Pass over it."""

    def feed_errors(self, data: bytes) -> None:
        """Pass over it."""

    def reading(self, status: int | None) -> Reading:
        """An empty one."""
        return Reading()


class Login(Struct, frozen=True):
    """How a program is asked whether it is logged in. `problem` judges its answer: a sentence, None when it is fine."""

    words: tuple[str, ...]
    problem: Callable[[str], str | None]


class Kind(Struct, frozen=True):
    """A kind of agent. `program`: what is run where no command is configured; empty for what golemd brings along.

    `version_problem` judges what `PROGRAM --version` prints: a sentence, None when it will do. `shown`: what a line of
    its standard output says to people, as lines; None where the output is for people anyway.
    """

    launch: Callable[[Request], Launch]
    reader: Callable[[], Reader] = Silent
    version_problem: Callable[[str], str | None] | None = None
    program: str = ""
    login: Login | None = None
    shown: Callable[[str], list[str]] | None = None


def _one_of(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


_TEXT: Final[dict[str, Any]] = {"type": "string"}
_NUMBER: Final[dict[str, Any]] = {"type": "integer"}
_SIZE: Final = _one_of("small", "medium", "large")
_LEVEL: Final = _one_of("low", "medium", "high")

RESULT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["item_id", "phase", "result", "summary"],
    "properties": {
        "item_id": _TEXT,
        "phase": _TEXT,
        "result": _one_of(*(str(code) for code in ResultCode)),
        "summary": _TEXT,
        "context": _TEXT,
        "question": _TEXT,
        "commit_summary": _TEXT,
        "updated_assessments": {
            "type": "object",
            "properties": {
                "size": _SIZE,
                "complexity": _LEVEL,
                "risk": _LEVEL,
                "impact": _LEVEL,
            },
        },
        "follow_ups": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["title"],
                "properties": {
                    "title": _TEXT,
                    "context": _TEXT,
                    "suggested_size": _SIZE,
                    "suggested_risk": _LEVEL,
                },
            },
        },
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["title"],
                "properties": {"severity": _TEXT, "file": _TEXT, "line": _NUMBER, "title": _TEXT, "text": _TEXT},
            },
        },
        "pipeline_type": _TEXT,
        "duplicates": {"type": "array", "items": _TEXT},
        "description": {"type": "object", "properties": dict.fromkeys(Brief.__struct_fields__, _TEXT)},
    },
}
"""The result as a JSON Schema, for programs that take one for their final answer. The same for every item and phase:
it is part of what a provider caches. More fields are welcome; the result is judged where it is read."""
