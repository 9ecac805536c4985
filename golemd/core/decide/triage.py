"""Triage: what follows from an agent's assessment of a new item, and from a human's word on it.

Triage asks at most three things: whether the item is a duplicate, which pipeline it should go through when the one that
was chosen does not exist, and (once it is routed) whether its assessments may pass the guardrails. The first two are
asked at once; of several suspected duplicates one is asked about after the other. When no question of the first two is
open any more, the item is routed.
"""

from __future__ import annotations

from msgspec.structs import replace

from golemd.api import events as ev
from golemd.api.config import TRIAGE, Pipeline, ProjectConfig
from golemd.api.events import Draft, Event
from golemd.api.faults import Conflict, Invalid
from golemd.api.model import (
    ENDED,
    PHASE_OVER,
    Assessments,
    Content,
    Gate,
    GateKind,
    Item,
    Option,
    PhaseState,
    Resolution,
    Run,
    RunState,
    Status,
)
from golemd.core import guardrails
from golemd.core.decide.common import about, closing, open_gate, path_to
from golemd.core.evolve.common import merged
from golemd.core.results import Result
from golemd.core.state import State

PIPELINE_KEY = "pipeline"
GUARDRAIL_KEY = "guardrail"
MAX_MERGED = 100_000  # characters of a description, with what a duplicate adds to it


def is_triage(run: Run) -> bool:
    """Whether the run's phase under way is triage, which has no workspace of its own."""
    return run.phase.name == TRIAGE


# --- where an item begins, and where it goes after triage ----------------------------------------------------------


def first_status(config: ProjectConfig, pipeline: str, assessed: Assessments) -> Status:
    """Where an item begins: with triage it is new, without it is routed at once."""
    return Status.NEW if config.triage.enabled else routed(config.pipelines.get(pipeline), assessed)


def routed(pipeline: Pipeline | None, assessed: Assessments) -> Status:
    """Without pre-phases, or small and of low or unknown risk, an item is ready; otherwise it is scoped first."""
    small = assessed.size == "small" and assessed.risk in ("low", "")
    return Status.READY if small or pipeline is None or not pipeline.pre_phases else Status.SCOPING


# --- guardrails ----------------------------------------------------------------------------------------------------


def guarded(state: State, item: Item, assessed: Assessments | None = None, status: Status | None = None) -> list[Event]:
    """The gate that asks when assessments are above the guardrails, from triage to promotion; nothing otherwise.

    `assessed`, `status`: what they are about to be. A gate that is open already is replaced when it no longer fits.
    """
    item = item if assessed is None else replace(item, assessments=assessed)
    stands = status or (item.came_from if item.status is Status.BLOCKED else item.status)
    if stands not in (Status.SCOPING, Status.READY):
        return []
    problems = guardrails.exceeded(state.config_of(item.project).guardrails, item.assessments, item.approved)
    asked = next((gate for gate in state.open_gates(item.id) if gate.kind is GateKind.GUARDRAIL), None)
    question = guardrails.question(item, problems) if problems else ""
    if asked is not None and asked.question == question:
        return []
    events: list[Event] = []
    if asked is not None:
        events.append(ev.GateSuperseded(gate=asked.id, reason="the assessments have changed"))
    if problems:
        events.append(open_gate(item, state.run_of(item), GateKind.GUARDRAIL, GUARDRAIL_KEY, question))
    return events


# --- the end of a triage attempt -----------------------------------------------------------------------------------


def concluded(state: State, item: Item, run: Run, attempt: str, result: Result) -> tuple[list[Event], list[str]]:
    """What follows an accepted triage result: it is noted, and the item is routed, merged, or a human is asked.

    The texts are warnings about what could not be used.
    """
    config = state.config_of(item.project)
    same, warnings = twins(state, item, result.duplicates)
    known = result.pipeline if result.pipeline in config.pipelines else ""
    assessed = merged(item.assessments, result.assessments)
    triaged = ev.ItemTriaged(
        attempt=attempt, assessments=result.assessments, brief=result.brief, pipeline=known, duplicates=same
    )
    after = replace(item, assessments=assessed, pipeline=known or item.pipeline)
    gates = [_ask_duplicate(after, run, same[0], attempt)] if same else []
    wanted = result.pipeline or item.pipeline
    if wanted not in config.pipelines:
        gates.append(ask_pipeline(replace(after, gates=after.gates + len(gates)), run, wanted, config, attempt))
    if gates:
        return [triaged, *gates], warnings
    return [triaged, *finished(state, after, run, result.summary)], warnings


def twins(state: State, item: Item, named: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """The items of the same project that were named as saying the same, and what is wrong with the other names.

    Into one that has ended nothing can be merged, so nobody is asked about it.
    """
    good, warnings = [], []
    for name in named:
        found = state.items.get(name) or state.ended.get(name)
        if found is None or found.project != item.project or name == item.id or found.status is Status.CANCELLED:
            warnings.append(f"duplicates names {name[:64]!r}, which is no other item of {item.project}")
        elif found.status in ENDED:
            warnings.append(f"duplicates names {name}, which is {found.status}: look whether {item.id} is still needed")
        else:
            good.append(name)
    return tuple(dict.fromkeys(good)), warnings


def _ask_duplicate(item: Item, run: Run, twin: str, attempt: str) -> ev.GateOpened:
    question = f"{item.title}: is it the same as {twin}?"
    gate = open_gate(item, run, GateKind.DUPLICATE, f"duplicate:{twin}", question, Content(), attempt)
    merge = Option("merge", f"cancel it as a duplicate of {twin}, which gets its text")
    asked: ev.GateOpened = replace(gate, options=(merge, *gate.options[1:]))
    return asked


def ask_pipeline(item: Item, run: Run | None, wanted: str, config: ProjectConfig, attempt: str = "") -> ev.GateOpened:
    """The question which pipeline an item should go through; a run never fails on an unknown one."""
    known = ", ".join(sorted(config.pipelines))
    question = f"There is no pipeline {wanted[:64]!r}. Which one should {item.id} go through: {known}?"
    return open_gate(item, run, GateKind.QUESTION, PIPELINE_KEY, question, Content(), attempt)


def finished(state: State, item: Item, run: Run, summary: str) -> list[Event]:
    """Triage is complete."""
    return [ev.PhaseCompleted(run=run.id, phase=TRIAGE, summary=summary), *onward(state, item, run)]


def onward(state: State, item: Item, run: Run) -> list[Event]:
    """Behind triage: the rest of the run follows the item's pipeline, and the item goes where it belongs."""
    config = state.config_of(item.project)
    if item.pipeline not in config.pipelines:
        return [ev.ItemMoved(to=Status.READY, reason="triaged")]  # its launch asks for a pipeline that exists
    pipeline = config.pinned(item.pipeline, triage=True)
    status = routed(pipeline, item.assessments)
    digest = state.projects[item.project].config_digest
    return [
        ev.PhasePlanned(run=run.id, pipeline=pipeline, config_digest=digest),
        ev.ItemMoved(to=status, reason="triaged"),
        *guarded(state, item, status=status),
    ]


# --- a human's word ------------------------------------------------------------------------------------------------


def keep_apart(state: State, item: Item, run: Run, gate: Gate) -> list[Event]:
    """That duplicate is none: the next suspected one is asked about; behind the last, triage goes on."""
    further = _twins_after(state, item, gate.key.partition(":")[2])
    return [_ask_duplicate(item, run, further[0], gate.attempt)] if further else _unless_asked(state, item, run, gate)


def _twins_after(state: State, item: Item, twin: str) -> list[str]:
    """The suspected duplicates that are still to be asked about: those behind this one that have not ended since."""
    named = item.twins
    behind = named[named.index(twin) + 1 :] if twin in named else ()
    return [each for each in behind if each in state.items and state.items[each].status not in ENDED]


def choose_pipeline(state: State, item: Item, run: Run | None, gate: Gate, answer: str) -> list[Event]:
    """A human named the pipeline. Raises Invalid `unknown_pipeline` for one that does not exist either."""
    config = state.config_of(item.project)
    name = answer.strip()
    if name not in config.pipelines:
        known = sorted(config.pipelines)
        message = f"There is no pipeline {name[:64]!r} in {config.name} either."
        raise Invalid("unknown_pipeline", message, f"Known: {', '.join(known)}.", known=known)
    edited = ev.ItemEdited(pipeline=name)
    if run is None or not is_triage(run) or run.phase.state is not PhaseState.AWAITING_GATE:
        return [edited]
    return [edited, *_unless_asked(state, replace(item, pipeline=name), run, gate)]


def _unless_asked(state: State, item: Item, run: Run, gate: Gate) -> list[Event]:
    """Triage is complete, unless another question of it is still open."""
    asking = [each for each in state.open_gates(item.id) if each.id != gate.id and each.phase == TRIAGE]
    return [] if asking else finished(state, item, run, run.phase.summary)


def merge_into(state: State, item: Item, twin: str, reason: str, but: str = "") -> list[Draft]:
    """Cancel an item as a duplicate: the other one gets its text, and who waited for it waits for the other one.

    Unless the other one waits for who waited: the two would wait for each other for ever. `but`: the gate that is being
    decided so. Raises Conflict `duplicate_ended`.
    """
    found = _active(state, item, twin, but)
    text = f"[{item.id}, merged as a duplicate] {item.title}\n{item.description}".strip()
    whole = f"{found.description}\n\n{text}".strip()[:MAX_MERGED]
    drafts: list[Draft] = [*about(found, ev.ItemEdited(description=whole))]
    waiting = [other for other in state.items.values() if item.id in other.dependencies and other.status not in ENDED]
    ahead = {other.id for other in waiting if path_to(state, (twin,), other.id)}
    for other in waiting:
        instead = (twin if each == item.id else each for each in other.dependencies)
        kept = tuple(dict.fromkeys(each for each in instead if each != twin or other.id not in ahead))
        drafts += about(other, ev.ItemEdited(dependencies=kept))
    left = [f"{name} does not wait for {twin}, which waits for it" for name in sorted(ahead - {twin})]
    why = "; ".join(filter(None, [reason, *left]))
    cancelled = ev.ItemCancelled(resolution=Resolution.DUPLICATE, duplicate_of=twin, reason=why)
    return [*drafts, *about(item, *closing(state, item, f"a duplicate of {twin}", but=but), cancelled)]


def _active(state: State, item: Item, twin: str, gate: str) -> Item:
    """What an item is to be merged into. One that has ended would lose its text, and never do what it asks for."""
    found = state.known(twin)
    if isinstance(found, Item) and found.status not in ENDED:
        return found
    message = f"{item.id} cannot be merged into {twin}, which is {found.status} meanwhile: its text would be lost."
    hint = f"Keep both: golemctl decide {gate} keep; or take it up again first: golemctl reopen {twin}"
    raise Conflict("duplicate_ended", message, hint, duplicate_of=twin, status=str(found.status))


# --- a configuration that has changed since ------------------------------------------------------------------------


def renewed(state: State, item: Item, run: Run) -> list[ev.PhasePlanned]:
    """What is ahead of a run that is not bound yet, taken afresh when it no longer is what the configuration says.

    A configuration that knows none of the phases to which somebody has taken the item changes nothing of it.
    """
    config = state.config_of(item.project)
    if run.state is not RunState.CREATED or item.pipeline not in config.pipelines:
        return []
    pipeline = config.pinned(item.pipeline, triage=run.pipeline.triage is not None)
    over = {phase.name for phase in run.phases if phase.state in PHASE_OVER}
    if over.issuperset(phase.name for phase in pipeline.phases):
        return []
    digest = state.projects[item.project].config_digest
    same = (run.pipeline, run.config_digest) == (pipeline, digest)
    return [] if same else [ev.PhasePlanned(run=run.id, pipeline=pipeline, config_digest=digest)]


def has_pipeline(state: State, item: Item) -> bool:
    """Whether the item's pipeline exists in the configuration in force."""
    return item.pipeline in state.config_of(item.project).pipelines
