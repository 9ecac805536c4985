"""Answering gates: unblock, approve, request-changes, reject, abort, decide. All take an item or a gate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

from golemctl.app import REFUSED, Ask, Usage
from golemctl.commands.items import show_changed
from golemctl.commands.looking import GateId, names_a_gate
from golemctl.declare import Argument, Commands, Option
from golemctl.render.gates import gate_detail_lines
from golemctl.render.text import short_hash
from golemd.api import calls
from golemd.api.faults import Conflict, Invalid
from golemd.api.views import GateDetail

Message = Annotated[str, Option("-m --message", metavar="TEXT", help="A comment; the next prompt holds it.")]
Wanted = Annotated[str, Option("-m --message", metavar="TEXT", help="What is to be changed.")]


def register(app: Commands) -> None:
    app.add("unblock", unblock, "Answer what blocks an item, in the default way.", _UNBLOCK)
    app.add("approve", approve, "Approve what waits for it.", _APPROVE)
    app.add("request-changes", request_changes, "Send work back, with what is to be changed.", _REQUEST_CHANGES)
    app.add("reject", reject, "Reject the work; its item is cancelled.")
    app.add("abort", abort, "Abort the run; its item is cancelled.")
    app.add("decide", decide, "Decide a gate by one of its options.")


_UNBLOCK: Final = (
    "Decide the only open gate of an item, or the gate given, in its default way. What is answered, also from a file, "
    "is recorded in the journal for good, as it is: no place for secrets."
)
_APPROVE: Final = "Approve what a gate holds. On a terminal it is shown first, and asked for once more."
_REQUEST_CHANGES: Final = "Send the phase of a gate back to its agent, with what is to be changed."


def unblock(
    ask: Ask,
    id: GateId,  # noqa: A002 - the name of the call's field
    answer: Annotated[str, Option(metavar="TEXT", help="The answer to its question.")] = "",
    notes: Annotated[str, Option(metavar="TEXT", help="A note for the next attempt.")] = "",
    answer_file: Annotated[str, Option(metavar="FILE", help="A file with the answer; - reads stdin.")] = "",
) -> None:
    if bool(answer) + bool(notes) + bool(answer_file) > 1:
        raise Usage("one_text", "--answer, --notes and --answer-file exclude each other.", "Give one of them.")
    if answer_file:
        answer = _read(answer_file)
    if names_a_gate(id):
        gate = ask.call(calls.GateShow(gate=id))
        call = calls.GateDecide(gate=id, option=_default(gate), text=answer or notes)
        return show_changed(ask.out, ask.call(call))
    return show_changed(ask.out, ask.call(calls.ItemUnblock(id=id, answer=answer, notes=notes)))


def approve(ask: Ask, id: GateId, message: Message = "") -> int | None:  # noqa: A002 - as above
    content = ""
    gate = _shown(ask, id) if ask.out.is_terminal and sys.stdin.isatty() and not ask.out.json else None
    if gate is not None:
        if not _confirmed(ask, gate):
            ask.out.aside("Not approved; nothing was changed.")
            return REFUSED
        id, content = gate.id, gate.digest  # noqa: A001 - as above
    show_changed(ask.out, ask.call(calls.GateDecide(gate=id, option="approve", text=message, content=content)))
    return None


def request_changes(ask: Ask, id: GateId, message: Wanted) -> None:  # noqa: A002 - as above
    _decide(ask, id, "request_changes", message)


def reject(ask: Ask, id: GateId, message: Message = "") -> None:  # noqa: A002 - as above
    _decide(ask, id, "reject", message)


def abort(ask: Ask, id: GateId, message: Message = "") -> None:  # noqa: A002 - as above
    _decide(ask, id, "abort", message)


def decide(
    ask: Ask,
    gate: GateId,
    option: Annotated[
        str,
        Argument(metavar="OPTION", help="One of those that golemctl gates lists.", completion="gate_options"),
    ],
    message: Message = "",
) -> None:
    _decide(ask, gate, option, message)


def _decide(ask: Ask, gate: str, option: str, text: str) -> None:
    show_changed(ask.out, ask.call(calls.GateDecide(gate=gate, option=option, text=text)))


def _default(gate: GateDetail) -> str:
    if gate.default is None:
        options = ", ".join(option.id for option in gate.options)
        hint = f"Choose one of {options}: golemctl decide {gate.id} OPTION"
        raise Conflict("no_default", f"{gate.id} has no default decision.", hint)
    return gate.default


def _shown(ask: Ask, name: str) -> GateDetail | None:
    """Show the gate that is meant. None, where an item has not exactly one: the daemon then says what is wrong."""
    if not names_a_gate(name):
        item = ask.call(calls.ItemShow(id=name))
        waiting = [gate.id for gate in item.gates if gate.state == "open"]
        if len(waiting) != 1:
            return None
        name = waiting[0]
    gate = ask.call(calls.GateShow(gate=name))
    ask.out.say(*gate_detail_lines(gate, ask.out.look()), "")
    return gate


def _confirmed(ask: Ask, gate: GateDetail) -> bool:
    """Whether a person says yes to exactly this."""
    what = f"tree {short_hash(gate.content.tree)} of {gate.item}" if gate.content.tree else gate.id
    return ask.confirmed(f"Approve {what}?")


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            "answer_file", f"{name} cannot be read as text: {error}.", "Give a readable UTF-8 file."
        ) from error
