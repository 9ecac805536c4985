"""What all requests have in common: the classes Call and Change."""

from typing import ClassVar, Final, Generic, TypeVar

from msgspec import Struct

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
