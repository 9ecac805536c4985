"""Imports: the entries of a backlog elsewhere become items, in one command: all or nothing, and none of them twice.

An entry is known again by what it was called and when it was made; golemd's own item then stays as it is, whatever its
source says since. Ids are kept where they can be; dependencies and origins follow them. What was blocked asks its
question here, before it has a run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from golemd.api import calls, views
from golemd.api import events as ev
from golemd.api.events import Draft
from golemd.api.faults import Internal
from golemd.api.model import Actor, GateKind, Resolution, Status
from golemd.core import commands as cmd
from golemd.core.decide.common import DEFAULTS, OPTIONS, Decided
from golemd.core.decide.import_names import (
    Names,
    Source,
    called,
    check_prefixes,
    links_of,
    names_of,
    remark,
    sorted_out,
)
from golemd.core.decide.triage import first_status
from golemd.core.imports.entries import Entry
from golemd.core.imports.fields import as_json
from golemd.core.state import State

MAX_LISTED: Final = 200  # of an answer's warnings, changed and renamed items, each
IMPORTED_KEY: Final = "imported"


def import_items(state: State, call: calls.Import, command: cmd.Asked) -> Decided:
    """All entries that are not here yet become items. A trial run says what would happen."""
    backlog = command.facts.backlog
    if backlog is None:
        raise Internal("no_facts", "The backlog was not read.")
    source = sorted_out(state, state.project(call.project), backlog)
    if not call.renumber:
        check_prefixes(state, source)
    names = names_of(state, source, renumber=call.renumber)
    links, remarks = links_of(state, source, names)
    drafts: list[Draft] = []
    counts: Counter[Status] = Counter()
    for entry in source.fresh:
        begin, lost = _begin(source, entry)
        if lost:
            remarks.append(remark(entry, names, lost))
        added = _added(source, entry, names, links[names.ids[entry.key]], begin, command.actor)
        counts[Status.BLOCKED if entry.questions else added.status] += 1
        name, project = names.ids[entry.key], source.project.name
        drafts += (Draft(event, project, name) for event in (added, *_questions(entry, name)))
    answer = _answer(source, names, counts, [*map(str, backlog.warnings), *remarks], dry_run=call.dry_run)
    return Decided(() if call.dry_run else tuple(drafts), answer=answer)


def _begin(source: Source, entry: Entry) -> tuple[str, str]:
    """The phase at which the item's run begins, or why it begins at the first one."""
    stands = entry.came_from if entry.status is Status.BLOCKED else entry.status
    pipeline = source.config.pipelines.get(entry.pipeline or source.config.default_pipeline)
    if not entry.phase or stands not in (Status.SCOPING, Status.IN_PROGRESS):
        return "", ""
    if pipeline is None:
        return entry.phase, ""  # a human is asked for another pipeline, which may have it
    ahead = pipeline.pre_phases if stands is Status.SCOPING else pipeline.phases
    if any(phase.name == entry.phase for phase in ahead):
        return entry.phase, ""
    shown = str(stands).replace("_", " ")
    return "", f"was {shown} in {entry.phase}, which {pipeline.name} does not have: it begins with the first phase"


def _added(
    source: Source, entry: Entry, names: Names, dependencies: tuple[str, ...], begin: str, actor: Actor
) -> ev.ItemAdded:
    """An item, as what it is here."""
    name = names.ids[entry.key]
    pipeline = entry.pipeline or source.config.default_pipeline
    stands = entry.came_from if entry.status is Status.BLOCKED else entry.status
    return ev.ItemAdded(
        title=entry.title,
        number=names.numbers.get(name, 0),
        status=first_status(source.config, pipeline, entry.assessments) if stands is Status.NEW else stands,
        pipeline=pipeline,
        description=entry.description,
        priority=entry.priority,
        labels=entry.labels,
        dependencies=dependencies,
        base=entry.base,
        vars=entry.vars,
        actor=actor,
        assessments=entry.assessments,
        origin=_origin(entry, names),
        depth=entry.depth,
        brief=entry.brief,
        approved=entry.approved,
        phase=begin,
        paused=entry.paused,
        resolution=_resolution(entry, names),
        summary=entry.summary,
        created_at=entry.created_at,
        updated_at=entry.updated_at,
        source=called(entry) if called(entry) != name else "",
        mark=entry.mark,
        history=entry.history,
        extra=_kept(entry, dependencies, begin) | entry.extra,
    )


def _questions(entry: Entry, name: str) -> Iterator[ev.GateOpened]:
    """What an item asks, before it has a run."""
    for number, question in enumerate(entry.questions, 1):
        yield ev.GateOpened(
            gate=f"{name}.g{number}",
            run="",
            phase="",
            kind=GateKind.QUESTION,
            key=IMPORTED_KEY,
            question=question,
            options=OPTIONS[GateKind.QUESTION],
            default=DEFAULTS[GateKind.QUESTION],
            opened_at=entry.updated_at,
        )


def _kept(entry: Entry, dependencies: tuple[str, ...], begin: str) -> dict[str, str]:
    """What the source said and golemd does not follow."""
    kept = {"dependencies": as_json(entry.dependencies)} if len(dependencies) < len(entry.dependencies) else {}
    return kept | ({"phase": as_json(entry.phase)} if entry.phase != begin else {})


def _origin(entry: Entry, names: Names) -> str:
    item, slash, phase = entry.origin.partition("/")
    return names.ids.get(item, item) + slash + phase


def _resolution(entry: Entry, names: Names) -> str:
    if not entry.duplicate_of:
        return entry.resolution
    return f"{Resolution.DUPLICATE} of {names.ids.get(entry.duplicate_of, entry.duplicate_of)}"


def _answer(
    source: Source, names: Names, counts: Counter[Status], warnings: list[str], *, dry_run: bool
) -> views.Imported:
    renamed = {called(entry): names.ids[entry.key] for entry in source.fresh if names.ids[entry.key] != called(entry)}
    changed = [item.id for entry, item in source.there if item.mark not in ("", entry.mark)]
    if len(renamed) > MAX_LISTED:
        warnings = [*warnings, f"{len(renamed)} items have new ids; {MAX_LISTED} of them are listed"]
    return views.Imported(
        project=source.project.name,
        added={str(status): many for status in Status if (many := counts[status])},
        unchanged=len(source.there) - len(changed),
        changed=tuple(changed[:MAX_LISTED]),
        renamed=dict(list(renamed.items())[:MAX_LISTED]),
        warnings=tuple(warnings[:MAX_LISTED]),
        more_warnings=max(0, len(warnings) - MAX_LISTED),
        dry_run=dry_run,
    )
