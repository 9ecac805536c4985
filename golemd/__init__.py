"""golemd, the foreman for coding agents: a daemon that drives a backlog through pipelines, unwatched, until it is done.

A pure core inside a thin shell. To read it, in this order: `api.model` (what exists), `api.events` (what can happen),
`core.evolve` (what that does), `core.decide` (when it may), `core.plan` (what comes next), `engine` (how they meet),
then `api.calls` and `api.wire` (how it is asked), and `adapters` (its hands) as needed.
"""

__version__ = "0.1.0"
