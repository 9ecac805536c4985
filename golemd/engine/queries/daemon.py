"""The daemon and its projects at a glance."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final

import trio
from msgspec.structs import replace

import golemd
from golemd.api import calls, views
from golemd.api.model import Attempt, AttemptState
from golemd.core import present
from golemd.core.state import State
from golemd.engine import past
from golemd.engine.context import Context
from golemd.engine.effects.secrets import hidden
from golemd.engine.logs import tail_of
from golemd.engine.queries.common import clock, wanted

TAIL_LINES: Final = 3


def ping(engine: Context, call: calls.Ping) -> views.Pong:
    return views.Pong(
        version=golemd.__version__,
        pid=engine.parts.pid,
        seq=engine.parts.journal.durable_seq,
        state_dir=str(engine.parts.state_dir),
    )


def describe(engine: Context, call: calls.Describe) -> dict[str, Any]:
    return calls.describe()


def daemon_view(engine: Context) -> views.DaemonView:
    """The daemon itself."""
    journal = engine.parts.journal
    full = "the disk is full: nothing is launched and changing calls are refused until there is room"
    return views.DaemonView(
        version=golemd.__version__,
        pid=engine.parts.pid,
        uptime_s=round(trio.current_time() - engine.started_at, 3),
        seq=engine.state.seq,
        durable_seq=journal.durable_seq,
        state_dir=str(engine.parts.state_dir),
        instance=engine.parts.instance,
        degraded=full if journal.degraded else None,
        stopping=bool(engine.stopping),
        held_back=engine.short or None,
    )


def shutdown_view(engine: Context, keep: bool) -> views.ShutdownView:
    """What a stop will do to running attempts."""
    running = tuple(each.id for each in engine.state.attempts.values() if each.state is AttemptState.SPAWNED)
    return views.ShutdownView(pid=engine.parts.pid, ending=running, kept=keep)


def status(engine: Context, call: calls.Status) -> views.StatusView | Awaitable[views.StatusView]:
    if call.at is not None:
        return _status_then(engine, call, call.at)
    engine.parts.journal.poke()
    seen = {each.id: seen_of(engine, each) for each in present.running_attempts(engine.state)}
    return _status(engine.state, call, clock(engine), daemon_view(engine), seen)


async def _status_then(engine: Context, call: calls.Status, at: int | str) -> views.StatusView:
    """What was true at a moment of the past. How full the disk was, and what agents wrote by then, is not known."""
    moment = past.last_until(engine, at)
    state = await past.state_at(engine, moment.seq)
    told = replace(daemon_view(engine), seq=moment.seq, at=moment.at, degraded=None, held_back=None, stopping=False)
    return _status(state, call, present.Clock(moment.at_us, engine.limits), told, {})


def _status(
    state: State, call: calls.Status, when: present.Clock, daemon: views.DaemonView, seen: dict[str, present.Seen]
) -> views.StatusView:
    projects = [state.project(call.project)] if call.project else list(state.projects.values())
    only = wanted(state, projects, call.only)
    return present.status_view(state, projects, call.all, when, daemon, seen, only)


def seen_of(engine: Context, attempt: Attempt) -> present.Seen:
    """The end of an attempt's output."""
    tail = tail_of(engine, attempt, TAIL_LINES, hidden(engine, attempt))
    return present.Seen(engine.parts.runner.last_output_at(attempt.id), tail)


def project_list(engine: Context, call: calls.ProjectList) -> tuple[views.ProjectView, ...]:
    now_us = engine.now_us()
    return tuple(present.project_view(engine.state, project, now_us) for project in engine.state.projects.values())
