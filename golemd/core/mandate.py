"""What a dispatch lets start: its targets in their order, the items that its filter means, or new items alone.

Only the start of a phase is narrowed. What is under way goes on, whoever started it; dependencies and limits are
counted over all items, whatever is meant.
"""

from __future__ import annotations

from functools import lru_cache

from golemd.api.model import ENDED, Dispatch, HaltReason, Item, Project, Status
from golemd.core import filters
from golemd.core.filters import Filter
from golemd.core.state import State


@lru_cache(maxsize=64)
def filter_of(words: tuple[str, ...]) -> Filter:
    """The filter that a dispatch was started with; its words were found good then."""
    return filters.parse(words)


def admits(state: State, project: Project, item: Item) -> bool:
    """Whether the project's dispatch lets the item be promoted, and its next phase be started."""
    dispatch = project.dispatch
    if dispatch.triage:
        return item.status is Status.NEW and item.id in (dispatch.targets or (item.id,))
    if dispatch.targets:
        target = current_target(state, dispatch)
        return dispatch.then_rest if target is None else item.id == target
    return filter_of(dispatch.only).matches(item)


def current_target(state: State, dispatch: Dispatch) -> str | None:
    """The first target that has not ended; with auto-advance, the first that does not wait for anything but time."""
    waiting = (state.items[each] for each in dispatch.targets if each in state.items)
    for item in waiting:
        if item.status not in ENDED and not (dispatch.auto_advance and is_stuck(state, item)):
            return item.id
    return None


def is_stuck(state: State, item: Item) -> bool:
    """Whether only a human, or the end of another item, can move it."""
    return item.status is Status.BLOCKED or item.is_held or bool(state.unmet(item))


def halt_reason(state: State, project: Project) -> HaltReason:
    """Why a dispatch that can start nothing more is over."""
    dispatch = project.dispatch
    if dispatch.targets:
        left = [state.items[each] for each in dispatch.targets if each in state.items]
        if dispatch.triage:
            left = [item for item in left if _is_untriaged(item)]
        if any(item.status not in ENDED for item in left):
            return HaltReason.TARGET_BLOCKED
        return HaltReason.ALL_DONE_OR_BLOCKED if dispatch.then_rest else HaltReason.TARGET_DONE
    if not dispatch.only:
        return HaltReason.ALL_DONE_OR_BLOCKED
    wanted = filter_of(dispatch.only)
    meant = any(wanted.matches(item) for item in state.items_of(project.name))
    return HaltReason.FILTER_EXHAUSTED if meant or dispatch.used else HaltReason.NO_MATCHING_ITEMS


def _is_untriaged(item: Item) -> bool:
    return (item.came_from if item.status is Status.BLOCKED else item.status) is Status.NEW


def why_not(state: State, project: Project, item: Item) -> str | None:
    """In words why the dispatch does not let the item start; None when it does."""
    dispatch = project.dispatch
    if admits(state, project, item):
        return None
    if dispatch.triage:
        return "this dispatch only triages"
    if dispatch.targets:
        target = current_target(state, dispatch)
        return f"this dispatch works on {target} now" if target else "this dispatch is through with its targets"
    return f"this dispatch works only on {filter_of(dispatch.only)}"
