"""The engine: one way for every command, one planner task, one nursery."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import trio

import golemd
from golemd.adapters.socket import Session
from golemd.api import calls
from golemd.api.events import Record
from golemd.api.faults import Fault, Unavailable
from golemd.api.model import AttemptState, HaltReason
from golemd.core import commands as cmd
from golemd.core import plan as planning
from golemd.core.state import State
from golemd.engine import effects, prepare, queries, snapshots, streams
from golemd.engine.changes import Changes
from golemd.engine.context import ROOM_SECONDS, Context, Parts
from golemd.engine.effects import worktrees
from golemd.engine.queries import daemon
from golemd.engine.room import look_at_room

log = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 5.0  # for all attempts of an earlier daemon together, before the socket answers


class Engine(Context):
    """Turns commands into durable facts, and durable facts into doing."""

    def __init__(self, parts: Parts, state: State) -> None:
        super().__init__(parts, state)
        self.changes = Changes(self)
        self.lacks_room = trio.Event()  # to begin; it waits for some

    # --- the way of a call -----------------------------------------------------------------------------------------

    def handle(self, call: calls.Call[Any], session: Session) -> Any:  # noqa: ANN401 - the reply that the call declares
        """The socket's handler: a plain value when it can be answered at once, otherwise something to await."""
        agent = session.caller.agent or ""
        if isinstance(call, calls.Change):
            return self.changes.ask(call, session)
        prepare.admit(self.state, call, agent)
        if isinstance(call, calls.Shutdown):
            return self._shutdown(call)
        answer = streams.STREAMS.get(type(call)) or queries.QUERIES[type(call)]
        durable = self.parts.journal.durable_seq >= self.state.seq and type(call) not in queries.SLOW
        if durable or type(call) in queries.AT_ONCE:
            return answer(self, call)
        return self._look(answer, call)

    async def _look(self, answer: Callable[[Engine, Any], Any], call: calls.Call[Any]) -> Any:  # noqa: ANN401 - as above
        """Answer a query when what it reads is durable, so that it finds on disk what the state names."""
        await self.settled()
        found = answer(self, call)
        if isinstance(found, Awaitable):
            found = await found
        await self.settled()
        return found

    def _shutdown(self, call: calls.Shutdown) -> Any:  # noqa: ANN401 - as above
        keep = call.keep_agents or self.parts.settings.on_stop == "keep"
        answer = daemon.shutdown_view(self, keep)
        self.stop("keep" if keep else "end")
        return answer

    # --- life ------------------------------------------------------------------------------------------------------

    async def run(self, whole: trio.CancelScope, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Live until stopped, then cancel the `whole`. Ready (`started`): earlier attempts are adopted or closed."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end_when_broken)
                await nursery.start(self.parts.journal.run)
                await self._begin(whole)
                nursery.start_soon(self._ring)
                nursery.start_soon(self.search_path.keep)
                nursery.start_soon(self.changes.run)
                nursery.start_soon(self._plan_forever, nursery)
                await self._settle_attempts()
                task_status.started()
                self.begin_to_prune()
                nursery.start_soon(snapshots.keep, self)
                await self.stop_asked.wait()
                await self._end()
                await self.changes.answered()
                await snapshots.take(self)
                whole.cancel()  # connections end before the journal that they read is closed
        finally:
            self.alarm.close()
            await self.parts.journal.aclose()

    async def _end_when_broken(self) -> None:
        await self._broken.wait()
        raise RuntimeError("the state no longer follows from the journal") from self._broken_by

    async def _begin(self, whole: trio.CancelScope) -> None:
        cut = self.parts.journal.repaired_tail
        repaired = None if cut is None else (cut.file, cut.offset, cut.cut_bytes, cut.copy, cut.last_seq)
        if cut is not None:
            what = "the journal was cut after record %d: %d bytes of %s; they are kept in %s"
            log.warning(what, cut.last_seq, cut.cut_bytes, cut.file, cut.copy)
        started = cmd.ReportDaemonStarted(
            version=golemd.__version__, pid=self.parts.pid, boot_id=self.parts.boot_id, repaired=repaired
        )
        while not await self._has_recorded(started):
            await self.room()
            if self.stop_asked.is_set():  # nothing has begun, so there is nothing to end, and no room to record it
                whole.cancel()
                await trio.lowlevel.checkpoint()
        await worktrees.clean_up(self)
        for project in list(self.state.projects.values()):
            try:
                prepare.hold(self, project.name, Path(project.common_dir))
            except Fault as fault:
                log.error("project %s is not worked on: %s %s", project.name, fault.message, fault.hint)

    async def _has_recorded(self, started: cmd.ReportDaemonStarted) -> bool:
        """Record the start; not on a full disk, which nobody need be there to start golemd again for."""
        try:
            await self.report(started)
        except Unavailable as fault:
            if fault.code != effects.DISK_FULL:
                raise
            if not self.lacks_room.is_set():
                log.warning("the start waits: %s. %s", fault.message, fault.hint)
            self.lacks_room.set()
            return False
        return True

    async def _settle_attempts(self) -> None:
        with trio.move_on_after(SETTLE_SECONDS):
            while any(self._is_unclaimed(attempt.id) for attempt in list(self.state.attempts.values())):
                await self.moved()

    def _is_unclaimed(self, attempt: str) -> bool:
        found = self.state.attempts.get(attempt)
        return found is not None and found.state is AttemptState.SPAWNED and attempt not in self.claimed

    def stop(self, how: str) -> None:
        """Begin to stop: "end" ends attempts with grace, "keep" lets them run. Again: no grace."""
        if self.stopping == "end" and how == "end":
            for attempt in self._running():
                self.parts.runner.stop(attempt, grace_now=True)
        self.stopping = self.stopping if self.stopping == "end" else how
        self.stop_asked.set()
        self.search_path.give_up()
        self.wake()

    def _running(self) -> list[str]:
        return [each.id for each in self.state.attempts.values() if each.state is AttemptState.SPAWNED]

    async def _end(self) -> None:
        """Wait until what is under way has ended: attempts (unless they are kept) and git commands."""
        while any(not key.startswith("stop:") for key in self.in_flight if not self._is_kept(key)):
            await self.moved()
        await self.report(cmd.ReportDaemonStopped(reason=self.stopping))

    def _is_kept(self, key: str) -> bool:
        kind, _, attempt = key.partition(":")
        return self.stopping == "keep" and kind == "attempt" and attempt in self.claimed

    # --- the planner -----------------------------------------------------------------------------------------------

    async def _plan_forever(self, nursery: trio.Nursery) -> None:
        """Whenever durable state or the world has changed: ask plan, decide its commands, start its effects."""
        while True:
            await self.settled()
            await trio.lowlevel.checkpoint()  # whoever follows is told what has happened before more is thought of
            await self.settled()
            wake = self._wake = trio.Event()
            steps = planning.plan(self.state, self._world(self.now_us()), self.limits)
            self._tell_of_shortage(steps.short)
            for effect in steps.effects:
                self.in_flight.add(effect.key)
                nursery.start_soon(effects.carry_out, self, effect)
            if self._decide_all(steps.commands):
                continue
            turned, self._turned = self._turned, trio.Event()
            turned.set()
            self.alarm.set(self._next_look_us(steps.wake_at_us))
            await wake.wait()
            self.parts.journal.poke()

    def _next_look_us(self, wake_at_us: int | None) -> int | None:
        """When to plan again although nothing has happened; nothing announces room on a full disk."""
        if self.parts.journal.degraded:
            return self.now_us() + int(ROOM_SECONDS * 1e6)
        return wake_at_us

    async def _ring(self) -> None:
        """Plan again whenever the alarm rings: a moment has come, or moments have to be looked at anew."""
        while True:
            await self.alarm.rings()
            self.wake()

    async def turn(self) -> None:
        """Return when the planner has gone round and all was durable: a sign of life, which changes nothing."""
        turned = self._turned
        self.wake()
        await turned.wait()

    def _world(self, now_us: int) -> planning.World:
        return planning.World(
            now_us=now_us,
            in_flight=frozenset(self.in_flight),
            stopping=self.stopping,
            full=self.parts.journal.degraded,
            foreign=frozenset(self.state.projects.keys() - self.held.keys()),
            notifies=self.parts.notifier is not None,
            room=look_at_room(self),
            prune_at_us=self.prune_at_us,
            unpruned=self.parts.journal.first < self.state.first,
        )

    def _tell_of_shortage(self, short: str) -> None:
        if bool(short) != bool(self.short):
            log.warning("new agents wait: %s", short) if short else log.info("there is room for new agents again")
        self.short = short

    def _decide_all(self, commands: tuple[cmd.Command, ...]) -> bool:
        """Decide what plan proposes; whether anything came of it."""
        progress = False
        for command in commands:
            try:
                records = self._take(command)
            except Unavailable as fault:
                if fault.code != effects.DISK_FULL:
                    raise
                log.warning("%s %s", fault.message, fault.hint)
                return False
            progress = progress or bool(records)
            if not records:
                log.error("plan proposed what decide does not admit: %r", command)
        return progress

    def _take(self, command: cmd.Command) -> list[Record]:
        """Let a command of plan take effect. One that meets a defect halts its project's dispatch: others go on."""
        try:
            return self.apply(command)[1]
        except Exception as error:
            expected = isinstance(error, Unavailable) or effects.is_fatal(error)
            if expected or self._broken.is_set() or isinstance(command, cmd.Halt):
                raise
            log.exception("%r cannot be decided; please report it", command)
        return self.apply(cmd.Halt(project=self._project_of(command), reason=HaltReason.INTERNAL_ERROR))[1]

    def _project_of(self, command: cmd.Command) -> str:
        """The project that a command of plan is about; empty for one that is about none."""
        run, item = self.state.runs.get(getattr(command, "run", "")), self.state.items.get(getattr(command, "item", ""))
        about = run or item
        return "" if about is None else about.project
