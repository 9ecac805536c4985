"""Follow-ups: what agents wish for becomes items, as far as quotas go; an active item is not made again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from golemd.api import events as ev
from golemd.api.events import Draft
from golemd.api.faults import Conflict
from golemd.api.model import Assessments, Attempt, FollowUp, Item, Run
from golemd.core.decide.triage import first_status
from golemd.core.results import Wish
from golemd.core.state import State

LINKED: Final = "there already"
_NO_WORD: Final = re.compile(r"[\W_]+")


def normalised(title: str) -> str:
    """A title reduced to its words, so that case, spaces and punctuation make no difference."""
    return _NO_WORD.sub(" ", title.casefold()).strip()


def follow_ups(
    state: State, item: Item, run: Run, phase: str, wishes: tuple[Wish, ...]
) -> tuple[tuple[FollowUp, ...], tuple[Draft, ...]]:
    """What becomes of each wish, and the new items."""
    if not wishes:
        return (), ()
    execution = state.config_of(item.project).execution
    room = execution.max_follow_ups - run.follow_ups_added
    if item.depth >= execution.max_follow_up_depth:
        bound = execution.max_follow_up_depth
        why = f"it would be generation {item.depth + 1} of follow-ups (max_follow_up_depth {bound})"
        return tuple(FollowUp(wish.title, why=why) for wish in wishes), ()
    active = {normalised(each.title): each.id for each in state.items_of(item.project)}
    numbers = free_numbers(state, item.project)
    kept: list[FollowUp] = []
    drafts: list[Draft] = []
    for wish in wishes:
        same = active.get(normalised(wish.title))
        if same is not None:
            kept.append(FollowUp(wish.title, same, LINKED))
        elif len(drafts) >= room:
            kept.append(
                FollowUp(wish.title, why=f"the run has used up its {execution.max_follow_ups} (max_follow_ups)")
            )
        else:
            drafts.append(_added(state, item, f"{item.id}/{phase}", wish, next(numbers)))
            active[normalised(wish.title)] = drafts[-1].item
            kept.append(FollowUp(wish.title, drafts[-1].item))
    return tuple(kept), tuple(drafts)


def wished(state: State, attempt: Attempt, title: str, context: str) -> Draft:
    """The follow-up that a running agent asks for. Raises Conflict `follow_up_exists`, `follow_up_refused`."""
    item, run = state.items[attempt.item], state.runs[attempt.run]
    (kept,), drafts = follow_ups(state, item, run, attempt.phase, (Wish(title.strip(), context),))
    if drafts:
        return drafts[0]
    if kept.item:
        message = f"{kept.item} says the same already."
        raise Conflict("follow_up_exists", message, "Name it in your result if that matters.", item=kept.item)
    raise Conflict("follow_up_refused", f"{item.id}: {kept.why}.", "Name it in the summary of your result instead.")


def free_numbers(state: State, project: str) -> Iterator[int]:
    """Numbers for new items of a project, from the next on."""
    found = state.projects[project]
    number = found.next_number
    while True:
        name = f"{found.prefix}-{number}"
        if name not in state.items and name not in state.ended:
            yield number
        number += 1


def _added(state: State, item: Item, origin: str, wish: Wish, number: int) -> Draft:
    config = state.config_of(item.project)
    assessed = Assessments(size=wish.size, risk=wish.risk)
    added = ev.ItemAdded(
        title=wish.title,
        number=number,
        status=first_status(config, config.default_pipeline, assessed),
        pipeline=config.default_pipeline,
        description=wish.context,
        assessments=assessed,
        origin=origin,
        depth=item.depth + 1,
    )
    return Draft(added, item.project, f"{state.projects[item.project].prefix}-{number}")
