"""Changing calls: decided one after the other, each answered when what it did is durable.

Two tasks serve all clients, so a call costs no task of its own. One decides what has been asked, in rounds, and lets
the journal flush a round together; the other gives the answers in the order in which they become durable. Each answer
is made in the same step as its decision, of a state that holds nothing later, so it waits for its own records alone.
Neither keeps the rest of the daemon waiting for longer than a slice: whoever only asks is answered in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import trio
from msgspec import Struct
from msgspec.structs import replace

from golemd.adapters.socket import Later, Session
from golemd.api import calls
from golemd.api.faults import Unavailable
from golemd.api.model import Actor
from golemd.core import commands as cmd
from golemd.core import tokens
from golemd.engine import answers, effects, prepare
from golemd.engine.context import Context

SLICE_SECONDS: Final = 0.00015  # of deciding or answering, until others have their turn


class _Asked(Struct):
    """A call, who makes it, and where its answer goes; `body` is the digest of what it says, once that is known."""

    call: calls.Change[Any]
    session: Session
    later: Later
    body: str = ""


class _Owed(Struct):
    """An answer or a refusal that may be given when record `seq` is durable, and what is to be done just before."""

    seq: int
    later: Later
    answer: object
    before: Callable[[], None] | None = None


class Changes:
    """The changing calls of all clients."""

    def __init__(self, engine: Context) -> None:
        self._engine = engine
        self._asked: deque[_Asked] = deque()
        self._owed: deque[_Owed] = deque()
        self._work = trio.lowlevel.ParkingLot()
        self._debts = trio.lowlevel.ParkingLot()
        self._none_left = trio.lowlevel.ParkingLot()

    def ask(self, call: calls.Change[Any], session: Session) -> Later:
        """Have a call decided soon."""
        asked = _Asked(call, session, Later())
        self._asked.append(asked)
        if self._work:
            self._work.unpark_all()
        return asked.later

    async def run(self) -> None:
        """Decide and answer, until cancelled. Faults: JournalFailed, after all who wait have been told."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._decide_all, nursery)
            nursery.start_soon(self._answer_all)

    async def answered(self) -> None:
        """Return when nobody waits any more for a change that was asked for."""
        while self._asked or self._owed:
            await self._none_left.park()

    # --- deciding --------------------------------------------------------------------------------------------------

    async def _decide_all(self, nursery: trio.Nursery) -> None:
        while True:
            while not self._asked:
                await self._work.park()
            await self._engine.give_way()
            with self._engine.parts.journal.gathering():
                await self._decide_round(nursery)

    async def _decide_round(self, nursery: trio.Nursery) -> None:
        """Decide those who have asked by now, a slice at a time."""
        begun = trio.current_time()
        for _ in range(len(self._asked)):
            asked = self._asked.popleft()
            try:
                self._take_up(asked, nursery)
            except Exception as error:  # it is the answer, as for every call
                self._owe(asked.later, error)
            if trio.current_time() - begun >= SLICE_SECONDS:
                await trio.lowlevel.checkpoint()
                begun = trio.current_time()

    def _take_up(self, asked: _Asked, nursery: trio.Nursery) -> None:
        """Decide a call, or set about finding the facts that it takes. Raises what is to be answered instead."""
        if self._engine.stopping:
            raise Unavailable("stopping", "golemd is stopping.", "Try again when it runs.")
        prepare.admit(self._engine.state, asked.call, asked.session.caller.agent or "")
        asked.body = tokens.body_of(asked.call)
        if self._is_repeated(asked):
            return
        self._require_room()
        if prepare.needs_facts(asked.call):
            nursery.start_soon(self._decide_with_facts, asked)
        else:
            self._decide(asked, cmd.Facts())

    async def _decide_with_facts(self, asked: _Asked) -> None:
        try:
            facts = await prepare.facts_for(self._engine, asked.call, _actor(self._engine, asked))
            if not self._is_repeated(asked):
                self._decide(asked, facts)
        except Exception as error:
            self._owe(asked.later, error)

    def _is_repeated(self, asked: _Asked) -> bool:
        """Whether the call's token was used before; then it is answered again and has no second effect."""
        engine, call = self._engine, asked.call
        use = tokens.earlier_use(engine.state, call, asked.body, engine.now_us())
        if use is None:
            return False
        self._owe(asked.later, answers.answer(engine, call, use.project, use.item, repeated=True))
        return True

    def _decide(self, asked: _Asked, facts: cmd.Facts) -> None:
        engine, call = self._engine, asked.call
        command = cmd.Asked(call=call, actor=_actor(engine, asked), agent=asked.session.caller.agent or "", facts=facts)
        decided, records = engine.apply(command, body=asked.body if call.token else "", token=call.token)
        if decided.fault is not None:
            self._owe(asked.later, decided.fault)
            return
        first = records[0] if records else None
        project, item = (first.project, first.item) if first else (self._project_at(facts.common_dir), "")
        answer = decided.answer or answers.answer(engine, call, project, item, note=decided.note)
        if facts.warnings:
            answer = replace(answer, warnings=facts.warnings)
        removed = isinstance(call, calls.ProjectRemove)
        self._owe(asked.later, answer, partial(prepare.let_go, engine, project) if removed else None)

    def _require_room(self) -> None:
        """Refuse a change while the journal's reserve cannot be renewed; the ends of attempts still go in."""
        journal = self._engine.parts.journal
        if journal.degraded and not journal.poke():
            message = "The disk is full, and nothing is changed until there is room."
            raise Unavailable(effects.DISK_FULL, message, "Make room on it; golemd goes on by itself.")

    def _project_at(self, common_dir: str) -> str:
        """The name of the project with this git folder, or an empty text."""
        projects = self._engine.state.projects.values()
        return next((each.name for each in projects if each.common_dir == common_dir), "")

    # --- answering -------------------------------------------------------------------------------------------------

    def _owe(self, later: Later, answer: object, before: Callable[[], None] | None = None) -> None:
        """Give an answer, or a refusal, as soon as all that it was made of is durable."""
        self._owed.append(_Owed(self._engine.state.seq, later, answer, before))
        if self._debts:
            self._debts.unpark_all()

    async def _answer_all(self) -> None:
        journal = self._engine.parts.journal
        while True:
            while not self._owed:
                self._none_left.unpark_all()
                await self._debts.park()
            try:
                await journal.durable(self._owed[0].seq)
            except Exception as error:
                for owed in self._owed:
                    owed.later.give(error)
                raise
            await self._answer_durable(journal.durable_seq)

    async def _answer_durable(self, seq: int) -> None:
        """Give the answers that record `seq` makes true, a slice at a time."""
        begun = trio.current_time()
        while self._owed and self._owed[0].seq <= seq:
            owed = self._owed.popleft()
            if owed.before is not None:
                owed.before()
            owed.later.give(owed.answer)
            if trio.current_time() - begun >= SLICE_SECONDS:
                await trio.lowlevel.checkpoint()
                begun = trio.current_time()


def _actor(engine: Context, asked: _Asked) -> Actor:
    """Who makes a call."""
    uid, machine = asked.session.caller.uid, engine.parts.machine
    return Actor(uid=uid, user=machine.user_name(uid), host=machine.host_name(), client=asked.call.client[:128])
