"""Gates as lines: what waits for a human, and the command that answers it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from golemctl.render.text import (
    Look,
    attention,
    block,
    clean,
    cut,
    first_line,
    moment,
    money,
    paragraphs,
    short_hash,
    width,
)
from golemd.api.parts import Evidence, Finding
from golemd.api.views import GateDetail, GateView
from golemd.api.words import count

_COMMANDS: Final = {
    "approval": "golemctl approve {}",
    "question": 'golemctl unblock {} --answer "…"',
    "guardrail": "golemctl approve {}",
    "failure": "golemctl unblock {}",
    "budget": "golemctl decide {} raise -m AMOUNT",
}
FILES_SHOWN: Final = 30
_VERBS: Final = {"approval": "asks", "question": "asks", "failure": "needs help"}


def answer_command(gate: GateView, alone: bool) -> str:
    """What to type. `alone`: no other gate of its item is open, so the item's id is enough."""
    command = _COMMANDS.get(gate.kind)
    if command is None or (gate.default is None and gate.kind != "budget"):
        option = gate.options[0].id if gate.options else "OPTION"
        return f"golemctl decide {gate.id} {option}"
    return command.format(gate.item if alone else gate.id)


def alone(gates: Sequence[GateView]) -> dict[str, bool]:
    """For each gate's id, whether it is its item's only one among these."""
    items = Counter(gate.item for gate in gates)
    return {gate.id: items[gate.item] == 1 for gate in gates}


def asks(gate: GateView) -> str:
    """One sentence: which item and phase asks what."""
    where = f"{gate.item} {gate.phase}" if gate.phase else gate.item
    return clean(f"{where} {_VERBS.get(gate.kind, 'asks')}: {first_line(gate.question)}")


def waiting_lines(gates: Sequence[GateView], look: Look) -> list[str]:
    """`! WRK-5 build asks: …   golemctl unblock WRK-5 …` for each; long ones wrap, their command below."""
    lines: list[str] = []
    only = alone(gates)
    for gate in gates:
        sentence, command = asks(gate), answer_command(gate, only[gate.id])
        if width(sentence) + width(command) + 5 <= look.width:
            lines.append(f"{attention('! ' + sentence, look)}   {command}")
        else:
            first, *rest = block(sentence, replace(look, width=look.width - 2), 0)
            lines += [attention("! " + first, look), *(attention("  " + line, look) for line in rest)]
            lines.append(f"    {command}")
    return lines


def waits_for_you(gates: Sequence[GateView], look: Look) -> list[str]:
    """The end of a status: how much waits, and the commands alone, since the questions have been shown."""
    if not gates:
        return []
    only = alone(gates)
    commands = [answer_command(gate, only[gate.id]) for gate in gates]
    if len(gates) == 1:
        return [f"{attention('! One thing waits for you:', look)}  {commands[0]}"]
    return [attention(f"! {len(gates)} things wait for you:", look), *(f"    {command}" for command in commands)]


def gates_lines(gates: Sequence[GateView], look: Look) -> list[str]:
    """All open gates, oldest first."""
    only = alone(gates)
    return [line for gate in gates for line in (*_gate(gate, look), f"    {answer_command(gate, only[gate.id])}", "")][
        :-1
    ]


def no_gates_lines(only: Sequence[str], others: Sequence[GateView], look: Look) -> list[str]:
    """That nothing is open where, or of what, it was asked for; `others`: what is open all the same."""
    if not others:
        return ["Nothing waits for you."]
    said = f"No open gate matches {' '.join(only)}." if only else "Nothing waits for you in this project."
    return [*block(said, look, 0), *block(f"Others are open: {', '.join(gate.id for gate in others)}", look, 0)]


def _head(gate: GateView, look: Look) -> str:
    """Which gate it is; marked while it is open."""
    phase = f"  {gate.phase}" if gate.phase else ""
    head = cut(clean(f"! {gate.id}{phase}  {gate.kind}  since {moment(gate.opened_at)}"), look.width)
    return attention(head, look) if gate.state == "open" else head.removeprefix("! ")


def _gate(gate: GateView, look: Look) -> list[str]:
    options = ", ".join(option.id for option in gate.options)
    return [
        _head(gate, look),
        *block(gate.question, look, 4),
        *([cut(clean(f"    options: {options}"), look.width)] if options else []),
    ]


def gate_detail_lines(gate: GateDetail, look: Look) -> list[str]:
    """What a person needs to decide a gate: what golemd checked, what the agent claims, what happens if."""
    exact = [f"{name} {short_hash(value)}" for name, value in _content(gate) if value]
    lines = [
        _head(gate, look),
        cut(f"  {gate.item}  {clean(gate.title)}", look.width),
        *block(gate.question, look),
    ]
    if exact:
        lines += ["", f"About exactly: {', '.join(exact)}"]
    lines += _section("golemd checked on it:", [line for each in gate.evidence for line in evidence_lines(each, look)])
    if not gate.evidence and gate.kind == "approval":
        lines += ["", "golemd checked nothing on it: the phase has no verify commands."]
    lines += _section("The agent claims:", block(gate.summary or "", look))
    found = [line for each in gate.findings for line in block(finding_line(each), look)]
    lines += _section("The agent found:", found)
    lines += _section("Changes:", _changes(gate, look))
    if gate.cost_usd:
        lines += ["", f"{clean(gate.item)} has cost {money(gate.cost_usd)} so far."]
    if gate.holds_up:
        lines += ["", *block(f"Holds up: {', '.join(gate.holds_up)}", look, 0)]
    if gate.state != "open":
        return [*lines, "", *decided_lines(gate, look)]
    effects = [line for option in gate.options for line in block(f"{option.id}: {option.effect or option.label}", look)]
    return lines + _section("What happens if:", effects)


def _changes(gate: GateDetail, look: Look) -> list[str]:
    """How much has changed, and in which files: the first of them."""
    lines = block(gate.diffstat or "", look)
    lines += [line for name in gate.files[:FILES_SHOWN] for line in block(clean(name), look)]
    if len(gate.files) > FILES_SHOWN:
        lines.append(f"  … All of them: golemctl diff {clean(gate.item)} --stat")
    return lines


def _content(gate: GateView) -> tuple[tuple[str, str], ...]:
    return ("tree", gate.content.tree), ("commit", gate.content.commit)


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", title, *lines] if lines else []


def evidence_lines(evidence: Evidence, look: Look) -> list[str]:
    """One verify command: outcome, command, duration, the tree it ran on; beneath, what its output said."""
    status = f" (status {evidence.status})" if evidence.status else ""
    outcome = evidence.outcome.replace("_", " ") + status
    head = f"  {outcome}  {evidence.command}  {evidence.duration_s:.1f} s  tree {short_hash(evidence.tree)}"
    said = evidence.lines if evidence.outcome != "passed" else ()
    return [cut(clean(head), look.width), *(cut("    " + clean(line), look.width) for line in said)]


def finding_line(finding: Finding) -> str:
    """One finding: how bad, where, what."""
    where = f"{finding.file}:{finding.line}" if finding.line else finding.file
    return "  ".join(part for part in (finding.severity, where, finding.title) if part)


def decided_lines(gate: GateView, look: Look, indent: int = 0) -> list[str]:
    """What became of a gate that is no longer open; a text of several lines stands beneath.

    A phase may ask for several approvals, each with a name of its own.
    """
    named = f" ({gate.key})" if gate.kind == "approval" and gate.key != gate.kind else ""
    head = f"{gate.id}  {gate.kind}{named}"
    if gate.decision is None:
        return block(clean(f"{head}  {gate.state}"), look, indent)
    said = paragraphs(gate.decision.text)
    inline = f": {said[0].strip()}" if len(said) == 1 else ""
    who = gate.decision.actor.user or "somebody"
    line = clean(f"{head}  {gate.decision.option}{inline}  by {who}, {moment(gate.decision.at)}")
    return block(line, look, indent) + (block("\n".join(said), look, indent + 2) if len(said) > 1 else [])


def gate_count(gates: Sequence[GateView]) -> str:
    return count(len(gates), "open gate")
