"""Where things stand, and why: every enumeration of the domain, and the states in which something is over."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where an item stands. Blocked means exactly: a gate of the item is open."""

    NEW = "new"
    SCOPING = "scoping"
    READY = "ready"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    DONE = "done"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({Status.DONE, Status.CANCELLED})


class Pause(StrEnum):
    """Whether a person holds an item back, whatever its status: at once, or from the end of its phase on."""

    NONE = ""
    AFTER_PHASE = "after_phase"
    HELD = "held"


class Resolution(StrEnum):
    """How an item ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    ABORTED = "aborted"
    DUPLICATE = "duplicate"


class RunState(StrEnum):
    """Where one passage through a pipeline stands."""

    CREATED = "created"
    EXECUTING = "executing"
    AWAITING = "awaiting"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"


RUN_OVER: Final = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.ABORTED})


class PhaseState(StrEnum):
    """Where a phase of a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    VERIFYING = "verifying"
    AWAITING_GATE = "awaiting_gate"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


PHASE_OVER: Final = frozenset({PhaseState.COMPLETED, PhaseState.FAILED, PhaseState.SKIPPED})


class Stage(StrEnum):
    """The next step of a phase that has been started; each has one row in the plan."""

    ENTER = "enter"  # make the workspace ready and note where the phase begins
    BODY = "body"  # an agent's attempt
    VERIFY = "verify"  # the daemon's own commands
    COMMIT = "commit"  # record the work in git
    GATE = "gate"  # a human decides


class WorktreeState(StrEnum):
    """What is known of a run's worktree, where something has to be done to it before its phase goes on."""

    UNKNOWN = ""  # nothing: it is made, or taken as it stands, when a phase enters it
    MADE = "made"  # it is new, and its setup commands come first
    READY = "ready"  # it stands, and is set up
    ASIDE = "aside"  # nobody needed it for a while: what it held is kept, and it comes back before anything else


class AttemptState(StrEnum):
    """One child process, from intent to judgement."""

    PLANNED = "planned"
    SPAWNED = "spawned"
    EXITED = "exited"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    LOST = "lost"


ATTEMPT_OVER: Final = frozenset({AttemptState.ACCEPTED, AttemptState.REJECTED, AttemptState.LOST})


class AttemptKind(StrEnum):
    """Who the child process is."""

    AGENT = "agent"
    VERIFY = "verify"
    SETUP = "setup"


class Outcome(StrEnum):
    """Why an attempt was rejected; each has one row in the table of `core.outcomes`."""

    FAILED = "failed"
    NO_RESULT = "no_result"
    BAD_RESULT = "bad_result"
    TIMEOUT = "timeout"
    OUTPUT_LIMIT = "output_limit"
    OUT_OF_MEMORY = "out_of_memory"
    TRANSIENT = "transient"
    LIMIT = "limit"
    BUDGET = "budget"
    UNUSABLE = "unusable"
    IDENTITY = "identity"
    HISTORY = "history"
    NESTED = "nested"
    SETUP = "setup"
    CANCELLED = "cancelled"


class ResultCode(StrEnum):
    """What an agent says of its own attempt."""

    PHASE_COMPLETE = "phase_complete"
    SUBPHASE_COMPLETE = "subphase_complete"
    FAILED = "failed"
    BLOCKED = "blocked"


class GateKind(StrEnum):
    """Why a human is asked."""

    APPROVAL = "approval"
    QUESTION = "question"
    GUARDRAIL = "guardrail"
    DUPLICATE = "duplicate"
    STALENESS = "staleness"
    FAILURE = "failure"
    BUDGET = "budget"


class HaltReason(StrEnum):
    """Why a dispatch ended."""

    ALL_DONE_OR_BLOCKED = "all_done_or_blocked"
    CAP_REACHED = "cap_reached"
    CIRCUIT_BREAKER = "circuit_breaker"
    TARGET_DONE = "target_done"
    TARGET_BLOCKED = "target_blocked"
    FILTER_EXHAUSTED = "filter_exhausted"
    NO_MATCHING_ITEMS = "no_matching_items"
    STOPPED = "stopped"
    INTERNAL_ERROR = "internal_error"


class NoteKind(StrEnum):
    """What kind of thing the next prompt must hear of."""

    FAILURE = "failure"
    EVIDENCE = "evidence"
    ANSWER = "answer"
    COMMENT = "comment"
    INTERRUPTION = "interruption"
    ROUND = "round"
    MOVED = "moved"


SAID_BY_PEOPLE: Final = frozenset({NoteKind.ANSWER, NoteKind.COMMENT})
"""Notes that are never dropped and never cut."""
