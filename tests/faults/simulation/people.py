"""Those who use the daemon: what they ask, in any order, again when they heard nothing, and what agents ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
import trio
from msgspec.structs import replace

from golemd.adapters.processes.records import AttemptSpec
from golemd.adapters.socket import Later, Session
from golemd.adapters.socket.connection import Caller, Outbox
from golemd.api import calls
from golemd.api.events import Record
from golemd.api.faults import Fault
from golemd.api.model import Gate
from tests.adapters.journal.crashdisk import PowerCut
from tests.faults.simulation.configs import CHANGES, CONFIGS
from tests.faults.simulation.world import World

if TYPE_CHECKING:
    from tests.faults.simulation.daemon import Life

PATIENCE_SECONDS: Final = 90.0
HASTE_SECONDS: Final = 20.0
PROJECTS: Final = ("/src/one", "/src/two", "/src/three")
Ask = Callable[["People"], calls.Call[Any] | None]


class _Follower(Outbox):
    """Where a follower's notifications go, each of them at once."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self.queued, self.gone = 0, False
        self._take = take

    def push(self, data: bytes) -> None:
        self._take(data)

    def wake(self) -> None:
        """There is nothing to send."""

    def flush(self) -> None:
        """Nor now."""


class People:
    """They look at the state as if somebody had just shown it to them, and ask for something."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unsure: list[calls.Change[Any]] = []  # nobody knows whether these were heard
        self._done: list[calls.Change[Any]] = []

    async def live(self, mean_seconds: float) -> None:
        """Ask for one thing after the other."""
        while True:
            await trio.sleep(self._world.dice.expovariate(1 / mean_seconds))
            call = self._tokened(self._next())
            if call is not None and self._world.chance(0.03):  # two connections at once
                self._world.nursery.start_soon(self.ask, call)
            await self.ask(call)
            if self._world.chance(0.1):
                with trio.move_on_after(HASTE_SECONDS):
                    await self.ask(self._at_once(await self._world.witness.news()))

    def _at_once(self, record: Record) -> calls.Call[Any] | None:
        """What somebody asks who has just seen this happen."""
        if not record.item:
            return None
        asks: tuple[calls.Call[Any], ...] = (
            calls.Pause(id=record.item),
            calls.ItemCancel(id=record.item),
            calls.ItemAdvance(id=record.item, force=True),
            calls.ItemAdvance(id=record.item, force=True),
            calls.RunStop(project=record.project, now=True),
        )
        return self._world.pick(asks)

    def write_configs(self, *, good: bool) -> None:
        """Write the projects' files: as they were, or one of them otherwise, perhaps wrong."""
        contents = self._world.files.contents
        contents |= {f"{root}/golem.toml": text.encode() for root, text in zip(PROJECTS, CONFIGS, strict=True)}
        if not good:
            root, change = self._world.pick(PROJECTS), self._world.pick(CHANGES)
            contents[f"{root}/golem.toml"] = contents[f"{root}/golem.toml"].replace(*change)

    def _next(self) -> calls.Call[Any] | None:
        if len(self._world.witness.state.projects) < len(PROJECTS):
            return _init(self)
        if self._unsure and self._world.chance(0.5):
            return self._unsure.pop(0)
        if self._done and self._world.chance(0.03):
            return self._world.pick(self._done)
        kind = self._world.dice.choices(tuple(ASKS), weights=tuple(ASKS.values()))[0]
        return kind(self)

    def _tokened(self, call: calls.Call[Any] | None) -> calls.Call[Any] | None:
        """Most people's calls can be repeated."""
        if isinstance(call, calls.Change) and not call.token and self._world.chance(0.9):
            return replace(call, token=f"token-{self._world.number()}")
        return call

    async def ask(self, call: calls.Call[Any] | None, agent: str | None = None) -> object:
        """The answer: a reply, a Fault, or None when nobody answers. Who was not answered asks again some day."""
        life = self._world.life
        if call is None or life is None or not life.serves or life.engine is None:
            return None
        if isinstance(call, calls.Change):
            self._world.promises.is_asked(call)
        who = f"agent {agent}" if agent else "person"
        self._world.tell(who, f"asks {call}")
        session = Session(Caller(1, 1000, agent), cast(Outbox, None), 0)
        answer: object = None
        with trio.move_on_after(PATIENCE_SECONDS):
            try:
                answer = life.engine.handle(call, session)
                if isinstance(answer, Later):
                    answer = await self._answer_of(answer, call, agent)
                elif isinstance(answer, Awaitable):
                    answer = await answer
            except (Fault, PowerCut) as error:
                answer = error if isinstance(error, Fault) else None
        if not isinstance(call, calls.Change) and not life.is_dead:
            self._world.promises.shows(answer)
        if isinstance(call, calls.Change) and call.token:
            lost = answer is None or hasattr(answer, "exit_status")
            (self._unsure if lost else self._done).append(call)
        told = f"{answer.code}" if isinstance(answer, Fault) else "no answer" if answer is None else "done"
        self._world.tell(who, f"hears of {call.METHOD}: {told}")
        return answer

    async def _answer_of(self, later: Later, call: calls.Call[Any], agent: str | None) -> object:
        life = self._world.life
        assert life is not None
        assert life.engine is not None
        live, heard, given = life.engine.state, trio.Event(), list[object]()

        def take(answer: object) -> None:
            if not life.is_dead:
                self._world.promises.answers(cast(calls.Change[Any], call), answer, live, agent)
                given.append(answer)
                heard.set()

        later.take = take
        await heard.wait()
        return given[0]

    async def follow(self) -> None:
        """Follow the journal, again and again, from some record on."""
        world = self._world
        while True:
            await trio.sleep(world.dice.uniform(1, 120))
            life, since = world.life, world.dice.randrange(1, world.witness.state.seq + 2)
            if life is None or not life.serves or life.engine is None:
                continue
            expected = since

            def take(data: bytes, life: Life = life) -> None:
                nonlocal expected
                _, what, (told,) = msgspec.msgpack.decode(data)
                if what == "event" and not life.is_dead:
                    world.promises.follows(told["record"]["seq"], told["record"]["h"], expected)
                    expected = told["record"]["seq"] + 1

            session = Session(Caller(1, 1000, None), _Follower(take), 1 << 20)
            with trio.move_on_after(world.dice.uniform(1, 300)), suppress(Fault, PowerCut):
                answer = life.engine.handle(calls.EventsFollow(since=since), session)
                stream = await answer if isinstance(answer, Awaitable) else answer
                expected = stream.reply.pruned or since
                await stream.produce(session, 1)

    async def ask_as_agent(self, spec: AttemptSpec) -> None:
        """What agents may do: add an item; and what they may not."""
        call = self._world.pick((calls.ItemAdd(title="found on the way", project="one"), calls.RunStop(project="one")))
        await self.ask(call, spec.attempt)

    # --- what there is to ask about ------------------------------------------------------------------------------

    @property
    def world(self) -> World:
        """Where they live."""
        return self._world

    def item(self) -> str:
        """Some item, of any kind; one that does not exist where there is none."""
        state = self._world.witness.state
        return self._world.pick([*state.items, *state.ended] or ["ONE-1"])

    def live_item(self) -> str:
        """Some item that has not ended, if there is one."""
        return self._world.pick(list(self._world.witness.state.items) or ["ONE-1"])

    def project(self) -> str:
        """Some project."""
        return self._world.pick(list(self._world.witness.state.projects) or [""])

    def gate(self) -> Gate | None:
        """Some open gate."""
        gates = self._world.witness.state.all_open_gates()
        return self._world.pick(gates) if gates else None


def _init(people: People) -> calls.Call[Any]:
    return calls.ProjectInit(root=people.world.pick(PROJECTS))


def _add(people: People) -> calls.Call[Any] | None:
    dice, state = people.world.dice, people.world.witness.state
    if len(state.items) >= people.world.weather.items:
        return None
    known = [*state.items, *state.ended]
    wanted = tuple({people.world.pick(known): None}) if known and people.world.chance(0.3) else ()
    mine = tuple(each for each in wanted if each.lower().startswith(people.project()))
    number = people.world.number()
    return calls.ItemAdd(
        project=mine[0].split("-")[0].lower() if mine else people.project(),
        title=f"item {number}",
        description="x" * dice.choice((0, 10, 500)),
        priority=dice.randrange(3),
        dependencies=mine,
    )


def _edit(people: People) -> calls.Call[Any]:
    changes: tuple[dict[str, Any], ...] = (
        {"priority": 2},
        {"title": "better"},
        {"size": "small", "risk": "low"},
        {"size": "large"},
        {"dependencies": ()},
    )
    return calls.ItemEdit(id=people.live_item(), **people.world.pick(changes))


def _decide(people: People) -> calls.Call[Any] | None:
    gate = people.gate()
    if gate is None:
        return None
    option = people.world.pick(gate.options).id
    return calls.GateDecide(gate=gate.id, option=option, text=people.world.pick(("", "1", "feature", "do so")))


def _unblock(people: People) -> calls.Call[Any] | None:
    gate = people.gate()
    return calls.ItemUnblock(id=gate.item, answer="the first, 3") if gate is not None else None


def _advance(people: People) -> calls.Call[Any]:
    chance = people.world.chance
    return calls.ItemAdvance(id=people.live_item(), to=people.world.pick(("", "build", "check")), force=chance(0.5))


def _pause(people: People) -> calls.Call[Any]:
    if people.world.chance(0.3):
        return calls.Pause(project=people.project())
    return calls.Pause(id=people.live_item(), after_phase=people.world.chance(0.5))


def _resume(people: People) -> calls.Call[Any]:
    if people.world.chance(0.5):
        return calls.Resume(project=people.project())
    return calls.Resume(id=people.live_item())


def _start(people: People) -> calls.Call[Any]:
    chance, project = people.world.chance, people.project()
    if chance(0.2):
        target = people.live_item()
        named = target.split("-")[0].lower()
        return calls.RunStart(project=named, targets=(target,), auto_advance=chance(0.5), then_rest=chance(0.5))
    only = ("size=small",) if chance(0.1) else ()
    return calls.RunStart(project=project, cap=people.world.pick((1, 3, None)), continuous=chance(0.4), only=only)


def _reload(people: People) -> calls.Call[Any]:
    people.write_configs(good=people.world.chance(0.5))
    return calls.Reload()


def _prune(people: People) -> calls.Call[Any]:
    return calls.JournalPrune(before=people.world.dice.randrange(1, people.world.witness.state.seq + 2))


def _stop(people: People) -> calls.Call[Any]:
    return calls.RunStop(project=people.project(), now=people.world.chance(0.5))


def _look(people: People) -> calls.Call[Any] | None:
    gate = people.gate()
    looks: tuple[calls.Call[Any], ...] = (
        calls.Status(all=True),
        calls.ItemWhy(id=people.item()),
        calls.ItemShow(id=people.item()),
        *([calls.GateShow(gate=gate.id)] if gate is not None else []),
        calls.ReportShow(id=people.item()),
    )
    return people.world.pick(looks)


ASKS: Final[dict[Ask, float]] = {
    _init: 1,
    _add: 12,
    _edit: 3,
    lambda people: calls.ItemCancel(id=people.live_item()): 3,
    lambda people: calls.ItemReopen(id=people.item()): 1,
    _decide: 10,
    _unblock: 4,
    _advance: 2,
    _pause: 2,
    _resume: 5,
    _start: 12,
    _stop: 1,
    lambda people: calls.Triage(project=people.project()): 1,
    _reload: 2,
    _prune: 2,
    _look: 6,
}
"""What is asked, and how often."""
