"""`gatewheel evals calibrate`: from what people said of answers to a metric that a suite can name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import gatewheel as gw
from answered import side, variant
from answering import answer
from gatewheel.cli import schemas
from gatewheel.cli.main import run
from gatewheel.data import cases as case_files
from gatewheel.evals import calibration
from gatewheel.evals.people import Item, Label
from gatewheel.kernel.errors import ConfigError
from gatewheel.kernel.nouns import Case, Report, Scored
from gatewheel.loop import answers, calibrated, labelling, reports
from gatewheel.loop.answers import Key
from gatewheel.loop.calibrating import Wanted, calibrate
from gatewheel.loop.evaluate import metrics_of, put
from gatewheel.loop.progress import Progress
from gatewheel.loop.reports import Asked, Kept

ROOMS = "amber birch cedar dahlia elm fern gorse hazel iris juniper kale larch maple nettle oak pine".split()


def lines(n: int = 96) -> list[dict[str, Any]]:
    """Answers that keep to a text about a room, and answers that tell of another one; three a text."""
    made = []
    for at in range(n):
        room, other = ROOMS[at // 6 % len(ROOMS)], ROOMS[(at // 6 + 5) % len(ROOMS)]
        context = (
            f"The {room} room opens with code {4711 + at // 6}. It seats {5 + at // 6} people near the {room} stairs."
        )
        faithful = at % 2 == 0
        told = room if faithful or at % 7 == 0 else other
        said = f"The {told} room opens with code {4711 + at // 6 if faithful else 9000 + at}."
        made.append({"question": "?", "context": context, "answer": said, "faithful": faithful, "cluster": room})
    return made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    gw.init(tmp_path / "home").close()
    text = "".join(json.dumps(line) + "\n" for line in lines())
    (tmp_path / "home" / "judged.jsonl").write_text(text, encoding="utf-8")
    return tmp_path / "home"


def called(home: Path, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert run(["-C", str(home), "evals", "calibrate", *words]) == code
    out, err = capsys.readouterr()
    if "--json" not in words or code:
        return out, err
    value = json.loads(out)
    jsonschema.validate(value, schemas.schema("evals-calibrate"))
    return value


def test_judged_answers_of_a_file_become_a_metric(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = ["--file", str(home / "judged.jsonl"), "--signal", "lexical-grounding"]
    told = called(home, capsys, *file, "--json")
    assert (told["answers"], told["faithful"], told["skipped"]) == (96, 48, 0)
    assert told["together"]["auroc"] > 0.9
    assert told["alone"][0]["weight"] > 0
    made = calibration.read(home / "grounded.json")
    assert made.signals == ("lexical-grounding",)
    out, _ = called(home, capsys, *file)
    assert "96 judged answers, 48 of them faithful" in out
    assert 'grounded.json is written: add "grounded" to the metrics of a suite.' in out


def test_one_that_was_stopped_reads_no_answer_again(home: Path) -> None:
    wanted = Wanted(file=home / "judged.jsonl", signals=("lexical-grounding",))
    told: list[Progress] = []

    def stop(now: Progress) -> None:
        if now.done == 30:
            raise KeyboardInterrupt

    with gw.open(home) as project:
        with pytest.raises(KeyboardInterrupt):
            calibrate(project.parts, wanted, home / "grounded.json", run="r", on_progress=stop)
        assert not (home / "grounded.json").exists()
        resumed = calibrate(project.parts, wanted, home / "grounded.json", run="r", on_progress=told.append)
        assert (told[-1].done, told[-1].known, told[-1].total) == (96, 30, 96)
        assert resumed == calibrate(project.parts, wanted, home / "grounded.json")


def test_too_few_are_refused_and_nothing_is_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = home / "few.jsonl"
    few.write_text("".join(json.dumps(line) + "\n" for line in lines(30)), encoding="utf-8")
    _, err = called(home, capsys, "--file", str(few), code=1)
    assert "20 more labelled answers (there are 30)" in err
    assert not (home / "grounded.json").exists()


def test_answers_about_one_context_are_not_independent(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One context without a cluster would be fitted on and held out: 96 answers to 9 texts are 9 clusters."""
    contexts = [line["context"] for line in lines()[::6]][:9]
    some = [{**line, "context": contexts[at % 9], "cluster": ""} for at, line in enumerate(lines())]
    (home / "some.jsonl").write_text("".join(json.dumps(line) + "\n" for line in some), encoding="utf-8")
    _, err = called(home, capsys, "--file", str(home / "some.jsonl"), "--signal", "lexical-grounding", code=1)
    assert "1 more clusters (there are 9)" in err


def test_another_checker_or_other_weights_under_the_same_name_are_refused(home: Path) -> None:
    made = calibration.Calibration(
        signals=("faithfulness", "evidence-gain"),
        weights=(1.0, 1.0),
        intercept=0.0,
        answers=96,
        faithful=48,
        auroc=0.8,
        ece=0.1,
        model="reader",
    )
    toml, weights = home / "gatewheel.toml", home / "weights"
    weights.mkdir()
    (weights / "w.bin").write_bytes(b"one")
    table = (
        f'\n[model.reader]\nuse = "hf"\nweights = "{weights}"\n[metric.grounded]\nuse = "grounded"\nmodel = "reader"\n'
    )
    text = toml.read_text(encoding="utf-8") + table

    def metric(more: str = "") -> object:
        toml.write_text(text + more, encoding="utf-8")
        with gw.open(home) as project:
            return metrics_of(project.parts, ["grounded"])["grounded"]

    toml.write_text(text, encoding="utf-8")
    with gw.open(home) as project:
        told = {part: calibrated.identity(project.parts, part, "reader") for part in ("checker", "likelihoods")}
    calibration.write(home / "grounded.json", replace(made, **told))
    assert metric()
    with pytest.raises(ConfigError, match="metric grounded was made with another checker or encoder"):
        metric('\n[checker.main]\nuse = "grounding"\nanswerability = 0.7\n')
    (weights / "w.bin").write_bytes(b"another")
    with pytest.raises(
        ConfigError, match=r"another \[model\.reader\] than there is now; run `gatewheel evals calibrate"
    ):
        metric()


def test_what_signals_were_made_with_is_written_down(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called(home, capsys, "--file", str(home / "judged.jsonl"), "--signal", "faithfulness", "--json")
    with gw.open(home) as project:
        now = calibrated.identity(project.parts, "checker", "")
        assert metrics_of(project.parts, ["grounded"])
    assert calibration.read(home / "grounded.json").checker == now


def test_labels_that_the_signals_do_not_tell_are_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = [{**line, "faithful": hash_of(at)} for at, line in enumerate(lines())]
    (home / "noise.jsonl").write_text("".join(json.dumps(line) + "\n" for line in noise), encoding="utf-8")
    words = ["--file", str(home / "noise.jsonl"), "--signal", "lexical-grounding"]
    _, err = called(home, capsys, *words, code=1)
    assert "the signals tell nothing that is not chance: AUROC" in err
    assert not (home / "grounded.json").exists()


def hash_of(at: int) -> bool:
    return (at * 2_654_435_761) % 97 < 48


def test_a_wrong_line_and_both_or_neither_kind_of_labels_are_told(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "wrong.jsonl").write_text('{"context": "x", "answer": "y", "faithful": "perhaps"}\n', encoding="utf-8")
    _, err = called(home, capsys, "--file", str(home / "wrong.jsonl"), code=1)
    assert "wrong.jsonl, line 1: the answer's faithful" in err
    for words in ([], ["suite", "--file", str(home / "judged.jsonl")]):
        _, err = called(home, capsys, *words, code=1)
        assert "labels are of a suite or in a file, one of them" in err


def test_grades_that_are_kept_count_by_their_mean_and_a_question_is_a_cluster(home: Path) -> None:
    made = lines(96)
    cases = [
        Case(id=f"c{at}", question=f"Which code opens the room number {at}?", context=line["context"])
        for at, line in enumerate(made)
    ]
    (home / "suites").mkdir(exist_ok=True)
    case_files.write(home / "suites" / "rooms.jsonl", cases)
    (home / "suites" / "rooms.toml").write_text('metrics = ["lexical-grounding"]\n', encoding="utf-8")
    with gw.open(home) as project:
        engine, asked = project.parts.engine, {}
        for case, line in zip(cases, made, strict=True):
            answers.keep(engine, Key(variant=variant("app main"), corpus="", case=put(case)), answer(line["answer"]))
            asked[case.id] = Asked(question=case.question, expected=(), key=put(case), corpus="")
        rows = tuple(Scored(case=case.id, values={}) for case in cases)
        head = {"id": "r" * 32, "created": 1.0, "suite": "rooms", "suite_id": "s" * 64, "corpus": ""}
        report = Report(**head, variant=variant("app main"), rows=rows)
        reports.keep(engine, Kept(report=report, target="app main", run="", cases=asked))
        for case, line in zip(cases, made, strict=True):
            for rater, grade in (("Ada", 4.0 if line["faithful"] else 1.0), ("Bob", 3.0)):
                item = Item(case=put(case), a=side("app main"))
                labelling.give(engine, "rooms", Label(item=item, rater=rater, scores={"faithful": grade}))
        wanted = Wanted(suite="rooms", at_least=3.0, signals=("lexical-grounding",))
        found = calibrate(project.parts, wanted, home / "grounded.json")
        assert (found.made.answers, found.made.faithful) == (96, 48)
        assert found.together.auroc > 0.9
        # who grades by more criteria later has said it anew, not twice: the mean of 4, 4 and 1 would be faithful
        for case in cases[::4]:
            item = Item(case=put(case), a=side("app main"))
            twice = {"faithful": 4.0, "complete": 1.0}
            labelling.give(engine, "rooms", Label(item=item, rater="Ada", scores=twice, created=2e9))
            labelling.give(engine, "rooms", Label(item=item, rater="Bob", scores={"faithful": 1.0}, created=2e9))
        again = calibrate(project.parts, replace(wanted, at_least=2.9), home / "grounded.json")
        assert (again.made.answers, again.made.faithful) == (96, 24)
