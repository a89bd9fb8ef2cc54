"""From an answer to what it was made of, and from a document, a user or a word of feedback to all that came of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

import gatewheel as gw
import learned
from gatewheel.data.cases import split_key
from gatewheel.data.origins import Origin, keep
from gatewheel.kernel import trace
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.store import schema
from gatewheel.loop.compose import Parts
from gatewheel.loop.lineage import FAN, Branch, lineage
from learned import CORRECTED, DRAFTED, OTHER, Learned


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    return learned.make(tmp_path_factory.mktemp("lineage"))


@pytest.fixture
def parts(made: Learned) -> Iterator[Parts]:
    with gw.open(made.home) as project:
        yield project.parts


def kinds(branch: Branch | None) -> list[list[str]]:
    """Every way from the root to a leaf, as kinds."""
    if branch is None or not branch.branches:
        return [[branch.node.kind]] if branch else []
    return [[branch.node.kind, *way] for one in branch.branches for way in kinds(one)]


def every(branch: Branch | None) -> dict[tuple[str, str], Branch]:
    if branch is None:
        return {}
    found = {(branch.node.kind, branch.node.id): branch}
    for one in branch.branches:
        found = {**every(one), **found} if one.again else {**found, **every(one)}
    return found


def test_an_answer_is_followed_to_the_span_of_the_document_that_was_learned(parts: Parts, made: Learned) -> None:
    with parts.engine.begin() as connection:
        values = {"id": "9" * 32, "created": 20.0, "kind": "ask", "question": "And?", "answer": "1.7", "spans": []}
        numbers = {"abstained": False, "seconds": 1.0, "input_tokens": 1, "output_tokens": 1}
        connection.execute(insert(schema.traces).values(**values, **numbers, variant=made.variant))
    found = lineage(parts, "9999").up
    way = ["trace", "variant", "artifact", "artifact", "run", "dataset", "case", "document"]
    assert way in kinds(found)
    assert [*way[:-1], "trace", "variant"] in kinds(found)
    spans = {(one.where, one.node.label) for one in _all(found) if one.node.id == "docs/kettle.md"}
    assert ("characters 10–48", "Kettle") in spans
    assert every(found)["release", "1"].node.label == "promote for [app.main]"
    assert ("document", "docs/lamp.md") not in every(found)


@pytest.mark.parametrize("named", ["docs/kettle.md", "said", "bea", "asked", "dataset"])
def test_what_came_of_it_leads_to_the_release(parts: Parts, made: Learned, named: str) -> None:
    found = lineage(parts, getattr(made, named, named), up=False)
    assert found.up is None
    reached = every(found.down)
    learned_by = (("dataset", made.dataset), ("run", made.run), ("artifact", made.adapter), ("artifact", made.gguf))
    assert set(learned_by) <= reached.keys()
    assert reached["variant", made.variant].branches[0].node.kind == "release"


def test_what_was_only_read_is_an_answer_and_no_case(parts: Parts, made: Learned) -> None:
    found = every(lineage(parts, "docs/lamp.md").down)
    assert {kind for kind, _ in found} == {"document", "trace", "feedback"}
    assert ("trace", made.unrelated) in found


def test_what_is_met_twice_is_told_once(parts: Parts, made: Learned) -> None:
    found = lineage(parts, made.dataset).up
    documents = [way for way in kinds(found) if way[-1] == "document"]
    assert len(documents) >= 2
    assert sum(not one.again for one in _all(found) if one.node.kind == "document") == 1


def _all(branch: Branch | None) -> list[Branch]:
    return [branch, *(inner for one in branch.branches for inner in _all(one))] if branch else []


def test_large_fans_are_counted_unless_all_is_asked_for(parts: Parts, made: Learned, tmp_path: Path) -> None:
    keep(parts.engine, [Origin(case=f"{n:032x}", kind="file", ref="many.jsonl") for n in range(40)])
    few = lineage(parts, "many.jsonl").down
    assert few is not None
    assert (len(few.branches), few.more) == (FAN, {"case": 40 - FAN})
    assert few.branches[0].node.label == "its text is gone"
    whole = lineage(parts, "many.jsonl", most=0).down
    assert whole is not None
    assert (len(whole.branches), whole.more) == (40, {})


def test_cases_are_named_by_id_and_by_what_they_ask(parts: Parts, made: Learned) -> None:
    for named in ("drafted", split_key(DRAFTED), split_key(DRAFTED)[:8]):
        node = lineage(parts, named).node
        assert (node.kind, node.id, node.label) == ("case", split_key(DRAFTED), DRAFTED.question)
    assert lineage(parts, "taught").node.id == made.dataset, "a name of a dataset is its newest version"


def test_what_means_nothing_or_several_things_says_so(parts: Parts, made: Learned) -> None:
    with pytest.raises(UserError, match=r"nothing here is called 'docs/kettel\.md'.*docs/kettle\.md"):
        lineage(parts, "docs/kettel.md")
    with pytest.raises(UserError, match=r"nothing here is called '11'.*a trace, variant, case"):
        lineage(parts, "11")
    keep(parts.engine, [Origin(case="1" * 12 + "0" * 20, kind="file", ref="x.jsonl")])
    with pytest.raises(UserError, match="means 2 things: trace 111111111111, case 111111111111; write more of it"):
        lineage(parts, "1" * 8)
    with pytest.raises(UserError, match=r"nothing here is called 'docs/kettle\.md'") as hidden:
        lineage(parts, "docs/kettle.md", hidden=("document",))
    assert "lamp" not in str(hidden.value)


def test_an_answer_whose_document_was_read_anew_is_found_by_what_is_there(parts: Parts, made: Learned) -> None:
    assert trace.find(parts.engine, made.asked)
    up = every(lineage(parts, made.asked).up)
    assert ("document", "docs/kettle.md") in up
    assert ("case", split_key(CORRECTED)) not in up
    assert ("case", split_key(OTHER)) not in up
