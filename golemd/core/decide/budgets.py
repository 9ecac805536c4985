"""Budgets: a human is asked when one is spent, and may raise it or end the run."""

from __future__ import annotations

import re
from typing import Final

from golemd.api import events as ev
from golemd.api.events import Event
from golemd.api.faults import Invalid
from golemd.api.model import Content, Gate, GateKind, Item, Run
from golemd.core import budgets
from golemd.core import commands as cmd
from golemd.core.budgets import ITEM_TOKENS, Budget
from golemd.core.decide.common import NOTHING, Decided, about, cause_of, open_gate
from golemd.core.golem_toml import MANY, MOST_TOKENS
from golemd.core.state import State

_DOLLARS: Final = re.compile(r"\+?\$?(\d{1,9}(?:\.\d{1,6})?)")
_TOKENS: Final = re.compile(r"\+?(\d{1,16})")


def ask(state: State, command: cmd.AskBudget, now_us: int) -> Decided:
    """Nothing is left of a budget that the item's next agent would need."""
    item = state.items.get(command.item)
    if item is None or not budgets.asks(state, item):
        return NOTHING
    spent = budgets.spent_before_start(state, item)
    assert spent is not None  # which is what it asks about
    return Decided(about(item, gate_of(item, state.run_of(item), spent), cause=cause_of(state, item.id)))


def gate_of(item: Item, run: Run | None, spent: Budget, attempt: str = "") -> ev.GateOpened:
    """The gate that asks whether a spent budget is raised."""
    phase = budgets.coming(item, run)[1].name if run is not None else ""
    question = f"{budgets.in_words(spent, item.id, phase)}. Raise it, by how much, or abort?"
    content = Content() if run is None else Content(commit=run.head, tree=run.phase.tree)
    return open_gate(item, run, GateKind.BUDGET, spent.scope, question, content, attempt)


def raised(state: State, item: Item, gate: Gate, text: str) -> list[Event]:
    """A human raises the budget. Raises Invalid `invalid_amount`, `amount_too_small`.

    A configuration that has no such limit any more asks for nothing, so any amount will do.
    """
    amount = _amount(gate, text)
    asked = [each for each in budgets.before_start(state, item) if each.scope == gate.key]
    budget = asked[0] if asked else Budget(gate.key, 0.0, 0.0)
    limit = budget.limit + amount
    if Budget(gate.key, budget.spent, limit).is_spent:
        spent, over = budget.amount(budget.spent), budget.amount(budget.spent - budget.limit)
        message = f"That leaves nothing: {spent} is spent, and the limit would be {budget.amount(limit)}."
        raise Invalid("amount_too_small", message, f"Raise it by more than {over}.")
    usd, tokens = (0.0, int(amount)) if gate.key == ITEM_TOKENS else (amount, 0)
    event = ev.BudgetRaised(
        gate=gate.id, run=gate.run, phase=gate.phase, scope=gate.key, usd=usd, tokens=tokens, limit=limit
    )
    again = ev.PhaseReset(run=gate.run, phase=gate.phase, reason="budget raised")
    return [event, again] if gate.run else [event]


def _amount(gate: Gate, text: str) -> float:
    of_tokens = gate.key == ITEM_TOKENS
    match = (_TOKENS if of_tokens else _DOLLARS).fullmatch(text.strip())
    amount = float(match[1]) if match is not None else 0.0
    if not 0 < amount <= (MOST_TOKENS if of_tokens else MANY):
        what, example = ("a number of tokens", "100000") if of_tokens else ("an amount of dollars", "5.00")
        hint = f"golemctl decide {gate.id} raise -m {example} raises it by that much."
        raise Invalid("invalid_amount", f"{text.strip()[:40]!r} is not {what}.", hint)
    return amount
