"""An attempt that does not count: in words why, what it costs by the table of outcomes, and what comes then."""

from __future__ import annotations

from typing import Final

from golemd.api import events as ev
from golemd.api.events import Draft, Event
from golemd.api.model import Attempt, Item, Outcome
from golemd.core import commands as cmd
from golemd.core import outcomes
from golemd.core.decide.common import Decided, about, cause_of, config_of, definition_of, fail, is_over
from golemd.core.exclusion import keeps_leftovers
from golemd.core.state import State

BY_REASON: Final = {
    "timeout": (Outcome.TIMEOUT, "it ran longer than its time limit"),
    "idle": (Outcome.TIMEOUT, "it printed nothing for too long (idle_timeout_minutes)"),
    "output": (Outcome.OUTPUT_LIMIT, "it printed more than max_output_mb"),
    "memory": (Outcome.OUT_OF_MEMORY, "it ran out of memory"),
    "stopped": (Outcome.CANCELLED, "it was interrupted"),
    "never_started": (Outcome.CANCELLED, "it was interrupted before it began"),
}

NOT_STARTED: Final = {
    "spawn_failed": (Outcome.TRANSIENT, "it could not be started"),
    "unusable": (Outcome.UNUSABLE, "it cannot be started"),
}


def decided(state: State, item: Item, *events: Event | Draft) -> Decided:
    """What follows from the end of an attempt, which is recorded even when the disk is nearly full."""
    return Decided(about(item, *events, cause=cause_of(state, item.id)), essential=True)


def how_it_ended(attempt: Attempt) -> str:
    """The end of a process in words."""
    if attempt.reason in BY_REASON:
        words = BY_REASON[attempt.reason][1]
    elif attempt.signal is not None:
        words = f"it was ended by signal {attempt.signal}"
    else:
        words = f"it ended with exit status {attempt.status}"
    if attempt.reason != "memory" and attempt.oom_kills:
        words += f", and {attempt.oom_kills} of its processes ran out of memory"
    limit = f"{attempt.memory_limit_mb} MB for all its processes together (max_memory_mb in golemd.toml)"
    whose = limit if attempt.memory_limit_mb else "the machine had none left"
    return f"{words}: {whose}" if attempt.reason == "memory" or attempt.oom_kills else words


def not_started(state: State, attempt: Attempt, report: cmd.ReportExamined, now_us: int) -> Decided:
    """The program never ran: for the moment, or in a way that trying again cannot mend."""
    outcome, message = NOT_STARTED[attempt.reason]
    return reject(state, attempt, outcome, report.error or message, now_us)


def reject(
    state: State, attempt: Attempt, outcome: Outcome, message: str, now_us: int, lines: tuple[str, ...] = ()
) -> Decided:
    """The attempt does not count; its row of the table says what comes then. `lines`: what a human is shown of it."""
    item, run = state.items[attempt.item], state.runs[attempt.run]
    phase = run.phase
    if outcome is Outcome.CANCELLED or is_over(run) or run.leaving:
        rejected = ev.AttemptRejected(attempt=attempt.id, outcome=Outcome.CANCELLED, message=message)
        return decided(state, item, rejected)
    verdict = outcomes.judge(outcome, phase, definition_of(run, phase), config_of(state, run).execution, now_us)
    rejected = ev.AttemptRejected(
        attempt=attempt.id,
        outcome=outcome,
        message=message,
        spends="" if verdict.exhausted else verdict.spends,
        again_us=verdict.again_us,
        put_back=verdict.put_back and not keeps_leftovers(state, run),
    )
    events: list[Event] = [rejected]
    if verdict.exhausted:
        first = message.splitlines()[0]
        often = f" ({attempt.number} attempts so far)" if attempt.number > 1 else ""
        events += fail(item, run, str(outcome), f"{first}{often}", attempt.id, lines)
    return decided(state, item, *events)
