"""What is forgotten is found wherever it went: into prompts, into old answers, into what only quotes it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

import gatewheel as gw
from gatewheel.data import cases as case_files
from gatewheel.data import datasets, origins, suites
from gatewheel.data.cases import split_key
from gatewheel.kernel import runs, trace
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case, Report, Scored
from gatewheel.loop import (
    artifacts,
    begun,
    forgetting,
    forgotten,
    freezing,
    harvesting,
    leaks,
    lineage,
    reports,
    tainting,
    wording,
)
from gatewheel.loop.evaluate import put
from gatewheel.loop.forgotten import Forgotten
from gatewheel.loop.project import Project
from gatewheel.loop.reports import Asked, Kept
from gatewheel.ops.retention import purge
from learned import BYHAND, DRAFTED, KEPT, Learned

LAMP = "docs/lamp.md"
KETTLE = "docs/kettle.md"
DOOR = "docs/door.md"  # of which nothing tells but that it was shown


def forget(project: Project, document: str, *, yes: bool = True) -> Forgotten:
    wanted = forgotten.asked_for(project.parts, document=document)
    return (forgetting.forget if yes else forgotten.look)(project.parts, wanted)


def texts(made: Learned) -> bytes:
    """All that the project's state holds."""
    return b"\0".join(path.read_bytes() for path in (made.home / ".gatewheel").rglob("*") if path.is_file())


# --- learned from a prompt ---


def adapter(project: Project, name: str, **meta: Any) -> str:
    file = project.config.root / name
    file.write_text(name)
    said = {"base": {"weights": "SmolLM2", "sha256": "0" * 64}, **meta}
    kept = artifacts.keep(project.parts.engine, project.parts.objects, file, kind="adapter", run="", meta=said)
    file.unlink()
    return kept.id


def test_what_learned_from_prompts_that_showed_a_document_learned_of_it(project: Project, made: Learned) -> None:
    one = adapter(project, "one", dataset="0" * 64, shown=[DOOR])
    file = adapter(project, "file", adapter=one)
    above = adapter(project, "above", base={"weights": "object:" + file, "sha256": file})
    down = lineage.lineage(project.parts, DOOR, up=False).down
    assert down is not None
    [step] = [branch for branch in down.branches if branch.node.kind == "artifact"]
    assert (step.node.id, [each.node.id for each in step.branches]) == (one, [file])
    up = lineage.lineage(project.parts, one, down=False).up
    assert up is not None
    assert [(each.node.kind, each.node.id) for each in up.branches] == [("document", DOOR)]
    told = forget(project, DOOR)
    assert {id_ for id_, _ in told.tainted.artifacts} == {one, file, above}, "and nothing that was not shown it"
    for id_ in (one, file, above):
        with pytest.raises(UserError, match=r"learned of what was forgotten since: document docs/door\.md"):
            tainting.refuse_artifact(project.parts.engine, id_)
    assert lineage.lineage(project.parts, one).up is not None, "that it was shown is known for ever"


def test_an_interrupted_run_whose_prompts_showed_it_cannot_go_on(project: Project, made: Learned) -> None:
    engine, state = project.parts.engine, project.config.state
    run = runs.create(engine, "finetune", settings={"data": "taught"}, config={})
    frozen = datasets.freeze(engine, project.parts.objects, "elsewhere", [KEPT])
    said = {"dataset": frozen.id, "validation": "", "steps": 3, "shown": [DOOR]}
    folder = runs.folder(state, run)
    (folder / "steps.jsonl").write_text(json.dumps(["begun", said]) + "\n")
    (folder / "lesson.json").write_text("the lamp has a green shade")
    begun.refuse_forgotten(project.parts, run)
    assert [one.id for one in forget(project, DOOR).found.runs] == [run]
    assert not (folder / "lesson.json").exists()
    with pytest.raises(UserError, match=r"cannot go on: it learned of what was forgotten since: document docs/door"):
        begun.refuse_forgotten(project.parts, run)


# --- documents that are no more, or no more the same ---


def read(project: Project, made: Learned, text: str, **changed: Any) -> str:
    """An answer for which a document was read, which says this text by now."""
    id_ = "5" * 32
    [before] = trace.find(project.parts.engine, made.unrelated)
    trace.keep(project.parts.engine, replace(before, id=id_, key="", **changed))
    (made.home / "docs" / "lamp.md").write_text(text)
    project.ingest()
    return id_


def test_an_answer_is_found_by_a_document_that_was_edited_since(project: Project, made: Learned) -> None:
    id_ = read(project, made, "# Lamp\n\nThe lamp was sold.\n")
    up = lineage.lineage(project.parts, id_, down=False).up
    assert up is not None
    assert LAMP in [one.node.id for one in up.branches]
    assert {id_, made.unrelated} == set(forget(project, LAMP).found.traces)
    assert trace.find(project.parts.engine, id_) == []


def test_an_answer_is_found_by_a_document_that_is_no_more(project: Project, made: Learned) -> None:
    (made.home / "docs" / "door.md").write_text("# Door\n\nThe door of the office is blue.\n")
    project.ingest()
    passage = project.parts.passages(None).passages_of(DOOR)[0].id
    [before] = trace.find(project.parts.engine, made.unrelated)
    named = {trace.DOCUMENTS: [{"id": passage, "source": DOOR, "score": 0.5}]}
    trace.keep(
        project.parts.engine,
        replace(before, id="5" * 32, spans=(replace(before.spans[0], attributes=named),)),
    )
    (made.home / "docs" / "door.md").unlink()
    project.ingest()
    assert lineage.lineage(project.parts, DOOR).node.label == "not in the index"
    with pytest.raises(UserError, match="nothing here is called"):
        lineage.lineage(project.parts, DOOR, hidden=["document"])
    assert forget(project, DOOR).found.traces == ("5" * 32,)
    assert trace.find(project.parts.engine, "5" * 32) == []


def test_records_of_a_file_that_is_no_more_are_found_by_its_name(project: Project, made: Learned) -> None:
    [before] = trace.find(project.parts.engine, made.unrelated)
    for sign, source in (("5", "docs/staff.jsonl#2"), ("6", "docs/staff.jsonl.md")):
        named = {trace.DOCUMENTS: [{"id": sign * 16, "source": source, "score": 0.5}]}
        made_of = replace(before, id=sign * 32, spans=(replace(before.spans[0], attributes=named),))
        trace.keep(project.parts.engine, made_of)
    one = adapter(project, "one", shown=["docs/staff.jsonl#7"])
    told = forget(project, "docs/staff.jsonl")
    assert (told.found.traces, told.tainted.artifacts) == (("5" * 32,), ((one, "adapter"),))


def test_a_trace_of_a_former_version_is_found_as_well_as_can_be(project: Project, made: Learned) -> None:
    [before] = trace.find(project.parts.engine, made.unrelated)
    passage = before.spans[0].attributes[trace.DOCUMENTS][0]["id"]
    case_files.write(made.home / "suites" / "study.jsonl", [Case(id="mine", question="What is on the desk?")])
    (made.home / "suites" / "study.toml").write_text('metrics = ["inclusion"]\n')
    origins.keep(
        project.parts.engine,
        [origins.Origin(case=split_key(Case(id="", question="What is on the desk?")), kind="trace", ref="8" * 32)],
    )
    other = f"[1] ({LAMP}x) It is green.\n[2] (archive/{LAMP}) It was.\n[3] ({LAMP.upper()}) Was it?"
    quoting = f"[1] (docs/other.md) Write prompts so:\n[1] ({LAMP}) and the text."
    for sign, id_, prompt in (
        ("5", passage, ""),
        ("6", "a" * 16, f"[1] ({LAMP}) It is green."),
        ("7", "a" * 16, ""),
        ("8", "a" * 16, other),
        ("9", "a" * 16, quoting),
        ("a", "a" * 16, f"What says {LAMP}?\n[1] ({LAMP})"),
    ):
        said = {trace.DOCUMENTS: [{"id": id_, "score": 1.0}], trace.INPUT_MESSAGES: [{"role": "user", "parts": prompt}]}
        asked = prompt if sign == "a" else before.question
        old = replace(before, id=sign * 32, question=asked, spans=(replace(before.spans[0], attributes=said),))
        trace.keep(project.parts.engine, old)
    found = forget(project, LAMP).found
    assert set(found.traces) == {made.unrelated, "5" * 32, "6" * 32}
    assert {*found.unsourced} == {sign * 32 for sign in "789a"}, "nobody can know, and that is told"
    assert [one.id for one in case_files.read(made.home / "suites" / "study.jsonl")] == ["mine"]


def test_who_never_said_what_their_prompts_showed_is_told(project: Project, made: Learned) -> None:
    toml = made.home / "gatewheel.toml"
    toml.write_text(f'{toml.read_text()}[app.sort]\nuse = "direct"\nprompt = "sort"\n')
    with gw.open(made.home) as opened:
        old = adapter(opened, "old", dataset="0" * 64, app="main")
        adapter(opened, "sorts", dataset="0" * 64, app="sort")
        adapter(opened, "new", dataset="0" * 64, app="main", shown=[])
        run = runs.create(opened.parts.engine, "finetune", settings={"app": "main"}, config={})
        said = {"dataset": "0" * 64, "validation": "", "steps": 3}
        (runs.folder(opened.config.state, run) / "steps.jsonl").write_text(json.dumps(["begun", said]) + "\n")
        found = forget(opened, LAMP, yes=False)
        assert {*found.found.untold} == {old, run}, "of the tuned one it is known by its cases"
        assert old not in {id_ for id_, _ in found.tainted.artifacts}


def test_a_document_leads_to_a_case_whose_trace_is_gone_for_its_age(project: Project, made: Learned) -> None:
    id_ = read(project, made, "# Lamp\n\nThe lamp was sold.\n", question="What is on the desk?")
    project.give_feedback(id_, correction="A lamp with a green shade.")
    harvesting.harvest(project.parts, harvesting.Wanted(to="study"), encoder=None)
    [case] = [one for one in suites.load(made.home, "study").cases if one.question == "What is on the desk?"]
    purge(project.parts.engine, older_than=1e12)
    down = lineage.lineage(project.parts, LAMP, up=False).down
    assert down is not None
    assert split_key(case) in [one.node.id for one in down.branches]
    up = lineage.lineage(project.parts, split_key(case), down=False).up
    assert up is not None
    assert LAMP in [one.node.id for one in up.branches]
    assert split_key(case) in forget(project, LAMP).found.cases
    assert "on the desk" not in " ".join(path.read_text() for path in (made.home / "suites").iterdir())


# --- what only quotes it ---


def test_nothing_that_was_kept_to_save_time_or_said_of_a_failure_quotes_it(project: Project, made: Learned) -> None:
    parts, words = project.parts, BYHAND.question.encode()
    folder = made.home / "suites"
    case_files.write(folder / "web.jsonl", [Case(id="w", question=BYHAND.question)])
    (folder / "held.toml").write_text('metrics = ["inclusion"]\ntrained_on = ["web.jsonl"]\n')
    assert leaks.of_cases(parts, "held", (BYHAND, KEPT)).cases == {BYHAND.id}
    (folder / "web.jsonl").unlink()
    failed = runs.create(parts.engine, "finetune", settings={}, config={})
    why = f"1 of the 2 validation cases are learned too, such as '{BYHAND.question}'"
    runs.end(parts.engine, failed, "failed", error=f"{runs.USERS}{why}")
    (runs.folder(parts.config.state, failed) / "log.txt").write_text(f"KeyError: '{BYHAND.question}'\n")
    row = Scored(case=BYHAND.id, values={"inclusion": (1.0,)}, error=f"no: {BYHAND.question}")
    said = {
        one.id: Asked(question=one.question, expected=one.references, key=put(one), corpus="c")
        for one in (BYHAND, KEPT)
    }
    report = Report(id="e" * 32, created=1.0, suite="held", suite_id="s", variant=made.variant, corpus="c", rows=(row,))
    reports.keep(parts.engine, Kept(report=report, target="app main", run="", cases=said))
    assert words in texts(made)
    assert forget(project, KETTLE).found.quotes.reports == ("e" * 32,)
    kept = reports.get(parts.engine, "e" * 32)
    assert kept.cases[KEPT.id].question == KEPT.question
    assert (kept.report.rows[0].values, kept.cases[BYHAND.id].expected) == ({"inclusion": (1.0,)}, ())
    run = runs.get(parts.engine, failed)
    assert (run.error.startswith(runs.USERS), BYHAND.question in run.error) == (True, False)
    assert forget(project, KETTLE).found.quotes.reports == ()
    project.close()
    assert words not in texts(made)


# --- learned again, by consent ---


def test_words_that_came_back_may_be_learned_again_and_what_learned_them_before_not(
    project: Project, made: Learned
) -> None:
    path = made.home / "suites" / "taught.jsonl"
    before = path.read_bytes()
    forget(project, KETTLE)
    path.write_bytes(before)
    with pytest.raises(UserError, match="learned of what was forgotten"):
        tainting.refuse_artifact(project.parts.engine, made.adapter)
    for _ in range(2):
        with pytest.raises(UserError, match=r"holds what was forgotten since: .*: gatewheel data freeze taught"):
            wording.read(project.parts, "taught", lambda _: None)
    assert not project.parts.objects.has(made.dataset), "nothing brings the words back but who asks for it"
    done = freezing.freeze(project.parts, freezing.Wanted(suite="taught"), encoder=None, lift=True)
    back = done.dataset
    assert (back.id, back.tainted, done.lifted) == (made.dataset, (), (f"document {KETTLE} was forgotten",))
    assert wording.read(project.parts, "taught", lambda _: None)[0] == datasets.find(project.parts.engine, "taught")
    assert datasets.find(project.parts.engine, "taught") == back
    assert done.card
    assert "## What is in it" in done.card.read_text(encoding="utf-8")
    assert datasets.find(project.parts.engine, made.dataset[:12]).tainted == ()
    for id_ in (made.adapter, made.gguf):
        with pytest.raises(UserError, match="learned of what was forgotten"):
            tainting.refuse_artifact(project.parts.engine, id_)
    new = adapter(project, "new", dataset=back.id)
    tainting.refuse_artifact(project.parts.engine, new)
    forget(project, KETTLE)
    with pytest.raises(UserError, match="learned of what was forgotten"):
        tainting.refuse_artifact(project.parts.engine, new)
    assert DRAFTED.question not in path.read_text()
