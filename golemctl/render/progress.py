"""An attached run: records of the journal → lines to append, a footer of what runs, and a summary. Pure.

One row of the table at the end says what one type of record tells a watcher; a type without a row tells nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from golemctl.render.text import (
    Look,
    attention,
    clean,
    clock,
    cut,
    epoch,
    first_line,
    lasted,
    money,
    pad,
    short_hash,
    span,
    words,
)
from golemd.api.views import AttemptView, DispatchView
from golemd.api.words import count

_ITEM_COLUMNS: Final = 6
_PHASE_COLUMNS: Final = 8
_WORD_COLUMNS: Final = 9
_PASSED: Final = "passed"
_NOT_RUN: Final = "not_run"
_ENDED: Final = "it ended with"  # the daemon's own words, behind those of the command


class Running(Struct):
    """An attempt under way, as far as the records have told. `since`: seconds since the epoch; None: not started."""

    item: str
    phase: str
    number: int
    agent: str = ""
    command: str = ""
    since: float | None = None


class Told(Struct):
    """What a record tells: a word for the column, a text, and whether a human is asked."""

    word: str
    text: str = ""
    asks: bool = False
    phase: str = ""


class Progress:
    """What a watcher of one project's dispatch knows. `halted` is the reason, once the dispatch has ended."""

    def __init__(self, project: str, dispatch: DispatchView, attempts: Iterable[AttemptView] = ()) -> None:
        self.project = project
        self.halted: str | None = None
        self.done = 0
        self.phases = 0
        self.spent_usd = 0.0
        self.cap = dispatch.cap
        self.used = dispatch.used
        self.triages = dispatch.triage
        self.running = {attempt.id: _seen_running(attempt) for attempt in attempts}
        self._fixes: Counter[tuple[str, str]] = Counter()

    def lines(self, record: Mapping[str, Any], look: Look) -> list[str]:
        """What a record adds to the screen. Records of other projects add nothing."""
        kind = str(record.get("type", ""))
        project = record.get("project")
        if project != self.project and (project or not kind.startswith("daemon.")):
            return []
        tell = _TELLERS.get(kind)
        told = tell(self, record.get("data") or {}, record) if tell else None
        if told is None:
            return []
        mark = "! " if told.asks else "  "
        item = pad(clean(str(record.get("item") or "-")), _ITEM_COLUMNS)
        phase = pad(clean(told.phase or "-"), _PHASE_COLUMNS)
        head = f"{mark}{clock(record.get('ts'))}  {item}  {phase}  {pad(told.word, _WORD_COLUMNS)}"
        line = cut(f"{head}  {clean(told.text)}".rstrip(), look.width)
        return [attention(line, look) if told.asks else line]

    def footer(self, look: Look) -> str:
        """One line: what runs and for how long, and what is left of the cap."""
        cap = f"cap {self.used}/{self.cap}"
        parts = [
            clean(f"{each.item} {each.phase} {span(look.now - each.since)}")
            for each in self.running.values()
            if each.since is not None
        ]
        running = " · ".join(parts) if parts else "nothing runs at this moment"
        # What is cut is the list, never the cap.
        return f"{cut(running, max(1, look.width - len(cap) - 3))} · {cap}"

    def summary_line(self, blocked: int, seconds: float, look: Look, *, paused: int = 0) -> str:
        """`halted  all done or blocked   4 done · 1 blocked · 11 phases · 38 min · $2.87`."""
        counts = [f"{self.done} done", f"{blocked} blocked", *([f"{paused} paused"] if paused else [])]
        counts += [count(self.phases, "phase"), lasted(seconds), *([money(self.spent_usd)] if self.spent_usd else [])]
        return cut(f"  halted  {words(self.halted)}   {' · '.join(counts)}", look.width)


def _seen_running(attempt: AttemptView) -> Running:
    agent, command = attempt.agent or "", attempt.command or ""
    return Running(attempt.item, attempt.phase, attempt.number, agent, command, epoch(attempt.started_at))


# --- what each record tells --------------------------------------------------------------------------------------

Data = Mapping[str, Any]
Teller = Callable[[Progress, Data, Mapping[str, Any]], Told | None]


def _planned(progress: Progress, data: Data, record: Mapping[str, Any]) -> None:
    progress.running[data["attempt"]] = Running(
        str(record.get("item")), data["phase"], data["number"], data.get("agent", ""), data.get("command", "")
    )


def _spawned(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told | None:
    found = progress.running.get(data["attempt"])
    if found is None:
        return None
    found.since = epoch(record.get("ts"))
    if found.command:
        return None  # what a verify command showed comes with its evidence
    text = f"{found.agent}  attempt {found.number}  (cap {progress.used}/{progress.cap})"
    return Told("started", text, phase=found.phase)


def _over(progress: Progress, data: Data) -> str:
    found = progress.running.pop(data["attempt"], None)
    return found.phase if found is not None else ""


def _exited(progress: Progress, data: Data, record: Mapping[str, Any]) -> None:
    found = progress.running.get(data["attempt"])
    if found is not None:
        found.since = None  # the process is gone; what it left is being looked at


def _adopted(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    found = progress.running.get(data["attempt"])
    return Told("adopted", f"pid {data['pid']}, it ran on", phase=found.phase if found else "")


def _accepted(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told | None:
    phase = _over(progress, data)
    summary = first_line(data.get("summary"))
    if data["result"] == "failed":
        return Told("failed", _again(data, record) + summary, phase=phase)
    if data["result"] == "subphase_complete":
        return Told("round", summary, phase=phase)
    warnings = data.get("warnings") or ()
    return Told("warning", "; ".join(warnings), phase=phase) if warnings else None


_NO_FAILURES: Final = {"cancelled": "ended", "limit": "limited", "budget": "limited"}


def _rejected(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    phase = _over(progress, data)
    word = _NO_FAILURES.get(data["outcome"], "failed")
    return Told(word, _again(data, record) + first_line(data["message"]), phase=phase)


def _lost(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    return Told("lost", _again(data, record) + first_line(data["reason"]), phase=_over(progress, data))


def _again(data: Data, record: Mapping[str, Any]) -> str:
    """When the next attempt begins, counted from the record's own time. It comes first: the rest may be cut off."""
    at = data.get("again_us") or 0
    now = epoch(record.get("ts"))
    return f"again in {lasted(at / 1e6 - now + 0.999)}: " if at and now is not None else ""


def _evidence(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told | None:
    if data["outcome"] == _NOT_RUN:
        return None  # the line of the one that failed says enough
    _over(progress, data)
    outcome = words(data["outcome"])
    if data["outcome"] == _PASSED:
        text = f"passed  {data['command']}  (tree {short_hash(data['tree'])})"
        return Told("verify", text, phase=data["phase"])
    fix = ""
    if data.get("spends") == "fix":
        progress._fixes[data["run"], data["phase"]] += 1
        fix = f" → fix {progress._fixes[data['run'], data['phase']]}"
    said = _said(data.get("lines") or ())  # what may be cut off comes behind the outcome
    return Told("verify", f"{outcome}{fix}  {data['command']}{said}", phase=data["phase"])


def _said(lines: Sequence[str]) -> str:
    """The last line that the command wrote, or else how the daemon says that it ended."""
    said = [line for line in map(first_line, lines) if line]
    written = [line for line in said if not line.startswith(_ENDED)]
    return f": {(written or said)[-1]}" if said else ""


def _paused(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    after = data.get("after_phase")
    return Told("paused", f"when {after} has ended" if after else "golemctl resume goes on with it")


def _resumed(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    return Told("resumed")


def _skipped(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told | None:
    """Tells what a person passed over; what an item does not need, or a gate's decision said, needs no line."""
    return Told("skipped", data.get("reason", ""), phase=data["phase"]) if "actor" in data else None


def _reset(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told | None:
    return Told("pending", data["reason"], phase=data["phase"]) if data.get("back") else None


def _worktree_made(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told | None:
    warnings = data.get("warnings") or ()
    if warnings:
        return Told("warning", "; ".join(warnings), phase=data["phase"])
    return Told("worktree", "is back, with all that it held", phase=data["phase"]) if data.get("rebuilt") else None


def _worktree_prepared(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    _over(progress, data)
    return Told("setup", f"passed  {data['command']}", phase=data["phase"])


def _worktree_gone(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    return Told("worktree", "is gone; it is made again")


def _phase_started(progress: Progress, data: Data, record: Mapping[str, Any]) -> None:
    progress.used += 1


def _phase_completed(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    progress.phases += 1
    return Told("completed", first_line(data.get("summary")), phase=data["phase"])


def _commit(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told | None:
    if not data.get("commit"):
        return None
    size = f"{count(data.get('files', 0), 'file')} +{data.get('insertions', 0)} −{data.get('deletions', 0)}"  # noqa: RUF001 - a minus
    return Told("committed", f"{short_hash(data['commit'])}  {size}", phase=data["phase"])


def _kept(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told | None:
    if data["then"] == "aside":
        return Told("aside", "its worktree is removed until it is needed; what it held is kept")
    if data["then"] == "left":
        return Told("stands", f"its worktree is not set aside: {'; '.join(data.get('listed') or ())}")
    return Told("kept", data["ref"]) if data.get("ref") else None


def _spent(progress: Progress, data: Data, record: Mapping[str, Any]) -> None:
    progress.spent_usd += data.get("cost_usd", 0.0)


def _gate_opened(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    return Told("asks", f"{data['kind']}: {first_line(data['question'])}", asks=True, phase=data.get("phase", ""))


def _gate_decided(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    text = first_line(data.get("text"))
    return Told("decided", words(data["option"]) + (f": {text}" if text else ""))


def _gate_notified(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told | None:
    message = data.get("message")
    return Told("untold", f"{data['gate']}: the notification failed, {message}") if message else None


def _item_completed(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    progress.done += 1
    commit = short_hash(data.get("commit"))
    return Told("done", f"at {commit}" if commit else "")


def _item_cancelled(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    reason = first_line(data.get("reason"))
    return Told("cancelled", words(data.get("resolution")) + (f": {reason}" if reason else ""))


def _item_added(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    return Told("added", data["title"])


def _dispatch_started(progress: Progress, data: Data, record: Mapping[str, Any]) -> None:
    progress.cap, progress.used, progress.halted = data["cap"], data.get("used", 0), None


def _dispatch_halted(progress: Progress, data: Data, record: Mapping[str, Any]) -> None:
    progress.halted = str(data["reason"])


def _parked(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(data["until_us"] / 1e6))
    return Told("parked", f"{data['provider']} until {until}; what needs it waits")


def _daemon_started(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    return Told("golemd", f"{data['version']} has started, pid {data['pid']}")


def _daemon_stopped(progress: Progress, data: Data, record: Mapping[str, Any]) -> Told:
    reason = data.get("reason") or ""
    return Told("golemd", f"has stopped{_STOPPED.get(reason, f': {reason}')}")


_STOPPED: Final = {"": "", "end": "; agents were ended, to start again later", "keep": "; agents run on"}


_TELLERS: Final[dict[str, Teller]] = {
    "attempt.planned": _planned,
    "attempt.spawned": _spawned,
    "attempt.adopted": _adopted,
    "attempt.exited": _exited,
    "attempt.accepted": _accepted,
    "attempt.rejected": _rejected,
    "attempt.lost": _lost,
    "evidence.recorded": _evidence,
    "run.paused": _paused,
    "run.resumed": _resumed,
    "phase.skipped": _skipped,
    "phase.reset": _reset,
    "worktree.made": _worktree_made,
    "worktree.prepared": _worktree_prepared,
    "worktree.gone": _worktree_gone,
    "phase.started": _phase_started,
    "phase.completed": _phase_completed,
    "commit.created": _commit,
    "work.kept": _kept,
    "budget.spent": _spent,
    "gate.opened": _gate_opened,
    "gate.decided": _gate_decided,
    "gate.notified": _gate_notified,
    "item.added": _item_added,
    "item.completed": _item_completed,
    "item.cancelled": _item_cancelled,
    "dispatch.started": _dispatch_started,
    "dispatch.halted": _dispatch_halted,
    "provider.parked": _parked,
    "daemon.started": _daemon_started,
    "daemon.stopped": _daemon_stopped,
}
