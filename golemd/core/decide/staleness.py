"""Staleness: the work of an earlier phase is no longer in the history that a destructive phase would build upon."""

from __future__ import annotations

from golemd.api import events as ev
from golemd.api.events import Event
from golemd.api.model import Content, Gate, GateKind, Item, Run
from golemd.core import commands as cmd
from golemd.core.decide.common import definition_of, open_gate

KEY = "stale:"


def is_checked(run: Run) -> bool:
    """Whether the commits of earlier phases must be in the history before the phase under way may begin."""
    definition = definition_of(run, run.phase)
    return definition.staleness != "ignore" and not run.phase.stale_accepted


def warning(run: Run, report: cmd.ReportEntered) -> tuple[str, ...]:
    """What is said at the phase when it goes on all the same."""
    stale = _stale(run, report)
    return (f"the work of {stale} is no longer in the history of {report.branch}",) if stale else ()


def asked(item: Item, run: Run, report: cmd.ReportEntered) -> Event | None:
    """The gate that keeps the phase from beginning, when its configuration says so."""
    stale = _stale(run, report)
    if not stale or definition_of(run, run.phase).staleness != "block":
        return None
    question = (
        f"The work of {stale} is no longer in the history of {report.branch}. "
        f"Go on with {run.phase.name} all the same, run it again from there, or abort?"
    )
    content = Content(commit=report.head, tree=report.tree)
    return open_gate(item, run, GateKind.STALENESS, KEY + report.missing[0], question, content)


def _stale(run: Run, report: cmd.ReportEntered) -> str:
    """The phases whose commits are gone, in words; nothing where that is not asked."""
    if not is_checked(run):
        return ""
    commits = {phase.name: phase.commit[:7] for phase in run.phases}
    return ", ".join(f"{name} (commit {commits[name]})" for name in report.missing)


def proceed(run: Run) -> ev.PhaseReset:
    """Go on with what is there."""
    return ev.PhaseReset(run=run.id, phase=run.phase.name, reason="went on without stale work", accept_stale=True)


def rerun_prior(run: Run, gate: Gate) -> tuple[Event, ...]:
    """Back to the first phase whose work is gone; the later ones begin anew behind it."""
    names = [phase.name for phase in run.phases]
    first, last = names.index(gate.key.removeprefix(KEY)), min(run.index, len(names) - 1)
    reason = f"the work of {names[first]} was gone"
    return tuple(
        ev.PhaseReset(run=run.id, phase=name, reason=reason, back=True, afresh=True)
        for name in reversed(names[first : last + 1])
    )
