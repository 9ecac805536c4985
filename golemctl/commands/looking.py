"""Looking at things: status, show, why, gates, projects, path, diff."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import Annotated, Final

from golemctl.app import REFUSED, Ask
from golemctl.client import CALL_SECONDS
from golemctl.declare import Argument, Commands, Option
from golemctl.moments import FORMS, moment
from golemctl.render.gates import gate_detail_lines, gates_lines, no_gates_lines
from golemctl.render.item import show_lines, why_lines
from golemctl.render.status import projects_lines, status_lines
from golemctl.render.text import clean, paragraphs, wrap
from golemd.api import calls
from golemd.api.faults import Conflict, NotFound
from golemd.api.views import ItemDetail, RunView

_GATE: Final = re.compile(r".+\.g[0-9]+")
REPLAY_SECONDS: Final = 3600.0
"""How long a replay of the journal may take."""

ItemId = Annotated[str, Argument(metavar="ID", help="An item, such as WRK-42.", completion="item_ids")]
GateId = Annotated[
    str, Argument(metavar="ID", help="An item, or a gate such as WRK-42.g1.", completion="gate_or_item_ids")
]
Only = Annotated[
    list[str] | None,
    Option(
        "--only",
        metavar="KEY=VALUE[,VALUE]",
        help="Items that match, such as size=small; may be repeated.",
        completion="filters",
    ),
]


def names_a_gate(named: str) -> bool:
    """Whether an id is that of a gate, such as WRK-42.g1."""
    return _GATE.fullmatch(named) is not None


def register(app: Commands) -> None:
    app.add("status", status, "What waits for you, what runs, what is next.", _STATUS)
    app.add("show", show, "One item with all that has happened to it, or one gate.", _SHOW)
    app.add("report", report, "The final report of a run.", calls.ReportShow.__doc__)
    app.add("why", why, "Why an item does not run.", calls.ItemWhy.__doc__)
    app.add("gates", gates, "What waits for a decision, oldest first.")
    app.add("check", check, "What would keep a project from being worked on.", _CHECK)
    app.add("projects", projects, "The registered projects.", _PROJECTS)
    app.add("path", path, "The folder in which an item is worked on.")
    app.add("diff", diff, "What an item has changed since its base commit.", _DIFF)


_PROJECTS: Final = (
    "The registered projects. --remove forgets one whose items are all done or cancelled, also when its folder is gone."
)
_STATUS: Final = (
    "Everything at a glance: what waits for you, what runs, what is next and why it waits. Inside a project, that "
    "project; elsewhere all of them."
)
_SHOW: Final = (
    "One item with its description, runs, phases, attempts, checks, decisions and last events; or one gate with all "
    "that it is about: content, changed files, checks, findings, what each option does."
)
_CHECK: Final = (
    "Look at configuration, workflow files, agent programs, commands, dependencies and git before anything runs; exits "
    "with 1 when there is an error. Works in a repository that is not registered yet, too. Changes nothing."
)
_DIFF: Final = (
    "Show what an item has changed since its base commit, uncommitted work included. Where items are worked on in the "
    "repository itself, which others change too, show its own commits."
)


def status(
    ask: Ask,
    all_items: Annotated[bool, Option("--all", help="List done and cancelled items too.")] = False,
    only: Only = None,
    at: Annotated[str, Option(metavar="SEQ|TIME", help=f"As it was then, replayed from the journal. {FORMS}")] = "",
) -> None:
    words = tuple(only or ())
    then = moment(at, datetime.now(UTC)) if at else None
    call = calls.Status(all=all_items, only=words, at=then)
    view = ask.here_or_all(call, seconds=CALL_SECONDS if then is None else REPLAY_SECONDS)
    ask.out.reply(view, lambda view, look: status_lines(view, look, everything=all_items, only=words))


def show(
    ask: Ask,
    id: Annotated[  # noqa: A002 - the name of the call's field
        str,
        Argument(metavar="ID", help="An item, or a gate such as WRK-42.g1.", completion="item_or_gate_ids"),
    ],
    prompt: Annotated[bool, Option("--prompt", help="Add its next or last prompt.")] = False,
) -> None:
    if names_a_gate(id):
        return ask.out.reply(ask.call(calls.GateShow(gate=id)), gate_detail_lines)
    return ask.out.reply(ask.call(calls.ItemShow(id=id, prompt=prompt)), show_lines)


def report(
    ask: Ask,
    id: Annotated[  # noqa: A002 - the name of the call's field
        str, Argument(metavar="ID", help="An item, or a run such as WRK-42.1.", completion="item_ids")
    ],
) -> None:
    view = ask.call(calls.ReportShow(id=id))
    if ask.out.json:
        ask.out.document(view.report)
    else:
        columns = ask.out.look().width
        for line in paragraphs(view.markdown):
            ask.out.say(*([line] if line.startswith("|") else wrap(line, columns)))  # a table is left as it is


def why(ask: Ask, id: ItemId) -> None:  # noqa: A002 - the name of the call's field
    ask.out.reply(ask.call(calls.ItemWhy(id=id)), why_lines)


def gates(ask: Ask, only: Only = None) -> None:
    words = tuple(only or ())
    found = ask.here_or_all(calls.GateList(only=words))
    if found or ask.out.json:
        return ask.out.reply(found, gates_lines)
    if words and (unmatched := ask.here_or_all(calls.GateList())):
        return ask.out.say(*no_gates_lines(words, unmatched, ask.out.look()))
    return ask.out.say(*no_gates_lines((), ask.call(calls.GateList()), ask.out.look()))


def check(ask: Ask) -> int:
    from golemctl.render.check import check_lines  # only here: no other command shows one

    view = ask.call(calls.ProjectCheck(project=ask.project))
    ask.out.reply(view, check_lines)
    return REFUSED if view.errors else 0


def projects(
    ask: Ask,
    remove: Annotated[str, Option(metavar="NAME", help="Forget this one.", completion="project_names")] = "",
    yes: Annotated[bool, Option("--yes", help="Do not ask.")] = False,
) -> int:
    if not remove:
        ask.out.reply(ask.call(calls.ProjectList()), projects_lines)
        return 0
    if not yes and not ask.confirmed(f"Forget {clean(remove)}? Its folder and the journal stay as they are."):
        ask.out.aside("Nothing was forgotten. --yes does it without a question.")
        return REFUSED
    ask.out.reply(ask.call(calls.ProjectRemove(project=remove)), projects_lines)
    return 0


def path(ask: Ask, id: ItemId) -> None:  # noqa: A002 - the name of the call's field
    item = ask.call(calls.ItemShow(id=id))
    run = bound_run(item)
    if run.aside_at:
        hint = f"It comes back, with all that it held, when work goes on. What there is: golemctl diff {id}"
        raise Conflict("workspace_aside", f"The workspace of {id} is set aside: nothing happened for a day.", hint)
    if not os.path.isdir(run.workspace or ""):
        hint = f"Its work is on the branch {run.branch}: golemctl diff {id}"
        raise Conflict("workspace_gone", f"The workspace of {id} has been put away.", hint)
    ask.out.reply({"id": id, "path": run.workspace}, lambda view, look: [str(view["path"])])


def diff(
    ask: Ask,
    id: ItemId,  # noqa: A002 - the name of the call's field
    stat: Annotated[bool, Option("--stat", help="Files and numbers of lines only.")] = False,
) -> int:
    from golemctl import git  # only here: it starts a process

    item = ask.call(calls.ItemShow(id=id))
    run = bound_run(item)
    root = next((project.root for project in ask.call(calls.ProjectList()) if project.name == item.project), "")
    where, command, *what = changes(run, root)
    if not what:
        ask.out.aside(f"Nothing of {clean(id)} is committed yet. Its phases: golemctl show {clean(id)}")
    arguments = [command, *(["--stat"] if stat else []), *what, "--"]
    if ask.out.json:
        found = git.read(where, *arguments) if what else ""
        ask.out.document({"id": id, "base": run.base_commit, "branch": run.branch, "diff": found})
        return 0
    if not what:
        return 0
    status = git.show(where, *arguments, colour=bool(ask.out.look().colour))
    untracked = git.untracked(where) if where != root else []
    if untracked:
        ask.out.aside("Not in the diff, since git does not know them yet:", *(f"  {name}" for name in untracked))
    return status


def changes(run: RunView, root: str) -> list[str]:
    """What shows the changes of a run: a folder, a command of git, and what that is to show, or nothing.

    A workspace that is the repository itself holds what others do, too: there the run's own commits are all that is
    known to be its own. `root`: the repository.
    """
    if run.workspace == root:
        commits = dict.fromkeys(phase.commit for phase in run.phases if phase.commit)  # phases may share one
        return [root, "show", *(["--format=", *commits] if commits else [])]
    if os.path.isdir(run.workspace or "") and not run.aside_at:
        return [run.workspace or "", "diff", run.base_commit or ""]
    return [root, "diff", f"{run.base_commit}..{run.kept_ref or run.branch}"]


def bound_run(item: ItemDetail) -> RunView:
    """The newest run that has a base commit. Raises NotFound when the item has not been worked on."""
    for run in reversed(item.runs):
        if run.base_commit and (run.workspace or run.branch):
            return run
    message = f"{item.id} has no workspace yet; it is {item.status.replace('_', ' ')}."
    raise NotFound("no_workspace", message, f"See: golemctl why {item.id}")
