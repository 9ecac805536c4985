"""What happened: events, logs, journal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec

from golemctl.app import REFUSED, Ask
from golemctl.commands.looking import ItemId
from golemctl.declare import Commands, Option
from golemctl.follow import Records, log_pieces
from golemctl.moments import FORMS, moment
from golemctl.render.others import pruned_lines, verify_lines
from golemctl.render.records import pruned_note, record_line
from golemctl.render.text import clean, paragraphs
from golemd.api import calls
from golemd.api.views import LogView

NEWEST: Final = 100
"""Without --since, --item and --type, `events` shows so many."""
VERIFY_SECONDS: Final = 3600.0
"""How long a check of the whole journal may take."""


def register(app: Commands) -> None:
    app.add("events", events, "What has happened, record by record.", _EVENTS)
    app.add("logs", logs, "What an agent wrote.", _LOGS)
    app.add("worklog", worklog, "What was done, phase by phase.", _WORKLOG)
    journal = Commands("The journal itself: verify, prune, path.")
    journal.add("verify", verify, "Check every line of it.", _VERIFY)
    journal.add("prune", prune, "Remove its oldest files.", _PRUNE)
    journal.add("path", path, "Print its file.")
    app.add_group("journal", journal, "The journal itself: verify, prune, path.")


_VERIFY: Final = "Check every line of the journal."
_PRUNE: Final = (
    "Remove the oldest files of the journal that lie wholly before a record or moment, once snapshots stand for them. "
    "Records of items that have not ended stay. What was removed cannot be shown or reported again."
)
_EVENTS: Final = f"Read the journal: the newest {NEWEST} records, or those that are chosen."
_WORKLOG: Final = "Print what was done to the project's items in a month, as Markdown; rendered from the journal."
_LOGS: Final = "Print an attempt's output. An item or run stands for its newest agent's."


def events(
    ask: Ask,
    follow: Annotated[bool, Option("-f --follow", help="Go on as new ones become durable.")] = False,
    since: Annotated[str, Option(metavar="SEQ|TIME", help=f"From this record or moment on. {FORMS}")] = "",
    item: Annotated[str, Option(metavar="ID", help="Of this item.", completion="item_ids")] = "",
    type: Annotated[  # noqa: A002 - the call's field
        str, Option(metavar="PREFIX", help="Such as gate or attempt.exited.", completion="event_types")
    ] = "",
) -> None:
    start: int | str = moment(since, datetime.now(UTC)) if since else ""
    if follow:
        call = calls.EventsFollow(since=None if start == "" else start, item=item, type=type)
        for record in Records(ask.new_client, call, ask.out.aside):
            _print_record(ask, record)
        return
    if start == "":
        start = 1 if item or type else max(1, ask.call(calls.Ping()).seq - NEWEST + 1)
    records = _read_all(ask, calls.EventsRead(since=start, item=item, type=type))
    if ask.out.json:
        ask.out.document(list(records))
        return
    for record in records:
        _print_record(ask, record)


def _print_record(ask: Ask, record: dict[str, Any]) -> None:
    if ask.out.json:
        ask.out.document(record)
    else:
        ask.out.say(record_line(record, ask.out.look()))
        sys.stdout.flush()


def _read_all(ask: Ask, call: calls.EventsRead) -> Iterator[dict[str, Any]]:
    while True:
        view = ask.call(call)
        if view.pruned:
            ask.out.aside(pruned_note(view.pruned))
        yield from view.records
        if not view.more:
            return
        call = msgspec.structs.replace(call, since=view.next)


def logs(
    ask: Ask,
    id: ItemId,  # noqa: A002 - the name of the call's field
    follow: Annotated[bool, Option("-f --follow", help="Go on until the attempt is over.")] = False,
    stderr: Annotated[bool, Option("--stderr", help="What it wrote to standard error.")] = False,
) -> None:
    stream = "stderr" if stderr else "stdout"
    if follow:
        for written in log_pieces(ask.new_client, calls.LogsFollow(id=id, stream=stream), ask.out.aside):
            _print_log(ask, written)
        return
    pieces = list(_log_pieces(ask, calls.LogsRead(id=id, stream=stream)))
    end = pieces[-1]
    if not end.next:
        ask.out.aside(f"{clean(end.attempt)} has written nothing to {stream}{'' if end.ended else ' yet'}.")
    elif end.attempt != id:
        ask.out.aside(f"{clean(end.attempt)}:")
    if ask.out.json:
        whole = msgspec.structs.replace(pieces[-1], offset=0, text="".join(piece.text for piece in pieces))
        ask.out.document(whole)
        return
    for piece in pieces:
        _print_text(ask, piece.text)


def _log_pieces(ask: Ask, call: calls.LogsRead) -> Iterator[LogView]:
    """The output up to its present end. The attempt found first is kept to, should a newer one begin."""
    while True:
        piece = ask.call(call)
        yield piece
        if piece.next <= piece.offset:
            return
        call = msgspec.structs.replace(call, id=piece.attempt, offset=piece.next)


def _print_log(ask: Ask, data: dict[str, Any]) -> None:
    if ask.out.json:
        ask.out.document({name: value for name, value in data.items() if name != "follow"})
    else:
        _print_text(ask, str(data["text"]))


def _print_text(ask: Ask, text: str) -> None:
    """An agent's output: as it is into a file or pipe, without what could harm it on a terminal."""
    if ask.out.is_terminal:
        end = "\n" if text.endswith("\n") else ""
        text = "\n".join(paragraphs(text)) + end
    sys.stdout.write(text)
    sys.stdout.flush()


def worklog(
    ask: Ask,
    month: Annotated[str, Option(metavar="YYYY-MM", help="Which month, in UTC; else this one.")] = "",
) -> None:
    call = calls.Worklog(project=ask.project, month=month)
    pieces = [ask.call(call)]
    while pieces[-1].more:
        pieces.append(ask.call(msgspec.structs.replace(call, month=pieces[-1].month, since=pieces[-1].next)))
    whole = msgspec.structs.replace(pieces[-1], text="".join(piece.text for piece in pieces))
    if ask.out.json:
        ask.out.document(whole)
    elif whole.text:
        _print_text(ask, whole.text)
    else:
        ask.out.aside(f"Nothing was done in {whole.project} in {whole.month}.")


def verify(
    ask: Ask,
    deep: Annotated[bool, Option("--deep", help="Replay it all and compare with the live state.")] = False,
) -> int:
    view = ask.call(calls.JournalVerify(deep=deep), seconds=VERIFY_SECONDS)
    ask.out.reply(view, verify_lines)
    return REFUSED if view.equal is False else 0


def prune(
    ask: Ask,
    before: Annotated[str, Option(metavar="SEQ|TIME", help=f"What is older goes. {FORMS}")],
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would be removed.")] = False,
    yes: Annotated[bool, Option("--yes", help="Do not ask.")] = False,
) -> int:
    call = calls.JournalPrune(before=moment(before, datetime.now(UTC)))
    if dry_run or not yes:
        view = ask.client.call(msgspec.structs.replace(call, dry_run=True))  # without --token, which is the removal's
        if dry_run or not view.segments:
            ask.out.reply(view, pruned_lines)
            return 0
        ask.out.aside(*pruned_lines(view, ask.out.look()))
        if not ask.confirmed("Remove them for good?"):
            ask.out.aside("Nothing was removed. --yes does it without a question.")
            return REFUSED
    ask.out.reply(ask.call(call), pruned_lines)
    return 0


def path(ask: Ask) -> None:
    name = f"{ask.call(calls.Ping()).state_dir}/journal.jsonl"
    ask.out.reply({"path": name}, lambda view, look: [view["path"]])
