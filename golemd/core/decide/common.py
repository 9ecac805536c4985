"""What all deciders share: the shape of a decision, drafts about one item, and how a gate is opened."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from golemd.api import events as ev
from golemd.api.config import Phase as PhaseDefinition
from golemd.api.config import ProjectConfig
from golemd.api.events import Draft, Event
from golemd.api.faults import Fault
from golemd.api.model import Attempt, Content, GateKind, Item, Option, Phase, Run, RunState
from golemd.core.state import State


class Decided(Struct, frozen=True):
    """What happens. `fault`: it happens, and yet the caller is told this. `note`: said with the answer.

    `essential` marks what has happened outside and must not be lost, such as the end of an attempt: it is recorded even
    when the disk is nearly full.
    """

    drafts: tuple[Draft, ...] = ()
    fault: Fault | None = None
    note: str = ""
    essential: bool = False
    answer: Struct | None = None  # the whole answer, where it does not follow from the state


NOTHING: Final = Decided()


def about(item: Item, *events: Event | Draft, cause: str = "") -> tuple[Draft, ...]:
    """The events as drafts about one item; what is a draft already, about another one say, stays as it is."""
    return tuple(each if isinstance(each, Draft) else Draft(each, item.project, item.id, cause) for each in events)


def cause_of(state: State, item: str) -> str:
    """What the daemon's own doing follows from: the item's last record."""
    trail = state.trail.get(item)
    return f"seq:{trail[-1]}" if trail else ""


def definition_of(run: Run, phase: Phase) -> PhaseDefinition:
    """The pipeline's entry for a phase of a run."""
    return next(each for each in run.pipeline.all_phases if each.name == phase.name)


def config_of(state: State, run: Run) -> ProjectConfig:
    """The configuration that a run is pinned to."""
    return state.configs[run.config_digest]


def live_attempt(state: State, attempt: str) -> tuple[Item, Run, Phase, Attempt] | None:
    """An attempt with what it belongs to, when it is still the live one of its phase."""
    found = state.attempts.get(attempt)
    if found is None:
        return None
    run = state.runs[found.run]
    phase = next(each for each in run.phases if each.name == found.phase)
    return (state.items[found.item], run, phase, found) if phase.live == attempt else None


_ABORT: Final = Option("abort", "end the run and cancel the item")
OPTIONS: Final[dict[GateKind, tuple[Option, ...]]] = {
    GateKind.APPROVAL: (
        Option("approve", "accept this work"),
        Option("request_changes", "back to the agent, with your comment", text_required=True),
        Option("reject", "end the run as failed and cancel the item"),
        _ABORT,
    ),
    GateKind.QUESTION: (Option("answer", "answer the question; the agent goes on", text_required=True), _ABORT),
    GateKind.GUARDRAIL: (
        Option("approve", "let it pass the guardrails as it is assessed now"),
        Option("reject", "end the run as failed and cancel the item"),
    ),
    GateKind.DUPLICATE: (
        Option("merge", "cancel it as a duplicate"),
        Option("keep", "keep both"),
    ),
    GateKind.STALENESS: (
        Option("proceed", "go on with what is there"),
        Option("rerun_prior", "run again the phase whose work is gone, and those after it"),
        _ABORT,
    ),
    GateKind.FAILURE: (
        Option("retry", "try the phase again with full budgets, and your note if you give one"),
        Option("skip", "leave the phase out and go on with the next"),
        _ABORT,
    ),
    GateKind.BUDGET: (Option("raise", "raise it by this amount and go on", text_required=True), _ABORT),
}
DEFAULTS: Final = {
    GateKind.APPROVAL: "approve",
    GateKind.QUESTION: "answer",
    GateKind.GUARDRAIL: "approve",
    GateKind.FAILURE: "retry",
}


def open_gate(
    item: Item,
    run: Run | None,
    kind: GateKind,
    key: str,
    question: str,
    content: Content | None = None,
    attempt: str = "",
) -> ev.GateOpened:
    """The event that asks a human; about an item alone where it has no run yet."""
    return ev.GateOpened(
        gate=f"{item.id}.g{item.gates + 1}",
        run=run.id if run else "",
        phase=run.phase.name if run else "",
        kind=kind,
        key=key,
        question=question,
        options=OPTIONS[kind],
        default=DEFAULTS.get(kind, ""),
        content=content or Content(),
        attempt=attempt,
    )


def fail(
    item: Item, run: Run, key: str, reason: str, attempt: str = "", lines: tuple[str, ...] = ()
) -> tuple[Event, ...]:
    """The phase cannot go on by itself: a failure gate asks. `lines` show beneath the question what was said."""
    phase = run.phase
    question = "\n".join((f"{reason.rstrip('.')}. Try {phase.name} again, skip it, or abort?", *lines))
    content = Content(commit=run.head, tree=phase.tree)
    failed = ev.PhaseFailed(run=run.id, phase=phase.name, reason=reason)
    return failed, open_gate(item, run, GateKind.FAILURE, key, question, content, attempt)


def closing(state: State, item: Item, reason: str, but: str = "") -> tuple[Event, ...]:
    """What ends with an item: its open gates (but one, which is being decided) and its run."""
    gates = (gate.id for gate in state.open_gates(item.id) if gate.id != but)
    events: list[Event] = [ev.GateSuperseded(gate=gate, reason=reason) for gate in gates]
    run = state.run_of(item)
    if run is not None and not is_over(run):
        events.append(ev.RunAborted(run=run.id, reason=reason))
    return tuple(events)


def is_over(run: Run) -> bool:
    """Whether the run has ended; reports about it then only put things away."""
    return run.state in (RunState.COMPLETED, RunState.FAILED, RunState.ABORTED)


def path_to(state: State, starts: tuple[str, ...], goal: str) -> list[str]:
    """A way from the starts to the goal along dependencies, or nothing."""
    came_from: dict[str, str] = dict.fromkeys(starts, "")
    queue = list(starts)
    for here in queue:
        if here == goal:
            path = [here]
            while came_from[path[0]]:
                path.insert(0, came_from[path[0]])
            return path
        found = state.items.get(here) or state.ended.get(here)
        for further in found.dependencies if found else ():
            if further not in came_from:
                came_from[further] = here
                queue.append(further)
    return []
