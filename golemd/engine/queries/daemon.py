"""The daemon and its projects at a glance."""

from __future__ import annotations

import os
from typing import Any

import trio

import golemd
from golemd.api import calls, views
from golemd.api.model import Attempt, AttemptState
from golemd.core import present
from golemd.engine.context import Context
from golemd.engine.queries.common import clock, wanted


def ping(engine: Context, call: calls.Ping) -> views.Pong:
    return views.Pong(
        version=golemd.__version__,
        pid=os.getpid(),
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
        pid=os.getpid(),
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
    return views.ShutdownView(pid=os.getpid(), ending=running, kept=keep)


def status(engine: Context, call: calls.Status) -> views.StatusView:
    state = engine.state
    engine.parts.journal.poke()
    projects = [state.project(call.project)] if call.project else list(state.projects.values())
    only = wanted(engine, projects, call.only)
    seen = {each.id: seen_of(engine, each) for each in present.running_attempts(state)}
    return present.status_view(state, projects, call.all, clock(engine), daemon_view(engine), seen, only)


def seen_of(engine: Context, attempt: Attempt) -> present.Seen:
    """The end of an attempt's output."""
    runner = engine.parts.runner
    return present.Seen(runner.last_output_at(attempt.id), tuple(runner.tail(attempt.id)))


def project_list(engine: Context, call: calls.ProjectList) -> tuple[views.ProjectView, ...]:
    return tuple(present.project_view(engine.state, project) for project in engine.state.projects.values())
