"""Attempts: start, adopt, stop and fence them, and report how they ended."""

from __future__ import annotations

import errno
import logging
from typing import Final

from golemd.adapters.processes.runner import Exit, Identity, Lost, Verdict
from golemd.api.model import Attempt
from golemd.core import commands as cmd
from golemd.core import plan
from golemd.engine.context import Context
from golemd.engine.effects.examine import said_by
from golemd.engine.effects.places import agent_of
from golemd.engine.effects.spec import job_of
from golemd.engine.programs import Unusable, require_version

_UNUSABLE: Final = frozenset(
    {errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EPERM}
)

log = logging.getLogger(__name__)


async def spawn(engine: Context, effect: plan.Spawn) -> None:
    """Start a planned attempt and see to its end. One that an earlier daemon started, unrecorded, is taken up."""
    attempt = engine.state.attempts[effect.id]
    if engine.parts.runner.observe(attempt.id).identity is not None:
        await watch(engine, effect)
        return
    path = await engine.search_path.known()
    async with engine.turn_to_start():
        started = await _start(engine, attempt, path)
    if started:
        await _see_to_its_end(engine, effect.id)


async def _start(engine: Context, attempt: Attempt, path: str) -> bool:
    """Start an attempt; whether it was. What it was made of, its environment above all, is not kept while it runs."""
    if engine.stopping or plan.is_unwanted(engine.state, engine.state.runs[attempt.run]):
        return False  # it is planned, so it is started, or fenced, later
    try:
        job = job_of(engine, attempt, path)
        if attempt.agent:
            kind = agent_of(engine, engine.state.runs[attempt.run], attempt).kind
            await require_version(engine, kind, job.spec.argv[0], job.spec.env)
        started = await engine.parts.runner.submit(job.spec)
    except Unusable as unusable:
        await engine.report(cmd.ReportNotSpawned(attempt=attempt.id, message=str(unusable), usable=False))
        return False
    who = engine.parts.runner.observe(attempt.id).identity if isinstance(started, Exit) else started
    if who is not None:  # a program may have ended as soon as it began, and still it has a session
        await _claim(engine, who, adopted=False, session=job.session)
    return True


async def watch(engine: Context, effect: plan.Watch | plan.Spawn | plan.Fence) -> None:
    """Adopt an attempt that was started earlier, or learn how it ended."""
    observed = engine.parts.runner.observe(effect.id)
    if engine.parts.runner.verdict(effect.id) is Verdict.ADOPT and observed.identity is not None:
        await _claim(engine, observed.identity, adopted=True)
    await _see_to_its_end(engine, effect.id)


async def _claim(engine: Context, who: Identity, *, adopted: bool, session: str = "") -> None:
    report = cmd.ReportSpawned(
        attempt=who.attempt,
        pid=who.pid,
        start=who.start,
        shim_pid=who.shim_pid,
        boot_id=who.boot_id,
        session=session,
        adopted=adopted,
    )
    await engine.report(report)
    engine.claimed.add(who.attempt)  # only now: being ready, and leaving it alone at a stop, rely on the record
    engine.wake()


async def _see_to_its_end(engine: Context, attempt: str) -> None:
    ended = await engine.parts.runner.wait(attempt)
    if isinstance(ended, Lost):
        left = await engine.parts.runner.end_leftovers(attempt)
        more = f"; {len(left)} processes it left were ended" if left else ""
        reason = f"its process is gone and left no exit record{more}"
        said = await said_by(engine, engine.state.attempts[attempt])
        await engine.report(cmd.ReportLost(attempt=attempt, reason=reason, said=said))
    else:
        if ended.survivors:
            log.warning("%d processes of %s belong to another user and go on", ended.survivors, attempt)
        await engine.report(_exit_report(ended))
    engine.claimed.discard(attempt)
    engine.in_flight.discard(plan.Stop(attempt).key)  # nobody is left to be asked twice


def _exit_report(ended: Exit) -> cmd.ReportExit:
    unusable = ended.reason == "spawn_failed" and ended.errno in _UNUSABLE and ended.stage in ("exec", "cwd")
    return cmd.ReportExit(
        attempt=ended.attempt,
        status=ended.status,
        signal=ended.signal,
        reason="unusable" if unusable else ended.reason,
        errno=ended.errno,
        duration_s=round(ended.duration_s, 3),
        cpu_s=round(ended.cpu_s, 3),
        max_rss_kb=ended.max_rss_kb,
        ended_descendants=ended.ended_descendants,
        oom_kills=ended.oom_kills,
        memory_limit_mb=ended.memory_limit >> 20,
    )


async def stop(engine: Context, effect: plan.Stop) -> None:
    engine.parts.runner.stop(effect.id)


async def fence(engine: Context, effect: plan.Fence) -> None:
    """Close an attempt that never started; one that did start, unrecorded, is taken up, so that it can be stopped."""
    seen = engine.parts.runner.observe(effect.id)
    if seen.held or (seen.started and seen.exit is None):
        await watch(engine, effect)
    else:
        await engine.report(_exit_report(await engine.parts.runner.fence(effect.id)))
