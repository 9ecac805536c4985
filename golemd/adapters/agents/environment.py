"""The environment of a child process: an allow-list, what the configuration sets and passes, and the GOLEM_ names.

Values are secrets: they go to the process alone. `secrets` are those worth masking in what is shown.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

PASSED: Final = (
    *("PATH", "HOME", "LANG", "LC_*", "TERM", "TZ", "USER", "SHELL", "XDG_*"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
)
SHORTEST_SECRET: Final = 6  # shorter values would mask ordinary words
MASK: Final = "•••"
_WILD: Final = frozenset("*?[")
_NAMES: Final = ("item_id", "phase", "result")  # of a result: not texts, but what it is for


def child_environment(
    own: Mapping[str, str],
    passed: Iterable[str],
    set_values: Mapping[str, str],
    path: str,
    golem: Mapping[str, str],
) -> dict[str, str]:
    """The whole environment of a child. `own` is the daemon's, `passed` are further names and patterns of it."""
    chosen = _chosen(own, (*PASSED, *passed))
    if path:
        chosen["PATH"] = path
    return {**chosen, **set_values, **golem}


def secrets(own: Mapping[str, str], passed: Iterable[str], set_values: Mapping[str, str]) -> list[str]:
    """Values that nothing shown may hold, longest first: also each of their lines, and all of it as JSON has it."""
    values = _chosen(own, passed).values()
    whole = {each.strip() for value in (*values, *set_values.values()) for each in (value, *value.split("\n"))}
    within_json = {json.dumps(each, ensure_ascii=False)[1:-1] for each in whole}
    return sorted((each for each in whole | within_json if len(each) >= SHORTEST_SECRET), key=len, reverse=True)


def _chosen(own: Mapping[str, str], patterns: Iterable[str]) -> dict[str, str]:
    """The variables of those names and patterns. Nearly all are names, for which nothing need be compiled."""
    wanted = set(patterns)
    wild = {pattern for pattern in wanted if not _WILD.isdisjoint(pattern)}
    names = wanted - wild
    return {
        name: value
        for name, value in own.items()
        if name in names or any(fnmatchcase(name, pattern) for pattern in wild)
    }


def masked_result(data: bytes, values: Collection[str]) -> bytes:
    """A result file without the values of secrets in what it says. What is no JSON object is left to be refused."""
    if not values:
        return data
    try:
        found = msgspec.json.decode(data)
        if not isinstance(found, dict):
            return data
        said = {name: each if name in _NAMES else _masked_in(each, values) for name, each in found.items()}
        return msgspec.json.encode(said)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return data


def _masked_in(value: Any, values: Collection[str]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return masked(value, values)
    if isinstance(value, list):
        return [_masked_in(each, values) for each in value]
    if isinstance(value, dict):
        return {name: _masked_in(each, values) for name, each in value.items()}
    return value


def masked(line: str, values: Iterable[str]) -> str:
    """The line without the values of secrets."""
    for value in values:
        line = line.replace(value, MASK)
    return line


def masked_piece(data: bytes, values: Iterable[str], *, last: bool) -> tuple[int, str]:
    """How many bytes of a piece of output can be shown, and how. Unless it is the `last`, its end may have to wait for
    what follows: where a character or the value of a secret may have been cut in two.
    """
    secret = [os.fsencode(value) for value in values]
    end = len(data) if last else _uncut(data, secret)
    if secret:
        found = re.compile(b"|".join(map(re.escape, secret)))
        end = next((each.start() for each in found.finditer(data) if each.start() < end < each.end()), end)
        return end, found.sub(MASK.encode(), data[:end]).decode("utf-8", "replace")
    return end, data[:end].decode("utf-8", "replace")


def _uncut(data: bytes, secret: Iterable[bytes]) -> int:
    """Where the end begins that may be the beginning of something longer, if there is one."""
    return min([len(_whole_characters(data)), *(_beginning(data, value) for value in secret)])


def _beginning(data: bytes, value: bytes) -> int:
    """Where the data ends in a beginning of the value; its own end where it does not."""
    places = range(max(0, len(data) - len(value) + 1), len(data))
    begun = (at for at in places if value.startswith(data[at : at + SHORTEST_SECRET]) and value.startswith(data[at:]))
    return next(begun, len(data))


def _whole_characters(data: bytes) -> bytes:
    """Bytes without a character that is cut off at the end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if back < needed else data
    return data
