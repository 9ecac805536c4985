"""What replies about the journal and the logs look like; `views` has all others, and these by name, too."""

from typing import Any

from msgspec import Struct


class RecordsView(Struct, frozen=True, kw_only=True):
    """Records in the journal's own shape. `next`: read on from here; `more`: there is more already.

    `pruned`: the first record that there is, where older ones were asked for and have been pruned.
    """

    records: tuple[dict[str, Any], ...]
    next: int
    more: bool = False
    pruned: int | None = None


class FollowStarted(Struct, frozen=True, kw_only=True):
    """What follows comes as notifications that name this request's id. `pruned`: as in RecordsView."""

    since: int
    attempt: str | None = None
    pruned: int | None = None


class LogView(Struct, frozen=True, kw_only=True):
    """A piece of an attempt's output. `next`: the offset to read on from; `ended`: nothing will be added."""

    attempt: str
    stream: str
    offset: int
    next: int
    text: str
    ended: bool


class WorklogView(Struct, frozen=True, kw_only=True):
    """A piece of a month's worklog, as Markdown. `next`: read on from here; `more`: there is more already."""

    project: str
    month: str
    text: str
    next: int
    more: bool = False


class VerifyView(Struct, frozen=True, kw_only=True):
    """The journal is whole. With `deep`, both digests of the state, live and replayed, which must be equal.

    `first`: the record with which it begins; more than 1 where older ones were pruned.
    """

    records: int
    first: int = 1
    segments: int
    digest: str
    deep: bool = False
    equal: bool | None = None
    live_digest: str | None = None
    replayed_digest: str | None = None
    path: str = ""


class Pruned(Struct, frozen=True, kw_only=True):
    """What is removed of the journal: `records` in `segments` files of `bytes`, all before record `first`.

    Nothing (0 segments) where no file lies wholly before what was named; `held_by` is the live item that needs more.
    """

    first: int
    records: int = 0
    segments: int = 0
    bytes: int = 0
    held_by: str | None = None
    dry_run: bool = False
    repeated: bool = False
