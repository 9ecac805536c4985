"""Repeating a changing call safely: the same token and body again has the same answer and no second effect."""

from __future__ import annotations

from golemd.api.calls import Change, GateDecide
from golemd.api.faults import Conflict
from golemd.core import times
from golemd.core.configuration import digest
from golemd.core.decide import gates
from golemd.core.state import TOKEN_DAYS, State, TokenUse

_DAY_US = 86_400_000_000


def body_of(call: Change[object]) -> str:
    """The digest of a call's method and parameters, without its token and who sent it."""
    params = {name: getattr(call, name) for name in call.__struct_fields__ if name not in ("token", "client")}
    return digest([call.METHOD, params])


def earlier_use(state: State, call: Change[object], body: str, now_us: int) -> TokenUse | None:
    """What the call's token stood for before, if it was used. Raises Conflict `token_reused` for another body."""
    if isinstance(call, GateDecide) and not gates.is_known(state, call.gate):
        gates.find(state, call.gate)  # gate_not_found comes before all that is said about tokens
    use = state.tokens.get(call.token) if call.token else None
    if use is None or times.micros(use.ts) < now_us - TOKEN_DAYS * _DAY_US:
        return None
    if use.body != body:
        message = f"The token {call.token!r} was used for another command (record {use.seq})."
        raise Conflict("token_reused", message, "Make a fresh token for every command.", seq=use.seq)
    return use
