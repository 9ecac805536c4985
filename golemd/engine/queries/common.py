"""What all views are made with."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from golemd.api.model import EndedItem, Item, Project
from golemd.core import filters, present
from golemd.core.filters import ALL, Filter
from golemd.core.state import State
from golemd.engine.context import Context


def clock(engine: Context) -> present.Clock:
    """The moment and limits that views are made with."""
    return present.Clock(engine.now_us(), engine.limits, short=engine.short)


def wanted(state: State, projects: Iterable[Project], only: Iterable[str]) -> Filter:
    """The filter of a listing of these projects. Raises Invalid `invalid_filter`."""
    words = tuple(only)
    if not words:
        return ALL
    names = {project.name for project in projects}
    pipelines = {name for project in names for name in state.config_of(project).pipelines}
    items: Iterable[Item | EndedItem] = chain(state.items.values(), state.ended.values())
    pipelines |= {item.pipeline for item in items if item.project in names}  # some are not configured any more
    return filters.parse(words, pipelines)
