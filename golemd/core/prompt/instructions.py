"""What a phase without workflow files is told to do, by its name: a pipeline works in any repository as it is.

A project's own workflow files take the place of these words. The texts say what the phase is for, what it leaves
behind, and what belongs to another phase.
"""

from __future__ import annotations

from typing import Final

BY_NAME: Final[dict[str, str]] = {
    "research": (
        "Find out what this item needs, before anybody decides how to do it. Read the code, tests and documents "
        "that it touches; look at how the repository solves similar things. Write what you found to research.md in"
        " the change folder: what exists, what is missing, constraints, risks, open questions, and the files that "
        "matter, by path. Change nothing else. Correct the assessments if you now know better."
    ),
    "prd": (
        "Say what is to be achieved, not how. Write prd.md in the change folder: the problem and who has it, the "
        "goal, what is part of it and what is not, and acceptance criteria that somebody else can check one by "
        "one. Keep it as short as the item is small. What you have to assume, list as assumptions."
    ),
    "tech-research": (
        "Find the ways in which the goal can be reached in this code base. Check what you rely on: read the "
        "sources and documentation of the libraries that are installed, try small experiments outside the tree. "
        "Write tech-research.md in the change folder: the options with their costs, and which one you recommend "
        "and why."
    ),
    "design": (
        "Decide how it will be done. Write design.md in the change folder: the parts that change and how they fit "
        "together, names and data, errors and edge cases, how it is tested, what was decided against. Follow the "
        "style and the architecture that the repository has."
    ),
    "spec": (
        "Turn the design into steps that can be carried out one after the other. Write spec.md in the change "
        "folder: for each step the files, the change, its tests, and how to tell that it is done. Each step leaves"
        " the tree working."
    ),
    "plan": (
        "Decide how this item will be done, and change nothing else yet. Read what it touches. Write plan.md in "
        "the change folder: the approach, the steps with their files and tests, edge cases, and what is "
        "deliberately left out. If something must be decided by a human, end as blocked with one clear question."
    ),
    "build": (
        "Carry the item out, completely: code, tests, documentation that would otherwise become wrong. Follow the "
        "plan, design or spec of earlier phases in the change folder where there is one, and say where you had to "
        "depart from it. Write tests that fail without your change. Run what checks the repository has. Leave no "
        "debris, no unrelated changes. When the work is large, end with subphase_complete after a step that stands"
        " by itself."
    ),
    "verify": (
        "Check that the item is really done. Run the tests and checks of the repository, try the change as its "
        "user would, go through the acceptance criteria one by one. Mend small defects and add tests that were "
        "missing; report what is beyond that as failed with what you saw, or as a follow-up when it is not part of"
        " this item."
    ),
    "review": (
        "Review all that this item has changed since its base, as an experienced maintainer who must live with it."
        " Look for wrong behaviour, missing cases, broken contracts, weak tests, needless complexity, names that "
        "mislead, documents that became untrue. Mend what is clearly wrong; list what you found as findings "
        "(severity, file, line, what, why). End as failed only when it should not go on as it is."
    ),
}
_OTHER_NAMES: Final = {
    "implement": "build",
    "implementation": "build",
    "code": "build",
    "test": "verify",
    "qa": "verify",
}


def instructions_for(phase: str) -> str:
    """What the phase of that name is to do."""
    text = BY_NAME.get(_OTHER_NAMES.get(phase, phase))
    return text or f"Do what the phase {phase!r} of this item calls for, completely."
