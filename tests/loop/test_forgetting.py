"""What is forgotten is gone, wherever it stood; what learned of it is marked, and nothing lets that pass again."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

import gatewheel as gw
import learned
from gatewheel.data import cases as case_files
from gatewheel.data import datasets, drafts, suites
from gatewheel.data.cases import split_key
from gatewheel.kernel import runs, trace
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.store import learning, schema
from gatewheel.kernel.store.database import URL_VARIABLE
from gatewheel.loop import adding, artifacts, exporting, forgetting, forgotten, freezing, releasing, tainting
from gatewheel.loop.forgotten import Forgotten
from gatewheel.loop.gating import decide
from gatewheel.loop.health import examine
from gatewheel.loop.lineage import lineage
from gatewheel.loop.project import Project
from gatewheel.ops import feedback
from gating import make
from learned import DRAFTED, KEPT, OTHER, Learned


def forget(project: Project, *, yes: bool = True, **whom: str) -> Forgotten:
    wanted = forgotten.asked_for(project.parts, **whom)
    return (forgetting.forget if yes else forgotten.look)(project.parts, wanted)


def counted(project: Project, table: Any) -> int:
    with project.parts.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def questions(project: Project, suite: str) -> list[str]:
    return [case.question for case in suites.load(project.config.root, suite).cases]


def test_looking_changes_nothing(project: Project, made: Learned) -> None:
    before = learned.everything(made.home)
    told = forget(project, document="docs/kettle.md", yes=False)
    assert (told.done, told.before, told.file) == (False, None, "docs/kettle.md")
    assert learned.everything(made.home) == before
    assert told.found.traces == (made.asked,)
    assert told.tainted.served[0].variant == made.variant


def test_a_document_is_gone_with_all_that_rests_on_it(project: Project, made: Learned) -> None:
    told = forget(project, document="docs/kettle.md")
    engine = project.parts.engine
    assert told.found.sources == ("docs/kettle.md",)
    assert not project.search("kettle")
    assert [hit.passage.source for hit in project.search("lamp")] == ["docs/lamp.md"]
    assert [one.id for one in trace.recent(engine, limit=9)] == [made.unrelated]
    assert [one.trace for one in feedback.recent(engine, limit=9)] == [made.unrelated]
    assert questions(project, "taught") == [OTHER.question]
    assert questions(project, "held") == [KEPT.question], "a case by hand that names it as its source goes too"
    assert counted(project, schema.answers) == 1
    assert (counted(project, learning.origins), counted(project, schema.responses)) == (1, 1)
    held = project.parts.objects.get(datasets.find(engine, "taught").id).decode()
    assert (held.count("\n"), OTHER.question in held) == (1, True)
    assert not project.parts.objects.has(made.dataset)
    everywhere = " ".join(path.read_text(errors="replace") for path in (made.home / "suites").iterdir())
    assert "kettle" not in everywhere.casefold()
    run = runs.get(engine, made.run)
    assert "kettle" not in str(run.result)
    assert sorted(path.name for path in runs.folder(project.config.state, made.run).iterdir()) == ["log.txt"]
    assert (made.home / "docs" / "kettle.md").exists(), "the file is the user's"
    assert project.ingest().added == 1, "and would be read again"


def test_no_byte_of_it_stays_in_the_state_of_the_project(made: Learned) -> None:
    words = b"1.7 litres"
    state = made.home / ".gatewheel"
    assert any(words in path.read_bytes() for path in state.rglob("*") if path.is_file())
    with gw.open(made.home) as project:
        forget(project, document="docs/kettle.md")
    assert [path.name for path in state.rglob("*") if path.is_file() and words in path.read_bytes()] == []


def test_what_a_service_answers_from_it_meanwhile_goes_too(
    project: Project, made: Learned, monkeypatch: pytest.MonkeyPatch
) -> None:
    [before] = trace.find(project.parts.engine, made.asked)

    def answered(*_: Any) -> None:
        trace.keep(project.parts.engine, replace(before, id="7" * 32))

    steps = forgetting.STEPS
    monkeypatch.setattr(forgetting, "STEPS", (*steps[:-2], answered, *steps[-2:]))
    forget(project, document="docs/kettle.md")
    assert [one.id for one in project.traces()] == [made.unrelated]


def test_any_database_forgets(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, store_url)
    made = learned.make(tmp_path / "home")
    with gw.open(made.home) as project:
        assert lineage(project.parts, made.asked[:8]).node.kind == "trace"
        for whom in ({"document": "docs/kettle.md"}, {"user": "bea"}):
            forget(project, **whom)
            assert forget(project, **whom).found.cases == frozenset()
        assert (project.traces(), counted(project, learning.origins), counted(project, schema.answers)) == ([], 1, 1)
        assert lineage(project.parts, made.variant).node.tainted == ("document docs/kettle.md was forgotten",)


def test_a_user_is_gone_with_what_they_asked_and_what_was_learned_of_it(project: Project, made: Learned) -> None:
    told = forget(project, user="ada")
    assert (told.found.wanted.user, told.found.sources, len(told.found.sent)) == (made.ada, (), 1)
    assert (counted(project, learning.client_files), counted(project, schema.responses)) == (0, 1)
    assert [one.id for one in project.traces()] == [made.unrelated]
    assert questions(project, "taught") == [DRAFTED.question, OTHER.question]
    assert questions(project, "held") != []
    assert project.search("kettle"), "the documents stay"
    assert told.tainted.artifacts == ((made.adapter, "adapter"), (made.gguf, "gguf"))


def test_an_author_is_gone_with_what_they_said_and_what_was_asked_stays(project: Project, made: Learned) -> None:
    project.parts.config.root.joinpath("suites", "taught.card.md").unlink()
    told = forget(project, user=made.bea)
    assert (len(told.found.traces), len(told.found.feedback)) == (1, 2)
    assert [one.id for one in project.traces()] == [made.asked]
    assert feedback.recent(project.parts.engine, limit=9) == []
    assert questions(project, "taught") == [DRAFTED.question, OTHER.question]
    assert not (made.home / "suites" / "taught.card.md").exists()


def test_words_whose_trace_is_gone_for_its_age_still_lead_to_their_case(project: Project, made: Learned) -> None:
    from gatewheel.ops.retention import purge

    purge(project.parts.engine, older_than=1e12)
    told = forget(project, user="bea")
    assert (told.found.traces, told.found.feedback, len(told.found.cases)) == ((), (), 1)
    assert questions(project, "taught") == [DRAFTED.question, OTHER.question]


def test_what_learned_is_tainted_however_it_was_made(project: Project, made: Learned) -> None:
    forget(project, document="docs/kettle.md")
    parts, reason = project.parts, "document docs/kettle.md was forgotten"
    taints = tainting.read(parts.engine)
    assert taints.of_artifact(made.adapter) == taints.of_artifact(made.gguf) == (reason,)
    assert lineage(parts, made.variant).node.tainted == (reason,)
    late = made.home / "late"
    late.write_bytes(b"what was under way meanwhile")
    meta = {"base": {"weights": "w", "sha256": "0" * 64}, "dataset": made.dataset}
    one = artifacts.keep(parts.engine, parts.objects, late, kind="adapter", run="", meta=meta)
    assert tainting.read(parts.engine).of_artifact(one.id) == (reason,)
    with pytest.raises(UserError, match=r"adapter .* learned of what was forgotten since: document docs/kettle"):
        adding.add(parts, made.run)
    to = made.home / "exported"
    with pytest.raises(UserError, match=r"adapter .* learned of what was forgotten since: document docs/kettle"):
        exporting.write(parts, artifacts.get(parts.engine, made.adapter), to, kind="lora")
    assert not to.exists()


def test_nothing_lets_a_tainted_variant_pass(project: Project, made: Learned) -> None:
    forget(project, document="docs/kettle.md")
    parts = project.parts
    for release in (releasing.promote, releasing.propose):
        with pytest.raises(UserError, match=r"learned of what was forgotten since.*no override"):
            release(parts, "main", made.variant)
    with pytest.raises(UserError, match="learned of what was forgotten since"):
        releasing.promote(parts, "main", made.variant, override="but I want it")
    assert [one.app for one in tainting.served(parts.engine)] == ["main"]
    found = [one for one in examine(made.home, measure=False, say=lambda _: None) if one.area == "releases"]
    assert [(one.state, one.cure) for one in found] == [
        ("wrong", "gatewheel release rollback --app main, or release another")
    ]


def test_a_gate_rejects_a_tainted_candidate_before_anybody_is_asked(tmp_path: Path) -> None:
    home = make(tmp_path, gate="floors = { inclusion = 0.2 }\n")
    with gw.open(home) as project:
        variant = project.variant()
        weights = tainting.weights_of(variant.recipe)[0]
        with project.parts.engine.begin() as connection:
            row = {"kind": "artifact", "ref": weights, "reason": "user ada was forgotten", "created": 1.0}
            connection.execute(insert(learning.taints), [row])
        found = decide(project.parts, "main")
    assert (found.decision.outcome, found.cases, found.reports) == ("reject", 0, ())
    [reason] = found.decision.reasons
    assert (reason.rule, reason.outcome) == ("forgotten", "reject")
    assert "user ada was forgotten" in reason.text


@pytest.mark.parametrize("whom", [{"document": "docs/kettle.md"}, {"user": "ada"}], ids=["document", "user"])
def test_the_same_again_changes_nothing(project: Project, made: Learned, whom: dict[str, str]) -> None:
    first = forget(project, **whom)
    before = learned.everything(made.home)
    again = forget(project, **whom)
    assert learned.everything(made.home) == before
    assert again.before is not None
    assert (again.found.traces, again.found.cases, again.found.versions) == ((), frozenset(), ())
    assert again.tainted.artifacts == first.tainted.artifacts
    assert again.tainted.datasets == (made.dataset,)


def killed(home: Path, at: int, whom: dict[str, str]) -> None:
    """Forgetting, in a process of its own that is killed before this step."""
    if child := os.fork():  # an interpreter of its own takes seconds to begin, and there are twenty of them
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        return
    try:
        forgetting.STEPS = (*forgetting.STEPS[:at], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        with gw.open(home) as project:
            forget(project, **whom)
    finally:
        os._exit(1)


@pytest.mark.parametrize("whom", [("document", "docs/kettle.md"), ("user", "bea")], ids=["document", "user"])
def test_killed_at_any_step_the_same_again_ends_in_the_same_state(tmp_path: Path, whom: tuple[str, str]) -> None:
    made, whole = tmp_path / "made", tmp_path / "whole"
    learned.make(made)
    shutil.copytree(made, whole)
    with gw.open(whole) as project:
        forget(project, **dict([whom]))
    wanted = learned.everything(whole)
    for at in range(len(forgetting.STEPS) + 1):
        one = tmp_path / str(at)
        shutil.copytree(made, one)
        killed(one, at, dict([whom]))
        with gw.open(one) as project:
            forget(project, **dict([whom]))
        assert learned.everything(one) == wanted, f"killed before step {at}"


def test_what_is_unknown_is_an_error_with_the_nearest_name(project: Project) -> None:
    with pytest.raises(UserError, match=r"no document 'docs/kettel\.md'; .*docs/kettle\.md"):
        forgotten.asked_for(project.parts, document="docs/kettel.md")
    with pytest.raises(UserError, match=r"no key or author 'adda'.*ada"):
        forgotten.asked_for(project.parts, user="adda")
    for wrong in ({}, {"document": "a", "user": "b"}):
        with pytest.raises(UserError, match="either a document or a user"):
            forgotten.asked_for(project.parts, **wrong)


def test_one_record_of_a_file_goes_and_the_others_stay(project: Project, made: Learned) -> None:
    (made.home / "docs" / "staff.jsonl").write_text('{"text": "Ada has a desk."}\n{"text": "Ada has debts."}\n')
    project.ingest()
    forget(project, document="docs/staff.jsonl#2")
    assert [hit.passage.text for hit in project.search("Ada")] == ["Ada has a desk."]
    assert project.ingest().unchanged == 3, "its file is not read again while it stays as it is"


def test_drafts_and_examples_go_too(project: Project, made: Learned) -> None:
    folder = made.home / "suites"
    draft = replace(DRAFTED, id="", question="How often is the kettle descaled?")
    assert drafts.add(made.home, "held", draft)
    assert drafts.add(made.home, "held", replace(OTHER, id="stays", question="Has the lamp a shade?"))
    case_files.write(folder / "shown.jsonl", [DRAFTED, replace(OTHER, question="And the other lamp?")])
    (folder / "held.toml").write_text('metrics = ["inclusion"]\nexamples = "shown.jsonl"\n')
    forget(project, document="docs/kettle.md")
    assert [case.id for case in drafts.read(made.home, "held")] == ["stays"]
    assert [case.question for case in case_files.read(folder / "shown.jsonl")] == ["And the other lamp?"]


def test_a_suite_without_any_other_case_goes(project: Project, made: Learned) -> None:
    (made.home / "suites" / "taught.jsonl").write_text(
        '{"id": "drafted", "question": "When is the kettle descaled?", "references": ["On Mondays"]}\n'
    )
    forget(project, document="docs/kettle.md")
    assert suites.names(made.home) == ["held"]
    assert split_key(DRAFTED) not in (made.home / "suites").joinpath("held.jsonl").read_text()


def test_an_older_version_is_no_newest_one_again(project: Project, made: Learned) -> None:
    path = made.home / "suites" / "taught.jsonl"
    path.write_text(path.read_text().splitlines(True)[2])
    newest = freezing.freeze(project.parts, freezing.Wanted(suite="taught"), encoder=None).dataset
    forget(project, document="docs/kettle.md")
    assert [one.id for one in datasets.versions(project.parts.engine, "taught")] == [newest.id, made.dataset]
