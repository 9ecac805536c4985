"""Dispatches: start and stop the mandate to work on a project, and halt it when there is nothing left to start."""

from __future__ import annotations

from typing import Final

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.events import Draft, Event
from golemd.api.faults import Conflict, Invalid
from golemd.api.model import ATTEMPT_OVER, Dispatch, HaltReason, Project
from golemd.core import commands as cmd
from golemd.core import filters
from golemd.core.decide.common import NOTHING, Decided
from golemd.core.state import State

MAX_CAP: Final = 1_000_000
MAX_TARGETS: Final = 1_000
_SAME: Final = ("targets", "only", "continuous", "auto_advance", "then_rest", "triage")


def run_start(state: State, call: calls.RunStart, command: cmd.Asked) -> Decided:
    """Turn a project's dispatch on. The same request attaches to one that is on; another is refused."""
    project = state.project(call.project)
    _require_one_way(call)
    config = command.facts.config or state.config_of(project.name)
    wanted = Dispatch(
        cap=config.execution.default_phase_cap if call.cap is None else call.cap,
        continuous=call.continuous,
        targets=_targets(state, project, call.targets),
        only=tuple(str(term) for term in filters.parse(call.only, config.pipelines).terms),
        auto_advance=call.auto_advance,
        then_rest=call.then_rest,
    )
    return _start(state, project, wanted, command, named_cap=call.cap is not None)


def _require_one_way(call: calls.RunStart) -> None:
    if call.targets and call.only:
        message = "Targets and a filter exclude each other."
        raise Invalid("targets_and_filter", message, "golemctl run --target ID, or golemctl run --only KEY=VALUE")
    if not call.targets and (call.auto_advance or call.then_rest):
        message = "--auto-advance and --then-rest say what follows a target, and there is none."
        raise Invalid("no_targets", message, "golemctl run --target ID --then-rest")


def triage(state: State, call: calls.Triage, command: cmd.Asked) -> Decided:
    """Triage new items, those named or all, and start nothing else."""
    ids = call.ids
    project = state.project(call.project or (state.known(ids[0]).project if ids else ""))
    config = command.facts.config or state.config_of(project.name)
    if not config.triage.enabled:
        message = f"Triage is off in {project.name}."
        raise Invalid("triage_off", message, "Set enabled = true under [triage] in its golem.toml.")
    targets = _targets(state, project, ids)
    late = [each for each in targets if str(state.known(each).status) != "new"]
    if late:
        message = f"{late[0]} is {str(state.known(late[0]).status).replace('_', ' ')}, and only new items are triaged."
        raise Conflict("not_new", message, f"golemctl show {late[0]}")
    cap = config.execution.default_phase_cap
    return _start(state, project, Dispatch(cap=cap, targets=targets, triage=True), command)


def _targets(state: State, project: Project, ids: tuple[str, ...]) -> tuple[str, ...]:
    if len(ids) > MAX_TARGETS:
        raise Invalid("too_many_targets", f"At most {MAX_TARGETS} targets.", "Use a filter: golemctl run --only …")
    for item in ids:
        found = state.known(item)
        if found.project != project.name:
            message = f"{item} belongs to the project {found.project}, not to {project.name}."
            raise Invalid("other_project", message, f"golemctl run --project {found.project} --target {item}")
    return tuple(dict.fromkeys(ids))


def _start(state: State, project: Project, wanted: Dispatch, command: cmd.Asked, *, named_cap: bool = False) -> Decided:
    if not 0 < wanted.cap <= MAX_CAP:
        message = f"The cap is {wanted.cap}; it must be from 1 to {MAX_CAP}."
        raise Invalid("invalid_cap", message, "golemctl run --cap 20")
    if project.dispatch.on:
        return _attach(project, wanted, named_cap)
    facts = command.facts
    events: list[Event] = []
    if facts.config is not None and facts.config_digest != project.config_digest:
        events.append(ev.ProjectConfigured(config=facts.config, digest=facts.config_digest, by="run"))
    if project.failures:
        events.append(ev.BreakerReset())
    named = {name: getattr(wanted, name) for name in _SAME}
    events.append(ev.DispatchStarted(cap=wanted.cap, **named, actor=command.actor))
    return Decided(tuple(Draft(event, project.name) for event in events))


def _attach(project: Project, wanted: Dispatch, named_cap: bool) -> Decided:
    dispatch = project.dispatch
    same = all(getattr(dispatch, name) == getattr(wanted, name) for name in _SAME)
    if same and (not named_cap or wanted.cap == dispatch.cap):
        return Decided(note="attached")
    message = f"A dispatch of {project.name} is on already: {in_words(dispatch)}."
    raise Conflict("dispatch_active", message, "golemctl status shows it; golemctl stop ends it.")


def in_words(dispatch: Dispatch) -> str:
    """What a dispatch is about."""
    parts = [f"cap {dispatch.cap}"]
    parts += ["triage only"] if dispatch.triage else []
    parts += [f"targets {', '.join(dispatch.targets)}"] if dispatch.targets else []
    parts += [f"only {' '.join(dispatch.only)}"] if dispatch.only else []
    parts += ["then the rest"] if dispatch.then_rest else []
    return ", ".join([*parts, "continuous" if dispatch.continuous else "until done"])


def run_stop(state: State, call: calls.RunStop, command: cmd.Asked) -> Decided:
    """Turn a project's dispatch off; `now` wishes its running attempts to end as well."""
    project = state.project(call.project)
    dispatch = project.dispatch
    if not dispatch.on and (dispatch.stop_now or not call.now or not _running(state, project.name)):
        return Decided(note="nothing is dispatched")
    halted = ev.DispatchHalted(reason=HaltReason.STOPPED, now=call.now, actor=command.actor)
    return Decided((Draft(halted, project.name),))


def _running(state: State, project: str) -> bool:
    mine = (run.id for _, run in state.live_runs() if run.project == project)
    runs = set(mine)
    return any(each.run in runs and each.state not in ATTEMPT_OVER for each in state.attempts.values())


def halt(state: State, command: cmd.Halt, now_us: int) -> Decided:
    """A reason to end the dispatch has come true."""
    if command.project not in state.projects or not state.projects[command.project].dispatch.on:
        return NOTHING
    events: list[Event] = [ev.DispatchHalted(reason=command.reason)]
    if command.reason is HaltReason.CIRCUIT_BREAKER:
        events.insert(0, ev.BreakerTripped(failures=state.projects[command.project].failures))
    return Decided(tuple(Draft(event, command.project, cause=f"seq:{state.seq}") for event in events))


def again(state: State, project: str) -> tuple[Draft, ...]:
    """A dispatch that had halted for want of a human goes on with what is left of its cap."""
    dispatch = state.projects[project].dispatch
    if dispatch.on or dispatch.halt_reason not in _FOR_WANT_OF_A_HUMAN or dispatch.used >= dispatch.cap:
        return ()
    named = {name: getattr(dispatch, name) for name in _SAME}
    started = ev.DispatchStarted(cap=dispatch.cap, used=dispatch.used, **named)
    return (Draft(started, project, cause=f"seq:{state.seq}"),)


_FOR_WANT_OF_A_HUMAN: Final = (HaltReason.ALL_DONE_OR_BLOCKED, HaltReason.TARGET_BLOCKED)
