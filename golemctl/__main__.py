"""`golemctl`: the command line of golemd."""

from __future__ import annotations

import contextlib
import gc
import os
import sys

COMPLETING = "_GOLEMCTL_COMPLETE"
"""A shell that asks for completions sets this variable."""


def main() -> None:
    """Run one command; ends the process with its exit status.

    A command lives for some milliseconds, most of which imports take: looking for garbage, tidying up at the end, and
    whatever it does not need would take more than the command itself.
    """
    gc.disable()
    status = 0
    try:
        status = _run(sys.argv[1:])
    except BrokenPipeError:
        pass  # nobody reads on
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status)


def _run(words: list[str]) -> int:
    _import_msgspec()
    from golemctl.app import run_command
    from golemctl.commands import app
    from golemctl.plain import understood

    plain = understood(words, app) if COMPLETING not in os.environ else None
    if plain is not None:
        return run_command(plain.command, plain.options, plain.given)
    from golemctl import parser

    return parser.run(app)


def _import_msgspec() -> None:
    """Import msgspec without typing_extensions: from Python 3.11 on it does as well with typing, in two thirds of the
    time. Who imports typing_extensions later gets it.
    """
    absent = sys.modules.setdefault("typing_extensions", None)  # type: ignore[arg-type]  # which means: not to be found
    import msgspec  # noqa: F401

    if absent is None:
        del sys.modules["typing_extensions"]


if __name__ == "__main__":
    main()
