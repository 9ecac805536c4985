"""One item: its whole story for `show`, one line after a change, and why it does not run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from golemctl.render.gates import decided_lines, evidence_lines, finding_line, waiting_lines
from golemctl.render.records import item_record_lines
from golemctl.render.text import (
    AS_USUAL,
    Look,
    block,
    clean,
    cut,
    first_line,
    folder,
    local,
    moment,
    money,
    short_hash,
    since,
    span,
    spent,
    table,
    words,
)
from golemd.api.parts import Brief, FollowUp
from golemd.api.views import AttemptView, ItemDetail, ItemFields, ItemView, PhaseView, RunView, WhyView
from golemd.api.words import count

ATTEMPTS_SHOWN: Final = 10
EVENTS_SHOWN: Final = 8
_UNDER_WAY: Final = ("planned", "spawned")


def changed_lines(item: ItemView, look: Look) -> list[str]:
    """What an item is after a change; `note` is what the daemon adds to it."""
    phase = f" ({item.phase})" if item.phase else ""
    again = "  (this had been done already)" if item.repeated else ""
    lines = [cut(clean(f"{item.id} is {standing(item)}{phase}: {item.title}{again}"), look.width)]
    return lines + (block(item.note, look, 0) if item.note else [])


def standing(item: ItemFields) -> str:
    """Where an item stands, and whether it is paused there."""
    return f"paused, {words(item.status)}" if item.paused else words(item.status)


def paused_lines(items: ItemView | tuple[ItemView, ...], look: Look) -> list[str]:
    """What was paused."""
    return _each(items, look) or ["There is nothing to pause."]


def resumed_lines(items: ItemView | tuple[ItemView, ...], look: Look) -> list[str]:
    """What goes on."""
    return _each(items, look) or ["Nothing is paused."]


def _each(items: ItemView | tuple[ItemView, ...], look: Look) -> list[str]:
    if isinstance(items, ItemView):
        return changed_lines(items, look)
    return [line for item in items for line in changed_lines(item, look)]


def why_lines(view: WhyView, look: Look) -> list[str]:
    """Why an item does not run, and what is next."""
    return [line for said in (view.why, view.next or "") for line in block(local(said), look, 0)]


def show_lines(item: ItemDetail, look: Look) -> list[str]:
    """An item with all that is known of it."""
    waiting = [gate for gate in item.gates if gate.state == "open"]
    settled = [gate for gate in item.gates if gate.state != "open"]
    lines = [cut(clean(f"{item.id}  {item.title}"), look.width), *_facts(item, look)]
    if item.why and not waiting:
        lines += ["", *block(local(item.why), look, 0)]
    if item.description.strip():
        lines += ["", *block(item.description, look)]
    lines += _titled("Triage says", _brief(item, look))
    lines += [line for name, value in item.extra.items() for line in block(f"{name}: {value}", look)]
    if waiting:
        lines += ["", *waiting_lines(waiting, look)]
    lines += _titled("Before it came here", _before(item, look))
    for run in item.runs:
        lines += ["", *_run(run, look)]
    lines += _attempts(item.attempts, look)
    lines += _titled("Decided", [line for gate in settled for line in decided_lines(gate, look, 2)])
    lines += _titled("Last events", item_record_lines(item.events[-EVENTS_SHOWN:], look))
    if item.prompt is not None:
        lines += _titled("Prompt", block(item.prompt, look))
    return lines


def _ended(item: ItemDetail) -> str:
    """How an item ended, and why, where that is more than its status says."""
    how = "" if item.resolution in AS_USUAL else f" ({item.resolution})"
    return how + (f": {' '.join(item.reason.split())}" if item.reason else "")


def _facts(item: ItemDetail, look: Look) -> list[str]:
    status = standing(item) + _ended(item)
    assessed = [f"{name} {value}" for name, value in _assessments(item) if value]
    facts = [
        " · ".join([status, *([item.phase] if item.phase else []), item.pipeline, f"priority {item.priority}"]),
        f"project {item.project}" + (f" · {' · '.join(assessed)}" if assessed else ""),
    ]
    if costs := _costs(item):
        facts.append(f"spent {costs}")
    if item.origin:
        facts.append(f"follows from {item.origin}")
    if item.labels:
        facts.append(f"labels {', '.join(item.labels)}")
    if item.source:
        facts.append(f"came here as {item.source}")
    if item.dependencies:
        facts.append(f"depends on {', '.join(item.dependencies)}")
    return [line for fact in facts for line in block(fact, look, 0)]


def _costs(item: ItemFields) -> str:
    """What was spent on it over all of its runs, and of how much."""
    tokens = f"{item.spent_tokens:,}" if item.spent_tokens or item.budget_tokens else ""
    of = f" of {item.budget_tokens:,}" if item.budget_tokens else ""
    parts = (spent(item.spent_usd, item.budget_usd), f"{tokens}{of} tokens" if tokens else "")
    return " · ".join(part for part in parts if part)


def _assessments(item: ItemFields) -> tuple[tuple[str, str | None], ...]:
    return ("size", item.size), ("complexity", item.complexity), ("risk", item.risk), ("impact", item.impact)


def _before(item: ItemDetail, look: Look) -> list[str]:
    """What happened to an item before it came here."""
    return [cut(clean(f"  {moment(note.at)}  {note.text}"), look.width) for note in item.history]


def _titled(title: str, lines: list[str]) -> list[str]:
    return ["", title, *lines] if lines else []


def _brief(item: ItemDetail, look: Look) -> list[str]:
    said = {words(name): getattr(item.brief, name) for name in Brief.__struct_fields__}
    return [line for name, text in said.items() if text for line in block(f"{name}: {text}", look)]


def _run(run: RunView, look: Look) -> list[str]:
    base = f"from {run.base_branch} {short_hash(run.base_commit)}" if run.base_commit else ""
    branch = f"branch {run.branch}" if run.branch else ""
    state = words(run.state) + (f", {words(run.paused_in)}" if run.paused_in else "")
    head = "  ".join(part for part in (f"Run {run.id}", state, branch, base) if part)
    lines = [cut(clean(head), look.width)]
    if run.workspace and not run.ended_at:  # behind a run it is removed
        lines.append(cut(f"  {folder(run.workspace, look)}", look.width))
    if run.aside_at:
        lines += block(f"set aside {moment(run.aside_at)} with all that it held; it comes back when needed", look)
    if run.report:
        lines.append(cut(f"  report {folder(run.report, look)}", look.width))
    if run.pinned_differs:
        lines += block("golem.toml has changed since this run began; the run keeps what it began with.", look)
    lines += table([_phase(phase) for phase in run.phases], look)
    for phase in run.phases:
        lines += [cut(f"  {phase.name}: warning: {clean(warning)}", look.width) for warning in phase.warnings]
        lines += [line for finding in phase.findings for line in block(finding_line(finding), look)]
        lines += [line for evidence in phase.evidence for line in evidence_lines(evidence, look)]
    lines += [line for each in run.follow_ups for line in block(_follow_up(each), look)]
    return lines


def _follow_up(follow_up: FollowUp) -> str:
    became = " ".join(part for part in (follow_up.item, follow_up.why) if part)
    return f"follow-up: {follow_up.title} → {became}" if follow_up.item else f"left out: {follow_up.title}, {became}"


def _phase(phase: PhaseView) -> tuple[str, ...]:
    attempts = count(phase.attempts, "attempt") if phase.attempts else ""
    costs = spent(phase.spent_usd, phase.budget_usd)
    return phase.name, words(phase.state), attempts, costs, short_hash(phase.commit), first_line(phase.summary)


def _attempts(attempts: Sequence[AttemptView], look: Look) -> list[str]:
    rows = [_attempt(attempt, look) for attempt in attempts[-ATTEMPTS_SHOWN:]]
    earlier = len(attempts) - len(rows)
    title = f"Attempts (the last {len(rows)} of {len(attempts)})" if earlier else "Attempts"
    return _titled(title, table(rows, look))


def _attempt(attempt: AttemptView, look: Look) -> tuple[str, ...]:
    if attempt.state in _UNDER_WAY:
        duration = since(attempt.started_at, look)
    else:
        duration = span(attempt.duration_s) if attempt.duration_s is not None else ""
    ended = words(attempt.outcome or attempt.state)
    if attempt.signal:
        ended += f", signal {attempt.signal}"
    elif attempt.status:
        ended += f", status {attempt.status}"
    said = first_line(attempt.message) or next((first_line(line) for line in reversed(attempt.tail)), "")
    costs = money(attempt.cost_usd) if attempt.cost_usd else ""
    told = "  ".join(part for part in (attempt.command, said) if part)  # a command may be long: nothing comes behind it
    return attempt.id, attempt.agent or "", duration, costs, ended, told
