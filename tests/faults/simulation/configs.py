"""The configurations of the simulated projects: one with every kind of gate, a plain one, one that shares its tree."""

from __future__ import annotations

from typing import Final

CONFIGS: Final = (
    """
[project]
name = "one"
prefix = "ONE"
base_branch = "main"
[execution]
agent = "scripted"
max_wip = 2
max_concurrent = 2
max_retries = 1
circuit_breaker = 2
verify = ["./check"]
[workspace]
copy = [".env"]
setup = ["./setup"]
[budget]
item_usd = 1.0
[triage]
agent = "scripted"
[guardrails]
max_size = "medium"
[[pipelines.feature.pre_phases]]
name = "scope"
[[pipelines.feature.phases]]
name = "build"
is_destructive = true
gate = "approval"
[[pipelines.feature.phases]]
name = "check"
staleness = "block"
is_destructive = true
timeout_minutes = 5
""",
    """
[project]
name = "two"
prefix = "TWO"
base_branch = "main"
[execution]
agent = "scripted"
max_wip = 3
max_concurrent = 2
max_retries = 2
circuit_breaker = 0
[budget]
day_usd = 3.0
[triage]
enabled = false
[[pipelines.feature.phases]]
name = "build"
is_destructive = true
[[pipelines.feature.phases]]
name = "check"
is_destructive = true
""",
    """
[project]
name = "three"
prefix = "THREE"
base_branch = "main"
[execution]
agent = "scripted"
workspace = "shared"
max_wip = 2
max_concurrent = 2
max_retries = 2
[triage]
enabled = false
[[pipelines.feature.phases]]
name = "build"
is_destructive = true
[[pipelines.feature.phases]]
name = "check"
is_destructive = true
""",
)

CHANGES: Final = (
    (b"max_retries = ", b"max_retries = 1"),
    (b"max_wip = 2", b"max_wip = 3"),
    (b'verify = ["./check"]', b"verify = []"),
    (b"[[pipelines", b"[[pipe lines"),
)
"""What people change in them, rightly and wrongly."""
