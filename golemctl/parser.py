"""The command line as typer has it: every command made of its declaration when it is asked for, with help that teaches
by example.

The global options are declared once, at `Options`. The classes Command and Group give the same option objects to
every command, so they are parsed by the one parser wherever they stand, and `--` and option values keep their meaning.
Making a command costs more than running it, and most invocations need one: so a group knows names, and makes the rest
when it is looked at.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, NoReturn

import msgspec
import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

import golemd
from golemctl import completion
from golemctl.app import USAGE, Options, Usage, run_command
from golemctl.declare import NOTHING, Argument, Commands, Parameter, parameters
from golemctl.output import Output
from golemctl.render.text import clean

ClickThing = Any  # typer keeps its Context, Parameter and HelpFormatter of click to itself

LONGEST_SECONDS: Final = 366 * 86_400.0
LARGEST: Final = 2**63 - 1
"""Numbers have 64 bits on the wire."""
_NAMES: Final = (*Options.__struct_fields__, "version")
_PLAIN: Final[dict[str, Any]] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def run(commands: Commands, words: Sequence[str] | None = None) -> NoReturn:
    """Run the command that the words, or those of this process, ask for. Raises SystemExit with its status."""
    given = [*(sys.argv[1:] if words is None else words)]
    try:
        status = group(commands)(given, prog_name="golemctl", standalone_mode=False)
    except typer.TyperException as error:
        status = _mistaken(error, given)
    raise SystemExit(status)


def _mistaken(error: ClickThing, words: list[str]) -> int:
    """Tell what typer cannot take, and with --json as any other refusal. Answers the exit status.

    Where the command line makes no sense, its options are not known: --json counts wherever it stands before `--`.
    """
    options = words[: words.index("--")] if "--" in words else words
    if "--json" not in options:
        error.show()
    else:
        context = getattr(error, "ctx", None)
        told = error.format_message()
        what = "Missing command." if "\n" in told else clean(told)  # the help, where nothing is asked
        where = context.command_path if context else "golemctl"
        Output(json=True).fault(Usage("usage", what, f"See: {where} -h"), own=True)
    return USAGE


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


# --- made of declarations ----------------------------------------------------------------------------------------


def group(commands: Commands, name: str = "") -> Group:
    """A group that can be run; the outermost one, without a name, has the global options, and completion."""
    made = typer.Typer(cls=Group, help=commands.help, no_args_is_help=True, **_PLAIN)
    if not name:
        made.callback()(_global_options())
    found = get_group(made) if name else get_command(made)
    assert isinstance(found, Group)
    found.source, found.commands = commands, _Made(commands)  # type: ignore[assignment]  # nothing is ever added to it
    found.name = name or found.name
    return found


class _Made(Mapping[str, ClickThing]):
    """The commands of a group by name; looking one up makes it."""

    def __init__(self, source: Commands) -> None:
        self._names = [name for names in source.sections.values() for name in names]
        self._source = source

    def __getitem__(self, name: str) -> ClickThing:
        entry = self._source.entry(name)
        if isinstance(entry.command, Commands):
            return group(entry.command, name)
        made = typer.Typer(add_completion=False, **_PLAIN)
        made.command(name, cls=Command, short_help=entry.short, help=entry.about)(_runs(entry.command))
        return get_command(made)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _runs(command: Callable[..., int | None]) -> Callable[..., int]:
    """A command's function as typer takes it."""

    def run(context: typer.Context, **given: object) -> int:
        return run_command(command, context.obj, given)

    return _taking(run, map(_typed, parameters(command)))


def _global_options() -> Callable[..., None]:
    """What notes the global options, as typer takes it."""

    def note(context: typer.Context, version: bool, **given: Any) -> None:  # noqa: ANN401 - of the types of Options
        context.obj = Options(**given)

    return _taking(note, [*map(_typed, parameters(Options)), _VERSION])


def _taking(function: Callable[..., Any], typed: Iterable[inspect.Parameter]) -> Callable[..., Any]:
    """The function with parameters for typer to see, behind the context."""
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    function.__signature__ = inspect.Signature([context, *typed])  # type: ignore[attr-defined]
    return function


def _typed(parameter: Parameter) -> inspect.Parameter:
    """A parameter with what typer calls its information."""
    told = parameter.declared
    more: dict[str, Any] = {"metavar": told.metavar or None, "help": told.help, "show_default": told.show_default}
    more["autocompletion"] = getattr(completion, told.completion) if told.completion else None
    more["callback"] = _CHECKS.get(parameter.kind)
    if isinstance(told, Argument):
        info = typer.Argument(**more)
    else:
        info = typer.Option(*told.names.split(), min=told.min, **more)
    default = inspect.Parameter.empty if parameter.default is NOTHING else parameter.default
    kind = Annotated[parameter.kind, info]  # type: ignore[name-defined]  # made while it runs
    return inspect.Parameter(parameter.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"golemctl {golemd.__version__}")
        raise typer.Exit


def _positive(seconds: float | None) -> float | None:
    if seconds is not None and not 0 < seconds <= LONGEST_SECONDS:
        raise typer.BadParameter("it must be more than 0 seconds, and at most a year")
    return seconds


def _sendable(number: int | None) -> int | None:
    if number is not None and abs(number) > LARGEST:
        raise typer.BadParameter(f"it must be between ±{LARGEST}")
    return number


_CHECKS: Final[dict[Any, Callable[[Any], Any]]] = {float | None: _positive, int | None: _sendable}
"""Type of a parameter → what its values must pass."""

_VERSION: Final = inspect.Parameter(
    "version",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the release and exit.")
    ],
)
