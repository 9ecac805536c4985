"""The effect table: an intent that is durable → an adapter → a report, which is a command like any other.

Every effect can be done again after a crash at any point: an attempt is known by its folder, a commit by its trailer, a
worktree by its branch. A failure is never swallowed: it becomes a failure gate, a rejected attempt, or is tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from golemd.adapters.disk import FULL
from golemd.api.faults import Fault, Unavailable
from golemd.core import commands as cmd
from golemd.core import plan
from golemd.engine.context import Context
from golemd.engine.effects import attempts, examine, notices, prune, reports, shared_trees, worktrees
from golemd.engine.effects.examine import PASSING

log = logging.getLogger(__name__)

DISK_FULL: Final = "disk_full"  # the code of the journal's refusal, and of git's
DEFECT: Final = "internal"
RETRY_SECONDS: Final = 30.0  # until an effect that failed, and that no gate can ask about, is tried again


async def carry_out(engine: Context, effect: plan.Effect) -> None:
    """Do one effect and report what came of it."""
    try:
        await engine.settled()  # an effect reads the state: what it finds there must be durable, not its intent alone
        if not plan.is_left(engine.state, effect):
            await _EFFECTS[type(effect)](engine, effect)
        engine.failing.pop(effect.key, None)
    except Exception as error:
        if is_fatal(error):
            raise
        fault = _fault_of(error)
        log.warning("%s: %s %s", effect.key, fault.message, fault.hint, exc_info=fault.code == DEFECT)
        await _report_failure(engine, effect, fault)
    finally:
        if not isinstance(effect, plan.Stop):  # asking twice would cut the grace short
            engine.in_flight.discard(effect.key)
        engine.wake()


def is_fatal(error: BaseException) -> bool:
    """Whether the error is the journal's own: then nothing may go on."""
    return isinstance(error, Fault) and hasattr(error, "exit_status")


def _fault_of(error: Exception) -> Fault:
    """What is said of an error. What the operating system refuses is no defect of golemd."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        code = DISK_FULL if error.errno in FULL else "refused_by_system"
        return Unavailable(code, f"{where}{error.strerror or error}.", "Mend that (room, permissions), then retry.")
    return Fault(DEFECT, f"{type(error).__name__}: {error}", "See golemd's log, and please report it.")


async def _report_failure(engine: Context, effect: plan.Effect, fault: Fault) -> None:
    """Record a failure. What a full disk leaves unrecorded is done again when there is room.

    A full disk that the journal can still write on, say one of worktrees alone, is a failure like any other.
    """
    report = _FAILURES.get(type(effect))
    passes = isinstance(effect, plan.Examine) and fault.code in PASSING
    try:
        if fault.code == DISK_FULL and not engine.parts.journal.poke():
            raise fault
        if report is not None and not passes:
            recorded = await engine.report(report(effect, fault))
            if recorded or not isinstance(effect, plan.Keep):  # which is asked for while another gate is open, too
                return
        reason = f"{fault.message.rstrip('.')}. {fault.hint}".rstrip(". ")
        engine.failing[effect.key] = f"{reason}. It is tried again every {RETRY_SECONDS:.0f} s."
        with trio.move_on_after(RETRY_SECONDS):
            await engine.stop_asked.wait()
    except Fault as refused:
        if refused.code != DISK_FULL:
            raise
        await engine.room()


def _trouble(doing: str) -> Callable[[Any, Fault], cmd.Command]:
    def report(effect: Any, fault: Fault) -> cmd.Command:  # noqa: ANN401 - any effect about a run
        run = getattr(effect, "run", "") or effect.id
        return cmd.ReportTrouble(run=run, doing=doing, message=fault.message, hint=fault.hint)

    return report


_FAILURES: Final[dict[type[plan.Effect], Callable[[Any, Fault], cmd.Command]]] = {
    plan.Enter: _trouble("preparing the workspace"),
    plan.Commit: _trouble("committing"),
    plan.Rebuild: _trouble("bringing back the workspace"),
    plan.SetAside: lambda effect, fault: cmd.ReportKept(run=effect.id, then="left", listed=(fault.message,)),
    plan.Keep: _trouble("keeping what a failed attempt left"),
    plan.Spawn: lambda effect, fault: cmd.ReportNotSpawned(attempt=effect.id, message=f"{fault.message} {fault.hint}"),
    plan.Examine: lambda effect, fault: cmd.ReportExamined(attempt=effect.id, trouble=f"{fault.message} {fault.hint}"),
}


_EFFECTS: Final[dict[type[plan.Effect], Callable[[Any, Any], Awaitable[None]]]] = {
    plan.Spawn: attempts.spawn,
    plan.Watch: attempts.watch,
    plan.Stop: attempts.stop,
    plan.Fence: attempts.fence,
    plan.Examine: examine.examine,
    plan.Enter: worktrees.enter,
    plan.Commit: worktrees.commit,
    plan.Flush: shared_trees.flush,
    plan.Keep: worktrees.keep,
    plan.Tidy: worktrees.tidy,
    plan.Notify: notices.notify,
    plan.WriteReport: reports.write,
    plan.Prune: prune.prune,
    plan.PruneJournal: prune.prune_journal,
    plan.SetAside: worktrees.set_aside,
    plan.Rebuild: worktrees.rebuild,
}
