"""An item's phase and its history → the text given to an agent. Deterministic: made of durable facts only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from golemd.api.config import Phase as PhaseDefinition
from golemd.api.model import Item, NoteKind, Phase, PhaseState, Run
from golemd.core.decide.common import definition_of
from golemd.core.state import State

MAX_DEPENDENCY_SUMMARY: Final = 600  # characters of a summary of something else

_NOTE_HEADINGS: Final = {
    NoteKind.FAILURE: "An earlier attempt at this phase failed. Try a different approach.",
    NoteKind.EVIDENCE: "A verify command failed on your work. Mend it.",
    NoteKind.ANSWER: "A human answered your question.",
    NoteKind.COMMENT: "A human reviewed this phase and says:",
    NoteKind.INTERRUPTION: "An earlier attempt was interrupted; what it left in the tree is still there.",
    NoteKind.ROUND: "An earlier round of this phase ended with this summary:",
}


def prompt_for(state: State, run: Run, number: int) -> str:
    """The prompt of the phase under way, for its attempt of that number."""
    item, phase = state.items[run.item], run.phase
    definition = definition_of(run, phase)
    parts = [
        _opening(item, run, phase, number),
        _item(item),
        *_dependencies(state, item),
        *_position(run, phase),
        *_remarks(state, run),
        *_notes(phase),
        _task(definition),
        _contract(item, phase),
    ]
    return "\n\n".join(parts) + "\n"


def _opening(item: Item, run: Run, phase: Phase, number: int) -> str:
    return (
        f"# {item.id}: phase {phase.name}\n\n"
        f"You work unattended, in a git worktree of your own (branch {run.branch or 'of this item'}), on one phase of "
        f"one item. Nobody can answer while you run; when you need a decision, end with the result `blocked` and your "
        f"question. This is attempt {number}."
    )


def _item(item: Item) -> str:
    lines = [f"## Item\n\nId: {item.id}", f"Title: {item.title}"]
    if item.labels:
        lines.append(f"Labels: {', '.join(item.labels)}")
    assessed = item.assessments
    known = {"size": assessed.size, "complexity": assessed.complexity, "risk": assessed.risk, "impact": assessed.impact}
    if any(known.values()):
        lines.append("Assessments: " + ", ".join(f"{name} {value}" for name, value in known.items() if value))
    if item.vars:
        lines += ["Variables:", *(f"- {name} = {value}" for name, value in item.vars.items())]
    if item.description.strip():
        lines.append(f"\n{item.description.strip()}")
    return "\n".join(lines)


def _dependencies(state: State, item: Item) -> Iterator[str]:
    """Items this one builds upon: their work is in the tree already."""
    if not item.dependencies:
        return
    lines = ["## Builds upon", ""]
    for dependency in item.dependencies:
        found = state.items.get(dependency) or state.ended.get(dependency)
        lines.append(f"- {dependency}: {found.title if found else 'unknown'}")
    yield "\n".join(lines)


def _position(run: Run, phase: Phase) -> Iterator[str]:
    names = [f"**{each.name}**" if each.name == phase.name else each.name for each in run.phases]
    lines = [f"## Pipeline {run.pipeline.name}", "", " → ".join(names)]
    for each in run.phases:
        if each.state is PhaseState.COMPLETED and each.summary:
            lines += ["", f"{each.name} ended with: {each.summary[:MAX_DEPENDENCY_SUMMARY]}"]
    yield "\n".join(lines)


def _remarks(state: State, run: Run) -> Iterator[str]:
    """What people said when they approved or skipped something: the phase that they said it of does not run again."""
    gates = [state.gates[child] for child in state.children[run.item] if child in state.gates]
    for gate in gates:
        decision = gate.decision if gate.run == run.id else None
        if decision is not None and decision.text and decision.option in ("approve", "skip"):
            yield f"## A human decided {decision.option!r} at {gate.phase} and says:\n\n{decision.text}"


def _notes(phase: Phase) -> Iterator[str]:
    for note in phase.notes:
        attempt = f" ({note.attempt})" if note.attempt else ""
        yield f"## {_NOTE_HEADINGS[note.kind]}{attempt}\n\n{note.text}"


def _task(definition: PhaseDefinition) -> str:
    lines = ["## Task", ""]
    if definition.workflows:
        lines.append("Read these files and follow them, in this order:")
        lines += [f"- {workflow}" for workflow in definition.workflows]
        lines.append("One that is not in this folder is in that of GOLEM_PROJECT_ROOT.")
    else:
        lines.append(f"Do what the phase {definition.name!r} of this item calls for, completely.")
    if definition.verify:
        lines += ["", "When you are done, these commands are run on your tree and must succeed:"]
        lines += [f"- `{command}`" for command in definition.verify]
    lines += ["", "Your changes are committed for you. Stay on this branch and inside this folder."]
    return "\n".join(lines)


def _contract(item: Item, phase: Phase) -> str:
    return (
        "## Result\n\n"
        "Before you end, write one JSON object to the file named by the environment variable GOLEM_RESULT:\n\n"
        "```json\n"
        f'{{"item_id": "{item.id}", "phase": "{phase.name}",\n'
        ' "result": "phase_complete",\n'
        ' "summary": "what you did, for the next phase and for people"}\n'
        "```\n\n"
        "`result` is one of: phase_complete (all is done), subphase_complete (one step of several is done; you are "
        "called again), failed (it cannot be done this way), blocked (a human must decide first).\n"
        "You may add: `question` (with blocked), `context`, `commit_summary` (one line), and `updated_assessments` "
        "(size small, medium or large; complexity, risk, impact low, medium or high)."
    )
