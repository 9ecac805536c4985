"""What an agent's file is given, and what it answers."""

from __future__ import annotations

from msgspec import Struct

from golemd.api.config import Agent


class Request(Struct, frozen=True, kw_only=True):
    """One attempt, as far as the agent's program is concerned. Paths are absolute."""

    agent: Agent
    item: str
    phase: str
    number: int
    description: str
    prompt_file: str
    result_file: str
    workspace: str
    project_root: str


class Launch(Struct, frozen=True):
    """What to run. `stdin`: text for the program's standard input, or None for an empty one."""

    argv: tuple[str, ...]
    stdin: str | None = None
