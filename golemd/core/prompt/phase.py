"""The prompt of a phase: the item, what it builds upon, where it stands, what was said, and the task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from golemd.api.config import Phase as PhaseDefinition
from golemd.api.model import Item, Phase, PhaseState, Run
from golemd.core.decide.common import definition_of
from golemd.core.prompt.instructions import instructions_for
from golemd.core.prompt.sections import MAX_SUMMARY, about_item, answers, budget, contract, notes, shortened
from golemd.core.state import State

_TOLD_ELSEWHERE: Final = frozenset({"answer", "request_changes", "retry", "raise"})
"""Options whose text is among the notes of the phase, or is an amount."""


def phase_sections(state: State, item: Item, run: Run, number: int, changes: str) -> list[str]:
    """The sections of the prompt, in their order."""
    phase = run.phase
    return [
        _opening(item, run, phase, number),
        about_item(item),
        *_dependencies(state, item),
        *_position(run, phase),
        *answers(state, item),
        *_remarks(state, run),
        *notes(phase),
        _task(definition_of(run, phase), changes),
        *budget(state, item),
        contract(item, phase),
    ]


def _opening(item: Item, run: Run, phase: Phase, number: int) -> str:
    return (
        f"# {item.id}: phase {phase.name}\n\n"
        f"You work unattended, in a git worktree of your own (branch {run.branch or 'of this item'}), on one phase of "
        f"one item. Nobody can answer while you run; when you need a decision, end with the result `blocked` and your "
        f"question. This is attempt {number}."
    )


def _dependencies(state: State, item: Item) -> Iterator[str]:
    """Items this one builds upon: their work is in the tree already."""
    if not item.dependencies:
        return
    lines = ["## Builds upon", ""]
    for dependency in item.dependencies:
        found = state.items.get(dependency) or state.ended.get(dependency)
        lines.append(f"- {dependency}: {found.title if found else 'unknown'}")
        if found is not None and found.summary:
            lines.append(f"  It ended with: {shortened(found.summary, MAX_SUMMARY)}")
    yield "\n".join(lines)


def _position(run: Run, phase: Phase) -> Iterator[str]:
    names = [f"**{each.name}**" if each.name == phase.name else each.name for each in run.phases]
    lines = [f"## Pipeline {run.pipeline.name}", "", " → ".join(names)]
    for each in run.phases:
        if each.state is PhaseState.COMPLETED and each.summary:
            lines += ["", f"{each.name} ended with: {shortened(each.summary, MAX_SUMMARY)}"]
    yield "\n".join(lines)


def _remarks(state: State, run: Run) -> Iterator[str]:
    """What people said with decisions after which no phase runs again, and of the item before it had a run."""
    gates = [state.gates[child] for child in state.children[run.item] if child in state.gates]
    for gate in gates:
        decision = gate.decision if gate.run in ("", run.id) else None
        if decision is not None and decision.text and decision.option not in _TOLD_ELSEWHERE:
            at = gate.phase or "the item"
            yield f"## A human decided {decision.option!r} at {at} and says:\n\n{decision.text}"


def _task(definition: PhaseDefinition, changes: str) -> str:
    lines = ["## Task", ""]
    if definition.workflows:
        lines.append("Read these files and follow them, in this order:")
        lines += [f"- {workflow}" for workflow in definition.workflows]
        lines.append("One that is not in this folder is in that of GOLEM_PROJECT_ROOT.")
    else:
        lines.append(instructions_for(definition.name))
    if definition.verify:
        lines += ["", "When you are done, these commands are run on your tree and must succeed:"]
        lines += [f"- `{command}`" for command in definition.verify]
    lines += ["", f"What you write about this item belongs into the folder {changes}, which you make if it is missing."]
    lines += ["Your changes are committed for you. Stay on this branch and inside this folder."]
    return "\n".join(lines)
