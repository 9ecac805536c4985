"""Words that the shell may complete, asked of the daemon. Without one, or when it is slow: none, and not a word.

Ids are those of all projects, since they tell which one is meant. What has ended is offered when nothing else fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import typer

from golemctl.app import Ask, Options
from golemd.api import calls
from golemd.api.faults import Fault
from golemd.api.views import StatusView

COMPLETE_SECONDS: Final = 0.7
"""A shell that waits for a completion is not kept longer by the daemon."""
SIZES: Final = ("small", "medium", "large")
LEVELS: Final = ("low", "medium", "high")

T = TypeVar("T")


def item_ids(context: typer.Context, incomplete: str) -> list[str]:
    """Items, those that have not ended before those that have."""
    view = _status(context)
    if view is None:
        return []  # who does not answer is not asked again
    return _ids(view, incomplete) or _ids(_status(context, all_items=True), incomplete)


def ended_item_ids(context: typer.Context, incomplete: str) -> list[str]:
    """Items that are done or cancelled."""
    return _ids(_status(context, only="status=done,cancelled"), incomplete)


def gate_or_item_ids(context: typer.Context, incomplete: str) -> list[str]:
    """Open gates, and the items that they hold up."""
    view = _status(context)
    gates = view.gates if view is not None else ()
    return _fitting((name for gate in gates for name in (gate.item, gate.id)), incomplete)


def item_or_gate_ids(context: typer.Context, incomplete: str) -> list[str]:
    """What can be shown: items, and where none begins so, open gates."""
    return item_ids(context, incomplete) or gate_or_item_ids(context, incomplete)


def gate_options(context: typer.Context, incomplete: str) -> list[str]:
    """The ways to decide the gate that is named before."""
    named = str(context.params.get("gate") or "")
    gates = _asked(context, lambda ask: ask.call(calls.GateList())) or ()
    found = (gate for gate in gates if named in (gate.id, gate.item))
    return _fitting((option.id for gate in found for option in gate.options), incomplete)


def phase_names(context: typer.Context, incomplete: str) -> list[str]:
    """The phases of the item that is named before."""
    # Behind an option that still lacks its value, typer has left the item among the words it could not place.
    named = str(context.params.get("id") or next(iter(context.args), ""))
    item = _asked(context, lambda ask: ask.call(calls.ItemShow(id=named)))
    runs = item.runs[-1:] if item is not None else ()
    return _fitting((phase.name for run in runs for phase in run.phases), incomplete)


def project_names(context: typer.Context, incomplete: str) -> list[str]:
    """The registered projects."""
    projects = _asked(context, lambda ask: ask.call(calls.ProjectList())) or ()
    return _fitting((project.name for project in projects), incomplete)


def pipeline_names(context: typer.Context, incomplete: str) -> list[str]:
    """The pipelines of the project that is meant."""
    view = _asked(context, lambda ask: ask.here_or_all(calls.Status(only=("status=blocked",))))
    return _fitting((name for project in view.projects for name in project.pipelines), incomplete) if view else []


def labels(context: typer.Context, incomplete: str) -> list[str]:
    """Labels that items have, ended ones too."""
    view = _status(context, all_items=True)
    return _fitting((label for item in view.items for label in item.labels), incomplete) if view else []


def sizes(incomplete: str) -> list[str]:
    """The sizes of an item."""
    return _fitting(SIZES, incomplete)


def levels(incomplete: str) -> list[str]:
    """The levels of complexity, risk and impact."""
    return _fitting(LEVELS, incomplete)


def event_types(incomplete: str) -> list[str]:
    """The types of records, and the beginnings that several have in common."""
    from golemd.api.events import EVENTS  # only here: no command needs all of them

    if "." in incomplete:
        return _fitting(EVENTS, incomplete)
    return _fitting((kind.partition(".")[0] for kind in EVENTS), incomplete)


def filters(context: typer.Context, incomplete: str) -> list[str]:
    """Words for --only."""
    from golemd.api.states import Status

    key = incomplete.partition("=")[0]
    named = {"label": labels, "pipeline": pipeline_names}
    if key in named and "=" in incomplete:
        return [f"{key}={name}" for name in named[key](context, incomplete.partition("=")[2])]
    words = [f"status={status}" for status in Status] + [f"size={size}" for size in SIZES]
    words += [f"{dimension}={level}" for dimension in ("impact", "risk", "complexity") for level in LEVELS]
    return _fitting([*words, "label=", "pipeline=", "priority="], incomplete)


# --- asking ------------------------------------------------------------------------------------------------------


def _asked(context: typer.Context, question: Callable[[Ask], T]) -> T | None:
    """The daemon's answer, by the options that stand on the command line so far; None when there is none."""
    given: dict[str, Any] = {**context.find_root().params, **context.params}
    options = Options(
        socket=str(given.get("socket") or ""), project=str(given.get("project") or ""), timeout=COMPLETE_SECONDS
    )
    ask = Ask(options)
    try:
        return question(ask)
    except Fault:
        return None
    finally:
        ask.close()


def _status(context: typer.Context, *, all_items: bool = False, only: str = "") -> StatusView | None:
    call = calls.Status(all=all_items, only=(only,) if only else ())
    return _asked(context, lambda ask: ask.call(call))


def _ids(view: StatusView | None, incomplete: str) -> list[str]:
    return _fitting((item.id for item in view.items), incomplete) if view is not None else []


def _fitting(words: Iterable[str], incomplete: str) -> list[str]:
    return list(dict.fromkeys(word for word in words if word.startswith(incomplete)))
