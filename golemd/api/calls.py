"""Requests, imperative. One class is one method: METHOD is its name on the wire, the type parameter its reply, the
docstring its help text. `describe` prints this file from the running daemon.

CHANGES marks calls that write; each takes a `token`, made by the client, which makes repeating it safe. AGENT_FIELD
names the field that must be the caller's own item when the caller is an agent; calls without one are refused to agents
unless FOR_ANYONE.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Generic, TypeVar, get_args

import msgspec
from msgspec import Struct

from golemd.api import views
from golemd.api.faults import CLASSES, Invalid

ReplyT = TypeVar("ReplyT", covariant=True)

MAX_TOKEN_BYTES: Final = 128


class Call(Struct, Generic[ReplyT], frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of all requests."""

    METHOD: ClassVar[str] = ""
    CHANGES: ClassVar[bool] = False
    FOR_ANYONE: ClassVar[bool] = False
    AGENT_FIELD: ClassVar[str] = ""


class Change(Call[ReplyT], Generic[ReplyT], frozen=True, kw_only=True):
    """The base of all requests that write. `client`: what the caller calls itself, for the record."""

    CHANGES = True
    token: str = ""
    client: str = ""


# --- looking -----------------------------------------------------------------------------------------------------


class Ping(Call[views.Pong], frozen=True, kw_only=True):
    """Ask whether the daemon answers."""

    METHOD = "ping"
    FOR_ANYONE = True


class Describe(Call[dict[str, Any]], frozen=True, kw_only=True):
    """Print the whole interface: methods, fields, types, replies, faults, documentation."""

    METHOD = "describe"
    FOR_ANYONE = True


class Status(Call[views.StatusView], frozen=True, kw_only=True):
    """Show projects, items, open gates and running attempts; `all` lists ended items too."""

    METHOD = "status"
    project: str = ""
    all: bool = False


class ItemShow(Call[views.ItemDetail], frozen=True, kw_only=True):
    """Show one item with its runs, attempts, gates and last records; `prompt` adds its next or last prompt."""

    METHOD = "item.show"
    AGENT_FIELD = "id"
    id: str
    prompt: bool = False


class ItemWhy(Call[views.WhyView], frozen=True, kw_only=True):
    """Say in words why an item is not running."""

    METHOD = "item.why"
    AGENT_FIELD = "id"
    id: str


class GateList(Call[tuple[views.GateView, ...]], frozen=True, kw_only=True):
    """List the open gates, oldest first."""

    METHOD = "gate.list"
    project: str = ""


class GateShow(Call[views.GateDetail], frozen=True, kw_only=True):
    """Show one gate: what happens if, what it holds up, content, files, evidence."""

    METHOD = "gate.show"
    AGENT_FIELD = "gate"
    gate: str


class EventsRead(Call[views.RecordsView], frozen=True, kw_only=True):
    """Read durable records from sequence number `since`, or a time, on."""

    METHOD = "events.read"
    since: int | str = 1
    item: str = ""
    type: str = ""
    limit: int = 1000


class EventsFollow(Call[views.FollowStarted], frozen=True, kw_only=True):
    """Follow the journal: one `event` notification per durable record. Without `since`, from now on."""

    METHOD = "events.follow"
    since: int | str | None = None
    item: str = ""
    type: str = ""


class LogsRead(Call[views.LogView], frozen=True, kw_only=True):
    """Read an attempt's output from a byte offset on. An item or run stands for its newest attempt."""

    METHOD = "logs.read"
    id: str
    stream: str = "stdout"
    offset: int = 0


class LogsFollow(Call[views.FollowStarted], frozen=True, kw_only=True):
    """Follow an attempt's output as `log` notifications until the attempt is over."""

    METHOD = "logs.follow"
    id: str
    stream: str = "stdout"
    offset: int = 0


class ProjectList(Call[tuple[views.ProjectView, ...]], frozen=True, kw_only=True):
    """List the registered projects."""

    METHOD = "project.list"


class JournalVerify(Call[views.VerifyView], frozen=True, kw_only=True):
    """Check every line of the journal; `deep` replays it all and compares with the live state."""

    METHOD = "journal.verify"
    deep: bool = False


# --- changing ----------------------------------------------------------------------------------------------------


class ProjectInit(Change[views.ProjectReady], frozen=True, kw_only=True):
    """Register the git repository around the folder `root`; write a commented golem.toml if it has none."""

    METHOD = "project.init"
    root: str
    prefix: str = ""


class ProjectRemove(Change[tuple[views.ProjectView, ...]], frozen=True, kw_only=True):
    """Forget a project that has no unfinished items; its repository is left as it is."""

    METHOD = "project.remove"
    project: str


class ItemAdd(Change[views.ItemView], frozen=True, kw_only=True):
    """Add an item to a project's backlog."""

    METHOD = "item.add"
    project: str = ""
    title: str
    description: str = ""
    priority: int = 0
    labels: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    pipeline: str = ""
    base: str = ""
    vars: dict[str, str] = {}


class ItemEdit(Change[views.ItemView], frozen=True, kw_only=True):
    """Change an item; what is left out stays as it is."""

    METHOD = "item.edit"
    id: str
    title: str | None = None
    description: str | None = None
    priority: int | None = None
    labels: tuple[str, ...] | None = None
    dependencies: tuple[str, ...] | None = None
    pipeline: str | None = None
    base: str | None = None
    size: str | None = None
    complexity: str | None = None
    risk: str | None = None
    impact: str | None = None


class ItemCancel(Change[views.ItemView], frozen=True, kw_only=True):
    """Cancel an item: its agents are ended, its gates closed, its branch kept."""

    METHOD = "item.cancel"
    id: str
    reason: str = ""


class ItemReopen(Change[views.ItemView], frozen=True, kw_only=True):
    """Take a done or cancelled item up again, from the beginning."""

    METHOD = "item.reopen"
    id: str
    reason: str = ""


class ItemUnblock(Change[views.ItemView], frozen=True, kw_only=True):
    """Decide an item's only open gate in its default way; `answer` and `notes` are its text."""

    METHOD = "item.unblock"
    id: str
    answer: str = ""
    notes: str = ""


class GateDecide(Change[views.ItemView], frozen=True, kw_only=True):
    """Decide a gate. `gate` may be an item with one open gate; `content` is the digest of what was shown."""

    METHOD = "gate.decide"
    gate: str
    option: str
    text: str = ""
    content: str = ""


class RunStart(Change[views.RunStarted], frozen=True, kw_only=True):
    """Dispatch a project: work on its items until all are done or wait for a human, or `cap` phases were started."""

    METHOD = "run.start"
    project: str = ""
    cap: int | None = None
    continuous: bool = False


class RunStop(Change[views.RunStopped], frozen=True, kw_only=True):
    """End a project's dispatch: nothing new is launched; `now` also ends its running attempts."""

    METHOD = "run.stop"
    project: str = ""
    now: bool = False


class Reload(Change[views.ReloadView], frozen=True, kw_only=True):
    """Read the projects' configuration again; one with errors is refused and the old one stays."""

    METHOD = "reload"


class Shutdown(Call[views.ShutdownView], frozen=True, kw_only=True):
    """Stop the daemon: attempts are ended with grace, or with `keep_agents` run on and are adopted later."""

    METHOD = "shutdown"
    keep_agents: bool = False


def _leaves(base: type[Any]) -> list[type[Call[Any]]]:
    found: list[type[Call[Any]]] = []
    for kind in base.__subclasses__():
        found += _leaves(kind)
        if kind.__dict__.get("METHOD"):
            found.append(kind)
    return found


CALLS: Final[dict[str, type[Call[Any]]]] = {call.METHOD: call for call in sorted(_leaves(Call), key=lambda c: c.METHOD)}
_DECODERS: Final = {method: msgspec.msgpack.Decoder(call) for method, call in CALLS.items()}


def reply_type(call: type[Call[Any]]) -> Any:  # noqa: ANN401 - a type expression, such as tuple[GateView, ...]
    """The type of a method's reply, as its class declares it."""
    base = call.__orig_bases__[0]  # type: ignore[attr-defined]
    return get_args(base)[0]


def decode_call(method: str, params: msgspec.Raw | bytes) -> Call[Any]:
    """The call that a request's method and parameters stand for.

    Raises Invalid: `unknown_method`, `invalid_params`, `invalid_token`.
    """
    decoder = _DECODERS.get(method)
    if decoder is None:
        raise Invalid("unknown_method", f"There is no method {method[:64]!r}.", "The method `describe` lists them all.")
    try:
        call: Call[Any] = decoder.decode(params)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        hint = f"The method `describe` shows the fields of {method}."
        raise Invalid("invalid_params", f"{method}: {error}", hint, method=method) from error
    if isinstance(call, Change) and call.token:
        _check_token(call.token)
    return call


def _check_token(token: str) -> None:
    if len(token.encode("utf-8", "replace")) > MAX_TOKEN_BYTES or token.startswith("seq:"):
        message = f"A token has at most {MAX_TOKEN_BYTES} bytes and does not begin with 'seq:'."
        raise Invalid("invalid_token", message, "Make a fresh random one, such as a UUID.")


def describe() -> dict[str, Any]:
    """The whole interface as plain data: what the method `describe` answers."""
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
            for name, view in sorted(vars(views).items())
            if isinstance(view, type) and issubclass(view, Struct) and view is not Struct
        },
        "errors": {
            "fields": ["code", "class", "message", "hint", "data"],
            "classes": {name: kind.__doc__ or "" for name, kind in CLASSES.items()},
        },
        "notifications": {
            "event": "{follow, record}",
            "log": "{follow, attempt, stream, offset, text}",
            "lagged": "{follow, resume_seq}",
            "ended": "{follow}",
            "error": "error",
        },
    }


def _type_name(kind: Any) -> str:  # noqa: ANN401 - any type expression
    return (
        getattr(kind, "__name__", "")
        if isinstance(kind, type) and not get_args(kind)
        else str(kind).replace("typing.", "").replace("golemd.api.views.", "").replace("golemd.api.model.", "")
    )
