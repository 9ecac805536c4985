"""How commands are declared: functions whose annotations say what they take, in a registry that knows their modules.

Two readers know declarations: `parser`, which makes typer's commands of them, and `plain`, which takes simple command
lines by itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from msgspec import Struct

NOTHING: Final = object()
"""The default of what must be given."""


class Declared(Struct, frozen=True, kw_only=True):
    """What a parameter is on the command line. `completion`: the function of golemctl.completion that offers values."""

    metavar: str = ""
    help: str
    completion: str = ""
    show_default: bool = True


class Argument(Declared, frozen=True, kw_only=True):
    """A word in its place."""


class Option(Declared, frozen=True):
    """A word behind one of its `names`, which are those of the parameter unless given; or, of a bool, the name alone.

    `min`: the least number.
    """

    names: str = ""
    min: int | None = None


class Parameter(Struct, frozen=True):
    """One parameter of a command, or one global option. `kind`: its type, such as `str | None`."""

    name: str
    kind: Any
    default: Any
    declared: Argument | Option

    @property
    def names(self) -> list[str]:
        """Of an option: what it is called on the command line."""
        assert isinstance(self.declared, Option)
        return self.declared.names.split() or ["--" + self.name.replace("_", "-")]


def parameters(declaration: Callable[..., Any] | type[Struct]) -> list[Parameter]:
    """What a command's function takes, or what a Struct of options has, in order."""
    defaults = getattr(declaration, "__struct_defaults__" if isinstance(declaration, type) else "__defaults__") or ()
    hints = get_type_hints(declaration, include_extras=True)
    declared = {name: get_args(hint) for name, hint in hints.items() if get_origin(hint) is Annotated}
    missing = [NOTHING] * (len(declared) - len(defaults))
    return [
        Parameter(name, kind, default, told)
        for (name, (kind, told)), default in zip(declared.items(), [*missing, *defaults], strict=True)
    ]


class Entry(Struct, frozen=True):
    """A command, or a group of them."""

    command: Callable[..., int | None] | Commands
    short: str
    about: str = ""


class Commands:
    """A set of commands that share the global options.

    `sections`: title → command → the module that registers it. Without sections, all are added here.
    """

    def __init__(
        self,
        help: str = "",  # noqa: A002 - as typer calls it
        sections: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.help = help
        self._modules = {name: module for names in (sections or {}).values() for name, module in names.items()}
        self._sections = sections
        self._entries: dict[str, Entry] = {}

    def add(self, name: str, command: Callable[..., int | None], short: str, about: str | None = None) -> None:
        """Make a function the command `name`. `short`: for the list; `about`: its help, where it has more."""
        self._entries[name] = Entry(command, short, about or short)

    def add_group(self, name: str, commands: Commands, short: str) -> None:
        """Make other commands the group `name`."""
        self._entries[name] = Entry(commands, short)

    @property
    def sections(self) -> Mapping[str, Mapping[str, str]]:
        """Title → names of commands."""
        return self._sections or {"Commands": dict.fromkeys(self._entries, "")}

    def entry(self, name: str) -> Entry:
        """The command or group of that name. Raises KeyError."""
        if name not in self._entries:
            importlib.import_module(self._modules[name]).register(self)
        return self._entries[name]
