"""The sections that every prompt has: the item, what happened in the phase before, and how the result is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from golemd.api.model import SAID_BY_PEOPLE, Brief, Item, NoteKind, Phase
from golemd.core import times
from golemd.core.budgets import left_tokens, left_usd
from golemd.core.decide.triage import PIPELINE_KEY
from golemd.core.guardrails import unassessed
from golemd.core.state import State

MAX_SUMMARY: Final = 2_000  # characters of a summary of something else
MAX_NOTE: Final = 8_000  # characters of one note, such as a failure with its evidence

_NOTE_HEADINGS: Final = {
    NoteKind.FAILURE: "An earlier attempt at this phase failed. Try a different approach.",
    NoteKind.EVIDENCE: "A verify command failed on your work. Mend it.",
    NoteKind.ANSWER: "A human answered your question.",
    NoteKind.COMMENT: "A human reviewed this phase and says:",
    NoteKind.INTERRUPTION: "An earlier attempt was interrupted; what it left in the tree is still there.",
    NoteKind.MOVED: "A human took the item to this phase.",
    NoteKind.ROUND: "An earlier round of this phase ended with this summary:",
}
_BRIEF: Final = {
    "context": "Context",
    "problem": "Problem",
    "solution": "Solution",
    "impact": "Impact",
    "sizing_rationale": "Why it is of this size",
}


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, which says when it was cut."""
    text = text.strip()
    return text if len(text) <= most else text[: most - 12].rstrip() + " … (cut off)"


def about_item(item: Item) -> str:
    """What the item is: the words of people first, then what is known of it."""
    lines = [f"## Item\n\nId: {item.id}", f"Title: {item.title}"]
    if item.labels:
        lines.append(f"Labels: {', '.join(item.labels)}")
    lines += assessments(item)
    if item.origin:
        lines.append(f"Follow-up of: {item.origin}")
    if item.vars:
        lines += ["Variables:", *(f"- {name} = {value}" for name, value in item.vars.items())]
    if item.description.strip():
        lines.append(f"\n{item.description.strip()}")
    return "\n".join([*lines, *_brief(item.brief)])


def assessments(item: Item) -> list[str]:
    """The known dimensions, and which are not; nothing when none is known."""
    assessed = item.assessments
    known = {"size": assessed.size, "complexity": assessed.complexity, "risk": assessed.risk, "impact": assessed.impact}
    told = [f"{name} {value}" for name, value in known.items() if value]
    unknown = unassessed(item)
    more = f" (not assessed: {', '.join(unknown)})" if unknown else ""
    return [f"Assessments: {', '.join(told)}{more}"] if told else []


def _brief(brief: Brief) -> Iterator[str]:
    for name, heading in _BRIEF.items():
        text = getattr(brief, name).strip()
        if text:
            yield f"\n{heading}: {text}"


def answers(state: State, item: Item) -> Iterator[str]:
    """What people answered when the item had no run yet: it belongs to no phase, so every prompt says it."""
    gates = [state.gates[child] for child in state.children[item.id] if child in state.gates]
    for gate in gates:
        decision = gate.decision
        if not gate.run and gate.key != PIPELINE_KEY and decision is not None and decision.option == "answer":
            yield f"## A human was asked\n\n{shortened(gate.question, MAX_NOTE)}\n\nThe answer: {decision.text}"


def notes(phase: Phase) -> Iterator[str]:
    """What happened in this phase before."""
    for note in phase.notes:
        attempt = f" ({note.attempt})" if note.attempt else ""
        text = note.text if note.kind in SAID_BY_PEOPLE else shortened(note.text, MAX_NOTE)
        yield f"## {_NOTE_HEADINGS[note.kind]}{attempt}\n\n{text}"


def budget(state: State, item: Item) -> Iterator[str]:
    """What the attempt may spend, where there is a limit."""
    money, tokens = left_usd(state, item, times.micros(state.ts)), left_tokens(state, item)
    parts = [f"${money:.2f}"] if money else []
    parts += [f"{tokens:,} tokens"] if tokens is not None else []
    if parts:
        yield (
            f"## Budget\n\nAt most {' and '.join(parts)} may be spent on this attempt. When that is not enough for all "
            "of it, do a part that is complete in itself and end with `subphase_complete`, or with `blocked` and a "
            "question."
        )


def contract(item: Item, phase: Phase, more: str = "") -> str:
    """How the result is to be given."""
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
        '(size small, medium or large; complexity, risk, impact low, medium or high); `follow_ups` ([{"title", '
        '"context", "suggested_size", "suggested_risk"}]: work that you found and that is not part of this item) and '
        '`findings` ([{"severity", "file", "line", "title", "text"}]).' + more
    )
