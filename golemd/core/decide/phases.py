"""Runs and phases: promote, launch, enter, verify, commit, and what comes after a phase."""

from __future__ import annotations

from golemd.api import events as ev
from golemd.api.config import Pipeline
from golemd.api.events import Event
from golemd.api.model import (
    AttemptKind,
    Content,
    GateKind,
    Item,
    NoteKind,
    Phase,
    PhaseState,
    Run,
    RunState,
    Stage,
    Status,
)
from golemd.core import commands as cmd
from golemd.core import scheduler, slots
from golemd.core.configuration import digest
from golemd.core.decide.common import (
    NOTHING,
    Decided,
    about,
    cause_of,
    config_of,
    definition_of,
    fail,
    is_over,
    open_gate,
)
from golemd.core.state import State


def content_digest(content: Content) -> str:
    """What `content` in gate.decide is compared with."""
    return digest(content)


def promote(state: State, command: cmd.Promote, now_us: int) -> Decided:
    """A ready item goes in progress."""
    item = state.items.get(command.item)
    if item is None or item.status is not Status.READY or item.is_held or state.unmet(item):
        return NOTHING
    moved = ev.ItemMoved(to=Status.IN_PROGRESS, reason="promoted")
    return Decided(about(item, moved, cause=cause_of(state, item.id)))


# --- starting ----------------------------------------------------------------------------------------------------


def launch(state: State, command: cmd.Launch, now_us: int) -> Decided:
    """Start the item's next phase (and its run, if it has none), or the next attempt of the phase under way."""
    item = state.items.get(command.item)
    if item is None or item.status not in (Status.IN_PROGRESS, Status.SCOPING):
        return NOTHING
    if scheduler.waits_for(state, item, now_us) is not None:
        return NOTHING
    run = state.run_of(item)
    if run is None and item.status is Status.SCOPING and not _pipeline_of(state, item).pre_phases:
        events: tuple[Event, ...] = (ev.ItemMoved(to=Status.READY, reason="nothing to scope"),)
    elif run is None:
        events = _begin(state, item)
    elif run.phase.state is PhaseState.PENDING:
        events = (ev.PhaseStarted(run=run.id, phase=run.phase.name, index=run.index),)
    else:
        events = (plan_attempt(run, run.phase),)
    return Decided(about(item, *events, cause=cause_of(state, item.id)))


def _begin(state: State, item: Item) -> tuple[Event, ...]:
    """A fresh run, and its first phase; an item that needs no scoping passes over the pre-phases."""
    project = state.projects[item.project]
    number = item.runs + 1
    pipeline = _pipeline_of(state, item)
    run = f"{item.id}.{number}"
    created = ev.RunCreated(run=run, number=number, pipeline=pipeline, config_digest=project.config_digest)
    passed = () if item.status is Status.SCOPING else pipeline.pre_phases
    skipped = [ev.PhaseSkipped(run=run, phase=each.name, reason="the item needs no scoping") for each in passed]
    first = pipeline.all_phases[len(passed)]
    return created, *skipped, ev.PhaseStarted(run=run, phase=first.name, index=len(passed))


def _pipeline_of(state: State, item: Item) -> Pipeline:
    """What a run of the item would be pinned to now."""
    config = state.config_of(item.project)
    return config.pinned(item.pipeline if item.pipeline in config.pipelines else config.default_pipeline)


def plan_attempt(run: Run, phase: Phase, head: str = "", tree: str = "", refs: str = "") -> ev.AttemptPlanned:
    """The intent to run the phase's agent once more."""
    number = phase.number + 1
    return ev.AttemptPlanned(
        attempt=f"{run.id}.{phase.name}.{number}",
        run=run.id,
        phase=phase.name,
        number=number,
        kind=AttemptKind.AGENT,
        agent=definition_of(run, phase).agent or "",
        purpose=_purpose(phase),
        start_head=head,
        start_tree=tree,
        start_refs=refs,
    )


def _purpose(phase: Phase) -> str:
    """Why this attempt is made, from the newest note: for the reader of the journal."""
    return str(phase.notes[-1].kind) if phase.notes else "first"


def entered(state: State, command: cmd.ReportEntered, now_us: int) -> Decided:
    """The workspace is ready: pin the run if it is not pinned yet, and plan the phase's attempt."""
    run = state.runs.get(command.run)
    if run is None or is_over(run) or run.phase.stage is not Stage.ENTER or run.phase.state is not PhaseState.RUNNING:
        return NOTHING
    item = state.items[run.item]
    events: list[Event] = []
    if run.state is RunState.CREATED or run.base_commit != command.base_commit:
        events.append(_bind(state, item, run, command))
    if not item.is_held:  # when it is resumed, it is entered again
        events.append(plan_attempt(run, run.phase, command.head, command.tree, command.refs))
    return Decided(about(item, *events, cause=cause_of(state, item.id)))


def _bind(state: State, item: Item, run: Run, report: cmd.ReportEntered) -> ev.RunBound:
    config = config_of(state, run)
    agents = sorted({each.agent for each in run.pipeline.all_phases if each.agent})
    inputs = {"title": item.title, "description": item.description, "vars": item.vars, "base": item.base}
    return ev.RunBound(
        run=run.id,
        pipeline=run.pipeline,
        pipeline_digest=digest(run.pipeline),
        config_digest=run.config_digest,
        bindings={agent: digest(config.agents.get(agent)) for agent in agents},
        inputs_digest=digest(inputs),
        base_branch=report.base_branch,
        base_commit=report.base_commit,
        branch=report.branch,
        workspace=report.workspace,
        environment=report.environment,
    )


def trouble(state: State, command: cmd.ReportTrouble, now_us: int) -> Decided:
    """Something about the workspace needs a human."""
    run = state.runs.get(command.run)
    if run is None or is_over(run) or run.state is RunState.AWAITING:
        return NOTHING
    item = state.items[run.item]
    reason = f"{command.doing}: {command.message}" + (f" {command.hint}" if command.hint else "")
    return Decided(about(item, *fail(item, run, "trouble", reason), cause=cause_of(state, item.id)))


# --- verifying and committing ------------------------------------------------------------------------------------


def verify_or_commit(run: Run, phase: Phase, tree: str) -> tuple[Event, ...]:
    """What follows a tree that is to be taken: the verify commands on it, or at once its commit."""
    commands = definition_of(run, phase).verify or ()
    return (ev.PhaseVerifying(run=run.id, phase=phase.name, tree=tree, commands=len(commands)),)


def plan_verify(state: State, command: cmd.PlanVerify, now_us: int) -> Decided:
    """Run the phase's next verify command."""
    run = state.runs.get(command.run)
    if run is None or is_over(run):
        return NOTHING
    phase = run.phase
    if slots.held_back(state, run) or not slots.may_verify(phase, now_us):
        return NOTHING
    commands = definition_of(run, phase).verify or ()
    number = phase.verified + 1
    planned = ev.AttemptPlanned(
        attempt=f"{run.id}.{phase.name}.verify_{phase.command + 1}.{number}",
        run=run.id,
        phase=phase.name,
        number=number,
        kind=AttemptKind.VERIFY,
        command=commands[phase.command],
    )
    item = state.items[run.item]
    return Decided(about(item, planned, cause=cause_of(state, item.id)))


def committed(state: State, command: cmd.ReportCommitted, now_us: int) -> Decided:
    """The work is in git: another round, a human's approval, or the end of the phase."""
    run = state.runs.get(command.run)
    if run is None or is_over(run) or run.phase.stage is not Stage.COMMIT:
        return NOTHING
    item, phase = state.items[run.item], run.phase
    if phase.state not in (PhaseState.RUNNING, PhaseState.VERIFYING):
        return NOTHING
    created = ev.CommitCreated(
        run=run.id,
        phase=phase.name,
        attempt=command.attempt,
        head=command.head,
        tree=command.tree,
        commit=command.commit,
        message=command.message if command.commit else "",
        files=command.files,
        insertions=command.insertions,
        deletions=command.deletions,
    )
    if phase.more_rounds:
        after = _next_round(state, item, run)
    else:
        content = Content(commit=command.head, tree=command.tree)
        after = next_approval(state, item, run, content=content)
    return Decided(about(item, created, *after, cause=cause_of(state, item.id)))


def _next_round(state: State, item: Item, run: Run) -> tuple[Event, ...]:
    phase = run.phase
    bound = config_of(state, run).execution.max_rounds
    if phase.rounds + 1 >= bound:
        return fail(item, run, "rounds", f"it is not complete after {bound} rounds (max_rounds).", phase.accepted)
    reset = ev.PhaseReset(
        run=run.id, phase=phase.name, reason="next round", note_kind=NoteKind.ROUND, note=phase.summary
    )
    return (reset,)


def next_approval(
    state: State, item: Item, run: Run, *, content: Content | None = None, approved: str = ""
) -> tuple[Event, ...]:
    """Ask for the next approval that this tree does not have yet; when it has all, the phase is completed."""
    phase = run.phase
    about_now = content or Content(commit=run.head, tree=phase.tree)
    given = {key for key, tree in phase.approvals if tree == about_now.tree} | ({approved} if approved else set())
    for key in definition_of(run, phase).gate:
        if key not in given:
            named = "" if key == "approval" else f" ({key})"
            question = f"Approve{named}? {phase.summary or item.title}"
            return (open_gate(item, run, GateKind.APPROVAL, key, question, about_now, phase.accepted),)
    completed = ev.PhaseCompleted(run=run.id, phase=phase.name, summary=phase.summary, commit=about_now.commit)
    return completed, *after_phase(item, run, about_now.commit)


def after_phase(item: Item, run: Run, commit: str = "") -> tuple[Event, ...]:
    """What follows the end of the phase under way: the item is ready, or done, or its next phase is next."""
    after = run.index + 1
    if after >= len(run.phases):
        return () if item.is_held else completion(run, commit or run.head)
    if after == len(run.pipeline.pre_phases):
        return (ev.ItemMoved(to=Status.READY, reason="scoped"),)
    return ()


def completion(run: Run, head: str) -> tuple[Event, ...]:
    """The end of a run of which nothing is left to do; that of a paused item comes when it is resumed."""
    return ev.RunCompleted(run=run.id, commit=head), ev.ItemCompleted(commit=head)


def kept(state: State, command: cmd.ReportKept, now_us: int) -> Decided:
    """Uncommitted work is safe, and the tree was put back or the worktree removed."""
    run = state.runs.get(command.run)
    if run is None:
        return NOTHING
    waiting = run.tidy if command.then == "removed" else any(each.put_back == command.attempt for each in run.phases)
    if not waiting:
        return NOTHING
    safe = ev.WorkKept(
        run=run.id,
        then=command.then,
        attempt=command.attempt,
        ref=command.ref,
        commit=command.commit,
        listed=command.listed,
    )
    return Decided(about(state.items[run.item], safe, cause=cause_of(state, run.item)))


def filed(state: State, command: cmd.ReportFiled, now_us: int) -> Decided:
    """The final report of an ended run is on disk."""
    run = state.runs.get(command.run)
    if run is None or run.reported or not state.is_put_away(run):
        return NOTHING
    written = ev.ReportWritten(run=run.id, through=command.through, digests=command.digests)
    return Decided(about(state.items[run.item], written, cause=cause_of(state, run.item)))
