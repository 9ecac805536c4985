"""The command line: typer, with commands that are made when they are asked for, and help that teaches by example.

The global options are declared once, at `global_options`. The classes Command and Group give the same option objects to
every command, so they are parsed by the one parser wherever they stand, and `--` and option values keep their meaning.
Making a command costs more than running it, and most invocations need one: so a group knows names, and makes the rest
when it is looked at.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

import golemd
from golemctl.app import Options, run_command
from golemctl.completion import project_names

ClickThing = Any  # typer keeps its Context, Parameter and HelpFormatter of click to itself


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"golemctl {golemd.__version__}")
        raise typer.Exit


def _positive(seconds: float | None) -> float | None:
    if seconds is not None and not seconds > 0:
        raise typer.BadParameter("it must be more than 0 seconds")
    return seconds


def global_options(
    context: typer.Context,
    socket: Annotated[str, typer.Option(metavar="PATH", help="Where the daemon listens.")] = "",
    project: Annotated[
        str,
        typer.Option(
            metavar="NAME|DIR",
            help="The project; else the one around the current folder.",
            autocompletion=project_names,
        ),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout; people's text on stderr.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", show_default=False, callback=_positive, help="How long an answer is waited for."
        ),
    ] = None,
    token: Annotated[str, typer.Option(metavar="TOKEN", help="Makes repeating a change safe; else a fresh one.")] = "",
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="What is asked and answered; tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the release and exit.")
    ] = False,
) -> None:
    """Drives coding agents through pipelines, by way of the daemon golemd."""
    context.obj = Options(socket, project, json, timeout, token, no_color, debug)


_NAMES: Final = (*Options.__struct_fields__, "version")


class _Shared:
    """Global options in front of or behind a command's own."""

    def get_params(self, ctx: ClickThing) -> list[ClickThing]:
        own: list[ClickThing] = super().get_params(ctx)  # type: ignore[misc]  # a mix-in of typer's classes
        if ctx.parent is None:
            return own
        return own + [each for each in ctx.find_root().command.params if each.name in _NAMES]

    def invoke(self, ctx: ClickThing) -> ClickThing:
        """Adds what was given here to what was given before; the later one counts."""
        if ctx.parent is not None:
            given = {name: ctx.params.pop(name) for name in _NAMES if name in ctx.params}
            given = {name: value for name, value in given.items() if value and name != "version"}
            ctx.obj = msgspec.structs.replace(ctx.obj, **given)
        return super().invoke(ctx)  # type: ignore[misc]  # a mix-in of typer's classes

    def write_options(self, ctx: ClickThing, formatter: ClickThing) -> None:
        """Arguments and options of the command itself; the global ones by name, since they are the same everywhere."""
        rows = [(each, each.get_help_record(ctx)) for each in self.get_params(ctx)]
        own = [(each, row) for each, row in rows if row is not None and (ctx.parent is None or each.name not in _NAMES)]
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            mine = [row for each, row in own if each.param_type_name == kind]
            if mine:
                with formatter.section(title):
                    formatter.write_dl(mine)
        if ctx.parent is not None:
            with formatter.section("Global options (golemctl --help)"):
                formatter.write_text(" ".join(f"--{name.replace('_', '-')}" for name in _NAMES))

    def format_epilog(self, ctx: ClickThing, formatter: ClickThing) -> None:
        """The help ends with what can be typed."""
        from golemctl.examples import EXAMPLES  # only here: help alone shows them

        examples = EXAMPLES.get(ctx.command_path.partition(" ")[2], ())
        if examples:
            with formatter.section("Examples" if ctx.parent else "To begin with"):
                for example in examples:
                    formatter.write(f"{' ' * formatter.current_indent}{example}\n")


class Command(_Shared, TyperCommand):
    """A command: runs with an Ask as its context's object, and ends with the exit status that it returns."""

    def invoke(self, ctx: ClickThing) -> ClickThing:
        raise typer.Exit(super().invoke(ctx))

    def format_options(self, ctx: ClickThing, formatter: ClickThing) -> None:
        self.write_options(ctx, formatter)


class Group(_Shared, TyperGroup):
    """A group of commands, which are made when they are looked at."""

    source: Commands

    def list_commands(self, ctx: ClickThing) -> list[str]:
        return list(self.commands)

    def format_options(self, ctx: ClickThing, formatter: ClickThing) -> None:
        """What can be done comes first, by what people do; then how."""
        for title, names in self.source.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.source.entry(name).short) for name in names])
        self.write_options(ctx, formatter)


class Entry(NamedTuple):
    """A command before it is made, or a group of them."""

    command: Callable[..., int | None] | Commands
    short: str
    about: str = ""


class Commands(typer.Typer):
    """A set of commands that share the global options.

    `sections`: title → command → the module that registers it. Without sections, all are added here.
    """

    def __init__(
        self,
        help: str = "",  # noqa: A002 - as typer calls it
        sections: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        super().__init__(cls=Group, help=help, no_args_is_help=True, **_PLAIN)
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
        """A command that is not made yet. Raises KeyError."""
        if name not in self._entries:
            importlib.import_module(self._modules[name]).register(self)
        return self._entries[name]

    def made(self, name: str) -> ClickThing:
        """A command that can be run. Raises KeyError."""
        entry = self.entry(name)
        if isinstance(entry.command, Commands):
            group = entry.command.group()
            group.name = name
            return group
        single = typer.Typer(add_completion=False, **_PLAIN)
        single.command(name, cls=Command, short_help=entry.short, help=entry.about)(run_command(entry.command))
        return get_command(single)

    def group(self) -> Group:
        """The group that can be run; the outermost one, which has the global options, with completion."""
        group = get_command(self) if self.registered_callback else get_group(self)
        assert isinstance(group, Group)
        group.source, group.commands = self, _Made(self)  # type: ignore[assignment]  # nothing is ever added to it
        return group

    def __call__(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as typer's
        return self.group()(*arguments, **options)


_PLAIN: Final[dict[str, Any]] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class _Made(Mapping[str, ClickThing]):
    """The commands of a group by name; looking one up makes it."""

    def __init__(self, source: Commands) -> None:
        self._names = [name for names in source.sections.values() for name in names]
        self._source = source

    def __getitem__(self, name: str) -> ClickThing:
        return self._source.made(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
