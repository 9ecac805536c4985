"""The daemon's own commands: planned, and judged by how they ended. An agent's word counts for nothing here."""

from __future__ import annotations

from golemd.api import events as ev
from golemd.api.events import Event
from golemd.api.model import Attempt, AttemptKind, Item, Outcome, Phase, Run
from golemd.api.words import count
from golemd.core import commands as cmd
from golemd.core import outcomes, slots
from golemd.core.decide.common import NOTHING, Decided, about, cause_of, config_of, definition_of, fail, is_over
from golemd.core.decide.verdicts import NOT_STARTED, decided, how_it_ended, not_started, reject
from golemd.core.state import State

Live = tuple[Item, Run, Phase, Attempt]


def plan_verify(state: State, command: cmd.PlanVerify, now_us: int) -> Decided:
    """Run the phase's next verify command."""
    run = state.runs.get(command.run)
    if run is None or is_over(run):
        return NOTHING
    phase = run.phase
    if slots.held_back(state, run) or not slots.may_verify(run, now_us):
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


def plan_setup(state: State, command: cmd.PlanSetup, now_us: int) -> Decided:
    """Run the next setup command of a new worktree."""
    run = state.runs.get(command.run)
    if run is None or is_over(run) or slots.held_back(state, run) or not slots.may_set_up(run, now_us):
        return NOTHING
    phase, number = run.phase, run.phase.set_up + 1
    planned = ev.AttemptPlanned(
        attempt=f"{run.id}.{phase.name}.setup_{run.setup + 1}.{number}",
        run=run.id,
        phase=phase.name,
        number=number,
        kind=AttemptKind.SETUP,
        command=config_of(state, run).workspace.setup[run.setup],
    )
    item = state.items[run.item]
    return Decided(about(item, planned, cause=cause_of(state, item.id)))


# --- how they ended ----------------------------------------------------------------------------------------------


def judged(state: State, found: Live, report: cmd.ReportExamined, now_us: int) -> Decided:
    """What a command showed. One that was interrupted, or could not be started, is run again."""
    attempt = found[3]
    if attempt.reason in ("stopped", "never_started"):
        return reject(state, attempt, Outcome.CANCELLED, how_it_ended(attempt), now_us)
    if attempt.reason in NOT_STARTED:
        return not_started(state, attempt, report, now_us)
    passed = attempt.status == 0 and not attempt.reason
    judge = _verified if attempt.kind is AttemptKind.VERIFY else _set_up
    return judge(state, found, passed, report.lines, now_us)


def _set_up(state: State, found: Live, passed: bool, lines: tuple[str, ...], now_us: int) -> Decided:
    """A worktree that cannot be set up is a human's to mend: agents know nothing of it."""
    item, run, phase, attempt = found
    if not passed:
        message = f"the setup command {attempt.command!r} failed: {how_it_ended(attempt)}"
        return reject(state, attempt, Outcome.SETUP, message, now_us, lines)
    left = len(config_of(state, run).workspace.setup) - run.setup - 1
    prepared = ev.WorktreePrepared(run=run.id, phase=phase.name, attempt=attempt.id, command=attempt.command, left=left)
    return decided(state, item, prepared)


def _verified(state: State, found: Live, passed: bool, lines: tuple[str, ...], now_us: int) -> Decided:
    """Evidence; a command that fails costs a fix attempt, or at the bound a gate opens."""
    item, run, phase, attempt = found
    verdict = outcomes.judge("verify", phase, definition_of(run, phase), config_of(state, run).execution, now_us)
    evidence = ev.EvidenceRecorded(
        run=run.id,
        phase=phase.name,
        attempt=attempt.id,
        command=attempt.command,
        outcome="passed" if passed else "failed",
        tree=phase.tree,
        status=attempt.status,
        duration_s=attempt.duration_s,
        lines=lines if passed else (*lines, how_it_ended(attempt)),
        spends="" if passed or verdict.exhausted else verdict.spends,
    )
    events: list[Event] = [evidence]
    if not passed:
        events += _not_run(run, phase)
    if not passed and verdict.exhausted:
        reason = f"{attempt.command!r} still fails after {count(phase.fixes, 'fix attempt')} (max_fix_attempts)"
        events += fail(item, run, "verify", reason, attempt.id)
    return decided(state, item, *events)


def _not_run(run: Run, phase: Phase) -> list[Event]:
    """The commands after one that failed: said to be not run, never assumed."""
    left = (definition_of(run, phase).verify or ())[phase.command + 1 :]
    return [
        ev.EvidenceRecorded(
            run=run.id, phase=phase.name, attempt="", command=command, outcome="not_run", tree=phase.tree
        )
        for command in left
    ]
