"""Items → lines of JSON that other programs read, and that `import` takes in again: the writer of `core.imports.own`.

A header comes first, then each item on a line of its own, complete but for the agents' attempts: what its runs did is
there in short.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw

from golemd.api.model import ENDED, RUN_OVER, Gate, Item, Past, Pause, Project, Run, Status
from golemd.core.imports.fields import fitted_history
from golemd.core.imports.own import EXTRA, FORMAT, VERSION
from golemd.core.state import State


def header(project: Project, at: str, release: str) -> str:
    """The first line. `at`: when it was exported; `release`: of golemd."""
    first = {"format": FORMAT, "version": VERSION, "project": project.name, "prefix": project.prefix}
    return _json(first | {"exported_at": at, "golemd": release})


def line(past: State, item: Item, before: tuple[Past, ...]) -> str:
    """One item. `past` is a state that holds all of its story, `before` what happened to it elsewhere."""
    children = past.children.get(item.id, ())
    runs = [past.runs[child] for child in children if child in past.runs]
    gates = past.open_gates(item.id) if item.status not in ENDED else []
    assessed = item.assessments
    values: dict[str, Any] = {
        "id": item.id,
        "source": item.source,
        "title": item.title,
        "status": item.status,
        "came_from": item.came_from if item.status is Status.BLOCKED else None,
        "phase": _phase(past, item),
        "gates": [_gate(gate) for gate in gates],
        "paused": item.paused is not Pause.NONE,
        "resolution": item.resolution,
        "description": item.description,
        "brief": item.brief,
        "priority": item.priority,
        "labels": item.labels,
        "dependencies": item.dependencies,
        "pipeline": item.pipeline,
        "base": item.base,
        "vars": item.vars,
        "size": assessed.size,
        "complexity": assessed.complexity,
        "risk": assessed.risk,
        "impact": assessed.impact,
        "approved": item.approved,
        "origin": item.origin,
        "depth": item.depth,
        "summary": item.summary,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
        "history": fitted_history([*before, *_done(runs)]),
        EXTRA: {key: Raw(text.encode()) for key, text in item.extra.items()},
    }
    return _json({key: None if value == "" else value for key, value in values.items()})


def _phase(past: State, item: Item) -> str:
    """Where a scoped item, or one in progress, stands."""
    stands = item.came_from if item.status is Status.BLOCKED else item.status
    run = past.run_of(item)
    if stands not in (Status.SCOPING, Status.IN_PROGRESS):
        return ""
    return item.begin if run is None or run.state in RUN_OVER else run.phase.name


def _gate(gate: Gate) -> dict[str, str]:
    return {"kind": str(gate.kind), "question": gate.question, "opened_at": gate.opened_at}


def _done(runs: Iterable[Run]) -> Iterator[Past]:
    """What became of the phases of runs."""
    for run in runs:
        for phase in run.phases:
            if phase.ended_at:
                said = f": {phase.summary}" if phase.summary else ""
                commit = f" ({phase.commit[:7]})" if phase.commit else ""
                yield Past(phase.ended_at, f"{run.id}.{phase.name} {phase.state}{commit}{said}")


def _json(value: dict[str, Any]) -> str:
    """One line, for readers as well that take more than a line feed for the end of one."""
    text = msgspec.json.encode(value).decode()
    return _SEPARATORS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_SEPARATORS: Final = re.compile("[\x7f-\x9f\u2028\u2029]")
