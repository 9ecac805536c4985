"""The commands, by what people do. One function per command, in a module by what it is about: parse, ask, print.

A module is imported when one of its commands is asked for; its `register` adds all of them.
"""

from __future__ import annotations

from typing import Final

from golemctl.declare import Commands

_HERE: Final = "golemctl.commands."
LOOKING: Final = _HERE + "looking"
ITEMS: Final = _HERE + "items"
STEERING: Final = _HERE + "steering"
GATES: Final = _HERE + "gates"
RUNNING: Final = _HERE + "running"
RECORDS: Final = _HERE + "records"
DAEMON: Final = _HERE + "daemon"
SERVICE: Final = _HERE + "service"
MOVING: Final = _HERE + "moving"

SECTIONS: Final = {
    "Look": {
        **dict.fromkeys(("status", "show", "why", "gates", "projects", "report"), LOOKING),
        **dict.fromkeys(("logs", "events", "worklog"), RECORDS),
        **dict.fromkeys(("diff", "path"), LOOKING),
    },
    "Add and steer": {
        **dict.fromkeys(("init", "add", "edit"), ITEMS),
        **dict.fromkeys(("pause", "resume", "advance"), STEERING),
        **dict.fromkeys(("cancel", "reopen"), ITEMS),
        **dict.fromkeys(("import", "export"), MOVING),
    },
    "Answer": dict.fromkeys(("unblock", "approve", "request-changes", "reject", "abort", "decide"), GATES),
    "Run": {"check": LOOKING, **dict.fromkeys(("run", "triage", "stop"), RUNNING), "demo": DAEMON},
    "The daemon": {
        "service": SERVICE,
        **dict.fromkeys(("ping", "reload", "shutdown"), DAEMON),
        "journal": RECORDS,
        "version": DAEMON,
    },
}
"""What people do → command → the module that has it; in the order of the help."""

app = Commands("Give work to coding agents, watch them, and answer what they ask.", SECTIONS)
