"""The heart: prepare → decide → stage → fold → durable → reply, and the planner that turns durable state into doing.

Reading order: `context` (the one way of every command), `engine` (calls, life and the planner), `prepare` (facts that a
command needs first), `effects` (intent → adapter → report), `queries` and `streams` (looking).

The order of durability: staged → folded → durable → answered, shown, acted upon. Nothing outside the process (a reply,
a query's answer, a notification, a spawn, a signal, a git command) may depend on a record that is not durable. There is
no await between decide and fold, so no lock is needed. A fault after the fold is fatal.
"""
