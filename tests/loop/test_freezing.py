"""Freezing: what is held out, near to it or not worth learning stays out of a version, and its card says so."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import gatewheel as gw
from gatewheel.data import cases as case_files
from gatewheel.data import collecting, datasets, origins, splits, suites
from gatewheel.data.cases import split_key
from gatewheel.data.collecting import Incoming
from gatewheel.data.origins import Origin
from gatewheel.data.quality import Filters
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case
from gatewheel.loop import freezing
from gatewheel.loop.freezing import Frozen, Wanted

NEAR = "How many days of holiday does an employee of the firm get in the first year"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[gw.Project]:
    gw.init(tmp_path / "home").close()
    with gw.open(tmp_path / "home") as opened:
        yield opened


def case(question: str, *references: str, cluster: str = "") -> Case:
    return Case(id="", question=question, references=references, cluster=cluster)


def study(project: gw.Project, *cases: Case, name: str = "study", split: suites.Split = "train") -> None:
    collecting.take(project.config.root, project.parts.engine, cases, name=name, split=split, encoder=None)


def write(project: gw.Project, *cases: Case) -> None:
    """By hand, so past everything that looks."""
    path = project.config.root / "suites" / "study.jsonl"
    case_files.write(path, [*case_files.read(path), *cases])


def freeze(project: gw.Project, filters: Filters = freezing.EVERYTHING, redact: tuple[str, ...] = ()) -> Frozen:
    return freezing.freeze(project.parts, Wanted(suite="study", filters=filters, redact=redact), encoder=None)


def test_a_version_is_the_suite_and_its_card_stands_beside_it(project: gw.Project) -> None:
    study(project, case("Who wrote it?", "Ada."), case("Where?", "London."))
    done = freeze(project)
    assert (done.new, done.left_out, done.dataset.cases) == (True, (), 2)
    held = datasets.load(project.parts.objects, done.dataset.id)
    assert {one.question for one in held} == {"Who wrote it?", "Where?"}
    assert done.card == project.config.root / "suites" / "study.card.md"
    assert done.dataset.id in done.card.read_text(encoding="utf-8")
    assert not freeze(project).new
    assert suites.names(project.config.root) == ["study"]


def test_what_is_held_out_or_near_to_it_is_left_out(project: gw.Project) -> None:
    study(project, case(f"{NEAR}?", "28.", cluster="staff.md"), name="exam", split="holdout")
    study(project, case("Who may take it?", "All.", cluster="staff.md"), case("Why?", "To rest."))
    write(project, case(NEAR.lower(), "28."), case("Where does the printer stand?", "There."), case("Whither?"))
    splits.assign(project.parts.engine, [case("Where does the printer stand?")], "holdout")
    done = freeze(project)
    assert {(one.kind, one.case.question) for one in done.left_out} == {
        ("leak", NEAR.lower()),
        ("held out", "Where does the printer stand?"),
        ("silent", "Whither?"),
    }
    card = done.dataset.card
    assert card["left_out"] == {"leak": 1, "held out": 1, "silent": 1}
    assert card["leaks"] == {"suites": ["exam"], "vectors": False, "clusters": 1}
    apart = freeze(project, Filters(apart=True))
    assert [one.question for one in datasets.load(project.parts.objects, apart.dataset.id)] == ["Why?"]


def test_who_freezes_waits_for_whoever_forgets(project: gw.Project) -> None:
    study(project, case("Who wrote it?", "Ada."), case("Where?", "London."))
    with ThreadPoolExecutor(1) as threads:
        with collecting.one_writer(project.config.root):
            freezing_ = threads.submit(freeze, project)
            with pytest.raises(TimeoutError):
                freezing_.result(timeout=0.3)
            path = project.config.root / "suites" / "study.jsonl"
            case_files.write(path, case_files.read(path)[1:])
        done = freezing_.result(timeout=60)
    assert [one.question for one in datasets.load(project.parts.objects, done.dataset.id)] == ["Where?"]


def test_what_is_frozen_can_never_be_held_out(project: gw.Project) -> None:
    study(project, case("Who wrote it?", "Ada."))
    write(project, case("When was it printed?", "1843."))
    freeze(project)
    with pytest.raises(UserError, match="for training already and cannot be held out"):
        splits.assign(project.parts.engine, [case("When was it printed?")], "holdout")


def test_blacked_out_cases_keep_their_origins_and_their_side(project: gw.Project) -> None:
    asked = case("What did bob@example.org ask?", "The price.")
    found = [Origin(case=split_key(asked), kind="document", ref="mail.md", detail={"span": [0, 9]})]
    incoming = Incoming(name="study", cases=[asked, case("Why?", "So.")], split="train", origins=found)
    collecting.bring(project.config.root, project.parts.engine, incoming, encoder=None)
    done = freeze(project, redact=("email",))
    assert done.redacted == 1
    held = datasets.load(project.parts.objects, done.dataset.id)
    assert {one.question for one in held} == {"What did [email] ask?", "Why?"}
    blacked = split_key(case("What did [email] ask?"))
    [origin] = origins.of(project.parts.engine, [blacked])[blacked]
    assert (origin.ref, dict(origin.detail)) == ("mail.md", {"span": [0, 9]})
    assert splits.of(project.parts.engine, [blacked, split_key(asked)]) == {blacked: "train", split_key(asked): "train"}
    assert done.dataset.card["origins"]["documents"] == [{"ref": "mail.md", "cases": 1}]
    assert done.dataset.card["redacted"] == {"kinds": ["email"], "cases": 1}


def test_what_cannot_be_frozen_is_told(project: gw.Project) -> None:
    study(project, case("Who?", "Ada."), name="exam", split="holdout")
    with pytest.raises(
        UserError, match=r"suite exam are held out, not for training; part it: gatewheel data split exam"
    ):
        freezing.freeze(project.parts, Wanted(suite="exam"), encoder=None)
    study(project, case("Why is it so?", "So."))
    with pytest.raises(UserError, match="of the 1 cases of study none is left: 1 of them, reply too short"):
        freeze(project, Filters(min_words=9))
    (project.config.root / "suites" / "exam.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"exam\.jsonl, line 1"):
        freeze(project)
    assert datasets.versions(project.parts.engine) == []


def test_near_cases_are_told_by_vectors_where_there_is_an_encoder(project: gw.Project) -> None:
    from gatewheel.loop import nearness

    study(project, case("What is the capital city of France?", "Paris"), name="exam", split="holdout")
    study(project, case("What's the capital of France?", "Paris"), case("Who built the old bridge?", "Eiffel"))
    assert not freeze(project).left_out
    encoder = nearness.encoder_of(project.parts)
    done = freezing.freeze(project.parts, Wanted(suite="study"), encoder=encoder)
    assert [(one.kind, one.case.question) for one in done.left_out] == [("leak", "What's the capital of France?")]
    assert done.dataset.card["leaks"]["vectors"]
