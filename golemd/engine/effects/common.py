"""What entering and committing have in common, in worktrees and in a shared tree."""

from __future__ import annotations

from typing import Final

from golemd.adapters.workspace import Addition
from golemd.api.model import Item, Phase, Run
from golemd.core import worklog
from golemd.core.decide import staleness
from golemd.engine import past
from golemd.engine.context import Context
from golemd.engine.effects.places import config_of, workspace_of

SUBJECT_LENGTH: Final = 72


async def missing_phases(engine: Context, run: Run) -> tuple[str, ...]:
    """The earlier phases whose commits are gone from the history, where the phase under way asks for that."""
    commits = {phase.name: phase.commit for phase in run.phases[: run.index] if phase.commit}
    if not commits or not staleness.is_checked(run):
        return ()
    gone = await engine.parts.workspaces.missing_commits(workspace_of(engine, run), set(commits.values()))
    return tuple(name for name, commit in commits.items() if commit in gone)


async def worklog_of(engine: Context, run: Run) -> list[Addition]:
    """What the commit that is made now adds to the worklog in the repository, if one is kept there."""
    if not config_of(engine, run).worklog:
        return []
    item = engine.state.items[run.item]
    texts = worklog.to_be_kept(await past.story_of(engine, item.id), run, item.title)
    entries = [Addition(path, text) for path, text in texts.items()]
    beside = [Addition(path, text, to_new=True) for path, text in worklog.MERGED_BY_LINES.items()]
    return [*beside, *entries] if entries else []


def environment_names(engine: Context) -> tuple[str, ...]:
    general = engine.parts.settings.environment
    return tuple(sorted({*general.pass_env, *general.variables}))


def message_of(item: Item, phase: Phase) -> str:
    """`[WRK-42][build] summary`: the subject on one line, the whole summary below when it says more."""
    prefix = f"[{item.id}][{phase.name}] "
    text = (phase.commit_summary or phase.summary).removeprefix(prefix).strip() or item.title
    first = " ".join(text.splitlines()[0].split())
    room = max(20, SUBJECT_LENGTH - len(prefix))
    subject = prefix + (first if len(first) <= room else first[: room - 1].rstrip() + "…")
    whole = phase.summary.strip()
    return f"{subject}\n\n{whole}" if whole and whole != first else subject
