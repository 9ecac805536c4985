"""Facts, in the past tense, in a module by noun; `api.records` has what they have in common.

Rules. Every event has an explicit TYPE, which is what the journal holds and never changes. New fields have defaults. A
changed meaning is a new TYPE; the old shape stays at the end of its module and `core.upcast` turns it into today's.
What an event does to the state is said in `core.evolve`, in a module of the same noun where there is one, and nowhere
else.
"""

from types import ModuleType
from typing import Final

from golemd.api.events import attempts, daemon, gates, items, projects, runs, spending, work
from golemd.api.events.attempts import (
    AttemptAccepted as AttemptAccepted,
)
from golemd.api.events.attempts import (
    AttemptAdopted as AttemptAdopted,
)
from golemd.api.events.attempts import (
    AttemptExited as AttemptExited,
)
from golemd.api.events.attempts import (
    AttemptLost as AttemptLost,
)
from golemd.api.events.attempts import (
    AttemptPlanned as AttemptPlanned,
)
from golemd.api.events.attempts import (
    AttemptRejected as AttemptRejected,
)
from golemd.api.events.attempts import (
    AttemptSession as AttemptSession,
)
from golemd.api.events.attempts import (
    AttemptSpawned as AttemptSpawned,
)
from golemd.api.events.daemon import (
    DaemonStarted as DaemonStarted,
)
from golemd.api.events.daemon import (
    DaemonStopped as DaemonStopped,
)
from golemd.api.events.daemon import (
    JournalPruned as JournalPruned,
)
from golemd.api.events.daemon import (
    JournalRepaired as JournalRepaired,
)
from golemd.api.events.gates import (
    GateDecided as GateDecided,
)
from golemd.api.events.gates import (
    GateNotified as GateNotified,
)
from golemd.api.events.gates import (
    GateOpened as GateOpened,
)
from golemd.api.events.gates import (
    GateSuperseded as GateSuperseded,
)
from golemd.api.events.items import (
    ItemAdded as ItemAdded,
)
from golemd.api.events.items import (
    ItemCancelled as ItemCancelled,
)
from golemd.api.events.items import (
    ItemCompleted as ItemCompleted,
)
from golemd.api.events.items import (
    ItemEdited as ItemEdited,
)
from golemd.api.events.items import (
    ItemMoved as ItemMoved,
)
from golemd.api.events.items import (
    ItemReopened as ItemReopened,
)
from golemd.api.events.items import (
    ItemTriaged as ItemTriaged,
)
from golemd.api.events.projects import (
    BreakerReset as BreakerReset,
)
from golemd.api.events.projects import (
    BreakerTripped as BreakerTripped,
)
from golemd.api.events.projects import (
    DispatchHalted as DispatchHalted,
)
from golemd.api.events.projects import (
    DispatchStarted as DispatchStarted,
)
from golemd.api.events.projects import (
    ProjectConfigured as ProjectConfigured,
)
from golemd.api.events.projects import (
    ProjectRegistered as ProjectRegistered,
)
from golemd.api.events.projects import (
    ProjectRemoved as ProjectRemoved,
)
from golemd.api.events.runs import (
    PhaseCompleted as PhaseCompleted,
)
from golemd.api.events.runs import (
    PhaseFailed as PhaseFailed,
)
from golemd.api.events.runs import (
    PhasePlanned as PhasePlanned,
)
from golemd.api.events.runs import (
    PhaseReset as PhaseReset,
)
from golemd.api.events.runs import (
    PhaseSkipped as PhaseSkipped,
)
from golemd.api.events.runs import (
    PhaseStarted as PhaseStarted,
)
from golemd.api.events.runs import (
    PhaseVerifying as PhaseVerifying,
)
from golemd.api.events.runs import (
    RunAborted as RunAborted,
)
from golemd.api.events.runs import (
    RunBound as RunBound,
)
from golemd.api.events.runs import (
    RunCompleted as RunCompleted,
)
from golemd.api.events.runs import (
    RunCreated as RunCreated,
)
from golemd.api.events.runs import (
    RunFailed as RunFailed,
)
from golemd.api.events.runs import (
    RunPaused as RunPaused,
)
from golemd.api.events.runs import (
    RunResumed as RunResumed,
)
from golemd.api.events.spending import (
    BudgetRaised as BudgetRaised,
)
from golemd.api.events.spending import (
    BudgetSpent as BudgetSpent,
)
from golemd.api.events.spending import (
    ProviderAvailable as ProviderAvailable,
)
from golemd.api.events.spending import (
    ProviderParked as ProviderParked,
)
from golemd.api.events.work import (
    CommitCreated as CommitCreated,
)
from golemd.api.events.work import (
    EvidenceRecorded as EvidenceRecorded,
)
from golemd.api.events.work import (
    ReportWritten as ReportWritten,
)
from golemd.api.events.work import (
    WorkKept as WorkKept,
)
from golemd.api.events.work import (
    WorktreeGone as WorktreeGone,
)
from golemd.api.events.work import (
    WorktreeMade as WorktreeMade,
)
from golemd.api.events.work import (
    WorktreePrepared as WorktreePrepared,
)
from golemd.api.events.work import (
    WorktreeWanted as WorktreeWanted,
)
from golemd.api.records import Draft as Draft
from golemd.api.records import Event as Event
from golemd.api.records import Record as Record
from golemd.api.records import as_line as as_line

_MODULES: Final = (daemon, projects, items, runs, attempts, gates, work, spending)


def _events_of(module: ModuleType) -> list[type[Event]]:
    """In the order in which they are written there."""
    found = (each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Event))
    return [each for each in found if each is not Event]


EVENTS: Final[dict[str, type[Event]]] = {event.TYPE: event for module in _MODULES for event in _events_of(module)}
