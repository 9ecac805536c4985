"""What can be typed: examples of every command, which its help ends with. A test has each parsed by the real parser."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "": ("golemctl init", 'golemctl add "Build user authentication"', "golemctl run"),
    # look
    "status": ("golemctl status", "golemctl status --all --only label=docs", "golemctl status --json | jq .gates"),
    "show": ("golemctl show WRK-42", "golemctl show WRK-42 --prompt", "golemctl show WRK-42.g1"),
    "why": ("golemctl why WRK-42",),
    "gates": ("golemctl gates", "golemctl gates --only priority=5.."),
    "projects": ("golemctl projects", "golemctl projects --remove old --yes"),
    "report": ("golemctl report WRK-42",),
    "logs": ("golemctl logs WRK-42 --follow", "golemctl logs WRK-42.1.build.2 --stderr"),
    "events": (
        "golemctl events --item WRK-42",
        "golemctl events --follow --type gate",
        "golemctl events --since 2026-11-20T09:00:00Z --json",
    ),
    "worklog": ("golemctl worklog", "golemctl worklog --month 2026-11 > worklog.md"),
    "diff": ("golemctl diff WRK-42 --stat", "golemctl diff WRK-42 | less"),
    "path": ('cd "$(golemctl path WRK-42)"',),
    # add and steer
    "init": ("golemctl init --prefix WRK", "golemctl init --from phase-golem.toml"),
    "add": (
        'golemctl add "Build user authentication" --priority 5 --label auth',
        'golemctl add "Document it" --dep WRK-1 -d - < notes.md',
    ),
    "import": (
        "golemctl import tg . --dry-run",
        "golemctl import jsonl backlog.jsonl",
    ),
    "export": ("golemctl export > backlog.jsonl",),
    "edit": ("golemctl edit WRK-42 --priority 9 --label auth --label api", 'golemctl edit WRK-42 --dep ""'),
    "pause": ("golemctl pause WRK-42 --after-phase", "golemctl pause --all"),
    "resume": ("golemctl resume WRK-42", "golemctl resume --all"),
    "advance": ("golemctl advance WRK-42", "golemctl advance WRK-42 --to review --force"),
    "cancel": ('golemctl cancel WRK-42 -m "not needed after all"',),
    "reopen": ('golemctl reopen WRK-42 -m "it came back"',),
    # answer
    "unblock": (
        'golemctl unblock WRK-42 --answer "use the staging key"',
        "golemctl unblock WRK-42.g3 --answer-file answer.md",
    ),
    "approve": ("golemctl approve WRK-42", 'golemctl approve WRK-42.g3 -m "mind the index"'),
    "request-changes": ('golemctl request-changes WRK-42 -m "keep the old column"',),
    "reject": ('golemctl reject WRK-42 -m "a wrong idea"',),
    "abort": ("golemctl abort WRK-42",),
    "decide": ("golemctl decide WRK-42.g3 skip", 'golemctl decide WRK-42 retry -m "try without the cache"'),
    # run
    "check": ("golemctl check", "golemctl check --project ~/src/demo --json | jq .findings"),
    "run": (
        "golemctl run",
        "golemctl run --target WRK-42 --target WRK-7 --then-rest",
        "golemctl run --only size=small --only label=docs --cap 20",
    ),
    "triage": ("golemctl triage", "golemctl triage WRK-42"),
    "stop": ("golemctl stop", "golemctl stop --now"),
    "demo": ("golemctl demo", "golemctl demo --keep"),
    # the daemon
    "service": ("golemctl service install", "golemctl service status"),
    "service install": ("golemctl service install",),
    "service uninstall": ("golemctl service uninstall",),
    "service status": ("golemctl service status",),
    "ping": ("golemctl ping", "golemctl ping --timeout 2"),
    "reload": ("golemctl reload",),
    "shutdown": ("golemctl shutdown", "golemctl shutdown --keep-agents"),
    "journal": ("golemctl journal verify",),
    "journal verify": ("golemctl journal verify --deep",),
    "journal prune": ("golemctl journal prune --before 2026-01-01 --dry-run",),
    "journal path": ('tail -F "$(golemctl journal path)" | jq .type',),
    "version": ("golemctl version",),
}
"""Words behind `golemctl` → commands of the shell that use them."""
