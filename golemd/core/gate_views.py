"""State → views of gates: what is asked, what each answer does, and what a person needs to decide."""

from __future__ import annotations

from typing import Any, Final

from golemd.api import views
from golemd.api.model import Gate, GateKind
from golemd.core.decide.phases import content_digest
from golemd.core.state import State

_STAYS: Final = "its work stays on the branch that is checked out"
_KEPT: Final = {
    False: {"kept": "its branch is kept", "kept_if_any": "its branch, if it has one, is kept"},
    True: {"kept": _STAYS, "kept_if_any": _STAYS},
}
"""What stays of a run that ends so, by whether it works in place."""

_EFFECTS: Final = {
    (GateKind.APPROVAL, "approve"): "the phase is completed and the run goes on",
    (GateKind.APPROVAL, "request_changes"): "the phase runs again with your comment in its prompt",
    (GateKind.APPROVAL, "reject"): "the run fails and the item is cancelled; {kept}",
    (GateKind.APPROVAL, "abort"): "the run is aborted and the item is cancelled; {kept}",
    (GateKind.QUESTION, "answer"): "the phase runs again with your answer in its prompt",
    (GateKind.QUESTION, "abort"): "the run is aborted and the item is cancelled; {kept}",
    (GateKind.GUARDRAIL, "approve"): "the item goes on where it stood, up to these assessments",
    (GateKind.GUARDRAIL, "reject"): "the item is cancelled; {kept_if_any}",
    (GateKind.DUPLICATE, "merge"): "the item is cancelled; the other one gets its text and those who wait for it",
    (GateKind.DUPLICATE, "keep"): "both stay in the backlog, and triage goes on",
    (GateKind.STALENESS, "proceed"): "the phase begins on what is there",
    (GateKind.STALENESS, "rerun_prior"): "the run goes back to the phase whose work is gone",
    (GateKind.STALENESS, "abort"): "the run is aborted and the item is cancelled; {kept}",
    (GateKind.FAILURE, "retry"): "the phase is tried again with full budgets",
    (GateKind.FAILURE, "skip"): "the phase is left out and the next one starts",
    (GateKind.FAILURE, "abort"): "the run is aborted and the item is cancelled; {kept}",
    (GateKind.BUDGET, "raise"): "the phase goes on with that much more to spend",
    (GateKind.BUDGET, "abort"): "the run is aborted and the item is cancelled; {kept}",
}


def gate_view(gate: Gate) -> views.GateView:
    """One gate, open or decided."""
    return views.GateView(**_gate_fields(gate))


def _effect(gate: Gate, option: str) -> str:
    """What deciding a gate so does; empty for an option of a release that knows more."""
    return _EFFECTS.get((gate.kind, option), "").format_map(_KEPT[gate.in_place])


def _gate_fields(gate: Gate) -> dict[str, Any]:
    decision = gate.decision
    return {
        "id": gate.id,
        "item": gate.item,
        "kind": str(gate.kind),
        "key": gate.key,
        "question": gate.question,
        "options": tuple(
            views.OptionView(option.id, option.label, option.text_required, _effect(gate, option.id))
            for option in gate.options
        ),
        "default": gate.default or None,
        "content": gate.content,
        "digest": content_digest(gate.content),
        "attempt": gate.attempt or None,
        "opened_at": gate.opened_at,
        "phase": gate.phase or None,
        "notified": gate.notified or None,
        "state": "decided" if decision else "superseded" if gate.superseded else "open",
        "decision": decision
        and views.DecisionView(
            option=decision.option, text=decision.text, actor=decision.actor, token=decision.token, at=decision.at
        ),
    }


def gate_detail(state: State, gate: Gate) -> views.GateDetail:
    """One gate with what a person needs to decide it, but for the changes, which git tells."""
    item, run = state.items[gate.item], state.runs.get(gate.run)
    phase = next((each for each in run.phases if each.name == gate.phase), None) if run is not None else None
    waiting = state.index.dependants.get(item.id, ())
    return views.GateDetail(
        **_gate_fields(gate),
        project=item.project,
        title=item.title,
        holds_up=tuple(waiting),
        summary=(phase.summary or None) if phase is not None else None,
        evidence=phase.evidence if phase is not None else (),
        findings=phase.findings if phase is not None else (),
        cost_usd=round(item.spent_usd, 6),
    )
