"""Verify commands: the daemon's own look at an agent's work."""

from __future__ import annotations

from tests.path.ground import ended
from tests.path.house import House

CHECK = "if grep draft a.txt; then echo it is a draft; exit 1; fi; echo all is well"


def test_a_failing_verify_is_fixed_in_the_same_tree_with_the_evidence_in_the_prompt(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "build", "verify": [CHECK]}])
    item = project.work("[[build.1: write a.txt a draft]] [[build.1: write b.txt kept]] [[build.2: write a.txt good]]")
    daemon.done(item)
    failed, passed = (record["data"] for record in daemon.records("evidence.recorded", item))
    assert (failed["outcome"], failed["status"], failed["spends"]) == ("failed", 1, "fix")
    assert (passed["outcome"], passed["status"], passed["lines"]) == ("passed", 0, ["all is well"])
    assert "it is a draft" in failed["lines"]
    assert passed["tree"] == project.git("rev-parse", f"golem/{item}^{{tree}}")
    assert project.file_of(item, "b.txt") == "kept"
    prompt = (daemon.state / "attempts" / f"{item}.1.build.2" / "prompt.md").read_text(encoding="utf-8")
    assert "it is a draft" in prompt
    assert CHECK in prompt


def test_fixes_have_a_bound_and_a_retry_renews_it(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "build", "verify": ["false"]}], execution={"max_fix_attempts": 1})
    item = project.work("[[write a.txt x]]")
    gate = daemon.until("gate.opened", item)["data"]
    assert (gate["kind"], gate["key"]) == ("failure", "verify")
    assert "'false' still fails after 1 fix attempt (" in gate["question"]
    assert len(daemon.records("evidence.recorded", item)) == 2
    daemon.decide(item, "retry")
    daemon.until("gate.opened", item, gate=f"{item}.g2")
    assert len(daemon.records("evidence.recorded", item)) == 4


def test_commands_run_in_order_and_the_first_failure_counts(daemon: House) -> None:
    project = daemon.project(
        phases=[{"name": "build", "verify": ["echo one", "exit 7", "echo three"]}], execution={"max_fix_attempts": 0}
    )
    item = project.work("[[write a.txt x]]")
    daemon.until("gate.opened", item)
    found = [
        (record["data"]["command"], record["data"]["outcome"]) for record in daemon.records("evidence.recorded", item)
    ]
    assert found == [("echo one", "passed"), ("exit 7", "failed"), ("echo three", "not_run")]


def test_the_projects_verify_holds_for_phases_that_name_none(daemon: House) -> None:
    project = daemon.project(
        phases=[{"name": "plan", "verify": []}, {"name": "build"}], execution={"verify": ["test -f a.txt"]}
    )
    item = project.work("[[build: write a.txt x]]")
    daemon.done(item)
    assert [record["data"]["phase"] for record in daemon.records("evidence.recorded", item)] == ["build"]


def test_what_a_verify_command_leaves_in_the_tree_is_not_committed(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "build", "verify": ["touch junk.txt"]}])
    item = project.work("[[write a.txt x]]")
    daemon.done(item)
    assert "junk.txt" not in project.git("ls-tree", "--name-only", f"golem/{item}")


def test_a_verify_command_is_ended_at_the_time_limit_with_all_its_children(daemon: House) -> None:
    project = daemon.project(
        phases=[{"name": "build", "verify": ["sleep 600 & sleep 600"], "timeout_minutes": 0.04}],
        execution={"max_fix_attempts": 0},
    )
    item = project.work("[[write a.txt x]]")
    gate = daemon.until("gate.opened", item)["data"]
    assert gate["key"] == "verify"
    assert any("time limit" in line for line in daemon.records("evidence.recorded", item)[0]["data"]["lines"])
    assert all(map(ended, daemon.left())), "also a git command of golemd's own"


def test_values_of_secrets_are_masked_in_evidence(house: House) -> None:
    house.config.write_text('[environment]\nset = { API_KEY = "very-secret-value" }\n', encoding="utf-8")
    house.start()
    project = house.project(phases=[{"name": "build", "verify": ['echo "key $API_KEY"']}])
    item = project.work("[[write a.txt x]]")
    house.done(item)
    (evidence,) = house.records("evidence.recorded", item)
    assert evidence["data"]["lines"] == ["key •••"]
    assert "very-secret-value" not in (house.state / "journal.jsonl").read_text(encoding="utf-8")


def test_a_restart_in_the_middle_of_a_verify_runs_it_again(daemon: House) -> None:
    flag = daemon.root / "flag"
    project = daemon.project(phases=[{"name": "build", "verify": [f"test -e {flag} || exec sleep 600"]}])
    item = project.work("[[write a.txt x]]")
    daemon.until("attempt.spawned", item, attempt=f"{item}.1.build.verify_1.1")
    assert daemon.stop() == 0
    flag.touch()
    daemon.start()
    daemon.done(item)
    assert [record["data"]["outcome"] for record in daemon.records("evidence.recorded", item)] == ["passed"]


def test_a_command_that_runs_out_of_memory_has_failed_and_says_so(house: House) -> None:
    house.settings(max_memory_mb=64)
    house.start()
    project = house.project(phases=[{"name": "build", "verify": ["tail /dev/zero"]}], execution={"max_fix_attempts": 0})
    item = project.work()
    evidence = house.until("evidence.recorded", item)["data"]
    assert evidence["outcome"] == "failed"
    limit = "64 MB for all its processes together (max_memory_mb in golemd.toml)"
    assert evidence["lines"][-1] == f"it ran out of memory: {limit}"
