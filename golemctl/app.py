"""What every command shares: its options as given, the way to the daemon, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Struct

from golemctl.client import CALL_SECONDS, Client, DaemonUnreachable
from golemctl.declare import Option
from golemctl.output import Output
from golemctl.render.text import clean
from golemctl.systemd import start_hint
from golemd.api import paths
from golemd.api.calls import Call, Change
from golemd.api.faults import Fault, Internal, Invalid, NotFound

REFUSED: Final = 1
USAGE: Final = 2
WAITS_FOR_HUMAN: Final = 3
UNREACHABLE: Final = 69
INTERRUPTED: Final = 130

R = TypeVar("R")


class Usage(Invalid):
    """The command line makes no sense; nobody was asked."""


class Options(Struct, frozen=True):
    """The global options as given."""

    socket: Annotated[str, Option(metavar="PATH", help="Where the daemon listens.")] = ""
    project: Annotated[
        str,
        Option(
            metavar="NAME|DIR",
            help="Its name, or a folder in it (with a /); else the current folder.",
            completion="project_names",
        ),
    ] = ""
    json: Annotated[bool, Option("--json", help="One JSON document on stdout; people's text on stderr.")] = False
    timeout: Annotated[
        float | None, Option(metavar="SECONDS", show_default=False, help="How long an answer is waited for.")
    ] = None
    token: Annotated[str, Option(metavar="TOKEN", help="Makes repeating a change safe; else a fresh one.")] = ""
    no_color: Annotated[bool, Option("--no-color", help="No colours.")] = False
    debug: Annotated[bool, Option("--debug", help="What is asked and answered; tracebacks.")] = False


class Ask:
    """One invocation: its options, its output, and the daemon, which is connected to when it is first asked."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.out = Output(json=options.json, colour=not options.no_color)
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = self.new_client()
        return self._client

    def new_client(self) -> Client:
        """A client of the socket where the daemon is expected now."""
        given = self.options.socket
        hint = f"Start it in another terminal: golemd --socket {given}" if given else start_hint()
        trace = self._trace if self.options.debug else None
        return Client(paths.find_socket(given or None), timeout=self.options.timeout, start_hint=hint, trace=trace)

    def _trace(self, line: str) -> None:
        """With --debug: what is asked and answered, beside the reply."""
        self.out.aside(clean(line))

    def call(self, call: Call[R], *, seconds: float = CALL_SECONDS) -> R:
        """The reply to a call, with --token where it changes something. `seconds`: how long, without --timeout."""
        if self.options.token and isinstance(call, Change):
            call = msgspec.structs.replace(call, token=self.options.token)
        return self.client.call(call, seconds=seconds)

    def confirmed(self, question: str) -> bool:
        """Whether a person says yes; there is nobody to ask where standard input is no terminal."""
        if not sys.stdin.isatty():
            return False
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @property
    def folder(self) -> str:
        """The folder that a project is looked for around. Raises Invalid when it is gone."""
        try:
            return os.getcwd()
        except FileNotFoundError:
            raise Invalid("no_folder", "The current folder has been removed.", "Go to another one: cd ~") from None

    @property
    def project(self) -> str:
        """The project that is meant: --project as a name or a folder, else the current folder."""
        given = self.options.project
        if given and "/" not in given and given not in (".", ".."):
            return given  # a name, also where a folder of that name is
        return self.project_folder

    @property
    def project_folder(self) -> str:
        """The folder that --project names, without links and `..` as the daemon knows it; else the current one."""
        given = os.path.expanduser(self.options.project)
        return os.path.realpath(given if os.path.isabs(given) else os.path.join(self.folder, given))

    def here_or_all(self, call: Call[R], *, seconds: float = CALL_SECONDS) -> R:
        """The reply for the project around the current folder, or for all projects where there is none around it.

        `call` is one with a field `project`. Raises NotFound for a --project that does not exist.
        """
        try:
            return self.call(msgspec.structs.replace(call, project=self.project), seconds=seconds)
        except NotFound as fault:
            if self.options.project or fault.code != "project_not_found":
                raise
        return self.call(call, seconds=seconds)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def run_command(command: Callable[..., int | None], options: Options, given: Mapping[str, object]) -> int:
    """Run a command's function with its Ask; every way to end is turned into an exit status."""
    ask = Ask(options)
    try:
        status = command(ask, **given)
        sys.stdout.flush()
        return status or 0
    except Fault as fault:
        return _refused(ask, fault)
    except BrokenPipeError:
        return _hush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # a defect of golemctl
        if options.debug:
            import traceback  # only here, where nobody is in a hurry

            traceback.print_exc()
        return _refused(ask, Internal("golemctl_failed", f"{type(error).__name__}: {error}", "Again with --debug."))
    finally:
        ask.close()


def _refused(ask: Ask, fault: Fault) -> int:
    if isinstance(fault, DaemonUnreachable):
        from golemctl.holder import or_starting  # only here, where nobody is in a hurry

        fault = or_starting(fault)
    try:
        ask.out.fault(fault, own=isinstance(fault, Usage))
    except BrokenPipeError:
        _hush()
    return next((status for kind, status in _STATUSES if isinstance(fault, kind)), REFUSED)


_STATUSES: Final = ((DaemonUnreachable, UNREACHABLE), (Usage, USAGE))


def _hush() -> int:
    """Nobody reads on; what is left in the buffers must not complain at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return 0
