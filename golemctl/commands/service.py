"""golemd as a service of the user's systemd manager: install, uninstall, status.

Rules. The manager is asked by `systemctl --user`; nothing here needs a daemon that runs. Only a unit file that install
wrote is replaced or removed.
"""

from __future__ import annotations

import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

from msgspec import Struct

from golemctl import systemd
from golemctl.app import REFUSED, Ask
from golemctl.declare import Commands, Option
from golemctl.render.text import Look
from golemctl.systemd import UNIT
from golemd.api.faults import Conflict, NotFound, Unavailable

TEMPLATE: Final = "golemd.service"
_EXEC: Final = "ExecStart="
_PLACES: Final = {"--state-dir": "GOLEMD_STATE_DIR", "--socket": "GOLEMD_SOCKET", "--config": "GOLEMD_CONFIG"}
_LINGER_HINT: Final = (
    "Without lingering it ends with your last session.",
    "To let it run on: loginctl enable-linger",
)
_LOG_HINT: Final = "See what it said: journalctl --user --unit golemd --lines 20"
_STATUSES: Final = {
    "2": "wrong usage",
    "65": "the journal is damaged",
    "70": "an internal error",
    "74": "the journal could not be written",
    "75": "another daemon holds the lock",
    "76": "the journal was written by a newer golemd",
    "78": "configuration or places are unusable",
    "203": "its program is not there",
}
"""What golemd's exit status means, and systemd's own for a program that it could not execute."""


class ServiceView(Struct, frozen=True, kw_only=True):
    """How the service stands. `active`, `enabled` are systemd's words; `linger` is None where nobody knows. `failure`:
    how golemd has ended, when that was bad.
    """

    unit: str
    installed: bool
    enabled: str
    active: str
    pid: int | None
    linger: bool | None
    failure: str | None = None


def register(app: Commands) -> None:
    group = Commands("golemd as a service of your systemd manager.")
    group.add("install", install, "Write the unit, enable it and start golemd.", _INSTALL)
    group.add("uninstall", uninstall, "Stop golemd, and remove the unit.", _UNINSTALL)
    group.add("status", status, "Whether it is installed, enabled and active, and lingers.")
    app.add_group("service", group, "golemd as a service of your systemd manager.")


_INSTALL: Final = (
    "Write the unit for the golemd of this environment, enable it and start it. Again: writes it anew, and restarts "
    "golemd; agents run on. GOLEMD_STATE_DIR, GOLEMD_SOCKET and GOLEMD_CONFIG, where they are set, and --socket are "
    "written into it."
)
_UNINSTALL: Final = "Stop golemd and its agents, and remove the unit. State and configuration stay as they are."


def install(
    ask: Ask,
    no_start: Annotated[bool, Option("--no-start", help="Write and enable it, and start nothing.")] = False,
) -> None:
    unit = systemd.unit_file()
    systemd.require()
    _require_ours(unit)
    unit.parent.mkdir(parents=True, exist_ok=True)
    new = unit.with_suffix(".service.new")
    new.write_text(_filled(_template(), _command(ask.options.socket)), encoding="utf-8")
    os.replace(new, unit)
    systemd.manage("daemon-reload")
    systemd.manage("enable", UNIT)
    if not no_start:
        systemd.manage("reset-failed", UNIT, must=False)
        _start()
    _show(ask)


def _start() -> None:
    """Start it, or start it again. Raises Conflict `service_failed` with how it has ended."""
    if systemd.manage("restart", UNIT, must=False):
        return
    failure = _look().failure
    if failure is None:
        systemd.manage("start", UNIT)  # which says what hinders it
        return
    raise Conflict("service_failed", f"The unit is written, but golemd has not started: {failure}.", _LOG_HINT)


def uninstall(ask: Ask) -> None:
    unit = systemd.unit_file()
    if not unit.exists():
        raise NotFound("service_not_installed", f"There is no {unit}.", "Install it: golemctl service install")
    systemd.require()
    _require_ours(unit)
    systemd.manage("disable", "--now", UNIT)
    unit.unlink(missing_ok=True)
    systemd.manage("daemon-reload")
    systemd.manage("reset-failed", UNIT, must=False)
    ask.out.reply(_look(), _lines)


def status(ask: Ask) -> int:
    return 0 if _show(ask).active == "active" else REFUSED


def _show(ask: Ask) -> ServiceView:
    view = _look()
    ask.out.reply(view, _lines)
    if view.failure:
        ask.out.aside(_LOG_HINT)
    if view.installed and view.linger is False:
        ask.out.aside(*_LINGER_HINT)
    return view


def _look() -> ServiceView:
    unit = systemd.unit_file()
    found = systemd.properties("ActiveState", "UnitFileState", "MainPID", "Result", "ExecMainStatus")
    return ServiceView(
        unit=str(unit),
        installed=unit.exists(),
        enabled=found.get("UnitFileState") or "no",
        active=found.get("ActiveState") or "unknown",
        pid=int(found.get("MainPID") or 0) or None,
        linger=systemd.linger(),
        failure=_failure(found.get("Result", ""), found.get("ExecMainStatus", "")),
    )


def _failure(result: str, status: str) -> str | None:
    """How it has ended, in words; None when that was well, or has not happened yet."""
    if result in ("", "success"):
        return None
    if result != "exit-code":
        return result.replace("-", " ")
    return f"exit status {status}" + (f", {_STATUSES[status]}" if status in _STATUSES else "")


def _lines(view: ServiceView, look: Look) -> list[str]:
    running = f"{view.active}, pid {view.pid}" if view.pid else view.active
    running += f" ({view.failure})" if view.failure else ""
    words = {True: "yes", False: "no", None: "unknown"}
    return [
        f"installed  {view.unit if view.installed else 'no'}",
        f"enabled    {view.enabled}",
        f"active     {running}",
        f"linger     {words[view.linger]}",
    ]


# --- the unit file -----------------------------------------------------------------------------------------------


def _template() -> str:
    """The unit as it is shipped: inside the package, or beside it in a working copy."""
    for place in (files("golemctl") / TEMPLATE, Path(__file__).parents[2] / "systemd" / TEMPLATE):
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise Unavailable("unit_missing", "The unit file is missing from this installation.", "Install golemd again.")


def _command(socket: str) -> list[str]:
    """The golemd of this environment, with the places that were chosen by hand."""
    program = Path(sys.executable).with_name("golemd")
    command = [str(program)] if os.access(program, os.X_OK) else [sys.executable, "-m", "golemd"]
    given = {option: os.environ.get(variable, "") for option, variable in _PLACES.items()}
    given["--socket"] = socket or given["--socket"]
    for option, value in given.items():
        if value:
            command += [option, str(Path(value).expanduser().absolute())]
    return command


def _filled(template: str, command: list[str]) -> str:
    program, *arguments = map(_quoted, command)
    line = _EXEC + " ".join([program, *(each.replace("$", "$$") for each in arguments)])
    return "".join(line + "\n" if old.startswith(_EXEC) else old for old in template.splitlines(keepends=True))


def _quoted(word: str) -> str:
    """One word of a command line of a unit."""
    for special in ("\\", '"'):
        word = word.replace(special, "\\" + special)
    return f'"{word}"'.replace("%", "%%")


def _require_ours(unit: Path) -> None:
    """Raises Conflict for a unit that somebody made by hand, or linked."""
    if unit.is_symlink() or (unit.exists() and "`golemctl service install` writes" not in unit.read_text("utf-8")):
        hint = "Stop it and put it elsewhere first: systemctl --user disable --now golemd"
        raise Conflict("service_foreign", f"{unit} was not written by golemctl.", hint)
