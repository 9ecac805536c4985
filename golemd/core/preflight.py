"""What can be told before any work begins, of items and commands: pure; `engine.preflight` looks at the world."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from golemd.api.checks import CheckFinding
from golemd.api.model import ENDED, Item, Status
from golemd.core.state import State

LEVELS: Final = ("error", "warning", "info")

_BUILT_IN: Final = re.compile(
    r"[.:!{(]|\[\[?|alias|bg|break|case|cd|command|continue|echo|env|eval|exec|exit|export|false|fg|for|function|getopts"
    r"|hash|if|jobs|kill|local|printf|pwd|read|readonly|return|select|set|shift|source|test|time|times|trap|true|type"
    r"|typeset|ulimit|umask|unalias|unset|until|wait|while"
)
"""Words that the shell itself understands, or that only lead to the program."""
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./~+@%-]+")


def ordered(findings: Iterable[CheckFinding]) -> tuple[CheckFinding, ...]:
    """The worst first, in the order in which they were found."""
    return tuple(sorted(findings, key=lambda finding: LEVELS.index(finding.level)))


def first_program(command: str) -> str:
    """The program that a command of the shell begins with; empty where that cannot be told without the shell."""
    for word in command.split():
        if _ASSIGNMENT.match(word):
            continue
        return word if _PLAIN.fullmatch(word) and not _BUILT_IN.fullmatch(word) else ""
    return ""


def live_items(state: State, project: str) -> list[Item]:
    """The items of a project that have not ended."""
    return [item for item in state.items_of(project) if item.status not in ENDED]


def item_findings(state: State, project: str) -> Iterator[CheckFinding]:
    """What keeps items from ever being worked on: dependencies that are never met, pipelines that are gone."""
    pipelines = state.config_of(project).pipelines
    for item in live_items(state, project):
        if state.run_of(item) is None and item.pipeline not in pipelines:
            what = f"its pipeline {item.pipeline} is not configured any more"
            hint = f"golemctl edit {item.id} --pipeline {next(iter(pipelines))}"
            yield CheckFinding(level="error", where=item.id, what=what, hint=hint)
        for dependency in item.dependencies:
            yield from _never_met(state, item, dependency)
    for cycle in _cycles(state, project):
        what = f"these items wait for each other: {' → '.join((*cycle, cycle[0]))}"
        yield CheckFinding(
            level="error", where=cycle[0], what=what, hint=f"Drop one of them: golemctl edit {cycle[0]} --dep …"
        )


def _never_met(state: State, item: Item, dependency: str) -> Iterator[CheckFinding]:
    found = state.items.get(dependency) or state.ended.get(dependency)
    others = " ".join(f"--dep {each}" for each in item.dependencies if each != dependency) or '--dep ""'
    hint = f"golemctl edit {item.id} {others}"
    if found is None:
        yield CheckFinding(
            level="warning", where=item.id, what=f"it waits for {dependency}, which does not exist", hint=hint
        )
    elif found.status is Status.CANCELLED:
        what = f"it waits for {dependency}, which is cancelled"
        yield CheckFinding(level="warning", where=item.id, what=what, hint=f"golemctl reopen {dependency}, or: {hint}")


def _cycles(state: State, project: str) -> Iterator[tuple[str, ...]]:
    """Rings of items that wait for each other, each told once, by a walk along dependencies that are not done."""
    done: set[str] = set()
    for start in live_items(state, project):
        path: list[str] = []
        ways = [iter((start.id,))]
        while ways:
            here = next(ways[-1], None)
            if here is None:
                ways.pop()
                if path:
                    done.add(path.pop())
            elif here in path:
                yield tuple(path[path.index(here) :])
            elif here not in done and here in state.items:
                path.append(here)
                ways.append(iter(state.unmet(state.items[here])))
