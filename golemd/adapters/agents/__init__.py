"""Agent programs: one file per kind says how its program is started and what its output means. What a kind needs comes
in as a Request, what is to be run goes out as a Launch, what was said comes out of a Reader; nothing here starts
anything.

A new kind is a new file and a row in KINDS. The prompt reaches the program by file or stdin, never by argv.
"""

from __future__ import annotations

from typing import Final

from golemd.adapters.agents import claude, claude_lines, command, scripted
from golemd.adapters.agents.claude_stream import ClaudeReader
from golemd.adapters.agents.words import Kind, Launch, Login, Reader, Reading, Request, Silent, located
from golemd.api.config import Agent
from golemd.api.faults import Invalid

KINDS: Final[dict[str, Kind]] = {
    "claude": Kind(
        claude.launch, ClaudeReader, claude.version_problem, claude.PROGRAM, claude.LOGIN, claude_lines.shown
    ),
    "command": Kind(command.launch),
    "scripted": Kind(scripted.launch, scripted.ScriptedReader),
}

__all__ = [
    "KINDS",
    "Kind",
    "Launch",
    "Login",
    "Reader",
    "Reading",
    "Request",
    "Silent",
    "kind_of",
    "launch",
    "located",
    "program_of",
    "reader",
]


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises Invalid `agent_unavailable` for one that this release does not have."""
    kind = KINDS.get(name)
    if kind is None:
        message = f"agents of the kind {name!r} are not in this release"
        raise Invalid("agent_unavailable", message, f"Use one of: {', '.join(KINDS)}.")
    return kind


def program_of(agent: Agent) -> str:
    """The program that an agent runs, as it is configured; empty for one that golemd brings along."""
    kind = kind_of(agent.kind)
    return agent.command[0] if agent.command else kind.program


def launch(request: Request) -> Launch:
    """What to run for this request. Raises Invalid `agent_unavailable`."""
    return kind_of(request.agent.kind).launch(request)


def reader(kind: str) -> Reader:
    """A new reader for the output of a program of this kind. Raises Invalid `agent_unavailable`."""
    return kind_of(kind).reader()
