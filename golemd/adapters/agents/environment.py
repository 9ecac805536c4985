"""The environment of a child process: an allow-list, what the configuration sets and passes, and the GOLEM_ names.

Values are secrets: they go to the process alone. `secrets` are those worth masking in what is shown.
"""

from __future__ import annotations

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
    """Values that evidence and reports must not show, longest first."""
    values = _chosen(own, passed).values()
    return sorted({value for value in (*values, *set_values.values()) if len(value) >= SHORTEST_SECRET}, key=len)[::-1]


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
