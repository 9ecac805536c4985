"""Steering what is under way: pause, resume, advance."""

from __future__ import annotations

from typing import Annotated, Final

from golemctl.app import Ask, Usage
from golemctl.commands.items import show_changed
from golemctl.commands.looking import ItemId
from golemctl.declare import Argument, Commands, Option
from golemctl.render.item import paused_lines, resumed_lines
from golemd.api import calls

AnItem = Annotated[
    str, Argument(metavar="[ID]", help="An item, such as WRK-42.", completion="item_ids", show_default=False)
]
All = Annotated[bool, Option("--all", help="All items of the project.")]


def register(app: Commands) -> None:
    app.add("pause", pause, "Hold an item back, or all.", _PAUSE)
    app.add("resume", resume, "Go on with what is paused.", _RESUME)
    app.add("advance", advance, "Take an item to another phase.", _ADVANCE)


_PAUSE: Final = "Hold an item back, or with --all the project: running agents are asked to end, nothing new starts."
_RESUME: Final = "Go on with what is paused, in the same phase; agents go on in their conversations where they can."
_ADVANCE: Final = "Take an item past its phase, or to another one, also back: what is passed over is skipped."


def pause(
    ask: Ask,
    id: AnItem = "",  # noqa: A002 - the name of the call's field
    all_items: All = False,
    after_phase: Annotated[bool, Option("--after-phase", help="Let the phase under way finish first.")] = False,
) -> None:
    project = _project(ask, "pause", id, all_items)
    ask.out.reply(ask.call(calls.Pause(id=id, project=project, after_phase=after_phase)), paused_lines)


def resume(ask: Ask, id: AnItem = "", all_items: All = False) -> None:  # noqa: A002 - as above
    project = _project(ask, "resume", id, all_items)
    ask.out.reply(ask.call(calls.Resume(id=id, project=project)), resumed_lines)


def advance(
    ask: Ask,
    id: ItemId,  # noqa: A002 - as above
    to: Annotated[
        str,
        Option(metavar="PHASE", help="Which phase; the next one unless given.", completion="phase_names"),
    ] = "",
    force: Annotated[bool, Option("--force", help="End its running attempt first.")] = False,
) -> None:
    show_changed(ask.out, ask.call(calls.ItemAdvance(id=id, to=to, force=force)))


def _project(ask: Ask, command: str, item: str, all_items: bool) -> str:
    """The project of --all; empty for one item. Raises Usage for neither and for both."""
    if bool(item) is all_items:
        what = "Both an item and --all are given." if item else "Nothing is named."
        raise Usage("one_of_both", what, f"One of: golemctl {command} ID, golemctl {command} --all")
    return "" if item else ask.project
