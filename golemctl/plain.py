"""Plain command lines, such as `golemctl show WRK-1 --json`, understood without typer, which takes long to import.

It reads the declarations that typer's commands are made of, and only what leaves nothing to ask: known names, values of
a few types, each in a word of its own. Everything else (help, completion, mistakes, `--name=value`) is left to typer. A
test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from msgspec import Struct

from golemctl.app import Options
from golemctl.declare import NOTHING, Argument, Commands, Option, Parameter, parameters

DIGITS: Final = 9
"""Numbers of more digits are left to typer."""


class Plain(Struct, frozen=True):
    """A command, the global options, and what the command is given."""

    command: Callable[..., int | None]
    options: Options
    given: dict[str, Any]


def understood(words: Iterable[str], commands: Commands) -> Plain | None:
    """What a command line means. None: it is not plain, or it is wrong."""
    found: Commands | Callable[..., int | None] = commands
    own: list[Parameter] = []
    options = shared = _by_name(parameters(Options))
    arguments: Iterator[Parameter] = iter(())
    given: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if isinstance(found, Commands) and not word.startswith("-"):
            try:
                found = found.entry(word).command
            except KeyError:
                return None
            if not isinstance(found, Commands):
                own = parameters(found)
                options = shared | _by_name(own)
                arguments = (each for each in own if isinstance(each.declared, Argument))
            continue
        is_option = word.startswith("-")
        parameter = options.get(word) if is_option else next(arguments, None)
        if parameter is None:
            return None
        read = (_OPTIONS if is_option else _ARGUMENTS).get(parameter.kind)
        value = read(word, rest) if read is not None else None
        if value is None:
            return None
        given[parameter.name] = [*given.get(parameter.name, ()), value] if parameter.kind == _LIST else value
    taken = {each.name: given.pop(each.name, each.default) for each in own}
    if isinstance(found, Commands) or NOTHING in taken.values():
        return None
    return Plain(found, Options(**given), taken)


def _by_name(declared: Iterable[Parameter]) -> dict[str, Parameter]:
    """Options by what they are called, without those of which the value is checked."""
    options = (each for each in declared if isinstance(each.declared, Option) and each.declared.min is None)
    return {name: each for each in options for name in each.names}


# --- values: the word that names or is one, and the words behind it → the value, or None -----------------------------


def _itself(word: str, rest: Iterator[str]) -> str | None:
    return word or None


def _flag(word: str, rest: Iterator[str]) -> bool | None:
    return True


def _text(word: str, rest: Iterator[str]) -> str | None:
    text = next(rest, "")
    return text if text and not text.startswith("-") else None


def _number(word: str, rest: Iterator[str]) -> int | None:
    text = next(rest, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None


_LIST: Final = list[str] | None
_OPTIONS: Final[dict[Any, Callable[[str, Iterator[str]], Any]]] = {
    bool: _flag,
    str: _text,
    str | None: _text,
    _LIST: _text,
    int | None: _number,
}
_ARGUMENTS: Final[dict[Any, Callable[[str, Iterator[str]], Any]]] = {str: _itself}
