"""A final report as Markdown, for people: what is left first, then what was done, who decided, what it rests on.

What agents and people wrote is quoted or indented, so that it cannot be taken for the report's own words, and has no
control characters. Times are UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from golemd.api.model import Brief, Finding, FollowUp
from golemd.api.reports import Inputs, Report, ReportedAttempt, ReportedEvidence, ReportedPhase
from golemd.api.views import GateView
from golemd.api.words import count, plain
from golemd.core import times

HASH_CHARACTERS: Final = 7
_GOOD: Final = ("phase_complete", "subphase_complete", "passed")


def markdown(report: Report) -> str:
    """The content of `<run>.md`."""
    parts = [
        [f"# {report.run}: {_line(report.inputs.title)}"],
        _opening(report),
        *_section("Left to do", (f"- {_line(each)}" for each in report.unresolved)),
        *_asked(report.inputs),
        *(lines for phase in report.phases for lines in _phase(phase)),
        *(lines for gate in report.gates for lines in _gate(gate)),
        *_section("Evidence", (line for each in report.evidence for line in _evidence(each))),
        *_section("Follow-ups", (_follow_up(each) for each in report.follow_ups)),
        *_section("Commits", _commits(report)),
        *_section("Depends on", _pins(report)),
        *_section("Last events", (_event(each) for each in report.events)),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _opening(report: Report) -> list[str]:
    lines = [_outcome(report), f"{_attempts(report)} · {_money(report)} · {_diff(report)}"]
    if report.reason:
        lines.insert(1, f"Reason: {_line(report.reason)}")
    if not report.finished:
        over = report.ended_at is not None
        state = "its processes and workspace are still being put away" if over else "the run is still going"
        lines.append(f"**Not final**: {state}; this is how it stood at record {report.through}, {_time(report.at)}.")
    return [f"{line}  " for line in lines[:-1]] + lines[-1:]


def _asked(inputs: Inputs) -> Iterator[list[str]]:
    """What people wrote, and what triage made of it."""
    brief = {name: getattr(inputs.brief, name) for name in Brief.__struct_fields__}
    blocks = [[f"It followed from {_line(inputs.origin)}."] if inputs.origin else [], _quoted(inputs.description)]
    blocks += [[f"{_words(name)}:", *_quoted(text)] for name, text in brief.items() if text]
    if any(blocks):
        yield ["## Asked for"]
        yield from filter(None, blocks)


def _outcome(report: Report) -> str:
    words = f"**{_words(report.state)}**"
    if report.ended_at is None:
        return f"{words} since {_time(report.created_at)}"
    lasted = times.span((times.micros(report.ended_at) - times.micros(report.created_at)) / 1e6)
    return f"{words} after {lasted}: {_time(report.created_at)} to {_time(report.ended_at)}"


def _attempts(report: Report) -> str:
    return count(sum(len(phase.attempts) for phase in report.phases), "attempt")


def _money(report: Report) -> str:
    cost = report.cost
    said = f"${cost.usd:.2f}, {count(cost.input_tokens + cost.output_tokens, 'token')}"
    return f"{said} ({cost.unknown} of {count(cost.attempts, 'agent run')} told no cost)" if cost.unknown else said


def _diff(report: Report) -> str:
    diff = report.diff
    return f"{count(diff.commits, 'commit')}, {count(diff.files, 'file')} +{diff.insertions} -{diff.deletions}"


def _phase(phase: ReportedPhase) -> Iterator[list[str]]:
    commit = f" · commit {_hash(phase.commit)}" if phase.commit else ""
    began = f" · {_time(phase.started_at)}, busy {times.span(phase.busy_s)}" if phase.started_at else ""
    yield [f"## Phase {phase.name}"]
    yield [f"**{_words(phase.state)}**{began}{commit}" + (f"  \n{_line(phase.reason)}" if phase.reason else "")]
    if phase.summary:
        yield ["Its agent claims:"]
        yield _quoted(phase.summary)
    if phase.findings:
        yield ["It found:"]
        yield [line for finding in phase.findings for line in _finding(finding)]
    if phase.warnings:
        yield [f"- warning: {_line(warning)}" for warning in phase.warnings]
    if phase.attempts:
        yield [line for attempt in phase.attempts for line in _attempt(attempt)]


def _finding(finding: Finding) -> Iterator[str]:
    where = f"{finding.file}:{finding.line}" if finding.line else finding.file
    yield "- " + ", ".join(_line(part) for part in (finding.severity, where, finding.title) if part)
    yield from _quoted(finding.text, indent=2)


def _attempt(attempt: ReportedAttempt) -> Iterator[str]:
    who = " ".join(part for part in (attempt.agent, attempt.model) if part) or _code(attempt.command or "")
    ended = f", signal {attempt.signal}" if attempt.signal else f", exit {attempt.status}" if attempt.status else ""
    cost = f", ${attempt.cost_usd:.2f}" if attempt.cost_usd is not None else ""
    outcome = _words(attempt.outcome or attempt.state)
    yield f"- {attempt.id}: {who}, {times.span(attempt.duration_s)}, {outcome}{ended}{cost}"
    if attempt.message and attempt.outcome not in _GOOD:
        yield from _quoted(attempt.message, indent=2)


def _gate(gate: GateView) -> Iterator[list[str]]:
    yield [f"## Gate {gate.id}"]
    yield [f"{gate.kind} · {gate.phase} · opened {_time(gate.opened_at)}"]
    yield _quoted(gate.question)
    if gate.decision is None:
        yield [f"**{_words(gate.state)}**"]
        return
    actor = gate.decision.actor
    who = f"{actor.user or 'somebody'} (uid {actor.uid}{f' on {actor.host}' if actor.host else ''})"
    yield [f"**{_words(gate.decision.option)}** by {_line(who)}, {_time(gate.decision.at)}"]
    if gate.decision.text.strip():
        yield _quoted(gate.decision.text)


def _evidence(evidence: ReportedEvidence) -> Iterator[str]:
    status = f" (exit {evidence.status})" if evidence.status else ""
    took = f", {evidence.duration_s:.1f} s" if evidence.outcome != "not_run" else ""
    what = f"**{_words(evidence.outcome)}**{status} {_code(evidence.command)}"
    yield f"- {evidence.phase}: {what}{took}, tree {_hash(evidence.tree)}"
    if evidence.outcome != "passed" and evidence.lines:
        yield ""
        yield from (f"      {_line(line)}" for line in evidence.lines)
        yield ""


def _follow_up(follow_up: FollowUp) -> str:
    became = " ".join(part for part in (follow_up.item or "left out", _line(follow_up.why)) if part)
    return f"- {_line(follow_up.title)}: {became}"


def _commits(report: Report) -> Iterator[str]:
    for each in report.commits:
        changed = f"{count(each.files, 'file')} +{each.insertions} -{each.deletions}"
        yield f"- {_hash(each.commit)} {_line(each.message)} ({changed}, tree {_hash(each.tree)})"
    for kept in report.kept:
        left_out = f", left out: {_line(', '.join(kept.listed))}" if kept.listed else ""
        yield f"- kept: {_line(kept.ref or 'nothing')}{left_out}"


def _pins(report: Report) -> Iterator[str]:
    pins = report.pins
    yield f"- pipeline {pins.pipeline} ({_hash(pins.pipeline_digest)}), configuration {_hash(pins.config_digest)}"
    yield f"- base {pins.base_branch or 'not chosen yet'} ({_hash(pins.base_commit)})"
    yield f"- branch {pins.branch or 'none yet'}, workspace {_line(pins.workspace or 'none yet')}"
    yield f"- inputs ({_hash(report.inputs.digest)})"
    for each in report.bindings:
        about = " ".join(part for part in (each.kind, each.model) if part)
        yield f"- agent {each.agent} ({_line(about)}; {_hash(each.digest)}) for {', '.join(each.phases)}"
    if pins.environment:
        yield f"- environment passed on: {', '.join(pins.environment)}"
    if report.inputs.dependencies:
        yield f"- items {', '.join(report.inputs.dependencies)}"


def _event(line: dict[str, Any]) -> str:
    about = next((line["data"][name] for name in ("gate", "attempt", "phase") if line["data"].get(name)), "")
    return f"- {line['seq']} {_time(line['ts'])} {line['type']} {_line(about)}".rstrip()


# --- words -------------------------------------------------------------------------------------------------------


def _section(title: str, lines: Iterable[str]) -> Iterator[list[str]]:
    found = list(lines)
    if found:
        yield [f"## {title}"]
        yield found


def _line(text: str) -> str:
    return " ".join(plain(text).split())


def _quoted(text: str, indent: int = 0) -> list[str]:
    lines = plain(text).strip().split("\n") if text.strip() else []
    return [f"{' ' * indent}> {line}".rstrip() for line in lines]


def _code(text: str) -> str:
    """A code span, which text with backticks of its own cannot end."""
    line = _line(text)
    fence = "``" if "`" in line else "`"
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _hash(digest: str | None) -> str:
    return digest[:HASH_CHARACTERS] if digest else "none yet"


def _time(stamp: str | None) -> str:
    return f"{stamp[:10]} {stamp[11:19]}" if stamp else "never"
