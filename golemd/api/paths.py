"""Where things are: the state folder, the socket, the configuration, by argument, environment or convention.

The one file of this ring that looks at the environment and the disk. Nothing here is ever placed in /tmp by itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

APP: Final = "golemd"
SOCKET_NAME: Final = "golemd.sock"
ADDRESS_FILE: Final = "address"


def state_dir(given: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The state folder: --state-dir, GOLEMD_STATE_DIR, else `$XDG_STATE_HOME/golemd`."""
    chosen = given or environ.get("GOLEMD_STATE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs  # only here and below: most invocations of the client find their socket without it

    return platformdirs.user_state_path(APP)


def socket_path(given: str | None = None, state: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the daemon listens: --socket, GOLEMD_SOCKET, the runtime folder, else `<state>/run/golemd.sock`.

    A state folder chosen by hand takes the socket with it, so that two daemons never meet by accident.
    """
    chosen = given or environ.get("GOLEMD_SOCKET")
    if chosen:
        return Path(chosen).expanduser().absolute()
    runtime = environ.get("XDG_RUNTIME_DIR")
    if state or environ.get("GOLEMD_STATE_DIR") or not runtime:
        return state_dir(state, environ) / "run" / SOCKET_NAME
    return Path(runtime) / APP / SOCKET_NAME


def config_path(given: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The daemon's configuration file: --config, GOLEMD_CONFIG, else `$XDG_CONFIG_HOME/golemd/golemd.toml`."""
    chosen = given or environ.get("GOLEMD_CONFIG")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return platformdirs.user_config_path(APP) / "golemd.toml"


def find_socket(given: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Where a client looks: --socket, GOLEMD_SOCKET, GOLEM_SOCKET, the usual places, the address the daemon left."""
    chosen = given or environ.get("GOLEMD_SOCKET") or environ.get("GOLEM_SOCKET")
    if chosen:
        return Path(chosen).expanduser().absolute()
    usual = socket_path(environ=environ)
    if os.path.exists(usual):  # unlike Path.exists, False for a folder that we may not enter
        return usual
    try:
        left = (state_dir(environ=environ) / ADDRESS_FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return usual
    return Path(left) if left.startswith("/") else usual
