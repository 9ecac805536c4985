"""Items: add, edit, cancel, reopen."""

from __future__ import annotations

import re
from typing import Final

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import ProjectConfig
from golemd.api.events import Draft
from golemd.api.faults import Conflict, Invalid, Unavailable
from golemd.api.model import ENDED, Assessments, Item, Resolution, Status
from golemd.core import commands as cmd
from golemd.core.decide import triage
from golemd.core.decide.common import Decided, about, closing, path_to
from golemd.core.decide.follow_ups import free_numbers, wished
from golemd.core.limits import (
    MAX_DEPENDENCIES,
    MAX_DESCRIPTION,
    MAX_LABEL,
    MAX_LABELS,
    MAX_PRIORITY,
    MAX_TITLE,
    MAX_VARS,
)
from golemd.core.results import DIMENSIONS
from golemd.core.state import State, no_item

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def add(state: State, call: calls.ItemAdd, command: cmd.Asked) -> Decided:
    """A new item: to be triaged, or at once where it can be worked on. An agent's is a follow-up of its own item."""
    if command.agent:
        _check_words(call.title, call.description, call.priority, call.labels)
        return Decided((wished(state, state.attempts[command.agent], call.title, call.description),))
    project = state.project(call.project)
    config = state.config_of(project.name)
    pipeline = _pipeline(config, call.pipeline or config.default_pipeline)
    _check_words(call.title, call.description, call.priority, call.labels)
    dependencies = _dependencies(state, "", call.dependencies)
    _check_vars(call.vars)
    number = next(free_numbers(state, project.name))
    added = ev.ItemAdded(
        title=call.title.strip(),
        number=number,
        status=triage.first_status(config, pipeline, Assessments()),
        pipeline=pipeline,
        description=call.description,
        priority=call.priority,
        labels=_labels(call.labels),
        dependencies=dependencies,
        base=call.base,
        vars=call.vars,
        actor=command.actor,
    )
    return Decided((Draft(added, project.name, f"{project.prefix}-{number}"),))


def edit(state: State, call: calls.ItemEdit, command: cmd.Asked) -> Decided:
    """Change what is given. What a run has pinned cannot be changed under it."""
    item = state.item(call.id)
    run = state.run_of(item)
    if run is not None and (call.pipeline is not None or (call.base is not None and run.base_branch)):
        message = f"{item.id} has a run under way, which is pinned to its pipeline and base."
        raise Conflict("run_pinned", message, f"golemctl cancel {item.id}, then golemctl reopen {item.id}")
    _check_words(call.title or item.title, call.description or "", call.priority or 0, call.labels or ())
    if call.title is not None and not call.title.strip():
        raise Invalid("empty_title", "A title needs at least one visible character.", "golemctl edit ID --title TEXT")
    config = state.config_of(item.project)
    edited = ev.ItemEdited(
        title=None if call.title is None else call.title.strip(),
        description=call.description,
        priority=call.priority,
        labels=None if call.labels is None else _labels(call.labels),
        dependencies=None if call.dependencies is None else _dependencies(state, item.id, call.dependencies),
        pipeline=None if call.pipeline is None else _pipeline(config, call.pipeline),
        base=call.base,
        assessments=_assessed(item, call),
        actor=command.actor,
    )
    if edited == ev.ItemEdited(actor=command.actor):
        return Decided(note="nothing to change was given")
    return Decided(about(item, edited, *triage.guarded(state, item, edited.assessments)))


def cancel(state: State, call: calls.ItemCancel, command: cmd.Asked) -> Decided:
    """End an item without its being done. Repeating it is a success that says so."""
    item = state.known(call.id)
    if item.status is Status.CANCELLED:
        other = "" if item.resolution is Resolution.CANCELLED else f" ({item.resolution})"
        return Decided(note=f"{item.id} was cancelled already{other}")
    if item.status is Status.DONE or not isinstance(item, Item):
        raise Conflict("item_ended", f"{item.id} is done.", f"To work on it again: golemctl reopen {item.id}")
    reason = call.reason or "cancelled"
    cancelled = ev.ItemCancelled(resolution=Resolution.CANCELLED, reason=call.reason, actor=command.actor)
    return Decided(about(item, *closing(state, item, reason), cancelled))


def reopen(state: State, call: calls.ItemReopen, command: cmd.Asked) -> Decided:
    """Take an ended item up again, from the beginning, with a fresh run."""
    item = state.known(call.id)
    if item.status not in ENDED:
        shown = str(item.status).replace("_", " ")
        raise Conflict("not_ended", f"{item.id} is {shown}, so there is nothing to reopen.", f"golemctl why {item.id}")
    if not all(map(state.is_put_away, state.runs_of(item.id))):
        message = f"{item.id} is still being put away."
        raise Unavailable("still_ending", message, "Its agent is being ended; try again in a moment.")
    whole = item if isinstance(item, Item) else command.facts.ended
    if whole is None:
        raise no_item(call.id)
    config = state.config_of(state.project(item.project).name)
    reopened = ev.ItemReopened(
        status=triage.first_status(config, item.pipeline, item.assessments),
        description=whole.description,
        vars=whole.vars,
        brief=whole.brief,
        extra=whole.extra,
        reason=call.reason,
        actor=command.actor,
    )
    return Decided((Draft(reopened, item.project, item.id),))


# --- checks ------------------------------------------------------------------------------------------------------


def _check_words(title: str, description: str, priority: int, labels: tuple[str, ...]) -> None:
    if not title.strip():
        raise Invalid("empty_title", "A title needs at least one visible character.", 'golemctl add "Fix the login"')
    if len(title) > MAX_TITLE or "\n" in title.strip():
        hint = "Put the rest into the description: golemctl add TITLE -d TEXT"
        raise Invalid("title_too_long", f"A title is one line of at most {MAX_TITLE} characters.", hint)
    if len(description) > MAX_DESCRIPTION:
        hint = "Commit a long text to the repository and name its path."
        raise Invalid("description_too_long", f"A description has at most {MAX_DESCRIPTION} characters.", hint)
    if abs(priority) > MAX_PRIORITY:
        raise Invalid("invalid_priority", f"A priority is between ±{MAX_PRIORITY}.", "Higher goes first; 0 is usual.")
    if len(labels) > MAX_LABELS or not all(0 < len(label.strip()) <= MAX_LABEL for label in labels):
        message = f"At most {MAX_LABELS} labels of 1 to {MAX_LABEL} characters."
        raise Invalid("invalid_labels", message, "golemctl add TITLE --label ui")


def _check_vars(given: dict[str, str]) -> None:
    if len(given) > MAX_VARS or not all(_NAME.fullmatch(name) for name in given):
        message = f"At most {MAX_VARS} variables, with names of letters, digits, _ and - that begin with a letter."
        raise Invalid("invalid_vars", message, "golemctl add TITLE --var NAME=VALUE")
    if sum(map(len, given.values())) > MAX_DESCRIPTION:
        raise Invalid("invalid_vars", f"Variables hold at most {MAX_DESCRIPTION} characters.", "Commit a long text.")


def _labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label.strip() for label in labels))


def _pipeline(config: ProjectConfig, name: str) -> str:
    if name not in config.pipelines:
        known = ", ".join(sorted(config.pipelines))
        message = f"There is no pipeline {name[:64]!r} in {config.name}."
        hint = f"Known: {known}. If it is new in golem.toml: golemctl reload"
        raise Invalid("unknown_pipeline", message, hint, known=sorted(config.pipelines))
    return name


def _dependencies(state: State, item: str, named: tuple[str, ...]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(named))
    if len(wanted) > MAX_DEPENDENCIES:
        raise Invalid("too_many_dependencies", f"At most {MAX_DEPENDENCIES} dependencies.", "Chain them instead.")
    for dependency in wanted:
        state.known(dependency)
    path = path_to(state, wanted, item) if item else []
    if path:
        shown = " → ".join([item, *path])
        raise Conflict("dependency_cycle", f"That would be a cycle: {shown}.", "Leave one of them out.", path=path)
    return wanted


def _assessed(item: Item, call: calls.ItemEdit) -> Assessments | None:
    given = {name: getattr(call, name) for name in DIMENSIONS if getattr(call, name) is not None}
    for name, value in given.items():
        if value and value not in DIMENSIONS[name]:
            allowed = ", ".join(DIMENSIONS[name])
            raise Invalid("invalid_assessment", f"{name} is one of {allowed}, not {value[:40]!r}.", "Empty unsets it.")
    old = item.assessments
    return Assessments(**{name: given.get(name, getattr(old, name)) for name in DIMENSIONS}) if given else None
