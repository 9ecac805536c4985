"""Where an item of another program stands in golemd's own words, and what it asks a human."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from golemd.api.model import ENDED, Resolution, Status

NOT_SAID: Final = "It was blocked, and nothing says why. What should be done?"
REVIEW: Final = "It was marked to be looked at by a human before it goes on. What should be done?"
DECISION: Final = "It asks for a human's decision. What is decided?"
_RESOLUTIONS: Final = {Status.DONE: str(Resolution.COMPLETED), Status.CANCELLED: str(Resolution.CANCELLED)}


class Standing(Struct, frozen=True):
    """A status; for blocked ones where they came from and what they ask, for ended ones how they ended."""

    status: Status
    came_from: Status = Status.NEW
    questions: tuple[str, ...] = ()
    resolution: str = ""


def standing(
    status: Status, came_from: Status, reason: str, *, review: bool = False, decision: bool = False
) -> Standing:
    """Blocked is what asks a human: for `reason`, or since it was marked for a review or a decision."""
    if status in ENDED:
        return Standing(status, resolution=_RESOLUTIONS[status])
    questions = [reason or NOT_SAID] if status is Status.BLOCKED else []
    if decision:
        questions.append(DECISION)
    if review and status in (Status.NEW, Status.SCOPING, Status.READY):
        questions.append(REVIEW)
    if not questions:
        return Standing(status)
    return Standing(Status.BLOCKED, came_from if status is Status.BLOCKED else status, tuple(questions))
