"""The user's systemd manager, by way of `systemctl --user` and `loginctl`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from golemctl.render.text import clean
from golemd.api.faults import Conflict, Unavailable

if TYPE_CHECKING:
    import subprocess

UNIT: Final = "golemd.service"
BOOTED: Final = "/run/systemd/system"
"""Where systemd manages the machine: sd_booted(3)."""
ASK_SECONDS: Final = 10.0
"""How long a question may take."""
MANAGE_SECONDS: Final = 3700.0
"""How long a change may take: agents have up to an hour of grace."""
_WITHOUT: Final = (
    "Log in as this user itself (with sudo or su: machinectl shell USER@, or set XDG_RUNTIME_DIR=/run/user/$(id -u)), "
    "or run golemd in a terminal: golemd"
)


def unit_file() -> Path:
    """Where the unit is, once it is installed."""
    config = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(config) if config.startswith("/") else Path.home() / ".config"
    return base / "systemd" / "user" / UNIT


def start_hint() -> str:
    """How a person starts golemd here."""
    if unit_file().exists():
        return "Start it: systemctl --user start golemd, or in a terminal: golemd"
    service = ", or as a service: golemctl service install" if os.path.isdir(BOOTED) else ""
    return f"Start it in a terminal: golemd{service}"


def require() -> None:
    """Raises Unavailable `no_user_manager` when there is nobody to ask."""
    done = _run(["systemctl", "--user", "show", "--property=Version"], ASK_SECONDS)
    if done is None:
        message = "systemctl is not installed: this system has no systemd."
        raise Unavailable("no_user_manager", message, "Run golemd in a terminal, or by what starts your services.")
    if done.returncode:
        message = f"Your systemd manager cannot be reached: {_said(done)}."
        raise Unavailable("no_user_manager", message, _WITHOUT)


def manage(*arguments: str, must: bool = True) -> bool:
    """Have something done; whether it succeeded. Raises Conflict `systemctl_failed` if it `must` and did not."""
    done = _run(["systemctl", "--user", *arguments], MANAGE_SECONDS)
    good = done is not None and done.returncode == 0
    if must and not good:
        said = _said(done) if done is not None else "no answer"
        hint = "See: systemctl --user status golemd"
        raise Conflict("systemctl_failed", f"systemctl --user {' '.join(arguments)}: {said}.", hint)
    return good


def properties(*names: str) -> dict[str, str]:
    """Properties of the unit; none where no manager can be asked."""
    done = _run(["systemctl", "--user", "show", UNIT, *(f"--property={name}" for name in names)], ASK_SECONDS)
    if done is None or done.returncode:
        return {}
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def linger() -> bool | None:
    """Whether the manager runs on when nobody is logged in; None where that cannot be asked."""
    done = _run(["loginctl", "show-user", str(os.getuid()), "--property=Linger"], ASK_SECONDS)
    return {"Linger=yes": True, "Linger=no": False}.get(done.stdout.strip()) if done is not None else None


def _run(command: list[str], seconds: float) -> subprocess.CompletedProcess[str] | None:
    """A command's end; None when there is no such program, or no answer in time."""
    import subprocess  # only here: most commands only ask how golemd is started

    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return clean(done.stderr.strip().replace("\n", " ")).rstrip(".") or f"status {done.returncode}"
