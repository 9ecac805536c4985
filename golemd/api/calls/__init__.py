"""Requests, imperative. One class is one method: METHOD is its name on the wire, the type parameter its reply, the
docstring its help text. `describe` prints this folder from the running daemon.

CHANGES marks calls that write; each takes a `token`, made by the client, which makes repeating it safe. AGENT_FIELD
names the field that must be the caller's own item when the caller is an agent; calls without one are refused to agents
unless FOR_ANYONE.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final, get_args

import msgspec
from msgspec import Struct

from golemd.api import checks, reports, views
from golemd.api.calls.base import MAX_TOKEN_BYTES as MAX_TOKEN_BYTES
from golemd.api.calls.base import Call as Call
from golemd.api.calls.base import Change as Change
from golemd.api.calls.base import ReplyT as ReplyT
from golemd.api.calls.changing import GateDecide as GateDecide
from golemd.api.calls.changing import Import as Import
from golemd.api.calls.changing import ItemAdd as ItemAdd
from golemd.api.calls.changing import ItemAdvance as ItemAdvance
from golemd.api.calls.changing import ItemCancel as ItemCancel
from golemd.api.calls.changing import ItemEdit as ItemEdit
from golemd.api.calls.changing import ItemReopen as ItemReopen
from golemd.api.calls.changing import ItemUnblock as ItemUnblock
from golemd.api.calls.changing import JournalPrune as JournalPrune
from golemd.api.calls.changing import Pause as Pause
from golemd.api.calls.changing import ProjectInit as ProjectInit
from golemd.api.calls.changing import ProjectRemove as ProjectRemove
from golemd.api.calls.changing import Reload as Reload
from golemd.api.calls.changing import Resume as Resume
from golemd.api.calls.changing import RunStart as RunStart
from golemd.api.calls.changing import RunStop as RunStop
from golemd.api.calls.changing import Shutdown as Shutdown
from golemd.api.calls.changing import Triage as Triage
from golemd.api.calls.looking import Describe as Describe
from golemd.api.calls.looking import EventsFollow as EventsFollow
from golemd.api.calls.looking import EventsRead as EventsRead
from golemd.api.calls.looking import Export as Export
from golemd.api.calls.looking import GateList as GateList
from golemd.api.calls.looking import GateShow as GateShow
from golemd.api.calls.looking import ItemShow as ItemShow
from golemd.api.calls.looking import ItemWhy as ItemWhy
from golemd.api.calls.looking import JournalVerify as JournalVerify
from golemd.api.calls.looking import LogsFollow as LogsFollow
from golemd.api.calls.looking import LogsRead as LogsRead
from golemd.api.calls.looking import Ping as Ping
from golemd.api.calls.looking import ProjectCheck as ProjectCheck
from golemd.api.calls.looking import ProjectList as ProjectList
from golemd.api.calls.looking import ReportShow as ReportShow
from golemd.api.calls.looking import Status as Status
from golemd.api.calls.looking import Worklog as Worklog
from golemd.api.faults import CLASSES, Invalid


def _leaves(base: type[Any]) -> list[type[Call[Any]]]:
    found: list[type[Call[Any]]] = []
    for kind in base.__subclasses__():
        found += _leaves(kind)
        if kind.__dict__.get("METHOD"):
            found.append(kind)
    return found


CALLS: Final[dict[str, type[Call[Any]]]] = {call.METHOD: call for call in sorted(_leaves(Call), key=lambda c: c.METHOD)}


@functools.cache
def _decoder(method: str) -> msgspec.msgpack.Decoder[Call[Any]]:
    """The decoder of a method's parameters, made when it is first called: a client needs none, and starts sooner."""
    return msgspec.msgpack.Decoder(CALLS[method])


def reply_type(call: type[Call[Any]]) -> Any:  # noqa: ANN401 - a type expression, such as tuple[GateView, ...]
    """The type of a method's reply, as its class declares it."""
    base = call.__orig_bases__[0]  # type: ignore[attr-defined]
    return get_args(base)[0]


def decode_call(method: str, params: msgspec.Raw | bytes) -> Call[Any]:
    """The call that a request's method and parameters stand for.

    Raises Invalid: `unknown_method`, `invalid_params`, `invalid_token`.
    """
    if method not in CALLS:
        raise Invalid("unknown_method", f"There is no method {method[:64]!r}.", "The method `describe` lists them all.")
    try:
        call: Call[Any] = _decoder(method).decode(params)
    except (ValueError, RecursionError) as error:  # msgspec's own, and those of text that is not UTF-8, are ValueErrors
        hint = f"The method `describe` shows the fields of {method}."
        raise Invalid("invalid_params", f"{method}: {error}", hint, method=method) from error
    if isinstance(call, Change) and call.token:
        _check_token(call.token)
    return call


def _check_token(token: str) -> None:
    if len(token.encode("utf-8", "replace")) > MAX_TOKEN_BYTES or token.startswith("seq:"):
        message = f"A token has at most {MAX_TOKEN_BYTES} bytes and does not begin with 'seq:'."
        raise Invalid("invalid_token", message, "Make a fresh random one, such as a UUID.")


@functools.cache
def describe() -> dict[str, Any]:
    """The whole interface as plain data: what the method `describe` answers. Made once: it takes many milliseconds."""
    return {
        "methods": {
            method: {
                "doc": call.__doc__ or "",
                "changes": call.CHANGES,
                "fields": {
                    field.encode_name: {"type": _type_name(field.type), "required": field.required}
                    for field in msgspec.structs.fields(call)
                },
                "reply": _type_name(reply_type(call)),
            }
            for method, call in CALLS.items()
        },
        "types": {
            name: {
                "doc": view.__doc__ or "",
                "fields": {f.encode_name: _type_name(f.type) for f in msgspec.structs.fields(view)},
            }
            for name, view in sorted({**vars(views), **vars(checks), **vars(reports)}.items())
            if isinstance(view, type) and issubclass(view, Struct) and view is not Struct
        },
        "errors": {
            "fields": ["code", "class", "message", "hint", "data"],
            "classes": {name: kind.__doc__ or "" for name, kind in CLASSES.items()},
        },
        "notifications": {
            "event": "{follow, record}",
            "log": "{follow, attempt, stream, offset, next, text}",
            "lagged": "{follow, resume_seq}",
            "ended": "{follow}",
            "error": "error",
        },
    }


def _type_name(kind: Any) -> str:  # noqa: ANN401 - any type expression
    return (
        getattr(kind, "__name__", "")
        if isinstance(kind, type) and not get_args(kind)
        else re.sub(r"typing\.|golemd\.api\.(views|record_views|checks|reports|parts)\.", "", str(kind))
    )
