"""`golemctl status` and `projects`: attention first, then what runs, then what waits and why, then what has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from golemctl.render.gates import waits_for_you
from golemctl.render.text import (
    AS_USUAL,
    Look,
    aligned,
    attention,
    block,
    clean,
    cleaned,
    cut,
    epoch,
    first_line,
    folder,
    local,
    moment,
    since,
    spent,
    widest,
    width,
    words,
)
from golemd.api.views import AttemptView, DispatchView, GateView, ItemView, ProjectView, StatusView
from golemd.api.words import count

ENDED: Final = ("done", "cancelled")
"""The statuses of items that nothing more is done to."""
_PRIORITY: Final = "PRIO"
_GAP: Final = "  "
_NOTE_INDENT: Final = 10
_SHORTEST_TITLE: Final = 16
_NO_PROJECT: Final = "No project is registered. In a git repository: golemctl init"
_NO_PROJECT_THEN: Final = "No project was registered then."


def status_lines(view: StatusView, look: Look, *, everything: bool = False, only: Sequence[str] = ()) -> list[str]:
    """The whole status. `everything`: ended items are listed, not counted. `only`: the filter that was asked for.

    One of a past moment says so first, measures from there, and names no commands, since they would act on today.
    """
    then = view.daemon.at
    if then is not None:
        look = replace(look, now=epoch(then) or look.now)
    lines = _daemon(view, look)
    if not view.projects:
        return [*lines, _NO_PROJECT_THEN if then else _NO_PROJECT]
    gates = {gate.id: gate for gate in view.gates}
    attempts = {attempt.item: attempt for attempt in reversed(view.attempts)}  # the first of each item
    for project in view.projects:
        items = [item for item in view.items if item.project == project.name]
        ids = {item.id for item in items}
        running = sum(attempt.item in ids for attempt in view.attempts)
        lines += [_header(project, running, look), ""]
        lines += _items(items, gates, attempts, look)
        lines += _matching(project, len(items), only, look) if only else _ended(project, everything)
        if not project.counts:
            lines.append("  Nothing in the backlog." + ("" if then else ' Add something: golemctl add "…"'))
        lines.append("")
    return [*lines, *waits_for_you(view.gates, look)] if view.gates and not then else lines[:-1]


def _daemon(view: StatusView, look: Look) -> list[str]:
    lines = []
    if view.daemon.at is not None:
        after = f"after record {view.daemon.seq} of {view.daemon.durable_seq}"
        lines.append(f"As it was at {moment(view.daemon.at)}, {after}.")
    if view.daemon.degraded:
        lines.append(attention(cut(f"! golemd: {clean(view.daemon.degraded)}", look.width), look))
    if view.daemon.stopping:
        lines.append("golemd is stopping; nothing new is started.")
    if view.daemon.held_back:
        lines += block(f"New agents wait: {clean(view.daemon.held_back)}.", look, 0)
    for each in view.providers:
        if each.state == "parked":
            way_out = "; golemctl reload tries it now" if view.daemon.at is None else ""
            told = f"{clean(each.name)} is parked until {moment(each.until)}{way_out}."
            lines.append(cut(told, look.width))
    lines += _untold(view.gates, look)
    return [*lines, ""] if lines else []


def _untold(gates: Sequence[GateView], look: Look) -> list[str]:
    """Gates that nobody could be told of."""
    failed = [gate.id for gate in gates if gate.notified == "failed"]
    if not failed:
        return []
    more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    return block(f"The notification of {failed[0]}{more} failed: golemctl events --type gate.notified", look, 0)


def _header(project: ProjectView, running: int, look: Look) -> str:
    slots = f"{running} of {count(project.max_concurrent, 'slot')}"
    state = f"{dispatch_words(project.dispatch)} · {slots}" if running else dispatch_words(project.dispatch)
    if project.dispatch.state == "running":
        state += f" · {project.dispatch.used} of {count(project.dispatch.cap, 'phase')}"
    today = spent(project.today_usd, project.day_usd)
    state += f" · {today} today" if today else ""
    name, root = clean(project.name), folder(project.root, look)
    room = look.width - width(name) - width(state) - 5
    shown = _tail(root, room)
    return cut(f"{name}  {shown}   {state}" if shown else f"{name}   {state}", look.width)


def _tail(path: str, columns: int) -> str:
    """The end of a path, which says most; nothing when there is hardly room."""
    if width(path) <= columns:
        return path
    return "…" + path[len(path) - columns + 1 :] if columns > 12 and path.isascii() else ""


def dispatch_words(dispatch: DispatchView) -> str:
    """What the mandate on a project is, in words."""
    if dispatch.state == "running":
        return ", ".join(["running", *_narrowed(dispatch), *(["continuously"] if dispatch.continuous else [])])
    return f"halted: {words(dispatch.halt_reason)}" if dispatch.halt_reason else "not running"


def _narrowed(dispatch: DispatchView) -> list[str]:
    """What a dispatch is limited to."""
    if dispatch.triage:
        return ["triage only"]
    if dispatch.targets:
        return [f"only {' '.join(dispatch.targets)}" + (" and then the rest" if dispatch.then_rest else "")]
    return [f"only {' '.join(dispatch.only)}"] if dispatch.only else []


def _note(item: ItemView, gates: Mapping[str, GateView], attempt: AttemptView | None) -> str:
    gate = gates.get(item.gate or "")
    if gate is not None:
        paused = "paused; " if item.paused else ""
        return f"{paused}{gate.kind}: {first_line(gate.question)}"
    if item.paused:
        return f"{words(item.status)}; golemctl resume {item.id}"
    if attempt is not None:
        said = next((clean(line).strip() for line in reversed(attempt.tail) if clean(line).strip()), "")
        number = f"attempt {attempt.number}" if attempt.kind == "agent" and attempt.number > 1 else ""
        command = clean(attempt.command or "") if attempt.kind != "agent" else ""
        return ": ".join(part for part in (number or command, said) if part)
    if item.status in ENDED:
        return first_line(item.reason) or (words(item.resolution) if item.resolution not in AS_USUAL else "")
    return short_why(item.id, item.why)


def short_why(item: str, why: str | None) -> str:
    """The reason alone, of a sentence that begins with the item and its status."""
    why = local(first_line(why))
    before, colon, reason = why.partition(": ")
    return reason.removesuffix(".") if colon and before.startswith(f"{item} ") else why


def _items(
    items: Sequence[ItemView], gates: Mapping[str, GateView], attempts: Mapping[str, AttemptView], look: Look
) -> list[str]:
    """A line for each item; its note stands behind the title, or beneath when there is no room. What several of them
    wait for is told once, whole, after them all.

    Made column by column, since there may be thousands of items.
    """
    if not items:
        return []
    items = sorted(items, key=lambda item: _rank(item, attempts))
    running = [attempts.get(item.id) for item in items]
    head, *fronts = _fronts(items, running, look)
    titles = cleaned([item.title for item in items])
    notes = [_note(item, gates, attempt) for item, attempt in zip(items, running, strict=True)]
    waits = [item.why is not None and not item.gate and not each for item, each in zip(items, running, strict=True)]
    shared = _shared(note for note, waiting in zip(notes, waits, strict=True) if waiting)
    notes = ["" if waiting and note in shared else note for note, waiting in zip(notes, waits, strict=True)]
    room = max(_SHORTEST_TITLE, look.width - width(head) - 2)
    beside = widest(titles) + len(_GAP) + widest(notes) <= room
    lines = [cut(f"  {head}TITLE", look.width)]
    for item, front, title, note in zip(items, fronts, aligned(titles) if beside else titles, notes, strict=True):
        is_blocked = item.status == "blocked"
        line = f"{'! ' if is_blocked else '  '}{front}{title}"
        line = f"{line}{_GAP}{note}".rstrip() if beside else cut(line, look.width)
        lines.append(attention(line[0], look) + line[1:] if is_blocked else line)
        if note and not beside:
            lines.append(cut(" " * _NOTE_INDENT + note, look.width))
    for note, times in shared.items():
        lines += block(f"{times} of them: {note}", look)
    return lines


def _shared(reasons: Iterable[str]) -> dict[str, int]:
    """Reasons that several items have, and how many."""
    return {reason: times for reason, times in Counter(reasons).items() if times > 1 and reason}


def _rank(item: ItemView, attempts: Mapping[str, AttemptView]) -> int:
    """Where the item stands among the others: what waits for a human first, what has ended last."""
    if item.status == "blocked":
        return 0
    if item.status in ENDED:
        return 3
    return 1 if item.id in attempts else 2


def _fronts(items: Sequence[ItemView], running: Sequence[AttemptView | None], look: Look) -> list[str]:
    """The head, and what stands before each item's title; columns in which nobody says anything are left out."""
    phases = [(each.phase if each else item.phase) or "" for item, each in zip(items, running, strict=True)]
    columns = {
        "ID": cleaned([item.id for item in items]),
        "STATUS": [_status(item) for item in items],
        "PHASE": cleaned(phases),
        "": [since(each.started_at, look) if each else "" for each in running],
        _PRIORITY: [str(item.priority) for item in items],
    }
    said = [(head, cells) for head, cells in columns.items() if any(cells) and (head != _PRIORITY or {*cells} != {"0"})]
    shown = [aligned((head, *cells), right=head == _PRIORITY) for head, cells in said]
    return [_GAP.join(line) + _GAP for line in zip(*shown, strict=True)]


def _status(item: ItemView) -> str:
    return "paused" if item.paused and item.status != "blocked" else words(item.status)


def _ended(project: ProjectView, everything: bool) -> list[str]:
    ended = [f"{number} {words(status)}" for status, number in project.counts.items() if status in ENDED and number]
    if not ended or everything:
        return []
    return [f"  {', '.join(ended)}  (golemctl status --all)"]


def _matching(project: ProjectView, items: int, only: Sequence[str], look: Look) -> list[str]:
    """What a filter has left, of all items that there are."""
    said = f"{items} of {count(sum(project.counts.values()), 'item')} {'matches' if items == 1 else 'match'}"
    return [cut(f"  {said} {clean(' '.join(only))}", look.width)]


def projects_lines(projects: Sequence[ProjectView], look: Look) -> list[str]:
    """Every registered project with its state and what is in its backlog."""
    if not projects:
        return [_NO_PROJECT]
    lines = []
    for project in projects:
        counts = ", ".join(f"{number} {words(status)}" for status, number in project.counts.items() if number)
        lines.append(_header(project, 0, look))
        lines.append(cut(f"  {clean(project.prefix)}: {counts or 'no items'}", look.width))
    return lines
