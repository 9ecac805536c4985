"""decide(state, command, now) → what happens; or a Fault is raised, and nothing does.

One function per command, in a file by noun; this file joins them. Values in, values out: the facts a decision needs
are fields of the command. A report that no longer fits, because its run is over or its attempt judged, decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from golemd.api import calls
from golemd.api.faults import Internal
from golemd.core import commands as cmd
from golemd.core.decide import (
    advance,
    agents,
    attempts,
    budgets,
    checks,
    daemon,
    deferring,
    dispatches,
    gates,
    imports,
    items,
    launching,
    pauses,
    phases,
    projects,
    pruning,
    worktrees,
)
from golemd.core.decide.common import Decided
from golemd.core.state import State

_ASKED: Final[dict[type[calls.Call[Any]], Callable[[State, Any, cmd.Asked], Decided]]] = {
    calls.ProjectInit: projects.init,
    calls.ProjectRemove: projects.remove,
    calls.Reload: projects.reload,
    calls.Import: imports.import_items,
    calls.ItemAdd: items.add,
    calls.ItemEdit: items.edit,
    calls.ItemAdvance: advance.advance,
    calls.ItemCancel: items.cancel,
    calls.ItemReopen: items.reopen,
    calls.ItemUnblock: gates.unblock,
    calls.GateDecide: gates.decide_gate,
    calls.JournalPrune: pruning.prune,
    calls.Pause: pauses.pause,
    calls.Resume: pauses.resume,
    calls.RunStart: dispatches.run_start,
    calls.RunStop: dispatches.run_stop,
    calls.Triage: dispatches.triage,
}

_OWN: Final[dict[type[cmd.Command], Callable[[State, Any, int], Decided]]] = {
    cmd.Promote: launching.promote,
    cmd.Launch: launching.launch,
    cmd.PlanSetup: checks.plan_setup,
    cmd.PlanVerify: checks.plan_verify,
    cmd.Halt: dispatches.halt,
    cmd.AskBudget: budgets.ask,
    cmd.Unpark: attempts.unpark,
    cmd.ReportDaemonStarted: daemon.started,
    cmd.ReportDaemonStopped: daemon.stopped,
    cmd.ReportEntered: phases.entered,
    cmd.ReportGone: worktrees.gone,
    cmd.ReportMade: worktrees.back,
    cmd.ReportTrouble: phases.trouble,
    cmd.ReportCommitted: phases.committed,
    cmd.ReportKept: worktrees.kept,
    cmd.ReportFlushed: deferring.flushed,
    cmd.Defer: deferring.defer,
    cmd.ReportFiled: phases.filed,
    cmd.ReportSpawned: attempts.spawned,
    cmd.ReportNotSpawned: attempts.not_spawned,
    cmd.ReportExit: attempts.exited,
    cmd.ReportLost: attempts.lost,
    cmd.ReportExamined: attempts.examined,
    cmd.ReportNotified: gates.notified,
}


def decide(state: State, command: cmd.Command, now_us: int) -> Decided:
    """What follows from a command in this state. Raises Fault: a refusal, which changes nothing."""
    if isinstance(command, cmd.Asked):
        agents.admit(state, command.call, command.agent)
        asked = _ASKED.get(type(command.call))
        if asked is None:
            raise Internal("not_a_change", f"{command.call.METHOD} changes nothing and cannot be decided.")
        return asked(state, command.call, command)
    return _OWN[type(command)](state, command, now_us)
