"""Faults, by whose doing they are. The tree first:

    Fault
    ├── Invalid         the caller's: malformed, unknown, impossible as asked
    ├── Conflict        right in itself, but not in the present state
    ├── NotFound        names a thing that does not exist
    ├── HumanRequired   only a person may do this
    ├── Unavailable     try again, or mend something outside golemd first
    └── Internal        a defect of golemd

A fault crosses the wire as a map {code, class, message, hint, data}. `code` is what programs match,
`message` says what happened to which thing, `hint` says what to do next. The pure core refuses by
raising one of these; a refusal changes nothing.
"""

from typing import Any, ClassVar, Final

import msgspec


class Fault(Exception):
    """One refusal or failure, ready to be shown: what happened, to which thing, what to do next."""

    CLASS: ClassVar[str] = "internal"

    def __init__(self, code: str, message: str, hint: str = "", **data: Any) -> None:  # noqa: ANN401 - plain JSON values
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.data: dict[str, Any] = data

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.code}: {self.message}>"


class Invalid(Fault):
    """The caller's: malformed, unknown, impossible as asked."""

    CLASS = "invalid"


class Conflict(Fault):
    """Right in itself, but not in the present state."""

    CLASS = "conflict"


class NotFound(Fault):
    """Names a thing that does not exist."""

    CLASS = "not_found"


class HumanRequired(Fault):
    """Only a person may do this."""

    CLASS = "human_required"


class Unavailable(Fault):
    """Try again, or mend something outside golemd first."""

    CLASS = "unavailable"


class Internal(Fault):
    """A defect of golemd."""

    CLASS = "internal"


CLASSES: Final[dict[str, type[Fault]]] = {
    kind.CLASS: kind for kind in (Invalid, Conflict, NotFound, HumanRequired, Unavailable, Internal)
}


class WireFault(msgspec.Struct, frozen=True, rename={"class_": "class"}):
    """A fault as it crosses the wire."""

    code: str
    class_: str
    message: str
    hint: str = ""
    data: dict[str, Any] = {}


def to_wire(fault: Fault) -> WireFault:
    """The wire shape of a fault."""
    return WireFault(fault.code, fault.CLASS, fault.message, fault.hint, fault.data)


def from_wire(fault: WireFault) -> Fault:
    """The fault of a wire shape; a class from the future becomes the plain Fault."""
    kind = CLASSES.get(fault.class_, Fault)
    found = kind(fault.code, fault.message, fault.hint)
    found.data = dict(fault.data)  # whose keys may be anything, also the names of our parameters
    return found
