"""The environment of a child process: an allow-list, what the configuration sets and passes, and the GOLEM_ names.

Values are secrets: they go to the process alone. `secrets` are those worth masking in what is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

PASSED: Final = (
    *("PATH", "HOME", "LANG", "LC_*", "TERM", "TZ", "USER", "SHELL", "XDG_*"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
)
SHORTEST_SECRET: Final = 6  # shorter values would mask ordinary words
MASK: Final = "•••"


def child_environment(
    own: Mapping[str, str],
    passed: Iterable[str],
    set_values: Mapping[str, str],
    path: str,
    golem: Mapping[str, str],
) -> dict[str, str]:
    """The whole environment of a child. `own` is the daemon's, `passed` are further names and patterns of it."""
    patterns = (*PASSED, *passed)
    chosen = {name: value for name, value in own.items() if any(fnmatchcase(name, pattern) for pattern in patterns)}
    if path:
        chosen["PATH"] = path
    return {**chosen, **set_values, **golem}


def secrets(own: Mapping[str, str], passed: Iterable[str], set_values: Mapping[str, str]) -> list[str]:
    """Values that evidence and reports must not show, longest first."""
    patterns = tuple(passed)
    values = [value for name, value in own.items() if any(fnmatchcase(name, pattern) for pattern in patterns)]
    return sorted({value for value in (*values, *set_values.values()) if len(value) >= SHORTEST_SECRET}, key=len)[::-1]


def masked(line: str, values: Iterable[str]) -> str:
    """The line without the values of secrets."""
    for value in values:
        line = line.replace(value, MASK)
    return line
