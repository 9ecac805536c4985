"""`golemctl`: the command line of golemd."""

from __future__ import annotations

from golemctl.commands import app


def main() -> None:
    """Run one command; ends the process with its exit status."""
    try:
        app(prog_name="golemctl")
    except BrokenPipeError:
        raise SystemExit(0) from None


if __name__ == "__main__":
    main()
