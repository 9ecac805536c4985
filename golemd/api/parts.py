"""What the nouns consist of and views show as it is: no part of it has a state. A client needs no more of the model."""

from msgspec import Struct


class Assessments(Struct, frozen=True, omit_defaults=True):
    """An item's estimated dimensions; an empty one is unassessed."""

    size: str = ""
    complexity: str = ""
    risk: str = ""
    impact: str = ""


class Brief(Struct, frozen=True, omit_defaults=True):
    """What triage made of an item, beside the description that people wrote."""

    context: str = ""
    problem: str = ""
    solution: str = ""
    impact: str = ""
    sizing_rationale: str = ""


class Past(Struct, frozen=True, omit_defaults=True):
    """Something that happened to an item before it came to this daemon. `by`: who did it, where that is known."""

    at: str
    text: str
    by: str = ""


class Finding(Struct, frozen=True, omit_defaults=True):
    """One thing that an agent found in the work. `line`: from 1; 0 where it names none."""

    title: str
    severity: str = ""
    text: str = ""
    file: str = ""
    line: int = 0


class FollowUp(Struct, frozen=True, omit_defaults=True):
    """What became of a follow-up that an agent named: `item` is the new item, or the one that there was already.

    Without an item it was left out, for the reason that `why` gives.
    """

    title: str
    item: str = ""
    why: str = ""


class Actor(Struct, frozen=True, omit_defaults=True):
    """Who did something: the credentials of the connection, and what the client called itself."""

    uid: int = -1
    user: str = ""
    host: str = ""
    client: str = ""


class Option(Struct, frozen=True):
    """One way to decide a gate."""

    id: str
    label: str
    text_required: bool = False


class Content(Struct, frozen=True, omit_defaults=True):
    """The exact thing that a gate is about, by hash."""

    commit: str = ""
    tree: str = ""


class Evidence(Struct, frozen=True):
    """What one verify command showed: run by the daemon on exactly this tree."""

    attempt: str
    command: str
    outcome: str  # passed | failed | not_run
    status: int | None
    duration_s: float
    tree: str
    lines: tuple[str, ...] = ()
    at: str = ""
