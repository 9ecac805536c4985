"""What happens to gates."""

from golemd.api.model import Actor, Content, GateKind, Option
from golemd.api.records import Event


class GateOpened(Event, frozen=True, kw_only=True):
    TYPE = "gate.opened"
    gate: str
    run: str
    phase: str
    kind: GateKind
    key: str
    question: str
    options: tuple[Option, ...]
    default: str = ""
    content: Content = Content()
    attempt: str = ""
    opened_at: str = ""  # before it was recorded here


class GateDecided(Event, frozen=True, kw_only=True):
    TYPE = "gate.decided"
    gate: str
    option: str
    text: str = ""
    actor: Actor = Actor()
    token: str = ""


class GateSuperseded(Event, frozen=True, kw_only=True):
    TYPE = "gate.superseded"
    gate: str
    reason: str


class GateNotified(Event, frozen=True, kw_only=True):
    """Somebody was told that the gate is open, or, when `message` says why not, that was tried in vain."""

    TYPE = "gate.notified"
    gate: str
    tries: int = 1
    message: str = ""
