"""`golemctl status` and `projects`: attention first, then what runs, then what waits and why, then what has ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from golemctl.render.gates import waits_for_you
from golemctl.render.text import (
    Look,
    aligned,
    attention,
    block,
    clean,
    count,
    cut,
    epoch,
    first_line,
    folder,
    moment,
    since,
    spent,
    widest,
    width,
    words,
)
from golemd.api.model import ENDED
from golemd.api.views import AttemptView, DispatchView, GateView, ItemView, ProjectView, StatusView

ACTIVE: Final = ("new", "scoping", "ready", "in_progress", "blocked")
_PRIORITY: Final = "PRIO"
_HEADS: Final = ("ID", "STATUS", "PHASE", "", _PRIORITY)
_GAP: Final = "  "
_NOTE_INDENT: Final = 10
_SHORTEST_TITLE: Final = 16
_NO_PROJECT: Final = "No project is registered. In a git repository: golemctl init"
_NO_PROJECT_THEN: Final = "No project was registered then."


class _Row(Struct, frozen=True):
    """One item's line; `note` stands behind the title, or beneath when there is no room."""

    rank: int
    cells: tuple[str, ...]  # as _HEADS: id, status, phase, elapsed, priority
    title: str
    note: str

    @property
    def is_blocked(self) -> bool:
        return self.rank == 0


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
    attempts = _running_by_item(view.attempts)
    for project in view.projects:
        items = [item for item in view.items if item.project == project.name]
        running = [attempt for item in items for attempt in attempts[item.id]]
        lines += [_header(project, running, look), ""]
        lines += _items([_row(item, gates, attempts[item.id], look) for item in items], look)
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
            told = f"{clean(each.name)} is parked until {moment(each.until)}; what needs it waits."
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


def _running_by_item(attempts: Sequence[AttemptView]) -> defaultdict[str, list[AttemptView]]:
    found: defaultdict[str, list[AttemptView]] = defaultdict(list)
    for attempt in attempts:
        found[attempt.item].append(attempt)
    return found


def _header(project: ProjectView, running: Sequence[AttemptView], look: Look) -> str:
    slots = f"{len(running)} of {count(project.max_concurrent, 'slot')}"
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


def _row(item: ItemView, gates: dict[str, GateView], running: Sequence[AttemptView], look: Look) -> _Row:
    attempt = running[0] if running else None
    elapsed = since(attempt.started_at, look) if attempt else ""
    phase = (attempt.phase if attempt else item.phase) or ""
    status = "paused" if item.paused and item.status != "blocked" else words(item.status)
    cells = (clean(item.id), status, clean(phase), elapsed, str(item.priority))
    rank = 0 if item.status == "blocked" else 3 if item.status in ENDED else 1 if attempt else 2
    return _Row(rank, cells, clean(item.title), _note(item, gates, attempt))


def _note(item: ItemView, gates: dict[str, GateView], attempt: AttemptView | None) -> str:
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
        return words(item.resolution) if item.resolution not in (None, "completed") else ""
    return short_why(item.id, item.why)


def short_why(item: str, why: str | None) -> str:
    """The reason alone, of a sentence that begins with the item and its status."""
    why = first_line(why)
    before, colon, reason = why.partition(": ")
    return reason.removesuffix(".") if colon and before.startswith(f"{item} ") else why


def _items(rows: list[_Row], look: Look) -> list[str]:
    if not rows:
        return []
    rows = sorted(rows, key=lambda row: row.rank)
    head, *fronts = _fronts(rows)
    titles, notes = [row.title for row in rows], [row.note for row in rows]
    room = max(_SHORTEST_TITLE, look.width - width(head) - 2)
    beside = widest(titles) + len(_GAP) + widest(notes) <= room
    lines = [cut(f"  {head}TITLE", look.width)]
    for row, front, title in zip(rows, fronts, aligned(titles) if beside else titles, strict=True):
        line = f"{'! ' if row.is_blocked else '  '}{front}{title}"
        if beside:
            lines.append(_marked(f"{line}{_GAP}{row.note}".rstrip(), row, look))
            continue
        lines.append(_marked(cut(line, look.width), row, look))
        if row.note:
            lines.append(cut(" " * _NOTE_INDENT + row.note, look.width))
    return lines


def _fronts(rows: Sequence[_Row]) -> list[str]:
    """The head, and what stands before each row's title; columns in which nobody says anything are left out."""
    columns = zip(_HEADS, zip(*(row.cells for row in rows), strict=True), strict=True)
    said = [(head, cells) for head, cells in columns if any(cells) and (head != _PRIORITY or {*cells} != {"0"})]
    shown = [aligned((head, *cells), right=head == _PRIORITY) for head, cells in said]
    return ["".join(f"{cell}{_GAP}" for cell in line) for line in zip(*shown, strict=True)]


def _marked(line: str, row: _Row, look: Look) -> str:
    return attention(line[0], look) + line[1:] if row.is_blocked else line


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
        lines.append(_header(project, (), look))
        lines.append(cut(f"  {clean(project.prefix)}: {counts or 'no items'}", look.width))
    return lines
