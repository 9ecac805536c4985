"""What events do to the daemon, projects, dispatches and items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from golemd.api import events as ev
from golemd.api.events import Event, Record
from golemd.api.model import (
    Actor,
    Brief,
    Dispatch,
    EndedItem,
    Item,
    Pause,
    Project,
    Resolution,
    Status,
)
from golemd.core.evolve.common import (
    count_failures,
    merged,
    put_item,
    set_dispatch,
    set_item,
    set_run,
)
from golemd.core.state import State

SUMMARY_KEPT: Final = 600  # characters of an ended item's summary, for the prompts of its dependants
REASON_KEPT: Final = 600  # characters of why an item was cancelled; the journal has all of them


def _nothing(state: State, record: Record, event: Event) -> None:
    """The fact is for the reader of the journal."""


def _journal_pruned(state: State, record: Record, event: ev.JournalPruned) -> None:
    """What is gone is not looked for any more. Live items need their records, and still have them."""
    state.first = event.first
    state.trail.cut(event.first)


def _project_registered(state: State, record: Record, event: ev.ProjectRegistered) -> None:
    state.projects[event.name] = Project(event.name, event.root, event.common_dir, event.prefix, event.base_branch)


def _project_configured(state: State, record: Record, event: ev.ProjectConfigured) -> None:
    state.configs[event.digest] = event.config
    state.projects[record.project] = replace(state.projects[record.project], config_digest=event.digest)


def _project_removed(state: State, record: Record, event: ev.ProjectRemoved) -> None:
    del state.projects[record.project]
    state.turns.pop(record.project, None)


def _dispatch_started(state: State, record: Record, event: ev.DispatchStarted) -> None:
    named = {name: getattr(event, name) for name in ("targets", "only", "auto_advance", "then_rest", "triage")}
    dispatch = Dispatch(True, event.cap, event.used, event.continuous, started_at=record.ts, seq=record.seq, **named)
    state.projects[record.project] = replace(state.projects[record.project], dispatch=dispatch)


def _dispatch_halted(state: State, record: Record, event: ev.DispatchHalted) -> None:
    set_dispatch(state, record.project, on=False, halt_reason=str(event.reason), stop_now=event.now)


def _breaker_reset(state: State, record: Record, event: ev.BreakerReset) -> None:
    count_failures(state, record.project, 0)


def _item_added(state: State, record: Record, event: ev.ItemAdded) -> None:
    item = Item(
        id=record.item,
        project=record.project,
        title=event.title,
        order=record.seq,
        status=event.status,
        pipeline=event.pipeline,
        description=event.description,
        priority=event.priority,
        labels=event.labels,
        dependencies=event.dependencies,
        base=event.base,
        vars=event.vars,
        assessments=event.assessments,
        origin=event.origin,
        depth=event.depth,
        brief=event.brief,
        approved=event.approved,
        begin=event.phase,
        paused=Pause.HELD if event.paused else Pause.NONE,
        resolution=event.resolution,
        summary=event.summary,
        created_at=event.created_at or record.ts,
        updated_at=record.ts,
        source=event.source,
        mark=event.mark,
        extra=event.extra,
    )
    put_item(state, item)
    project = state.projects.get(record.project)
    if project is not None:
        number = max(project.next_number, event.number + 1)
        state.projects[record.project] = replace(project, next_number=number)
    parent = state.items.get(event.origin.partition("/")[0])
    run = state.run_of(parent) if parent is not None else None
    if run is not None and event.actor == Actor():  # its agent's; one that somebody imported is nobody's quota
        set_run(state, run.id, follow_ups_added=run.follow_ups_added + 1)


def _item_edited(state: State, record: Record, event: ev.ItemEdited) -> None:
    """The most frequent event in a backlog's life. Nothing is looked up by name, which would double its time."""
    before = state.items[record.item]
    after = replace(
        before,
        title=before.title if event.title is None else event.title,
        description=before.description if event.description is None else event.description,
        priority=before.priority if event.priority is None else event.priority,
        labels=before.labels if event.labels is None else event.labels,
        dependencies=before.dependencies if event.dependencies is None else event.dependencies,
        pipeline=before.pipeline if event.pipeline is None else event.pipeline,
        base=before.base if event.base is None else event.base,
        assessments=before.assessments if event.assessments is None else event.assessments,
        updated_at=record.ts,
    )
    if event.priority is None and event.dependencies is None and event.assessments is None:
        state.items[record.item] = after  # of the rest the index knows nothing
    else:
        put_item(state, after, before)


def _item_triaged(state: State, record: Record, event: ev.ItemTriaged) -> None:
    item = state.items[record.item]
    changes: dict[str, Any] = {"assessments": merged(item.assessments, event.assessments), "twins": event.duplicates}
    changes |= {"brief": event.brief} if event.brief != Brief() else {}
    changes |= {"pipeline": event.pipeline} if event.pipeline else {}
    set_item(state, record.item, **changes)


def _item_moved(state: State, record: Record, event: ev.ItemMoved) -> None:
    blocked = state.items[record.item].status is Status.BLOCKED  # which it stays until its gate is decided
    set_item(state, record.item, **{"came_from" if blocked else "status": event.to})


def _item_cancelled(state: State, record: Record, event: ev.ItemCancelled) -> None:
    of = f" of {event.duplicate_of}" if event.duplicate_of else ""
    # What was said at a gate is in its decision, and a duplicate says of what.
    reason = event.reason[:REASON_KEPT] if event.resolution is Resolution.CANCELLED else ""
    set_item(state, record.item, status=Status.CANCELLED, resolution=f"{event.resolution}{of}", reason=reason)


def _item_completed(state: State, record: Record, event: ev.ItemCompleted) -> None:
    run = state.runs.get(state.items[record.item].run)
    said = [phase.summary for phase in run.phases if phase.summary] if run else []
    summary = said[-1][:SUMMARY_KEPT] if said else ""
    set_item(state, record.item, status=Status.DONE, resolution=str(Resolution.COMPLETED), summary=summary)


def _item_reopened(state: State, record: Record, event: ev.ItemReopened) -> None:
    row = state.ended.pop(record.item, None)
    if row is not None:
        kept = {name: getattr(row, name) for name in EndedItem.__struct_fields__}
        put_item(state, Item(**kept), row)
    afresh: dict[str, Any] = {"came_from": Status.NEW, "resolution": "", "run": "", "summary": "", "brief": event.brief}
    afresh |= {"paused": Pause.NONE, "begin": "", "extra": event.extra, "reason": "", "twins": ()}
    set_item(state, record.item, status=event.status, description=event.description, vars=event.vars, **afresh)


EFFECTS: Final[dict[type[Event], Callable[[State, Record, Any], None]]] = {
    ev.DaemonStarted: _nothing,
    ev.DaemonStopped: _nothing,
    ev.JournalRepaired: _nothing,
    ev.JournalPruned: _journal_pruned,
    ev.ProjectRegistered: _project_registered,
    ev.ProjectConfigured: _project_configured,
    ev.ProjectRemoved: _project_removed,
    ev.DispatchStarted: _dispatch_started,
    ev.DispatchHalted: _dispatch_halted,
    ev.BreakerTripped: _nothing,
    ev.BreakerReset: _breaker_reset,
    ev.ItemAdded: _item_added,
    ev.ItemEdited: _item_edited,
    ev.ItemTriaged: _item_triaged,
    ev.ItemMoved: _item_moved,
    ev.ItemCancelled: _item_cancelled,
    ev.ItemReopened: _item_reopened,
    ev.ItemCompleted: _item_completed,
}
