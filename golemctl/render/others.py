"""The short replies: daemon, journal, dispatch, configuration."""

from __future__ import annotations

from golemctl.render.status import dispatch_words
from golemctl.render.text import Look, block, clean, cut, folder, since, volume
from golemd.api.views import (
    AttemptView,
    Imported,
    Pong,
    ProjectReady,
    Pruned,
    ReloadView,
    RunStarted,
    RunStopped,
    ShutdownView,
    VerifyView,
)
from golemd.api.words import count


def pong_lines(view: Pong, look: Look) -> list[str]:
    return [f"golemd {view.version} answers: pid {view.pid}, seq {view.seq}, state in {folder(view.state_dir, look)}"]


def verify_lines(view: VerifyView, look: Look) -> list[str]:
    """The journal's own check, and with `deep` both digests of the state."""
    lines = [f"{count(view.records, 'record')} in {count(view.segments, 'segment')}, every line as it was written."]
    if view.first > 1:
        lines.append(f"Records before {view.first} were pruned; a snapshot stands for them.")
    lines.append(f"journal   {view.digest}")
    if view.deep:
        lines += [f"live      {view.live_digest}", f"replayed  {view.replayed_digest}"]
        lines.append("The live state is what the journal says." if view.equal else _UNEQUAL)
    return lines


def pruned_lines(view: Pruned, look: Look) -> list[str]:
    """What is removed of the journal, or would be, and what keeps more from it."""
    held = f" {view.held_by} is not done, and needs what comes then." if view.held_by else ""
    if not view.segments:
        return [f"There is nothing to remove: no file of the journal lies wholly before that.{held}"]
    what = f"{count(view.segments, 'file')} of the journal, {volume(view.bytes)}: all records before {view.first}"
    return [f"{'Would remove' if view.dry_run else 'Removes'} {what}.{held}"]


_UNEQUAL = "The live state is NOT what the journal says. Restart golemd, and keep a copy of the journal for a report."


def ready_lines(view: ProjectReady, look: Look) -> list[str]:
    """What `init` did."""
    project = view.project
    state = "is registered already" if view.again or view.repeated else "is registered"
    lines = [f"{clean(project.name)} ({clean(project.prefix)}) {state}: {folder(project.root, look)}"]
    wrote = "Wrote" if view.written else "Configuration:"
    return [*lines, f"{wrote} {folder(view.config_file, look)}", 'Next: golemctl check, golemctl add "…", golemctl run']


def started_lines(view: RunStarted, look: Look) -> list[str]:
    """A dispatch that nobody watches."""
    state = "is dispatched already" if view.attached else "is dispatched"
    used = f"{view.dispatch.used} of {count(view.dispatch.cap, 'phase')} used"
    return [f"{clean(view.project)} {state}, {used}. Watch it: golemctl run    or: golemctl status"]


def stopped_lines(view: RunStopped, look: Look, *, now: bool = False) -> list[str]:
    """A dispatch that has ended, and what still runs, or with `now` is being ended."""
    lines = [f"Nothing new is started in {clean(view.project)} ({dispatch_words(view.dispatch)})."]
    if not view.running:
        return [*lines, "Nothing runs."]
    lines.append("Being ended:" if now else "Still running:")
    lines += [cut(f"  {_running(attempt, look)}", look.width) for attempt in view.running]
    if now:
        return lines
    newest = view.running[0].item
    return [*lines, f"Watch one: golemctl logs {newest} -f    End them: golemctl stop --now"]


def _running(attempt: AttemptView, look: Look) -> str:
    what = attempt.command or attempt.agent or attempt.kind
    return clean(
        f"{attempt.item}  {attempt.phase}  attempt {attempt.number}  {what}  {since(attempt.started_at, look)}"
    )


def reload_lines(view: ReloadView, look: Look) -> list[str]:
    """Which projects' configuration is new, and which accounts are tried again."""
    lines = [
        f"{clean(name)}: the new configuration is in force for runs that start from now on" for name in view.changed
    ]
    lines += [f"{clean(name)}: unchanged" for name in view.unchanged]
    lines = lines or ["No project is registered."]
    lines += [f"{clean(name)}: no longer parked, and tried again" for name in view.available]
    return [cut(line, look.width) for line in lines]


def imported_lines(view: Imported, look: Look) -> list[str]:
    """What an import has done, or would do."""
    number = sum(view.added.values())
    by_status = ", ".join(f"{many} {status.replace('_', ' ')}" for status, many in view.added.items())
    done = "would be imported" if view.dry_run else "imported"
    lines = [f"{count(number, 'item')} {done} into {clean(view.project)}{f': {by_status}' if by_status else '.'}"]
    if view.unchanged:
        lines.append(f"{count(view.unchanged, 'item')} left as here, imported before.")
    if view.changed:
        lines += block(f"Changed in the source since, and left as here: {', '.join(view.changed)}", look, 0)
    if view.renamed:
        lines += ["Under new ids:", *(cut(clean(f"  {old} → {new}"), look.width) for old, new in view.renamed.items())]
    if view.more_warnings:
        lines.append(f"{count(view.more_warnings, 'more warning')} not shown.")
    return lines


def problem_lines(problems: tuple[str, ...], look: Look) -> list[str]:
    """What is wrong with files, one after the other."""
    return [line for problem in problems for line in block(problem, look, 0)]


def shutdown_lines(view: ShutdownView, look: Look) -> list[str]:
    """What happens to what still runs while the daemon stops."""
    lines = [f"golemd (pid {view.pid}) stops."]
    if view.ending:
        how = "Running on, to be taken up by the next golemd" if view.kept else "Being ended, to start again later"
        lines += block(f"{how}: {', '.join(view.ending)}", look, 0)
    return lines
