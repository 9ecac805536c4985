"""The prompt of triage: a new item, the backlog around it, the pipelines that there are, and a rubric."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from golemd.api.config import Pipeline
from golemd.api.model import ENDED, Item, Run
from golemd.core.prompt.sections import about_item, answers, budget, contract, notes
from golemd.core.state import State

MAX_BACKLOG: Final = 200  # titles of other items; the newest are shown
IDEAS_FOLDER: Final = "_ideas"

_RUBRIC: Final = """\
## Rubric

Assess what the item takes here, in this code base, after you have looked at what it touches.

- size: small (up to 3 files), medium (4 to 10), large (more, or you cannot tell where it ends)
- complexity: low (an existing pattern, applied), medium (a few decisions of design), high (new architecture, or \
behaviour that is hard to foresee)
- risk: low (nothing that others rely on), medium (shared code), high (public interfaces, data, security, hard to undo)
- impact: low (nice to have), medium (a real improvement), high (people are held up without it)

Leave out what you cannot judge."""

_MORE: Final = (
    " For triage also: `pipeline_type` (one of the pipelines above), `duplicates` (ids of items above that say the "
    "same), `description` (an object with context, problem, solution, impact, sizing_rationale). Use blocked only when "
    "nobody could work on the item without an answer."
)


def triage_sections(state: State, item: Item, run: Run, number: int) -> list[str]:
    """The sections of the prompt, in their order."""
    config = state.config_of(item.project)
    return [
        _opening(item, number),
        about_item(item),
        *_backlog(state, item),
        _pipelines(tuple(config.pipelines.values()), config.default_pipeline),
        *answers(state, item),
        *notes(run.phase),
        _RUBRIC,
        _task(),
        *budget(state, item),
        contract(item, run.phase, _MORE),
    ]


def _opening(item: Item, number: int) -> str:
    return (
        f"# {item.id}: triage\n\n"
        "You assess a new item of a backlog before anybody works on it. You are in the repository's own folder: read "
        f"what you need, change nothing. Nobody can answer while you run. This is attempt {number}."
    )


def _backlog(state: State, item: Item) -> Iterator[str]:
    others = [each for each in state.items_of(item.project) if each.id != item.id and each.status not in ENDED]
    if not others:
        return
    shown = others[-MAX_BACKLOG:]
    lines = [f"- {each.id}: {each.title} [{each.status}]" for each in shown]
    more = len(others) - len(shown)
    yield "\n".join(["## Backlog", "", *([f"({more} older items are not shown)"] if more else []), *lines])


def _pipelines(pipelines: tuple[Pipeline, ...], default: str) -> str:
    lines = ["## Pipelines", ""]
    for each in pipelines:
        usual = " (the usual one)" if each.name == default else ""
        lines.append(f"- {each.name}{usual}: {' → '.join(phase.name for phase in each.all_phases)}")
    return "\n".join(lines)


def _task() -> str:
    return (
        "## Task\n\n"
        "Find out what the item means: read the code that it touches, and what the repository says of its plans (such "
        f"as {IDEAS_FOLDER}/, if there is one). Assess it by the rubric, choose its pipeline, say in a few sentences "
        "what the problem is and how it could be solved, and name items of the backlog that say the same. Do not begin "
        "with the work."
    )
