"""The commands, by what they are about. One function per command: parse, ask, print."""

from __future__ import annotations

from golemctl.app import Commands, global_options
from golemctl.commands import daemon, gates, items, looking, records, running, service, steering

app = Commands()
app.callback()(global_options)
for module in (looking, items, gates, running, steering, records, daemon, service):
    module.register(app)
