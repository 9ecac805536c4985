"""Attempts: started, ended, lost, and judged by what they left behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from golemd.api import events as ev
from golemd.api.events import Draft, Event
from golemd.api.model import (
    Attempt,
    AttemptKind,
    AttemptState,
    Content,
    GateKind,
    Item,
    Outcome,
    Phase,
    Provider,
    ResultCode,
    Run,
)
from golemd.core import commands as cmd
from golemd.core import outcomes
from golemd.core.budgets import before_start, is_today, of_day, spent_out
from golemd.core.decide import checks, triage
from golemd.core.decide.budgets import gate_of
from golemd.core.decide.common import (
    NOTHING,
    Decided,
    about,
    cause_of,
    config_of,
    definition_of,
    fail,
    is_over,
    live_attempt,
    open_gate,
)
from golemd.core.decide.follow_ups import follow_ups
from golemd.core.decide.phases import next_round, verify_or_commit
from golemd.core.decide.verdicts import BY_REASON, NOT_STARTED, decided, how_it_ended, not_started, reject
from golemd.core.evolve.common import merged
from golemd.core.exclusion import keeps_leftovers
from golemd.core.results import Result, read_result
from golemd.core.state import State

_BY_TROUBLE: Final = {
    "transient": Outcome.TRANSIENT,
    "limit": Outcome.LIMIT,
    "budget": Outcome.BUDGET,
    "agent": Outcome.FAILED,
    "fatal": Outcome.UNUSABLE,
}
_TO_BE_COMMITTED: Final = (ResultCode.PHASE_COMPLETE, ResultCode.SUBPHASE_COMPLETE)


def spawned(state: State, command: cmd.ReportSpawned, now_us: int) -> Decided:
    """The program runs; or, after a restart of the daemon, it was found running."""
    attempt = state.attempts.get(command.attempt)
    if attempt is None or attempt.state not in (AttemptState.PLANNED, AttemptState.SPAWNED):
        return NOTHING
    events: list[Event] = []
    if attempt.state is AttemptState.PLANNED:
        events.append(
            ev.AttemptSpawned(
                attempt=attempt.id,
                pid=command.pid,
                start=command.start,
                shim_pid=command.shim_pid,
                boot_id=command.boot_id,
                session=command.session,
            )
        )
    if command.adopted:
        events.append(ev.AttemptAdopted(attempt=attempt.id, pid=command.pid))
    return decided(state, state.items[attempt.item], *events) if events else NOTHING


def not_spawned(state: State, command: cmd.ReportNotSpawned, now_us: int) -> Decided:
    """The program could not be started: transient, or such that trying again cannot help."""
    attempt = state.attempts.get(command.attempt)
    if attempt is None or attempt.state is not AttemptState.PLANNED:
        return NOTHING
    outcome = Outcome.TRANSIENT if command.usable else Outcome.UNUSABLE
    return reject(state, attempt, outcome, command.message, now_us)


def exited(state: State, command: cmd.ReportExit, now_us: int) -> Decided:
    """The durable exit record is there. What it means is judged when the work it left has been examined."""
    attempt = state.attempts.get(command.attempt)
    if attempt is None or attempt.state not in (AttemptState.PLANNED, AttemptState.SPAWNED):
        return NOTHING
    ended = ev.AttemptExited(
        attempt=attempt.id,
        status=command.status,
        signal=command.signal,
        reason=command.reason,
        errno=command.errno,
        duration_s=command.duration_s,
        cpu_s=command.cpu_s,
        max_rss_kb=command.max_rss_kb,
        ended_descendants=command.ended_descendants,
        oom_kills=command.oom_kills,
        memory_limit_mb=command.memory_limit_mb,
    )
    return decided(state, state.items[attempt.item], ended)


def lost(state: State, command: cmd.ReportLost, now_us: int) -> Decided:
    """Neither the process nor its exit record exists: never success. Its leftovers were ended before this report.

    What it had used until then, and its session, are counted all the same.
    """
    found = live_attempt(state, command.attempt)
    if found is None or found[3].state is AttemptState.EXITED:
        return NOTHING
    item, run, phase, attempt = found
    gone = ev.AttemptLost(attempt=attempt.id, reason=command.reason)
    verdict = outcomes.judge("lost", phase, definition_of(run, phase), config_of(state, run).execution, now_us)
    events: list[Event] = [gone]
    if verdict.exhausted and not is_over(run) and not run.leaving:
        reason = f"its process was lost {outcomes.MAX_LOST_IN_ROW + 1} times in a row: {command.reason}"
        events += fail(item, run, "lost", reason, attempt.id)
    return _after_what_it_told(state, attempt, command.said, decided(state, item, *events))


def examined(state: State, command: cmd.ReportExamined, now_us: int) -> Decided:
    """Judge an ended attempt by its exit record, its result and the tree it left; what it has cost comes first."""
    found = live_attempt(state, command.attempt)
    if found is None or found[3].state is not AttemptState.EXITED:
        return NOTHING
    item, run, phase, attempt = found
    judged = _judged(state, item, run, phase, attempt, command, now_us)
    return _after_what_it_told(state, attempt, command.said, judged)


def _after_what_it_told(state: State, attempt: Attempt, said: cmd.Said, judged: Decided) -> Decided:
    """A judgement, and before it the session and the cost, where the program tells them."""
    item = state.items[attempt.item]
    told = about(item, *_told(attempt, said), cause=cause_of(state, item.id))
    return Decided((*told, *judged.drafts), essential=True)


def _told(attempt: Attempt, said: cmd.Said) -> list[Event]:
    events: list[Event] = []
    if said.session or said.cannot_resume:
        session = "" if said.cannot_resume else said.session
        events.append(ev.AttemptSession(attempt=attempt.id, session=session, model=said.model))
    if said.cost_usd or said.input_tokens or said.output_tokens:
        events.append(
            ev.BudgetSpent(
                attempt=attempt.id,
                agent=attempt.agent,
                cost_usd=said.cost_usd,
                input_tokens=said.input_tokens,
                output_tokens=said.output_tokens,
            )
        )
    return events


def _judged(
    state: State, item: Item, run: Run, phase: Phase, attempt: Attempt, command: cmd.ReportExamined, now_us: int
) -> Decided:
    if is_over(run):
        rejected = ev.AttemptRejected(attempt=attempt.id, outcome=Outcome.CANCELLED, message="its run is over")
        return decided(state, item, rejected)
    if run.leaving:
        return reject(state, attempt, Outcome.CANCELLED, "its phase was left", now_us)
    if attempt.kind is not AttemptKind.AGENT:
        return checks.judged(state, (item, run, phase, attempt), command, now_us)
    if command.trouble:
        return reject(state, attempt, Outcome.HISTORY, command.trouble, now_us)
    data = command.result
    if data is None and command.said.success:
        data = command.said.answer
    if data is None:
        return _without_result(state, attempt, command, now_us)
    result = read_result(data)
    if isinstance(result, str):
        return _without_result(state, attempt, command, now_us, problem=result)
    if (result.item_id, result.phase) != (item.id, phase.name):
        told = f"its result is for {result.item_id[:80]!r}, phase {result.phase[:80]!r}"
        return reject(state, attempt, Outcome.IDENTITY, told, now_us)
    if command.nested and result.code in _TO_BE_COMMITTED:
        return reject(state, attempt, Outcome.NESTED, _nested(command.nested), now_us)
    return _accept(state, item, run, phase, attempt, result, command, now_us)


def _nested(paths: tuple[str, ...]) -> str:
    """What the next attempt has to do, so that what was done can be committed."""
    names = ", ".join(paths)
    return (
        f"a commit would hold nothing of the files in {names}, a git repository of its own. "
        f"Remove its .git, and run `git rm --cached -f` on it where it is staged, or make it a submodule"
    )


def _without_result(
    state: State, attempt: Attempt, command: cmd.ReportExamined, now_us: int, problem: str = ""
) -> Decided:
    """A program that failed to start, was ended by a limit or a stop, or ended without a word or an unreadable one.

    One that was stopped while it wrote its result is interrupted, not at fault.
    """
    if attempt.reason in NOT_STARTED:
        return not_started(state, attempt, command, now_us)
    if attempt.reason in BY_REASON:
        outcome, message = BY_REASON[attempt.reason][0], how_it_ended(attempt)
    elif command.said.trouble and not (attempt.oom_kills and command.said.trouble == "agent"):
        return _in_trouble(state, attempt, command.said, now_us)
    elif problem := problem or command.result_problem:
        return reject(state, attempt, Outcome.BAD_RESULT, problem, now_us)
    elif attempt.oom_kills:
        outcome, message = Outcome.OUT_OF_MEMORY, how_it_ended(attempt)
    else:
        outcome, message = Outcome.NO_RESULT, f"{how_it_ended(attempt)} and left no result file"
    return reject(state, attempt, outcome, message + _last_words(command) + _leftovers(command), now_us)


def _leftovers(command: cmd.ReportExamined) -> str:
    """What the next attempt, and people, find changed in a shared tree."""
    return f"\nIt left changed: {', '.join(command.leftovers)}" if command.leftovers else ""


def _last_words(command: cmd.ReportExamined) -> str:
    """How its output ended: what it said, where that can be told from the rest, or else its last lines."""
    said = command.said
    if said.session:
        return f"\nIt said last:\n{said.message}" if said.message and not said.trouble else ""
    return ("\nIts last lines:\n" + "\n".join(command.lines)) if command.lines else ""


def _in_trouble(state: State, attempt: Attempt, said: cmd.Said, now_us: int) -> Decided:
    """The program said what kept it from its end."""
    outcome = _BY_TROUBLE[said.trouble]
    message = said.message.strip() or how_it_ended(attempt)
    if outcome is Outcome.UNUSABLE:
        way_out = f"Mend its login or [agents.{attempt.agent}] in golem.toml first"
        message = f"{message.splitlines()[0].rstrip('.')}. {way_out}"
    if outcome is Outcome.BUDGET:
        return _out_of_budget(state, attempt, said, message, now_us)
    if outcome is not Outcome.LIMIT:
        return reject(state, attempt, outcome, message, now_us)
    rejected = ev.AttemptRejected(attempt=attempt.id, outcome=outcome, message=message)
    return decided(state, state.items[attempt.item], rejected, _parked(state, attempt, said, message, now_us))


def _out_of_budget(state: State, attempt: Attempt, said: cmd.Said, message: str, now_us: int) -> Decided:
    """It stopped at what it was told that it may spend; or at a limit of its own, of which golemd knows nothing."""
    item, run = state.items[attempt.item], state.runs[attempt.run]
    rejected = ev.AttemptRejected(attempt=attempt.id, outcome=Outcome.BUDGET, message=message)
    spent = spent_out(before_start(state, item, said.cost_usd, said.input_tokens + said.output_tokens))
    if spent is not None:
        return decided(state, item, rejected, gate_of(item, run, spent, attempt.id))
    day = of_day(state, item.project, now_us, said.cost_usd)
    if spent_out(day) is not None or (day and not is_today(attempt.planned_at, now_us)):  # it was told of another day's
        return decided(state, item, rejected)
    way_out = f"Look at args of [agents.{attempt.agent}] in golem.toml first"
    return reject(state, attempt, Outcome.BUDGET, f"{message.splitlines()[0].rstrip('.')}. {way_out}", now_us)


def _parked(state: State, attempt: Attempt, said: cmd.Said, message: str, now_us: int) -> ev.ProviderParked:
    """Attempts that meet the limit while it is known already are one in the row, and never end it earlier."""
    found = state.providers.get(attempt.agent, Provider(attempt.agent))
    before = found.streak - (found.until_us > now_us)
    until = max(outcomes.parked_until(before, said.reset_us, now_us), found.until_us)
    reason = message.splitlines()[0]
    return ev.ProviderParked(provider=attempt.agent, until_us=until, streak=before + 1, reason=reason)


def unpark(state: State, command: cmd.Unpark, now_us: int) -> Decided:
    """A provider's limit has passed."""
    provider = state.providers.get(command.provider)
    if provider is None or not 0 < provider.until_us <= now_us:
        return NOTHING
    return Decided((Draft(ev.ProviderAvailable(provider=provider.name), cause=f"seq:{state.seq}"),))


def _accept(
    state: State,
    item: Item,
    run: Run,
    phase: Phase,
    attempt: Attempt,
    result: Result,
    report: cmd.ReportExamined,
    now_us: int,
) -> Decided:
    """A valid result: what it says is taken as it is, and what follows depends on its code and its phase."""
    failed = result.code is ResultCode.FAILED
    verdict = outcomes.judge(Outcome.FAILED, phase, definition_of(run, phase), config_of(state, run).execution, now_us)
    wishes = () if failed else result.follow_ups
    named, added = follow_ups(state, item, run, phase.name, wishes)
    after, warnings = _after_acceptance(state, item, run, attempt, result, report)
    accepted = ev.AttemptAccepted(
        attempt=attempt.id,
        result=result.code,
        summary=result.summary,
        context=result.context + (_leftovers(report) if failed else ""),
        question=question_of(result) if result.code is ResultCode.BLOCKED else result.question,
        question_kind=result.question_kind,
        commit_summary=result.commit_summary,
        assessments=result.assessments,
        findings=result.findings,
        follow_ups=named,
        warnings=(*result.warnings, *warnings, *report.warnings),
        head=report.head,
        tree=report.tree,
        spends=verdict.spends if failed and not verdict.exhausted else "",
        again_us=verdict.again_us if failed else 0,
        put_back=failed and verdict.put_back and not keeps_leftovers(state, run),
    )
    if failed and verdict.exhausted:
        after = fail(item, run, "failed", f"{result.summary or 'it failed'} (attempt {attempt.number})", attempt.id)
    return decided(state, item, accepted, *after, *added)


def question_of(result: Result) -> str:
    """What a blocked agent asks."""
    return result.question or result.context or result.summary or "The agent is blocked and gave no reason."


Following = tuple[Sequence[Event | Draft], Sequence[str]]


def _after_acceptance(
    state: State, item: Item, run: Run, attempt: Attempt, result: Result, report: cmd.ReportExamined
) -> Following:
    """What follows a result that did not fail, and warnings about what it says."""
    if result.code is ResultCode.FAILED:
        return (), ()
    if triage.is_triage(run):
        return _after_triage(state, item, run, attempt, result)
    guard: list[Event] = triage.guarded(state, item, merged(item.assessments, result.assessments))
    if result.code is ResultCode.BLOCKED:
        opened = sum(isinstance(event, ev.GateOpened) for event in guard)
        content = Content(commit=report.head, tree=report.tree)
        return [*guard, _ask(item, run, result, attempt, content, opened)], ()
    verifies = definition_of(run, run.phase).verify
    return [*(verify_or_commit(run, run.phase, report.tree) if verifies else ()), *guard], ()


def _after_triage(state: State, item: Item, run: Run, attempt: Attempt, result: Result) -> Following:
    if result.code is ResultCode.BLOCKED:
        return [_ask(item, run, result, attempt, Content(), 0)], ()
    if result.code is ResultCode.SUBPHASE_COMPLETE:
        return next_round(state, item, run, result.summary), ()
    twins, _ = triage.twins(state, item, result.duplicates)
    if twins and state.config_of(item.project).triage.merge_duplicates:
        return triage.merge_into(state, item, twins[0], f"{attempt.id} says so"), ()
    return triage.concluded(state, item, run, attempt.id, result)


def _ask(item: Item, run: Run, result: Result, attempt: Attempt, content: Content, opened: int) -> ev.GateOpened:
    asking = replace(item, gates=item.gates + opened)
    return open_gate(asking, run, GateKind.QUESTION, "question", question_of(result), content, attempt.id)
