"""Prompts: made of durable facts only, and they hold all that an agent needs to know."""

from __future__ import annotations

from golemd.api import calls
from golemd.api.config import Guardrails
from golemd.core.prompt import prompt_for
from tests.core.world import End, World, config, phase


def prompt(world: World, item: str, number: int = 1) -> str:
    return prompt_for(world.state, world.run(item), number)


def test_a_first_prompt_names_item_phase_task_and_result() -> None:
    world = World()
    world.project(config(phases=(phase("build", verify=("make", "lint")), "ship")))
    item = world.add("Fix it", description=" The login fails. ", labels=("ui", "bug"), vars={"area": "auth"})
    world.ask(calls.ItemEdit(id=item, size="small", risk="low"))
    world.held = {"build"}
    world.go()
    text = prompt(world, item)
    for part in (
        f"# {item}: phase build\n",
        f"(branch golem/{item})",
        "This is attempt 1.",
        f"## Item\n\nId: {item}\nTitle: Fix it\nLabels: ui, bug\nAssessments: size small, risk low",
        "- area = auth",
        "\nThe login fails.\n",
        "## Pipeline feature\n\n**build** → ship",
        "Carry the item out, completely",
        "- `make`\n- `lint`",
        f'{{"item_id": "{item}", "phase": "build",',
        "GOLEM_RESULT",
    ):
        assert part in text
    assert "Builds upon" not in text


def test_what_people_said_is_told_whole_wherever_they_said_it() -> None:
    world = World()
    world.project(config(phases=("build", phase("ship", gate=("approval",))), guardrails=Guardrails(max_risk="low")))
    item = world.add()
    world.ask(calls.ItemEdit(id=item, risk="high"))
    world.go()
    long = "Mind the door. " * 1000
    world.decide(item, "approve", long)
    world.script["build"] = [End(result={"result": "blocked", "question": "Which?"})]
    world.settle()
    world.decide(item, "answer", f"{long}That one.")
    world.held = {"ship"}
    world.settle()
    text = prompt(world, item)
    assert f"A human decided 'approve' at the item and says:\n\n{long.strip()}" in text
    world.ask(calls.ItemAdvance(id=item, to="build", force=True))
    world.held = {"build"}
    world.settle()
    assert world.run(item).phase.name == "build"
    assert f"{long}That one." in prompt(world, item), "also when the phase is done again"


def test_a_dependency_that_ended_without_a_word_is_named_alone() -> None:
    world = World()
    world.project()
    first = world.add("The ground")
    item = world.add(dependencies=(first,))
    world.script["build"] = [End(result={"summary": ""})]
    world.go()
    world.reopen(item)
    world.held = {"build"}
    world.go()
    assert f"- {first}: The ground\n\n" in prompt(world, item)


def test_a_bare_item_has_no_empty_headings() -> None:
    world = World()
    world.project()
    item = world.add()
    world.held = {"build"}
    world.go()
    text = prompt(world, item)
    assert not any(word in text for word in ("Labels:", "Assessments:", "Variables:", "must succeed"))
    assert "\n\n\n" not in text


def test_workflow_files_are_named_in_their_order() -> None:
    world = World()
    world.project(config(phases=(phase("build", workflows=("b.md", "a.md")),)))
    item = world.add()
    world.held = {"build"}
    world.go()
    assert "in this order:\n- b.md\n- a.md" in prompt(world, item)


def test_dependencies_and_earlier_phases_are_told() -> None:
    world = World()
    world.project(config(phases=("plan", "build")))
    first = world.add("The ground")
    item = world.add(dependencies=(first,))
    world.script["plan"] = [End(), End(result={"summary": "x" * 700})]
    world.script["build"] = [End(), End(result={"result": "blocked"})]
    world.go()
    text = prompt(world, item)
    assert f"## Builds upon\n\n- {first}: The ground\n  It ended with: did it" in text
    assert f"plan ended with: {'x' * 700}\n" in text


def test_the_same_facts_make_the_same_prompt_after_a_restart() -> None:
    world = World()
    world.project()
    item = world.add()
    world.held = {"build"}
    world.go()
    before = prompt(world, item)
    world.restart()
    assert prompt(world, item) == before


def test_a_run_that_is_not_bound_yet_has_no_branch_to_name() -> None:
    world = World()
    world.project()
    item = world.add()
    world.start()
    world.step()
    assert "(branch of this item)" in prompt(world, item)


def test_a_phase_that_ended_without_words_is_passed_over_in_silence() -> None:
    world = World()
    world.project(config(phases=("plan", "build")))
    item = world.add()
    world.script["plan"] = [End(result={"summary": ""})]
    world.held = {"build"}
    world.go()
    assert "ended with" not in prompt(world, item)
