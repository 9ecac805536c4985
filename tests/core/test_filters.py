"""`--only`: what words mean, what they match, and what is refused."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from golemd.api.faults import Invalid
from golemd.api.model import Assessments, EndedItem, Item, Status
from golemd.core.filters import ALL, Filter, parse

ITEM = Item(
    id="WRK-1",
    project="demo",
    title="t",
    order=1,
    status=Status.IN_PROGRESS,
    pipeline="feature",
    priority=5,
    labels=("docs", "Urgent"),
    assessments=Assessments(size="small", complexity="medium", risk="high"),
)
ENDED = EndedItem(**{name: getattr(ITEM, name) for name in EndedItem.__struct_fields__})


@pytest.mark.parametrize("item", [ITEM, ENDED], ids=["live", "ended"])
@pytest.mark.parametrize(
    ("words", "matches"),
    [
        ("status=in_progress", True),
        ("status=In-Progress", True),
        ("status=new,done", False),
        ("size=small", True),
        ("size=S", True),
        ("size=m,l", False),
        ("complexity=medium", True),
        ("complexity=l", False),
        ("risk=HIGH", True),
        ("impact=low,medium,high", False),  # it has none
        ("label=docs", True),
        ("tag=docs", True),
        ("label=Docs", False),
        ("label=urgent,docs", True),
        ("label=docs label=Urgent", True),
        ("label=docs label=other", False),
        ("pipeline=feature", True),
        ("pipeline_type=feature", True),
        ("pipeline=Feature", False),
        ("priority=5", True),
        ("priority=4", False),
        ("priority=-5,5", True),
        ("priority=3..7", True),
        ("priority=6..7", False),
        ("priority=1..4", False),
        ("priority=5..", True),
        ("priority=6..", False),
        ("priority=..5", True),
        ("priority=..4", False),
        ("priority=-2..", True),
        ("priority>=5", True),
        ("priority>5", False),
        ("priority<=5", True),
        ("priority<5", False),
        ("priority=>=5", True),
        ("priority>=3 priority<=7", True),
        ("priority>=3 priority<=4", False),
        ("size=small risk=high", True),
        ("size=small risk=low", False),
        ("", True),
    ],
)
def test_a_comma_is_or_and_words_are_and(item: Item | EndedItem, words: str, matches: bool) -> None:
    assert parse(words.split()).matches(item) is matches


def test_spaces_and_case_of_keys_do_not_count() -> None:
    assert parse([" Size = small , medium "]) == parse(["size=small,medium"])


def test_a_filter_shows_itself_written_out_and_reads_itself_again() -> None:
    wanted = parse(["size=s,m", "tag=docs", "priority>3", "pipeline_type=fix", "status=in-progress"])
    assert str(wanted) == "size=small,medium label=docs priority=4.. pipeline=fix status=in_progress"
    assert parse(str(wanted).split()) == wanted
    assert msgspec.json.decode(msgspec.json.encode(wanted), type=Filter) == wanted


def test_asking_for_an_ended_status_wants_ended_items() -> None:
    assert parse(["status=blocked,done"]).wants_ended
    assert not parse(["status=blocked", "label=done"]).wants_ended
    assert ALL.matches(replace(ITEM, status=Status.DONE))


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (["small"], "'small' is not KEY=VALUE", "status, impact, size, risk, complexity, label, pipeline, priority"),
        (["=small"], "knows no ''", "Keys are status"),
        (["colour=red"], "knows no 'colour'", "Keys are status"),
        (["size="], "empty value", "one of small, medium, large"),
        (["size=small,,large"], "empty value", "one of small, medium, large"),
        (["label= "], "empty value", "any text without commas"),
        (["size=tiny"], "size is never 'tiny'", "one of small, medium, large"),
        (["risk=hi"], "risk is never 'hi'", "one of low, medium, high"),
        (["status=open"], "status is never 'open'", "one of new, scoping, ready, in_progress, blocked, done"),
        (["priority=high"], "priority is never 'high'", "3..7"),
        (["priority=.."], "priority is never '..'", ">=5"),
        (["priority=7..3"], "priority is never '7..3'", "3..7"),
        (["size<small"], "size is never '<small'", "one of small"),
        (["size=small,s"], "names 'small' twice", "once"),
        (["label=a", "label=a"], "'label=a' is given twice", "Leave one"),
        (["size=s", "size=small"], "given twice", "Leave one"),
        (["size=small", "size=medium"], "both size=small and size=medium", "--only size=small,medium"),
        (["pipeline=fixx"], "pipeline is never 'fixx'", "one of feature, fix"),
        (["label=" + "x" * 100 + ","], "…", "any text"),
    ],
)
def test_what_can_mean_nothing_is_refused_with_what_is_allowed(words: list[str], says: str, hint: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(words, pipelines={"fix", "feature"})
    fault = refused.value
    assert fault.code == "invalid_filter"
    assert says in fault.message
    assert hint in fault.hint


def test_a_pipeline_is_any_name_where_those_that_exist_are_not_known() -> None:
    assert parse(["pipeline=anything"]).terms[0].values == ("anything",)
    with pytest.raises(Invalid, match="empty value") as refused:
        parse(["pipeline="])
    assert refused.value.hint == "pipeline is the name of a pipeline."
