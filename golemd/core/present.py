"""State → views: what a reply shows. Pure; what only the shell can see (a log's tail) comes in as `Seen`."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict, replace

from golemd.api import views
from golemd.api.model import (
    ENDED,
    RUN_OVER,
    Attempt,
    AttemptState,
    Dispatch,
    EndedItem,
    Item,
    Past,
    Pause,
    Phase,
    Project,
    Resolution,
    Run,
    Status,
)
from golemd.core import budgets, scheduler, slots, times
from golemd.core.decide.common import definition_of
from golemd.core.filters import ALL, Filter
from golemd.core.gate_views import gate_view
from golemd.core.slots import Limits
from golemd.core.state import State

_AS_USUAL: Final = ("", Resolution.COMPLETED, Resolution.CANCELLED)  # resolutions that say no more than the status


class Seen(Struct, frozen=True):
    """What the shell saw of an attempt's output."""

    last_output_at: str | None = None
    tail: tuple[str, ...] = ()


class Clock(Struct, frozen=True):
    """The moment and the limits that a view is made with. `short`: what the machine has too little of, in words."""

    now_us: int
    limits: Limits
    survey: scheduler.Survey | None = None
    short: str = ""


def item_view(
    state: State, item: Item | EndedItem, clock: Clock, note: str = "", repeated: bool = False, listed: bool = False
) -> views.ItemView:
    """One item, live or ended. `listed`: one of many, whose description would make a long answer longer."""
    live = item if isinstance(item, Item) else None
    ongoing = live if item.status not in ENDED else None
    gates = tuple([gate.id for gate in state.open_gates(item.id)])
    run = state.runs.get(item.run)
    assessed = item.assessments
    usd, tokens = _limits(state, ongoing)
    return views.ItemView(
        id=item.id,
        project=item.project,
        title=item.title,
        status=str(item.status),
        pipeline=item.pipeline,
        phase=_phase_of(ongoing, run),
        priority=item.priority,
        size=assessed.size or None,
        complexity=assessed.complexity or None,
        risk=assessed.risk or None,
        impact=assessed.impact or None,
        labels=item.labels,
        dependencies=item.dependencies,
        gate=gates[0] if gates else None,
        gates=gates,
        run=item.run or None,
        resolution=item.resolution or None,
        why=_why(state, ongoing, clock) if ongoing is not None else None,
        created_at=item.created_at,
        updated_at=item.updated_at,
        description=live.description if live is not None and not listed else "",
        paused=ongoing is not None and ongoing.is_held,
        pauses_after=_pauses_after(ongoing, run),
        spent_usd=round(item.spent_usd, 6),
        spent_tokens=item.spent_tokens,
        budget_usd=usd,
        budget_tokens=tokens,
        origin=item.origin or None,
        reason=item.reason or None,
        note=note or None,
        repeated=repeated,
    )


def _limits(state: State, item: Item | None) -> tuple[float | None, int | None]:
    """What may be spent on an item: dollars, and tokens."""
    limits = budgets.of_item(state, item) if item is not None else ()
    if not limits:
        return None, None
    found = {each.scope: each.limit for each in limits}
    usd, tokens = found.get(budgets.ITEM_USD), found.get(budgets.ITEM_TOKENS)
    return None if usd is None else round(usd, 6), None if tokens is None else int(tokens)


def _why(state: State, item: Item, clock: Clock) -> str | None:
    return scheduler.why(state, item, clock.limits, clock.now_us, clock.survey, clock.short)


def _pauses_after(item: Item | None, run: Run | None) -> str | None:
    """The phase that is let finish before its item is paused."""
    return run.phase.name if item is not None and item.paused is Pause.AFTER_PHASE and run is not None else None


def _phase_of(item: Item | None, run: Run | None) -> str | None:
    """The phase that an item is in, or will begin with."""
    if item is None:
        return None
    return run.phase.name if run is not None else item.begin or None


def attempt_view(attempt: Attempt, seen: Seen | None = None) -> views.AttemptView:
    """One child process, running or over."""
    running = attempt.state is AttemptState.SPAWNED
    return views.AttemptView(
        id=attempt.id,
        item=attempt.item,
        phase=attempt.phase,
        number=attempt.number,
        agent=attempt.agent or None,
        model=attempt.model or None,
        state="running" if running else str(attempt.state),
        pid=attempt.pid or None,
        started_at=attempt.started_at or None,
        adopted=attempt.adopted,
        last_output_at=seen.last_output_at if seen else None,
        tail=seen.tail if seen else (),
        kind=str(attempt.kind),
        command=attempt.command or None,
        status=attempt.status,
        signal=attempt.signal,
        outcome=attempt.outcome or None,
        message=attempt.message or None,
        duration_s=attempt.duration_s or None,
        cost_usd=attempt.cost_usd or None,
        ended_at=attempt.ended_at or None,
    )


def phase_view(phase: Phase, run: Run) -> views.PhaseView:
    """One phase of a run."""
    limit = next((round(each.limit, 6) for each in budgets.of_phase(definition_of(run, phase), phase)), None)
    return views.PhaseView(
        id=f"{run.id}.{phase.name}",
        run=run.id,
        name=phase.name,
        state=str(run.became(phase)),
        summary=phase.summary or None,
        commit=phase.commit or None,
        attempts=phase.number,
        started_at=phase.started_at or None,
        ended_at=phase.ended_at or None,
        warnings=(*phase.uncopied, *phase.warnings),
        findings=phase.findings,
        evidence=phase.evidence,
        spent_usd=round(phase.spent_usd, 6),
        budget_usd=limit,
    )


def run_view(state: State, run: Run, reports: str = "") -> views.RunView:
    """One run with its phases. `reports`: the folder of final reports."""
    project, item = state.projects.get(run.project), state.items.get(run.item)
    paused = item is not None and item.is_held and run.state not in RUN_OVER
    return views.RunView(
        id=run.id,
        state="paused" if paused else str(run.state),
        pipeline=run.pipeline.name,
        base_branch=run.base_branch or None,
        base_commit=run.base_commit or None,
        branch=run.branch or None,
        workspace=run.workspace or None,
        aside_at=run.aside.at if run.aside else None,
        kept_ref=(run.aside.ref or None) if run.aside else None,
        head=run.head or None,
        pinned_differs=project is not None and project.config_digest != run.config_digest,
        created_at=run.created_at,
        ended_at=run.ended_at or None,
        report=f"{reports}/{run.id}.md" if run.reported else None,
        phases=tuple(phase_view(phase, run) for phase in run.phases),
        paused_in=str(run.state) if paused else None,
        follow_ups=run.follow_ups,
    )


def item_detail(
    state: State,
    past: State,
    item: Item,
    clock: Clock,
    events: tuple[dict[str, Any], ...],
    prompt: str | None,
    reports: str = "",
    history: tuple[Past, ...] = (),
) -> views.ItemDetail:
    """One item with its runs, attempts, gates and last records; `past` is a state that holds all of its story."""
    children = past.children.get(item.id, ())
    runs = [past.runs[child] for child in children if child in past.runs]
    run = past.run_of(item)
    gates = tuple(gate_view(past.gates[child]) for child in children if child in past.gates)
    return views.ItemDetail(
        **asdict(item_view(state, item, clock)) | {"gates": gates},
        brief=item.brief,
        base=item.base or (run.base_branch if run else "") or None,
        runs=tuple(run_view(state, each, reports) for each in runs),
        attempts=tuple(attempt_view(past.attempts[child]) for child in children if child in past.attempts),
        phases=tuple(phase_view(phase, each) for each in runs for phase in each.phases),
        events=events,
        prompt=prompt,
        source=item.source or None,
        history=history,
        extra=item.extra,
    )


def dispatch_view(dispatch: Dispatch) -> views.DispatchView:
    """The mandate on a project."""
    return views.DispatchView(
        state="running" if dispatch.on else "halted",
        cap=dispatch.cap,
        used=dispatch.used,
        halt_reason=dispatch.halt_reason or None,
        continuous=dispatch.continuous,
        targets=dispatch.targets,
        only=dispatch.only,
        auto_advance=dispatch.auto_advance,
        then_rest=dispatch.then_rest,
        triage=dispatch.triage,
    )


def project_view(state: State, project: Project, now_us: int) -> views.ProjectView:
    """A registered repository with its counts by status."""
    counts = state.index.counts.get(project.name, {})
    config = state.config_of(project.name)
    return views.ProjectView(
        name=project.name,
        root=project.root,
        prefix=project.prefix,
        dispatch=dispatch_view(project.dispatch),
        counts={str(status): counts[status] for status in Status if counts.get(status)},
        config_digest=project.config_digest,
        max_wip=config.execution.max_wip,
        max_concurrent=config.execution.max_concurrent,
        pipelines=tuple(config.pipelines),
        today_usd=round(budgets.spent_on(state, project.name, now_us), 6),
        day_usd=config.budget.day_usd,
    )


def running_attempts(state: State, project: str = "") -> list[Attempt]:
    """Attempts that are planned, running or unjudged, oldest first; of one project, or of all."""
    return [
        attempt
        for attempt in map(state.attempts.__getitem__, state.index.attempts)
        if not project or state.runs[attempt.run].project == project
    ]


def status_view(
    state: State,
    projects: Iterable[Project],
    everything: bool,
    clock: Clock,
    daemon: views.DaemonView,
    seen: dict[str, Seen],
    only: Filter = ALL,
) -> views.StatusView:
    """Everything at a glance. Ended items are listed only when asked for, or when `only` names their status."""
    shown = tuple(projects)
    clock = replace(clock, survey=scheduler.Survey(state, clock.limits))
    names = {project.name for project in shown}
    everything = everything or only.wants_ended
    items: list[Item | EndedItem] = [each for each in state.items.values() if everything or each.status not in ENDED]
    if everything:
        items.extend(state.ended.values())
    meant = [each for each in items if each.project in names and (not only.terms or only.matches(each))]
    gates = (gate for gate in state.all_open_gates() if _is_meant(state.items[gate.item], names, only))
    running = (each for each in running_attempts(state) if each.state is AttemptState.SPAWNED)
    return views.StatusView(
        daemon=daemon,
        projects=tuple(project_view(state, project, clock.now_us) for project in shown),
        items=tuple(item_view(state, item, clock, listed=True) for item in sorted(meant, key=lambda item: item.order)),
        providers=_providers(state, clock.now_us),
        spend=views.SpendView(
            today_usd=round(sum(budgets.spent_on(state, name, clock.now_us) for name in names), 6),
            day_usd=sum(state.config_of(name).budget.day_usd for name in names),
        ),
        gates=tuple(gate_view(gate) for gate in gates),
        attempts=tuple(
            attempt_view(attempt, seen=seen.get(attempt.id))
            for attempt in running
            if _is_meant(state.items[attempt.item], names, only)
        ),
    )


def _is_meant(item: Item | EndedItem, projects: Container[str], only: Filter) -> bool:
    return item.project in projects and only.matches(item)


def _providers(state: State, now_us: int) -> tuple[views.ProviderView, ...]:
    """The accounts in use or parked."""
    used: dict[str, int] = {}
    for attempt in running_attempts(state):
        if attempt.state is AttemptState.SPAWNED and attempt.agent:
            used[attempt.agent] = used.get(attempt.agent, 0) + 1
    parked = {each.name: each.until_us for each in state.providers.values() if each.until_us > now_us}
    return tuple(
        views.ProviderView(
            name=name,
            state="parked" if name in parked else "available",
            until=times.stamp(parked[name]) if name in parked else None,
            used=used.get(name, 0),
        )
        for name in sorted({*used, *parked})
    )


def _ended(item: Item | EndedItem) -> str:
    """How an item ended, and why, where that is more than its status says."""
    how = "" if item.resolution in _AS_USUAL else f" ({item.resolution})"
    why = f": {item.reason.strip()}" if item.reason.strip() else ""
    return f"{item.id} is {item.status}{how}{why}".removesuffix(".") + "."


def why_view(state: State, item: Item | EndedItem, clock: Clock) -> views.WhyView:
    """Why an item is not running, and who is next."""
    if not isinstance(item, Item) or item.status in ENDED:
        return views.WhyView(id=item.id, status=str(item.status), why=_ended(item))
    reason = _why(state, item, clock)
    run = state.run_of(item)
    running = f"{item.id} is running: phase {run.phase.name}." if run is not None else f"{item.id} is about to start."
    if item.paused and reason is None:
        running += " It is paused when this phase has ended."
    others = [
        f"{other.id} ({each.phase.name})"
        for other, each in state.live_runs()
        if other.id != item.id and other.project == item.project and slots.holds_slot(state, each)
    ]
    after = f"Under way: {', '.join(others)}." if others else None
    return views.WhyView(id=item.id, status=str(item.status), why=reason or running, next=after)
