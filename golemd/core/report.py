"""An item's records → the final report of one of its runs. Deterministic: nothing but records and configurations.

What a report covers is fixed by the journal too: until it is written, the item's records up to its being taken up
again; afterwards exactly those that it was written of. So it can be made again at any time, byte for byte.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from golemd.api import events as ev
from golemd.api.config import Agent, ProjectConfig
from golemd.api.events import Event, Record, as_line
from golemd.api.faults import NotFound
from golemd.api.model import PHASE_OVER, RUN_OVER, Attempt, AttemptKind, Gate, Phase, PhaseState, Run, RunState
from golemd.api.reports import (
    Binding,
    Cost,
    Diff,
    Inputs,
    KeptWork,
    Pins,
    Report,
    ReportedAttempt,
    ReportedCommit,
    ReportedEvidence,
    ReportedPhase,
)
from golemd.core.evolve import fold
from golemd.core.gate_views import gate_view
from golemd.core.state import State

LAST_EVENTS: Final = 200
_RUN_ENDED: Final = (ev.RunCompleted, ev.RunFailed, ev.RunAborted)

E = TypeVar("E", bound=Event)


def written_through(record: Record, run: str) -> int:
    """The last record that the run's report was written of, where this record says so; otherwise 0."""
    event = record.data
    return event.through if isinstance(event, ev.ReportWritten) and event.run == run else 0


class Telling:
    """Becomes the report of a run while it takes its item's records, of which it holds few.

    `through`: the last record of those that the report was written of; 0 when it has not been written.
    """

    def __init__(self, run: str, through: int = 0) -> None:
        self._run = run
        self._through = through
        self._past = State(shrink=False)
        self._over = False
        self._told: list[Record] = []  # of any run, attempt or gate of the item
        self._last: deque[Record] = deque(maxlen=LAST_EVENTS)

    def take(self, record: Record) -> bool:
        """Take the item's next record; True when neither that one nor any after it is covered."""
        event = record.data
        reopened = self._over and isinstance(event, ev.ItemReopened)
        if record.seq > self._through if self._through else reopened:
            return True
        self._over = self._over or (isinstance(event, _RUN_ENDED) and event.run == self._run)
        fold(self._past, record)
        self._last.append(record)
        if _subject(event):
            self._told.append(record)
        return False

    def report(self, configs: Mapping[str, ProjectConfig]) -> Report:
        """The report. `configs`: by digest. Raises NotFound `run_not_found`."""
        story = _Story(self._past, self._told, self._run)
        found, item, last = story.run, story.past.items[story.run.item], self._last[-1]
        phases = tuple(_phase(story, phase) for phase in found.phases)
        return Report(
            run=self._run,
            item=item.id,
            project=item.project,
            state="paused" if item.is_held and found.state not in RUN_OVER else str(found.state),
            reason=_reason(story),
            resolution=item.resolution or None,
            finished=story.past.is_put_away(found),
            created_at=found.created_at,
            ended_at=found.ended_at or None,
            through=last.seq,
            at=last.ts,
            pins=_pins(story),
            inputs=_inputs(story),
            bindings=tuple(_bindings(story, configs[found.config_digest])),
            phases=phases,
            gates=tuple(gate_view(gate) for gate in story.gates),
            evidence=story.evidence,
            commits=story.commits,
            diff=_diff(story.commits),
            kept=tuple(_kept(story)),
            follow_ups=story.follow_ups,
            cost=_cost([attempt for phase in phases for attempt in phase.attempts]),
            unresolved=tuple(_unresolved(story)),
            events=tuple(as_line(record) for record in self._last),
        )


def to_json(report: Report) -> bytes:
    """The content of `<run>.json`."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


class _Story:
    """The item as it stood at the end, and what was recorded of the run."""

    def __init__(self, past: State, records: Sequence[Record], run: str) -> None:
        self.past = past
        if run not in self.past.runs:
            raise NotFound("run_not_found", f"There is no run {run[:80]!r}.", "golemctl show ID lists an item's runs.")
        self.run: Run = self.past.runs[run]
        children = self.past.children[self.run.item]
        known = (self.past.attempts.get(child) for child in children)
        self.attempts: list[Attempt] = [each for each in known if each is not None and each.run == run]
        self.gates: list[Gate] = list(_gates(self.past, children, run))
        names = {run, *(each.id for each in self.attempts), *(each.id for each in self.gates)}
        self._records = [record for record in records if _subject(record.data) in names]
        self.exits = {event.attempt: event for _, event in self.all(ev.AttemptExited)}
        self.spent = {event.attempt: event for _, event in self.all(ev.BudgetSpent)}
        self.evidence = tuple(_evidence(record, event) for record, event in self.all(ev.EvidenceRecorded))
        accepted = self.all(ev.AttemptAccepted)
        self.follow_ups = tuple(each for _, event in accepted for each in event.follow_ups)
        self.commits = tuple(_commit(record, event) for record, event in self.all(ev.CommitCreated) if event.commit)

    def all(self, kind: type[E]) -> list[tuple[Record, E]]:
        """The run's records of a kind, in order, with their events."""
        return [(record, record.data) for record in self._records if isinstance(record.data, kind)]

    def last(self, kind: type[E]) -> E | None:
        """The newest event of a kind."""
        return next((event for _, event in reversed(self.all(kind))), None)


def _gates(past: State, children: Sequence[str], run: str) -> Iterator[Gate]:
    """The run's gates. What was asked of an item that had no run yet belongs to the run that came then."""
    early: list[Gate] = []
    for child in children:
        gate = past.gates.get(child)
        if gate is not None and not gate.run:
            early.append(gate)
        elif gate is not None and gate.run == run:
            yield gate
        elif child in past.runs:
            yield from early if child == run else ()
            early.clear()


def _subject(event: Event) -> str:
    """The run, else the attempt, else the gate that an event is about."""
    return next((found for name in ("run", "attempt", "gate") if (found := getattr(event, name, ""))), "")


# --- what it was about -------------------------------------------------------------------------------------------


def _pins(story: _Story) -> Pins:
    run, bound = story.run, story.last(ev.RunBound)
    return Pins(
        pipeline=run.pipeline.name,
        pipeline_digest=run.pipeline_digest or None,
        config_digest=run.config_digest,
        base_branch=run.base_branch or None,
        base_commit=run.base_commit or None,
        branch=run.branch or None,
        workspace=run.workspace or None,
        environment=bound.environment if bound is not None else (),
    )


def _inputs(story: _Story) -> Inputs:
    item, bound = story.past.items[story.run.item], story.last(ev.RunBound)
    return Inputs(
        title=item.title,
        description=item.description,
        origin=item.origin or None,
        brief=item.brief,
        labels=item.labels,
        dependencies=item.dependencies,
        vars=item.vars,
        base=item.base or None,
        assessments=item.assessments,
        digest=bound.inputs_digest if bound is not None else None,
    )


def _bindings(story: _Story, config: ProjectConfig) -> Iterator[Binding]:
    bound = story.last(ev.RunBound)
    digests = bound.bindings if bound is not None else {}
    phases = story.run.pipeline.all_phases
    for name in dict.fromkeys(phase.agent for phase in phases if phase.agent):
        agent = config.agents.get(name, Agent())
        yield Binding(
            agent=name,
            kind=agent.kind or None,
            model=agent.model,
            permissions=agent.permissions or None,
            digest=digests.get(name),
            phases=tuple(phase.name for phase in phases if phase.agent == name),
        )


def _reason(story: _Story) -> str | None:
    ended = story.last(ev.RunFailed) or story.last(ev.RunAborted)
    return ended.reason if ended is not None else None


# --- what happened -----------------------------------------------------------------------------------------------


def _phase(story: _Story, phase: Phase) -> ReportedPhase:
    attempts = tuple(_attempt(story, each) for each in story.attempts if each.phase == phase.name)
    return ReportedPhase(
        name=phase.name,
        state=str(story.run.became(phase)),
        reason=_why_not_completed(story, phase),
        summary=phase.summary or None,
        commit=phase.commit or None,
        started_at=phase.started_at or None,
        ended_at=phase.ended_at or None,
        busy_s=round(sum((each.duration_s for each in attempts), 0.0), 3),
        attempts=attempts,
        findings=phase.findings,
        warnings=phase.warnings,
    )


def _why_not_completed(story: _Story, phase: Phase) -> str | None:
    """What was said of it last; of one that the end of its run has cut off, why the run ended.

    A failure that a human has answered since is no reason any more.
    """
    if phase.state is PhaseState.COMPLETED:
        return None
    again = max((record.seq for record, event in story.all(ev.PhaseReset) if event.phase == phase.name), default=0)
    failed = [(record.seq, event.reason) for record, event in story.all(ev.PhaseFailed) if event.phase == phase.name]
    skipped = [(record.seq, event.reason) for record, event in story.all(ev.PhaseSkipped) if event.phase == phase.name]
    said = max((each for each in (*failed, *skipped) if each[0] > again), default=(0, ""))[1]
    cut_off = story.run.state in RUN_OVER and phase.state not in PHASE_OVER
    return said or (_reason(story) if cut_off else None)


def _attempt(story: _Story, attempt: Attempt) -> ReportedAttempt:
    ended = story.exits.get(attempt.id, ev.AttemptExited(attempt=attempt.id))
    cost = story.spent.get(attempt.id)
    return ReportedAttempt(
        id=attempt.id,
        kind=str(attempt.kind),
        agent=attempt.agent or None,
        model=attempt.model or None,
        command=attempt.command or None,
        state=str(attempt.state),
        outcome=attempt.outcome or None,
        message=attempt.message or None,
        status=attempt.status,
        signal=attempt.signal,
        planned_at=attempt.planned_at,
        started_at=attempt.started_at or None,
        ended_at=attempt.ended_at or None,
        duration_s=ended.duration_s,
        cpu_s=ended.cpu_s,
        max_rss_kb=ended.max_rss_kb,
        cost_usd=cost.cost_usd if cost is not None else None,
        input_tokens=cost.input_tokens if cost is not None else None,
        output_tokens=cost.output_tokens if cost is not None else None,
        adopted=attempt.adopted,
    )


def _evidence(record: Record, event: ev.EvidenceRecorded) -> ReportedEvidence:
    return ReportedEvidence(
        event.attempt,
        event.command,
        event.outcome,
        event.status,
        event.duration_s,
        event.tree,
        event.lines,
        record.ts,
        phase=event.phase,
    )


def _commit(record: Record, event: ev.CommitCreated) -> ReportedCommit:
    return ReportedCommit(
        phase=event.phase,
        attempt=event.attempt,
        commit=event.commit,
        tree=event.tree,
        message=event.message,
        files=event.files,
        insertions=event.insertions,
        deletions=event.deletions,
        at=record.ts,
    )


def _diff(commits: Sequence[ReportedCommit]) -> Diff:
    return Diff(
        commits=len(commits),
        files=sum(each.files for each in commits),
        insertions=sum(each.insertions for each in commits),
        deletions=sum(each.deletions for each in commits),
    )


def _kept(story: _Story) -> Iterator[KeptWork]:
    """What is kept for good: neither what came back since, nor what was left where it stands."""
    back = max((record.seq for record, event in story.all(ev.WorktreeMade) if event.rebuilt), default=0)
    for record, event in story.all(ev.WorkKept):
        passing = event.then == "left" or (event.then == "aside" and record.seq < back)
        if (event.ref or event.listed) and not passing:
            yield KeptWork(
                attempt=event.attempt or None,
                ref=event.ref or None,
                commit=event.commit or None,
                listed=event.listed,
                at=record.ts,
            )


def _cost(attempts: Sequence[ReportedAttempt]) -> Cost:
    agents = [each for each in attempts if each.kind == AttemptKind.AGENT]
    return Cost(
        usd=round(sum((each.cost_usd or 0.0 for each in agents), 0.0), 6),
        input_tokens=sum(each.input_tokens or 0 for each in agents),
        output_tokens=sum(each.output_tokens or 0 for each in agents),
        attempts=len(agents),
        unknown=sum(each.cost_usd is None for each in agents),
    )


# --- what is left ------------------------------------------------------------------------------------------------


def _unresolved(story: _Story) -> Iterator[str]:
    """What a person should know is open, each in one sentence."""
    yield from _unresolved_phases(story)
    yield from _unresolved_gates(story)
    yield from _unresolved_evidence(story)
    for kept in _kept(story):
        if kept.ref:
            yield f"Uncommitted work of {kept.attempt or story.run.id} is kept under {kept.ref}."
        if kept.listed:
            yield f"Left out of what was kept of {kept.attempt or story.run.id}: {', '.join(kept.listed)}."
    for each in story.follow_ups:
        if not each.item:
            yield f"The follow-up {each.title!r} was left out: {each.why or 'no reason was given'}."
    run = story.run
    if run.head != run.base_commit:
        yield f"The work is on the branch {run.branch} and not in {run.base_branch}."


def _unresolved_phases(story: _Story) -> Iterator[str]:
    pipeline = story.run.pipeline
    unneeded = {each.name for each in pipeline.all_phases[: pipeline.promoted_at]}
    for phase in story.run.phases:
        if phase.state is PhaseState.COMPLETED:
            continue
        if phase.state is PhaseState.SKIPPED and (phase.started_at or phase.name not in unneeded):
            yield f"The phase {phase.name} was left out: {_why_not_completed(story, phase) or 'no reason was given'}."
        elif phase.state is not PhaseState.SKIPPED:
            yield f"The phase {phase.name} was {'not completed' if phase.started_at else 'never started'}."


def _unresolved_gates(story: _Story) -> Iterator[str]:
    """Gates that nobody decided, and that no later one asks again."""
    newest = {(gate.phase, gate.kind, gate.key): gate for gate in story.gates}
    for gate in newest.values():
        if gate.decision is None:
            yield f"The gate {gate.id} ({gate.kind}, {gate.phase}) was never decided."


def _unresolved_evidence(story: _Story) -> Iterator[str]:
    newest = {(each.phase, each.command): each for each in story.evidence}
    for each in newest.values():
        if each.outcome != "passed":
            yield f"In {each.phase}, {each.command!r} has {each.outcome.replace('_', ' ')} at last."
    if not newest and story.run.state is RunState.COMPLETED:
        yield "No verify command was configured: that it works is what the agents claim."
