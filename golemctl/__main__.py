"""`golemctl`: the command line of golemd."""

from __future__ import annotations

import contextlib
import gc
import os
import sys


def main() -> None:
    """Run one command; ends the process with its exit status.

    A command lives for some milliseconds: looking for garbage, and tidying up at the end, would take a fifth of them.
    """
    gc.disable()
    from golemctl.commands import app  # only now: what is imported is not looked through for garbage

    status = 0
    try:
        app(prog_name="golemctl")
    except BrokenPipeError:
        pass  # nobody reads on
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
