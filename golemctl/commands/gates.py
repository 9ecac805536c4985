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
from golemd.api.faults import Invalid
from golemd.api.views import GateDetail

APPROVE: Final = "approve"
"""The option that says yes to work as it is."""

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
) -> int:
    if bool(answer) + bool(notes) + bool(answer_file) > 1:
        raise Usage("one_text", "--answer, --notes and --answer-file exclude each other.", "Give one of them.")
    if answer_file:
        answer = _read(answer_file)
    if names_a_gate(id):
        return _decide(ask, id, _default(ask.call(calls.GateShow(gate=id))), answer or notes)
    gate = _to_be_approved(ask, id)
    if gate is not None and gate.default == APPROVE:
        return _decide(ask, gate.id, APPROVE, answer or notes)
    show_changed(ask.out, ask.call(calls.ItemUnblock(id=id, answer=answer, notes=notes)))
    return 0


def approve(ask: Ask, id: GateId, message: Message = "") -> int:  # noqa: A002 - as above
    return _decide(ask, id, APPROVE, message)


def request_changes(ask: Ask, id: GateId, message: Wanted) -> int:  # noqa: A002 - as above
    return _decide(ask, id, "request_changes", message)


def reject(ask: Ask, id: GateId, message: Message = "") -> int:  # noqa: A002 - as above
    return _decide(ask, id, "reject", message)


def abort(ask: Ask, id: GateId, message: Message = "") -> int:  # noqa: A002 - as above
    return _decide(ask, id, "abort", message)


def decide(
    ask: Ask,
    gate: GateId,
    option: Annotated[
        str,
        Argument(metavar="OPTION", help="One of those that golemctl gates lists.", completion="gate_options"),
    ],
    message: Message = "",
) -> int:
    return _decide(ask, gate, option, message)


def _decide(ask: Ask, named: str, option: str, text: str) -> int:
    """Decide by an option. What would be approved is shown to a person first, who must say yes to exactly that."""
    gate = _to_be_approved(ask, named) if option == APPROVE else None
    if gate is not None:
        ask.out.say(*gate_detail_lines(gate, ask.out.look()), "")
        if not _confirmed(ask, gate):
            ask.out.aside("Not approved; nothing was changed.")
            return REFUSED
    which, content = (named, "") if gate is None else (gate.id, gate.digest)
    show_changed(ask.out, ask.call(calls.GateDecide(gate=which, option=option, text=text, content=content)))
    return 0


def _default(gate: GateDetail) -> str:
    if gate.default is None:
        options = [option.id for option in gate.options]
        hint = f"Choose one of {', '.join(options)}, such as: golemctl decide {gate.id} {options[0]}" if options else ""
        raise Invalid("option_needed", f"{gate.id} has no default way.", hint)
    return gate.default


def _to_be_approved(ask: Ask, named: str) -> GateDetail | None:
    """The open gate that is meant and can be approved, if a person sits at a terminal to look at it.

    None as well where an item has not exactly one: the daemon then says what is wrong.
    """
    if not (ask.out.is_terminal and sys.stdin.isatty()) or ask.out.json:
        return None
    if not names_a_gate(named):
        item = ask.call(calls.ItemShow(id=named))
        waiting = [gate.id for gate in item.gates if gate.state == "open"]
        if len(waiting) != 1:
            return None
        named = waiting[0]
    gate = ask.call(calls.GateShow(gate=named))
    can_be = gate.state == "open" and any(option.id == APPROVE for option in gate.options)
    return gate if can_be else None


def _confirmed(ask: Ask, gate: GateDetail) -> bool:
    """Whether a person says yes to exactly this."""
    what = f"tree {short_hash(gate.content.tree)} of {gate.item}" if gate.content.tree else gate.id
    return ask.confirmed(f"Approve {what}?")


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error  # which of an OSError names the file again
        hint = "Give a readable UTF-8 file."
        raise Invalid("answer_file", f"{name} cannot be read as text: {why}.", hint) from error
