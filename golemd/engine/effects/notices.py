"""Telling a person that a gate is open: a few tries, then it is recorded that somebody was told, or nobody could be.

The record is what keeps a gate from being told of twice, and lets the next daemon tell what this one did not. A stop
leaves a try that is under way a few seconds; what it then has not told, the next daemon tells.
"""

from __future__ import annotations

import logging
from typing import Final

import msgspec
import trio

from golemd.api import calls, views
from golemd.api.faults import Fault
from golemd.api.model import Gate
from golemd.core import commands as cmd
from golemd.core import gate_views, plan
from golemd.engine.context import Context
from golemd.engine.queries.items import gate_show

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS: Final = 5.0  # before the second try; four times as long before each further one
LONGEST_WAIT_SECONDS: Final = 600.0
STOP_SECONDS: Final = 3.0  # for a try that is under way when the daemon stops


async def notify(engine: Context, effect: plan.Notify) -> None:
    """Tell a person that the gate is open, unless it is decided first."""
    problem = ""
    most = engine.parts.settings.limits.notify_tries
    for tries in range(1, most + 1):
        with trio.move_on_after(_wait_before(tries)):
            await engine.stop_asked.wait()
        gate = engine.state.gates.get(effect.id)
        if engine.stop_asked.is_set() or gate is None or not gate.is_open:
            return
        problem = await _tell(engine, gate)
        if not problem:
            await engine.report(cmd.ReportNotified(gate=gate.id, tries=tries))
            return
        if engine.stop_asked.is_set():
            return
        log.warning("nobody could be told that %s waits: the notification failed, %s", gate.id, problem)
    await engine.report(cmd.ReportNotified(gate=effect.id, tries=most, message=problem))


def _wait_before(number: int) -> float:
    """Seconds before the try of that number."""
    return min(FIRST_WAIT_SECONDS * 4.0 ** (number - 2), LONGEST_WAIT_SECONDS) if number > 1 else 0.0


async def _tell(engine: Context, gate: Gate) -> str:
    """One try, which a stop of the daemon cuts short; what went wrong."""
    notifier = engine.parts.notifier
    assert notifier is not None  # else plan would not have asked
    detail = await _detail(engine, gate)
    title = f"{gate.item} waits for you ({detail.project}, {gate.phase})"
    problem = "golemd stops"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_hurry, engine, nursery.cancel_scope)
        path = await engine.search_path.known()
        problem = await notifier.tell(gate.id, title, gate.question, msgspec.json.encode(detail), path)
        nursery.cancel_scope.cancel()
    return problem


async def _detail(engine: Context, gate: Gate) -> views.GateDetail:
    """What gate.show answers; without the changes, where git does not tell them."""
    plain = gate_views.gate_detail(engine.state, gate)
    try:
        return await gate_show(engine, calls.GateShow(gate=gate.id))
    except Fault:
        return plain


async def _hurry(engine: Context, scope: trio.CancelScope) -> None:
    await engine.stop_asked.wait()
    scope.deadline = trio.current_time() + STOP_SECONDS
