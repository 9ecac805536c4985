"""The state: one container that only `core.evolve.fold` changes, in place; the nouns in it are frozen.

Two tiers. Live things are held whole. An item that has ended, and whose work is put away, shrinks to one row; its
records stay in the journal, and `trail` says where. So memory and start stay small after a year of nights.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from golemd.api.config import ProjectConfig
from golemd.api.faults import Conflict, Invalid, NotFound
from golemd.api.model import ATTEMPT_OVER, ENDED, RUN_OVER, Attempt, EndedItem, Gate, Item, Project, Provider, Run
from golemd.core.index import Index
from golemd.core.trail import Trails

TOKENS_KEPT: Final = 100_000
TOKEN_DAYS: Final = 7


class TokenUse(Struct, frozen=True, array_like=True):
    """What a client's token stood for when it was first seen, so that repeating it has no second effect."""

    body: str
    seq: int
    ts: str
    project: str
    item: str


class State:
    """All that replaying the journal yields."""

    def __init__(self, *, shrink: bool = True) -> None:
        self.seq = 0
        self.ts = ""
        self.first = 1  # the first record that the journal still has, or will have when what was asked for is removed
        self.projects: dict[str, Project] = {}
        self.configs: dict[str, ProjectConfig] = {}
        self.items: dict[str, Item] = {}
        self.ended: dict[str, EndedItem] = {}
        self.runs: dict[str, Run] = {}
        self.attempts: dict[str, Attempt] = {}
        self.gates: dict[str, Gate] = {}
        self.providers: dict[str, Provider] = {}
        self.spent: dict[str, dict[str, float]] = {}  # the newest day (UTC) with expenses → project → dollars
        self.tokens: OrderedDict[str, TokenUse] = OrderedDict()
        self.trail = Trails()
        self.children: dict[str, list[str]] = {}  # item → its runs, attempts and gates, as they were made
        self.turns: dict[str, int] = {}  # project → the record that last started something there
        self.index = Index()
        self.shrink = shrink

    # --- look-ups that refuse ------------------------------------------------------------------------------------

    def item(self, item: str) -> Item:
        """The live item of that id, or NotFound `item_not_found`, or Conflict `item_ended`."""
        found = self.known(item)
        if isinstance(found, EndedItem) or found.status in ENDED:
            raise Conflict("item_ended", f"{item} is {found.status}.", f"Take it up again: golemctl reopen {item}")
        return found

    def known(self, item: str) -> Item | EndedItem:
        """The item of that id, live or ended, or NotFound `item_not_found`."""
        found = self.items.get(item) or self.ended.get(item)
        if found is None:
            raise no_item(item)
        return found

    def project(self, named: str) -> Project:
        """The project of that name or around that folder; without a name the only one there is."""
        if named in self.projects:
            return self.projects[named]
        if named.startswith("/"):
            return self._project_around(named)
        if named:
            raise NotFound("project_not_found", f"There is no project {named!r}.", "golemctl projects lists them.")
        if len(self.projects) == 1:
            return next(iter(self.projects.values()))
        if not self.projects:
            hint = "In a git repository: golemctl init"
            raise NotFound("project_not_found", "No project is registered yet.", hint)
        names = ", ".join(sorted(self.projects))
        raise Invalid("project_needed", f"Which project? There are {names}.", "Name one: --project NAME")

    def _project_around(self, folder: str) -> Project:
        places = [(project.root, project) for project in self.projects.values()]
        runs = (run for run in self.runs.values() if run.workspace and run.project in self.projects)
        places += [(run.workspace, self.projects[run.project]) for run in runs]
        around = [place for place in places if _holds(place[0], folder)]
        if not around:
            hint = "Register the repository: golemctl init, or name a project: --project NAME"
            raise NotFound("project_not_found", f"No registered project is around {folder}.", hint)
        return max(around, key=lambda place: len(place[0]))[1]

    # --- what belongs together -----------------------------------------------------------------------------------

    def config_of(self, project: str) -> ProjectConfig:
        """The configuration in force for a project."""
        return self.configs[self.projects[project].config_digest]

    def run_of(self, item: Item) -> Run | None:
        """The item's current run, if it has one."""
        return self.runs.get(item.run)

    def runs_of(self, item: str) -> list[Run]:
        """The item's runs that are held, oldest first."""
        mine = (self.runs.get(child) for child in self.children.get(item, ()))
        return [run for run in mine if run is not None]

    def has_all_of(self, item: str) -> bool:
        """Whether an item is held with all of its runs: not so once it has ended, even after it is reopened."""
        found = self.items.get(item)
        return found is not None and found.runs <= len(self.runs_of(item))

    def is_put_away(self, run: Run) -> bool:
        """Whether a run is over and has left neither a process nor a workspace."""
        mine = (self.attempts.get(child) for child in self.children.get(run.item, ()))
        live = any(each is not None and each.run == run.id and each.state not in ATTEMPT_OVER for each in mine)
        return run.state in RUN_OVER and not run.tidy and not live

    def open_gates(self, item: str) -> list[Gate]:
        """The item's open gates, oldest first."""
        if item not in self.children:
            return []
        mine = (self.gates.get(child) for child in self.children.get(item, ()))
        return [gate for gate in mine if gate is not None and gate.is_open]

    def all_open_gates(self) -> list[Gate]:
        """Every open gate, oldest first."""
        return [self.gates[gate] for gate in self.index.gates]

    def is_done(self, item: str) -> bool:
        """A dependency is met when that item is done; missing and cancelled ones are not."""
        found = self.items.get(item) or self.ended.get(item)
        return found is not None and found.status == "done"

    def unmet(self, item: Item) -> list[str]:
        """The dependencies that hold the item up, in their order."""
        return [each for each in item.dependencies if not self.is_done(each)] if item.dependencies else []

    def items_of(self, project: str) -> Iterator[Item]:
        """The live items of a project, in order of creation."""
        return (item for item in self.items.values() if item.project == project)

    def live_runs(self) -> Iterator[tuple[Item, Run]]:
        """Every item that is not ended, with its current run."""
        for name in self.index.with_run:
            item = self.items[name]
            yield item, self.runs[item.run]

    def unattended(self) -> Iterator[tuple[Item, Run]]:
        """Those of the live runs that have no process: where one works, nothing begins before it has ended."""
        attended = set(self.index.spawned.values())
        return ((item, run) for item, run in self.live_runs() if run.id not in attended)


def no_item(item: str) -> NotFound:
    """The fault for an unknown item id."""
    return NotFound("item_not_found", f"There is no item {item[:80]!r}.", "golemctl status --all lists them.")


def _holds(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")
