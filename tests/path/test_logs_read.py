"""logs.read: an attempt's output from a byte offset on."""

from __future__ import annotations

import pytest

from golemd.api import calls
from tests.path.ground import GUARD_SECONDS
from tests.path.house import House
from tests.path.repositories import RESULT, Project, phase


def test_an_item_stands_for_its_newest_attempt(daemon: House, demo: Project) -> None:
    item = demo.work("[[write a.txt hello]]")
    daemon.done(item)
    for named in (item, f"{item}.1", f"{item}.1.build", f"{item}.1.build.1"):
        view = daemon.call(calls.LogsRead(id=named))
        assert (view.attempt, view.text) == (f"{item}.1.build.1", "scripted: write a.txt hello\n")
        assert (view.offset, view.next, view.ended, view.stream) == (0, len(view.text), True, "stdout")


def test_a_command_stands_for_an_item_only_where_no_agent_has_worked(daemon: House) -> None:
    failing = daemon.project("other", prefix="OTH", more='[workspace]\nsetup = ["echo ready; exit 1"]\n')
    item = failing.work()
    daemon.until("gate.opened", item)
    assert daemon.call(calls.LogsRead(id=item)).text == "ready\n"
    item = daemon.project(phases=[phase(verify=["true"])]).work("[[write a.txt hello]]")
    daemon.done(item)
    for named in (item, f"{item}.1", f"{item}.1.build"):
        assert daemon.call(calls.LogsRead(id=named)).text == "scripted: write a.txt hello\n"
    ended = daemon.golemctl("logs", item)
    assert (ended.out, ended.err) == ("scripted: write a.txt hello\n", f"{item}.1.build.1:\n")
    followed = daemon.golemctl("logs", "-f", item)
    assert (followed.out, followed.err) == (ended.out, ended.err)
    [verify] = [each.id for each in daemon.show(item).attempts if each.kind == "verify"]
    assert daemon.golemctl("logs", verify).err == f"{verify} has written nothing to stdout.\n"


def test_output_is_read_on_from_an_offset_and_stderr_apart(daemon: House) -> None:
    agents = daemon.agent("talker", f"echo one; echo two; echo oops >&2; {RESULT}")
    project = daemon.project(phases=[{"name": "build", "agent": "talker"}], agents=agents)
    item = project.work()
    daemon.done(item)
    assert daemon.call(calls.LogsRead(id=item, offset=4)).text == "two\n"
    assert daemon.call(calls.LogsRead(id=item, stream="stderr")).text == "oops\n"
    beyond = daemon.call(calls.LogsRead(id=item, offset=1000))
    assert (beyond.text, beyond.next, beyond.ended) == ("", 1000, True)


def test_long_output_comes_in_pieces_that_cut_no_character(daemon: House) -> None:
    agents = daemon.agent("talker", f"printf x; yes ä | head -n 150000; {RESULT}")
    project = daemon.project(phases=[{"name": "build", "agent": "talker"}], agents=agents)
    item = project.work()
    daemon.done(item)
    offset, whole = 0, ""
    while not (view := daemon.call(calls.LogsRead(id=item, offset=offset))).ended:
        assert view.next > offset
        whole, offset = whole + view.text, view.next
    assert whole + view.text == "x" + "ä\n" * 150_000


def test_the_output_of_a_running_attempt_has_not_ended(daemon: House, demo: Project) -> None:
    item = demo.work("[[sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    assert daemon.call(calls.LogsRead(id=item)).ended is False


@pytest.mark.parametrize("over", [False, True], ids=["while its run goes on", "when its item has ended"])
def test_values_of_secrets_are_masked_also_where_pieces_are_cut(house: House, *, over: bool) -> None:
    house.start(env={"OWN_KEY": "passed-on-value"})
    script = f"head -c 262139 /dev/zero | tr '\\0' x; echo $KEY; echo $OWN_KEY >&2; {RESULT}"
    agents = house.agent("talker", script)
    agents["talker"] |= {"env": {"KEY": "very-secret-value"}, "pass_env": ["OWN_*"]}
    phase = {"name": "build", "agent": "talker"} | ({} if over else {"gate": "approval"})
    project = house.project(phases=[phase], agents=agents)
    item = project.work()
    if over:
        house.done(item)
    else:
        house.until("gate.opened", item)
    first = house.call(calls.LogsRead(id=item))
    second = house.call(calls.LogsRead(id=item, offset=first.next))
    assert (first.text + second.text, second.ended) == ("x" * 262139 + "•••\n", True)
    assert house.call(calls.LogsRead(id=item, stream="stderr")).text == "•••\n"
    following = house.client.follow(calls.LogsFollow(id=item, offset=first.next))
    followed = following.take(GUARD_SECONDS)
    following.close()
    assert followed is not None
    assert followed.data["text"] == second.text


def test_the_end_of_the_output_of_one_that_runs_is_masked_too(house: House) -> None:
    house.settings(environment={"set": {"KEY": "very-secret-value"}})
    house.start()
    agents = house.agent("talker", "printf '%195s' '' | tr ' ' x; echo $KEY; exec sleep 600")
    project = house.project(phases=[{"name": "build", "agent": "talker"}], agents=agents)
    item = project.work()
    house.until_output(f"{item}.1.build.1", "•••")
    (attempt,) = house.call(calls.Status()).attempts
    assert attempt.tail == ("x" * 195 + "•••",)


def test_unknown_attempts_items_and_streams_are_refused(daemon: House, demo: Project) -> None:
    item = demo.add()
    daemon.refused(calls.LogsRead(id="WRK-9"), "attempt_not_found", "not_found")
    daemon.refused(calls.LogsRead(id=item), "attempt_not_found", "not_found")
    demo.run()
    daemon.done(item)
    demo.halted()
    daemon.until("work.kept", item)
    daemon.refused(calls.LogsRead(id=item, stream="stdin"), "invalid_stream", "invalid")
