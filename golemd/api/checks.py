"""What a check of a project answers: its findings, each with a place and a hint."""

from msgspec import Struct


class CheckFinding(Struct, frozen=True, kw_only=True):
    """What a check found. `level`: error, warning or info; `where`: file:line, or an id, or a path.

    `stops_all`: while it stands, no item of the project can be worked on.
    """

    level: str
    where: str
    what: str
    hint: str | None = None
    stops_all: bool = False


class CheckView(Struct, frozen=True, kw_only=True):
    """All that a check of a project found, the worst first. `project` is None for one that is not registered."""

    project: str | None
    root: str
    errors: int
    warnings: int
    findings: tuple[CheckFinding, ...]
