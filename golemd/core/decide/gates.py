"""Gates: who may decide what, in which order it is checked, and what each option does.

The order: gate_not_found; the same token again (seen before this file is reached); run_over; gate_not_open;
unknown_option; content_changed; otherwise it takes effect. Each option of each kind is one row of the table below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.events import Draft, Event
from golemd.api.faults import Conflict, Invalid, NotFound
from golemd.api.model import (
    ENDED,
    Content,
    EndedItem,
    Gate,
    GateKind,
    Item,
    NoteKind,
    Resolution,
    Run,
    Stage,
)
from golemd.core import commands as cmd
from golemd.core.decide import budgets, dispatches, phases, staleness, triage
from golemd.core.decide.common import NOTHING, Decided, about, cause_of, closing
from golemd.core.limits import MAX_DESCRIPTION
from golemd.core.state import State, no_item


def find(state: State, named: str, then: str = "reopen") -> Gate:
    """The gate of that id, or the only open gate of that item. Raises `gate_not_found` and its kin.

    `then`: the command that helps whoever asks when its item has ended.
    """
    if named in state.gates:
        return state.gates[named]
    if named in state.items:
        return only_open(state, state.items[named], then)
    if is_known(state, named):
        item = named if named in state.ended else named.rpartition(".g")[0]
        raise _run_over(named, state.known(item), then)
    raise NotFound("gate_not_found", f"There is no gate {named[:80]!r}.", "golemctl gates lists the open ones.")


def _run_over(named: str, item: Item | EndedItem, then: str) -> Conflict:
    shown = str(item.status).replace("_", " ")
    hint = f"golemctl {then if item.status in ENDED else 'show'} {item.id}"
    return Conflict("run_over", f"{named}: the run is over; {item.id} is {shown}.", hint)


def is_known(state: State, gate: str) -> bool:
    """Whether it names an item, or a gate that was ever opened, also on an item that has ended since."""
    if gate in state.items or gate in state.ended:
        return True
    item, _, number = gate.rpartition(".g")
    found = state.items.get(item) or state.ended.get(item)
    return found is not None and number.isdecimal() and 1 <= int(number) <= found.gates


def only_open(state: State, item: Item, then: str) -> Gate:
    """The item's open gate; a refusal that helps when there is none, or more than one."""
    if item.status in ENDED:
        raise _run_over(item.id, item, then)
    gates = state.open_gates(item.id)
    if not gates:
        shown = str(item.status).replace("_", " ")
        raise Conflict("not_blocked", f"{item.id} is not blocked; it is {shown}.", f"See: golemctl why {item.id}")
    if len(gates) > 1:
        listed = ", ".join(f"{gate.id} ({gate.kind}: {_options_of(gate)})" for gate in gates)
        message = f"{item.id} has {len(gates)} open gates: {listed}."
        raise Conflict("several_gates", message, "golemctl decide GATE OPTION")
    return gates[0]


def _options_of(gate: Gate) -> str:
    return ", ".join(option.id for option in gate.options)


def notified(state: State, command: cmd.ReportNotified, now_us: int) -> Decided:
    """Somebody was told of a gate; recorded also when the disk is nearly full, so that nobody hears of it twice."""
    gate = state.gates.get(command.gate)
    if gate is None or gate.notified:
        return NOTHING
    event = ev.GateNotified(gate=gate.id, tries=command.tries, message=command.message)
    item = state.items[gate.item]
    return Decided(about(item, event, cause=cause_of(state, item.id)), essential=True)


def unblock(state: State, call: calls.ItemUnblock, command: cmd.Asked) -> Decided:
    """Decide an item's only open gate in its default way."""
    if not is_known(state, call.id):
        raise no_item(call.id)
    gate = find(state, call.id)
    text = call.answer or call.notes
    if not gate.default:
        message = f"{gate.id} has no default way: {_options_of(gate)}."
        raise Invalid("option_needed", message, f"golemctl decide {gate.id} OPTION")
    return _decide(state, gate, gate.default, text, "", call.token, command)


def decide_gate(state: State, call: calls.GateDecide, command: cmd.Asked) -> Decided:
    """Decide a gate by one of its options."""
    return _decide(state, find(state, call.gate), call.option, call.text, call.content, call.token, command)


def _decide(state: State, gate: Gate, option: str, text: str, shown: str, token: str, command: cmd.Asked) -> Decided:
    item = state.items[gate.item]
    if item.status in ENDED:
        raise Conflict("run_over", f"{gate.id}: its run is over.", f"golemctl show {item.id}")
    if not gate.is_open:
        raise _not_open(gate)
    chosen = next((each for each in gate.options if each.id == option), None)
    if chosen is None:
        message = f"{gate.id} cannot be decided by {option[:40]!r}."
        raise Invalid("unknown_option", message, f"Its options: {_options_of(gate)}.")
    if chosen.text_required and not text.strip():
        raise Invalid("text_required", f"{option} needs a text.", f'golemctl decide {gate.id} {option} -m "…"')
    if len(text) > MAX_DESCRIPTION:
        raise Invalid(
            "text_too_long", f"A text has at most {MAX_DESCRIPTION} characters.", "Commit it and name its path."
        )
    changed = _changed(gate, shown, command.facts.content)
    if changed is not None:
        return _replaced(item, gate, changed)
    decided = ev.GateDecided(gate=gate.id, option=option, text=text, actor=command.actor, token=token)
    consequences = _EFFECTS[gate.kind, option](state, item, gate, text)
    drafts = about(item, decided, *consequences)
    return Decided((*drafts, *dispatches.again(state, item.project)))


def _not_open(gate: Gate) -> Conflict:
    if gate.decision is None:
        return Conflict("gate_not_open", f"{gate.id} was superseded.", f"golemctl show {gate.item}", superseded=True)
    decision = gate.decision
    who = decision.actor.user or f"uid {decision.actor.uid}"
    message = f"{gate.id} was decided already: {decision.option}, by {who} at {decision.at}."
    hint = f"golemctl show {gate.item}"
    data = {"option": decision.option, "by": who, "uid": decision.actor.uid, "at": decision.at, "text": decision.text}
    return Conflict("gate_not_open", message, hint, **data)


def _changed(gate: Gate, shown: str, now: Content | None) -> Content | None:
    """What the gate is about now, when that is not what the human was shown."""
    if now is not None and gate.kind is GateKind.APPROVAL and now != gate.content:
        return now
    if shown and shown != phases.content_digest(gate.content):
        return now or gate.content
    return None


def _replaced(item: Item, gate: Gate, content: Content) -> Decided:
    number = item.gates + 1
    fresh = ev.GateOpened(
        gate=f"{item.id}.g{number}",
        run=gate.run,
        phase=gate.phase,
        kind=gate.kind,
        key=gate.key,
        question=gate.question,
        options=gate.options,
        default=gate.default,
        content=content,
        attempt=gate.attempt,
    )
    message = f"What {gate.id} is about has changed since it was shown."
    hint = f"Look again, it is {fresh.gate} now: golemctl show {fresh.gate}"
    fault = Conflict("content_changed", message, hint, gate=fresh.gate)
    superseded = ev.GateSuperseded(gate=gate.id, reason="its content has changed")
    return Decided(about(item, superseded, fresh), fault=fault)


# --- what each option does ---------------------------------------------------------------------------------------

Consequences = Sequence[Event | Draft]
Effect = Callable[[State, Item, Gate, str], Consequences]


def _of_run(effect: Callable[[State, Item, Run, Gate, str], Consequences]) -> Effect:
    """The effect of a gate that was opened in a run, as all but a few are."""

    def take(state: State, item: Item, gate: Gate, text: str) -> Consequences:
        return effect(state, item, state.runs[gate.run], gate, text)

    return take


def _approve(state: State, item: Item, run: Run, gate: Gate, text: str) -> Consequences:
    if gate.content.tree != run.phase.tree:
        # A human changed the tree while the gate was open, and approved it so: it is verified and committed first.
        return phases.verify_or_commit(run, run.phase, gate.content.tree)
    return phases.next_approval(state, item, run, approved=gate.key)


def _request_changes(state: State, item: Item, run: Run, gate: Gate, text: str) -> Consequences:
    return (_again(run, "changes requested", NoteKind.COMMENT, text),)


def _answer(state: State, item: Item, gate: Gate, text: str) -> Consequences:
    if gate.key == triage.PIPELINE_KEY:
        return triage.choose_pipeline(state, item, state.runs.get(gate.run), gate, text)
    if not gate.run:
        return ()  # the item goes on where it stood, and every prompt of it has the answer
    note = f"Question: {gate.question}\nAnswer: {text}"
    return (_again(state.runs[gate.run], "answered", NoteKind.ANSWER, note),)


def _let_pass(state: State, item: Item, gate: Gate, text: str) -> Consequences:
    """The fold remembers what was approved; the item goes on where it stood."""
    return ()


def _merge(state: State, item: Item, gate: Gate, text: str) -> Consequences:
    return triage.merge_into(state, item, gate.key.partition(":")[2], text, but=gate.id)


def _keep(state: State, item: Item, run: Run, gate: Gate, text: str) -> Consequences:
    return triage.keep_apart(state, item, run, gate)


def _proceed(state: State, item: Item, run: Run, gate: Gate, text: str) -> Consequences:
    return (staleness.proceed(run),)


def _rerun_prior(state: State, item: Item, run: Run, gate: Gate, text: str) -> Consequences:
    return staleness.rerun_prior(run, gate)


def _retry(state: State, item: Item, run: Run, gate: Gate, text: str) -> Consequences:
    stage = Stage.COMMIT if run.phase.stage is Stage.COMMIT else Stage.ENTER
    return (_again(run, "retried", NoteKind.COMMENT, text, renew=True, stage=stage),)


def _again(
    run: Run, reason: str, kind: NoteKind, note: str, *, renew: bool = False, stage: Stage = Stage.ENTER
) -> ev.PhaseReset:
    return ev.PhaseReset(
        run=run.id, phase=run.phase.name, reason=reason, note_kind=kind, note=note, renew=renew, stage=stage
    )


def _skip(state: State, item: Item, run: Run, gate: Gate, text: str) -> Consequences:
    return phases.skip(state, item, run, text or "skipped at its failure gate")


def _raise(state: State, item: Item, gate: Gate, text: str) -> Consequences:
    return budgets.raised(state, item, gate, text)


def _reject(state: State, item: Item, gate: Gate, text: str) -> Consequences:
    run = state.runs.get(gate.run)
    failed = (ev.RunFailed(run=run.id, reason=text or "rejected"),) if run is not None else ()
    others = (each for each in state.open_gates(item.id) if each.id != gate.id)
    closed = (ev.GateSuperseded(gate=each.id, reason="rejected") for each in others)
    return *closed, *failed, ev.ItemCancelled(resolution=Resolution.REJECTED, reason=text)


def _abort(state: State, item: Item, gate: Gate, text: str) -> Consequences:
    cancelled = ev.ItemCancelled(resolution=Resolution.ABORTED, reason=text)
    return *closing(state, item, text or "aborted", but=gate.id), cancelled


_EFFECTS: Final[dict[tuple[GateKind, str], Effect]] = {
    (GateKind.APPROVAL, "approve"): _of_run(_approve),
    (GateKind.APPROVAL, "request_changes"): _of_run(_request_changes),
    (GateKind.APPROVAL, "reject"): _reject,
    (GateKind.APPROVAL, "abort"): _abort,
    (GateKind.QUESTION, "answer"): _answer,
    (GateKind.QUESTION, "abort"): _abort,
    (GateKind.GUARDRAIL, "approve"): _let_pass,
    (GateKind.GUARDRAIL, "reject"): _reject,
    (GateKind.DUPLICATE, "merge"): _merge,
    (GateKind.DUPLICATE, "keep"): _of_run(_keep),
    (GateKind.STALENESS, "proceed"): _of_run(_proceed),
    (GateKind.STALENESS, "rerun_prior"): _of_run(_rerun_prior),
    (GateKind.STALENESS, "abort"): _abort,
    (GateKind.FAILURE, "retry"): _of_run(_retry),
    (GateKind.FAILURE, "skip"): _of_run(_skip),
    (GateKind.FAILURE, "abort"): _abort,
    (GateKind.BUDGET, "raise"): _raise,
    (GateKind.BUDGET, "abort"): _abort,
}
