"""Facts that an adapter must fetch before a command can be decided: one row per call. Awaits end here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import trio
from msgspec.structs import replace

from golemd.adapters.workspace import Workspace, require_usable
from golemd.api import calls
from golemd.api.faults import Conflict, Fault, Invalid
from golemd.api.model import RUN_OVER, Actor, Content, Gate, GateKind
from golemd.core import commands as cmd
from golemd.core import golem_toml_writer as writer
from golemd.core.configuration import Reading, digest, folder_as_name
from golemd.core.decide import decide, gates
from golemd.core.decide.agents import admit
from golemd.core.decide.projects import check_form, where_gone
from golemd.core.exclusion import is_shared
from golemd.engine import imports, past, preflight
from golemd.engine.context import Context
from golemd.engine.project_files import CONFIG_FILE, OLD_CONFIG_FILE, gone, read_config, read_good
from golemd.settings import waiting

__all__ = ["admit", "facts_for", "hold", "reload"]

PUT_AWAY_SECONDS: Final = 3.0  # that the reopening of an item waits for its last run's agent and worktree to go


def needs_facts(call: calls.Change[Any]) -> bool:
    """Whether the call's decision needs to know more than the state."""
    return type(call) in _FACTS


async def facts_for(engine: Context, call: calls.Change[Any], actor: Actor) -> cmd.Facts:
    """What the call's decision needs to know of the world."""
    fetch = _FACTS.get(type(call))
    return await fetch(engine, call, actor) if fetch is not None else cmd.Facts()


# --- holding ------------------------------------------------------------------------------------------------------


def hold(engine: Context, project: str, common_dir: Path) -> None:
    """Hold a project against other daemons. Raises Conflict `project_held`, naming the holder."""
    if project not in engine.held:
        engine.held[project] = engine.parts.workspaces.hold_project(common_dir, str(engine.parts.state_dir))


def let_go(engine: Context, project: str) -> None:
    """Let other daemons hold a project that is registered here no longer."""
    lock = engine.held.pop(project, None) if project not in engine.state.projects else None
    if lock is not None:
        lock.release()


# --- one row per call --------------------------------------------------------------------------------------------


async def _init(engine: Context, call: calls.ProjectInit, actor: Actor) -> cmd.Facts:
    """Look at the repository and its configuration; write a commented golem.toml when it has none."""
    repository = await engine.parts.workspaces.inspect_repository(Path(call.root))
    require_usable(repository)
    root = repository.root
    known = next((p for p in engine.state.projects.values() if p.common_dir == str(repository.common_dir)), None)
    draft, said = _draft(engine, call, root, repository.head_branch or "")
    reading = read_good(engine, draft, root, root / CONFIG_FILE) if draft else read_config(engine, root)
    assert reading.config is not None
    now_in_force = digest(reading.config)
    news = known is None or known.config_digest != now_in_force
    facts = cmd.Facts(
        root=str(root),
        common_dir=str(repository.common_dir),
        head_branch=repository.head_branch or "",
        config=reading.config,
        config_digest=now_in_force,
        wrote=bool(draft),
        gone=gone(engine),
        warnings=(*_warnings(reading), *reading.remarks, *said) if news else said,
    )
    asked = cmd.Asked(call=call, actor=actor, facts=facts)
    decide(engine.state, asked, engine.now_us())  # what will be refused is refused before anything is written
    hold(engine, known.name if known else reading.config.name, repository.common_dir)
    if draft:
        engine.parts.files.write_new(root / CONFIG_FILE, draft)
    return facts


def _draft(engine: Context, call: calls.ProjectInit, root: Path, branch: str) -> tuple[str, tuple[str, ...]]:
    """The golem.toml to be written (empty: none), and what its user should hear."""
    files = engine.parts.files
    written = files.read_text(root / CONFIG_FILE)
    if call.prefix:
        check_form(call.prefix)  # before it is written into a file, which would be blamed for it
    if not call.from_:
        missing = written is None and files.read_text(root / OLD_CONFIG_FILE) is None
        return writer.template(folder_as_name(root.name), call.prefix or "WRK", branch) if missing else "", ()
    source = root / call.from_
    text = files.read_text(source)
    if text is None:
        raise Invalid("configuration_missing", f"There is no {source}.", "golemctl init --from phase-golem.toml")
    reading = read_good(engine, text, root, source, old=True)
    assert reading.config is not None
    folder = _seen_from(root, source.parent)
    config = replace(
        reading.config,
        prefix=call.prefix or reading.config.prefix,
        pipelines=writer.seen_from(folder, reading.config.pipelines),
    )
    draft = writer.equivalent(config, reading.environment, source.name)
    if written is not None and written != draft:
        hint = "Move it away first, or edit it: it is what golemd uses."
        raise Conflict("configuration_exists", f"{root / CONFIG_FILE} exists already and says something else.", hint)
    said = (*_warnings(reading), *reading.remarks, f"From now on {CONFIG_FILE} is read, and {source} no more.")
    return ("", ()) if written == draft else (draft, said)


def _seen_from(root: Path, folder: Path) -> str:
    """Where a folder is, seen from the root: relative when it is inside, absolute when not; empty for the root."""
    folder = folder.resolve()
    if not folder.is_relative_to(root):
        return str(folder)
    return "" if folder == root else str(folder.relative_to(root))


def _warnings(reading: Reading) -> tuple[str, ...]:
    return tuple(str(warning) for warning in reading.warnings)


async def _run_start(engine: Context, call: calls.RunStart | calls.Triage, actor: Actor) -> cmd.Facts:
    """A run that a user starts puts the file's configuration into force."""
    ids = call.ids if isinstance(call, calls.Triage) else ()
    project = engine.state.project(call.project or (engine.state.known(ids[0]).project if ids else ""))
    hold(engine, project.name, Path(project.common_dir))
    if project.dispatch.on:
        return cmd.Facts()
    reading = read_config(engine, Path(project.root))
    now_in_force = digest(reading.config)
    warnings = _warnings(reading) if now_in_force != project.config_digest else ()
    warnings += await preflight.before_run(engine, project)
    return cmd.Facts(config=reading.config, config_digest=now_in_force, warnings=warnings)


async def _reload(engine: Context, call: calls.Reload, actor: Actor) -> cmd.Facts:
    """All configurations, or a fault that names what is wrong with any of them; projects that are gone keep theirs. The
    daemon's own comes into force here, and the login shell is asked anew.
    """
    settings, notifier = engine.parts.settings_now()
    found, moved = [], gone(engine)
    for project in engine.state.projects.values():
        if project.name in moved:
            continue
        config = read_config(engine, Path(project.root)).config
        assert config is not None
        found.append((project.name, config, digest(config)))
    engine.use(settings, notifier)
    later = ", ".join(waiting(engine.began_with, settings.limits))
    problems = [f"{name}: its folder is gone. {where_gone(name)}" for name in moved]
    if later:
        problems.append(f"golemd.toml: [limits] {later}: what has changed comes into force when golemd starts again")
    return cmd.Facts(configs=tuple(found), problems=tuple(problems))


async def reload(engine: Context) -> tuple[str, ...]:
    """Put the configurations that have changed into force; what of it did not. Raises a Fault when any is bad."""
    call = calls.Reload()
    facts = await _reload(engine, call, Actor())
    engine.apply(cmd.Asked(call=call, facts=facts))
    await engine.settled()
    return facts.problems


async def _reopen(engine: Context, call: calls.ItemReopen, actor: Actor) -> cmd.Facts:
    """An ended item, whole again. One that has just been cancelled is given time to be put away."""
    state = engine.state
    with trio.move_on_after(PUT_AWAY_SECONDS):
        while any(run.state in RUN_OVER and not state.is_put_away(run) for run in state.runs_of(call.id)):
            await engine.moved()
    if call.id not in state.ended:
        return cmd.Facts()
    await engine.settled()  # its last records may not be on disk yet
    return cmd.Facts(ended=await past.item_from_records(engine, call.id))


async def _remove(engine: Context, call: calls.ProjectRemove, actor: Actor) -> cmd.Facts:
    """Whether there is a repository in which anything could be put away."""
    return cmd.Facts(gone=gone(engine))


async def _prune(engine: Context, call: calls.JournalPrune, actor: Actor) -> cmd.Facts:
    """The journal's segments, and the record at or after which all is to stay."""
    return cmd.Facts(segments=engine.parts.journal.extents, before=past.first_since(engine, call.before))


async def _gate_content(engine: Context, call: calls.GateDecide | calls.ItemUnblock, actor: Actor) -> cmd.Facts:
    """What an approval is about at this moment: the commit and tree in the workspace.

    Where that cannot be found out, a gate can still be decided in all ways that do not approve it.
    """
    named = call.gate if isinstance(call, calls.GateDecide) else call.id
    try:
        gate = gates.find(engine.state, named)
    except Fault:
        return cmd.Facts()  # decide says what is wrong, in its own order
    option = call.option if isinstance(call, calls.GateDecide) else gate.default
    try:
        return cmd.Facts(content=await _content(engine, gate))
    except Fault:
        if option == "approve":
            raise
        return cmd.Facts()


async def _content(engine: Context, gate: Gate) -> Content | None:
    run = engine.state.runs.get(gate.run)
    if run is None or gate.kind is not GateKind.APPROVAL or not gate.is_open or not run.workspace:
        return None
    if is_shared(engine.state, run):
        return None  # it is committed, and what the tree holds by now may be the work of others
    while {f"setaside:{run.id}", f"rebuild:{run.id}"} & engine.in_flight:
        await engine.moved()
        run = engine.state.runs.get(gate.run, run)
    place = Workspace(Path(engine.state.projects[run.project].root), Path(run.workspace))
    if run.aside is not None:
        then = await engine.parts.workspaces.content_aside(place.root, run.branch, run.aside)
        return Content(commit=then.head, tree=then.tree)
    if not engine.parts.files.is_there(place.path):
        message = f"The worktree of {gate.item} is gone: {run.workspace}"
        hint = f"golemctl request-changes {gate.item} makes it again from its branch"
        if gate.content.commit != run.head:
            raise Conflict("workspace_missing", message, hint)
        return gate.content
    now = await engine.parts.workspaces.current(place)
    return Content(commit=now.head, tree=now.tree)


_FACTS: Final[dict[type[calls.Call[Any]], Callable[[Any, Any, Actor], Awaitable[cmd.Facts]]]] = {
    calls.Import: imports.facts,
    calls.ProjectInit: _init,
    calls.ProjectRemove: _remove,
    calls.RunStart: _run_start,
    calls.Triage: _run_start,
    calls.Reload: _reload,
    calls.ItemReopen: _reopen,
    calls.JournalPrune: _prune,
    calls.GateDecide: _gate_content,
    calls.ItemUnblock: _gate_content,
}
