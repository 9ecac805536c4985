"""The real Claude Code, started as the adapter says, against a fake of its service on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import pytest

from golemd.adapters import agents
from golemd.adapters.agents import Launch, Reading
from golemd.api.config import Agent
from tests.adapters.agents.lab import PATIENCE_SECONDS, Lab, Running
from tests.fakes.messages_api import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, Failure, MessagesApi

ANSWER = {"item_id": "W-1", "phase": "build", "result": "phase_complete", "summary": "it is done"}
ANSWERED = f"[[structured {json.dumps(ANSWER)}]]"
RESET_S = 4_000_000_000
AS_SUBSCRIBER = {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-fake", "ANTHROPIC_API_KEY": ""}


class Claude:
    """Runs of the real program in one lab."""

    def __init__(self, program: str, api: MessagesApi, lab: Lab) -> None:
        self.program, self.api, self.lab = program, api, lab

    def launch(self, prompt: str, agent: dict[str, Any] | None = None, **more: Any) -> Launch:
        return agents.launch(self.lab.request(Agent("claude", (self.program,), **(agent or {})), prompt, **more))

    def start(self, launch: Launch, env: dict[str, str] | None = None) -> Running:
        own = {
            "ANTHROPIC_BASE_URL": self.api.url,
            "ANTHROPIC_API_KEY": "fake-key",
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "IS_SANDBOX": "1",
        }
        wanted = {name: value for name, value in {**own, **(env or {})}.items() if value}
        return self.lab.start(launch, wanted)

    def run(self, prompt: str, env: dict[str, str] | None = None, **more: Any) -> Reading:
        with self.start(self.launch(prompt, **more), env) as running:
            return running.end()


@pytest.fixture
def run(claude: str, api: MessagesApi, lab: Lab) -> Claude:
    return Claude(claude, api, lab)


def test_its_version_will_do(claude: str) -> None:
    text = subprocess.run([claude, "--version"], capture_output=True, text=True, check=True).stdout
    judge = agents.kind_of("claude").version_problem
    assert judge is not None
    assert judge(text) is None


def test_it_writes_and_edits_files_and_answers_by_the_schema(run: Claude) -> None:
    launch = run.launch(f"[[write sub/a.txt hello]] [[edit sub/a.txt hello => goodbye]] {ANSWERED}")
    with run.start(launch) as running:
        found = running.end()
    assert (run.lab.workspace / "sub" / "a.txt").read_text() == "goodbye\n"
    assert found.result is not None
    assert json.loads(found.result) == ANSWER
    assert (found.success, found.ended, found.trouble) == (True, True, "")
    assert found.session == launch.session
    assert found.model
    assert (found.input_tokens, found.output_tokens) == (3 * (INPUT_TOKENS + CACHED_TOKENS), 3 * OUTPUT_TOKENS)
    assert 0 < found.cost_usd < 1


def test_an_answer_against_the_schema_is_sent_back_until_it_is_right(run: Claude) -> None:
    wrong = json.dumps({**ANSWER, "result": "splendid"})
    found = run.run(f"[[structured {wrong}]] {ANSWERED}")
    assert (found.success, json.loads(found.result or b"")) == (True, ANSWER)
    assert len(run.api.requests) == 2


def test_a_model_that_will_not_answer_by_the_schema_leaves_no_result(run: Claude) -> None:
    found = run.run("[[say I would rather not]]")
    assert (found.success, found.result, found.message) == (True, None, "I would rather not")


def test_a_resumed_session_knows_what_was_said_and_counts_only_what_was_added(run: Claude) -> None:
    first = run.run(f"[[write a.txt 1]] {ANSWERED}")
    second = run.run(f"and now? {ANSWERED}", resume=first.session)
    assert (second.success, second.session) == (True, first.session)
    told = json.dumps(run.api.requests[-1]["messages"])
    assert "write a.txt 1" in told
    assert "and now?" in told
    assert second.cost_usd == pytest.approx(first.cost_usd / 2)
    assert (second.input_tokens, second.output_tokens) == (INPUT_TOKENS + CACHED_TOKENS, OUTPUT_TOKENS)


def test_a_session_that_is_gone_is_said_to_be(run: Claude) -> None:
    found = run.run(ANSWERED, resume="11111111-2222-4333-8444-555555555555")
    assert (found.cannot_resume, found.trouble, found.success) == (True, "transient", False)


def test_a_session_id_in_use_is_said_to_be(run: Claude) -> None:
    launch = run.launch(ANSWERED)
    for taken in (False, True):
        with run.start(launch) as running:
            found = running.end()
        assert (found.success, found.cannot_resume) == (not taken, taken)


@pytest.mark.parametrize(
    ("permissions", "written"),
    [("read", set()), ("edit", {"in.txt", "touched"}), ("full", {"in.txt", "touched", "../out.txt", "../attempt/sh"})],
)
def test_each_permission_allows_what_it_says(run: Claude, permissions: str, written: set[str]) -> None:
    tries = "[[write in.txt x]] [[bash touch touched]] [[write ../out.txt x]] [[bash touch ../attempt/sh]]"
    found = run.run(f"{tries} {ANSWERED}", agent={"permissions": permissions})
    names = ("in.txt", "touched", "../out.txt", "../attempt/sh")
    assert {name for name in names if (run.lab.workspace / name).exists()} == written
    assert found.success
    assert found.result is not None


def test_a_reader_may_look_around(run: Claude) -> None:
    (run.lab.workspace / "a.txt").write_text("the contents")
    listed = json.dumps({"command": "ls -1", "description": "list"})
    run.run(f"[[read a.txt]] [[sleep 0]] [[tool Bash {listed}]] {ANSWERED}", agent={"permissions": "read"})
    heard = [json.dumps(request["messages"][-1]) for request in run.api.requests[1:]]
    assert "the contents" in heard[0]
    assert "a.txt" in heard[1]


def test_the_model_that_is_asked_for_is_asked(run: Claude) -> None:
    found = run.run(ANSWERED, model="claude-haiku-4-5-20251001")
    assert found.model == run.api.requests[0]["model"] == "claude-haiku-4-5-20251001"


def test_a_budget_ends_it_and_counts_this_run_only(run: Claude) -> None:
    first = run.run(f"[[bash ls]] [[bash ls]] {ANSWERED}")
    second = run.run(f"go on {ANSWERED}", resume=first.session, budget_usd=first.cost_usd * 0.9)
    assert second.success
    third = run.run(f"[[bash ls]] [[bash ls]] {ANSWERED}", resume=first.session, budget_usd=first.cost_usd * 0.4)
    assert (third.success, third.trouble, third.ended) == (False, "budget", True)
    assert "budget" in third.message


@pytest.mark.parametrize(
    ("failure", "trouble", "says"),
    [
        (Failure(429), "limit", "429"),
        (Failure(429, headers={"retry-after": "7200"}), "limit", "429"),
        (Failure(400, "Your credit balance is too low to access the API"), "limit", "Credit balance"),
        (Failure(529), "transient", "529"),
        (Failure(500), "transient", "500"),
        (Failure(401), "fatal", "401"),
        (Failure(403), "fatal", "403"),
        (Failure(404), "fatal", "model"),
        (Failure(400, "This organization has been disabled."), "fatal", "disabled organization"),
        (Failure(402), "limit", "402"),
        (Failure(408), "transient", "408"),
        (Failure(502), "transient", "502"),
        (Failure(400), "agent", "made to fail"),
        (Failure(mode="cut"), "transient", ""),
        (Failure(mode="html"), "transient", "malformed"),
        (Failure(mode="empty"), "transient", "malformed"),
        (Failure(mode="malformed"), "transient", "malformed"),
    ],
    ids=lambda value: f"{value.status}-{value.mode}" if isinstance(value, Failure) else "",
)
def test_each_fault_of_the_service_has_its_class(run: Claude, failure: Failure, trouble: str, says: str) -> None:
    run.api.fail(failure)
    found = run.run(ANSWERED)
    assert (found.trouble, found.success, found.ended, found.result) == (trouble, False, True, None)
    assert says in found.message
    assert found.reset_us == 0


@pytest.mark.parametrize(
    "failure", [Failure(413), Failure(400, "prompt is too long: 250000 tokens > 200000 maximum")], ids=["413", "400"]
)
def test_a_conversation_that_is_too_large_has_no_future(run: Claude, failure: Failure) -> None:
    run.api.fail(failure)
    found = run.run(ANSWERED)
    assert (found.trouble, found.cannot_resume) == ("agent", True)


def test_turns_that_are_used_up_are_its_own_failure(run: Claude) -> None:
    found = run.run(f"[[write a.txt x]] [[write b.txt x]] {ANSWERED}", agent={"args": ("--max-turns", "1")})
    assert (found.trouble, found.ended, found.message) == ("agent", True, "Reached maximum number of turns (1)")


def test_a_short_fault_is_borne_by_the_program_itself(run: Claude) -> None:
    run.api.fail(Failure(429, headers={"retry-after": "0"}, times=1))
    assert run.run(ANSWERED, env={"CLAUDE_CODE_MAX_RETRIES": "1"}).success


def test_a_used_up_subscription_says_when_it_may_go_on(run: Claude) -> None:
    headers = {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": str(RESET_S),
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
    }
    run.api.fail(Failure(429, headers=headers))
    found = run.run(ANSWERED, env=AS_SUBSCRIBER)
    assert (found.trouble, found.reset_us) == ("limit", RESET_S * 1_000_000)


def test_a_warning_of_a_limit_is_no_trouble(run: Claude) -> None:
    run.api.headers = {
        "anthropic-ratelimit-unified-status": "allowed_warning",
        "anthropic-ratelimit-unified-reset": str(RESET_S),
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
    }
    found = run.run(ANSWERED, env=AS_SUBSCRIBER)
    assert (found.success, found.reset_us) == (True, 0)


def test_a_service_that_is_not_there_is_transient(run: Claude) -> None:
    found = run.run(ANSWERED, env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"})
    assert (found.trouble, found.ended) == ("transient", True)


def test_a_service_that_never_answers_is_transient(run: Claude) -> None:
    found = run.run(f"[[hold]] {ANSWERED}", env={"API_TIMEOUT_MS": "400"})
    assert (found.trouble, found.ended) == ("transient", True)


def test_without_a_login_a_human_is_needed(run: Claude) -> None:
    found = run.run(ANSWERED, env={"ANTHROPIC_API_KEY": ""})
    assert (found.trouble, found.ended) == ("fatal", True)
    assert "Not logged in" in found.message
    assert run.api.requests == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--frobnicate",), "--frobnicate"),
        (("--permission-prompt-tool", "mcp__nobody__approve"), "mcp__nobody__approve"),
        (("--mcp-config", "/nowhere/mcp.json"), "Invalid MCP configuration"),
    ],
)
def test_words_that_it_cannot_work_with_need_a_human(run: Claude, args: tuple[str, ...], says: str) -> None:
    found = run.run(ANSWERED, agent={"args": args})
    assert (found.trouble, found.ended) == ("fatal", False)
    assert says in found.message


def test_root_outside_of_a_sandbox_is_refused_full_permissions(run: Claude) -> None:
    found = run.run(ANSWERED, agent={"permissions": "full"}, env={"IS_SANDBOX": ""})
    assert found.trouble == ("fatal" if os.geteuid() == 0 else "")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_killed_in_the_middle_it_is_no_success_and_says_what_it_had_used(run: Claude, how: signal.Signals) -> None:
    launch = run.launch(f"[[write a.txt 1]] [[hold]] {ANSWERED}")
    with run.start(launch) as running:
        assert run.api.held.wait(PATIENCE_SECONDS)
        found = running.end(how)
    assert (found.success, found.trouble, found.result) == (False, "agent", None)
    assert how is signal.SIGINT or not found.ended  # which it may answer with a final event of its own
    assert (found.session, found.input_tokens) == (launch.session, INPUT_TOKENS + CACHED_TOKENS)
    assert (run.lab.workspace / "a.txt").read_text() == "1\n"


def test_what_was_ended_by_sigterm_is_resumed_where_it_was(run: Claude) -> None:
    with run.start(run.launch(f"[[write a.txt 1]] [[hold]] {ANSWERED}")) as running:
        assert run.api.held.wait(PATIENCE_SECONDS)
        ended = running.end(signal.SIGTERM)
    found = run.run(f"you were interrupted {ANSWERED}", resume=ended.session)
    assert (found.success, found.session) == (True, ended.session)
    assert "write a.txt 1" in json.dumps(run.api.requests[-1]["messages"])
