"""`gatewheel gate` judges by asking: exit codes, reasons, files, and what it leaves in the history."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from sqlalchemy import func, select, update

import gatewheel as gw
from gatewheel.cli.main import run
from gatewheel.kernel import durable
from gatewheel.kernel.errors import ProjectError
from gatewheel.kernel.store.schema import documents, reports, traces
from gatewheel.loop import reports as kept_report
from gatewheel.loop.gating import decide
from gatewheel.loop.progress import Progress, Watching
from gatewheel.ops import releases
from gating import make

DOCS = Path(__file__).parents[2] / "docs"
Told = Callable[..., tuple[int, Any]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs a command with --json: its exit code and what it printed, or the error."""

    def command(folder: Path, *arguments: str) -> tuple[int, Any]:
        code = run(["-C", str(folder), *arguments, "--json"])
        said = capsys.readouterr()
        return code, json.loads(said.out or said.err.splitlines()[-1])

    return command


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of which nothing is released: what answers now is [app.main] of its file."""
    return make(tmp_path_factory.mktemp("rooms"))


def test_what_is_worse_is_rejected_with_what_it_lost(rooms: Path, told: Told) -> None:
    code, said = told(rooms, "gate", "deaf")
    assert (code, said["outcome"], said["cases"]) == (3, "reject", 40)
    outcomes = {(reason["rule"], reason["metric"]): reason["outcome"] for reason in said["reasons"]}
    assert outcomes == {("better", "inclusion"): "reject", ("not worse", "abstention"): "reject"}
    assert said["incumbent"] != said["candidate"]
    with gw.open(rooms) as project:
        row = releases.history(project.parts.engine)[said["row"] - 1]
    assert (row.action, row.variant, row.reason["outcome"]) == ("gate", said["candidate"], "reject")
    assert row.reason["reports"] == said["reports"]


def test_what_is_better_is_promoted(rooms: Path, told: Told) -> None:
    code, said = told(rooms, "gate", "main", "--against", "deaf")
    assert (code, said["outcome"]) == (0, "promote")
    assert said["row"] is None, "nothing may be released by a comparison with something that does not answer"


def test_what_makes_no_difference_is_not_better(rooms: Path, told: Told) -> None:
    code, said = told(rooms, "gate", "same")
    assert (code, said["outcome"]) == (4, "inconclusive")
    assert "the same" in said["reasons"][0]["text"]


def test_evaluating_fills_no_traces_and_asks_nothing_twice(rooms: Path, told: Told) -> None:
    first = told(rooms, "gate", "deaf")[1]
    assert told(rooms, "gate", "deaf")[1] == first
    with gw.open(rooms) as project, project.parts.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(traces)).scalar_one() == 0


def test_a_gate_and_a_candidate_that_are_not_there_are_told(rooms: Path, told: Told) -> None:
    code, said = told(rooms, "gate", "fedcba")
    assert (code, said["error"]) == (1, "no variant 'fedcba'")
    code, said = told(rooms, "gate", "deaf", "--gate", "mian")
    assert (code, said["cure"]) == (1, "did you mean 'main'?")


def test_a_gate_that_asks_for_what_its_suite_does_not_measure_is_told(tmp_path: Path, told: Told) -> None:
    make(tmp_path, gate="floors = { recall = 0.5 }\n")
    for command in (["gate", "main"], ["config", "check"]):
        code, said = told(tmp_path, *command)
        assert code == 1
        assert "[gate.main] asks for recall, which suite rooms does not measure" in said["error"]


def test_a_gate_asks_no_suite_that_is_there_to_learn_from(tmp_path: Path, told: Told) -> None:
    make(tmp_path)
    (tmp_path / "suites" / "rooms.toml").write_text('metrics = ["inclusion", "abstention"]\nsplit = "train"\n')
    for command in (["gate", "deaf"], ["config", "check"]):
        code, said = told(tmp_path, *command)
        assert code == 1
        assert "[gate.main] asks suite rooms, whose cases are for training" in said["error"]


def test_a_candidate_gains_nothing_by_a_milder_checker_of_its_own(tmp_path: Path, told: Told) -> None:
    strict, mild = ('\n[checker.main]\nuse = "grounding"\n' + line for line in ("support = 1.0\n", "support = 0.0\n"))
    make(tmp_path, gate="floors = { faithfulness = 0.5 }\n", more=mild, metrics='"faithfulness"')
    code, said = told(tmp_path, "gate", "main")
    assert (code, "faithfulness is 1 " in said["reasons"][0]["text"]) == (0, True)
    milder, judged = said["candidate"], said["reports"]
    toml = tmp_path / "gatewheel.toml"
    toml.write_text(toml.read_text().replace(mild, strict))
    code, said = told(tmp_path, "gate", milder)
    assert (code, said["candidate"], said["reasons"][0]["outcome"]) == (3, milder, "reject")
    with gw.open(tmp_path) as project:
        engine = project.parts.engine
        first, second = (kept_report.get(engine, id_).report.suite_id for id_ in (judged[0], said["reports"][0]))
        assert first != second, "what other judges said is not compared"


def test_after_the_way_back_to_the_file_it_is_compared_with_the_last_release(tmp_path: Path, told: Told) -> None:
    make(tmp_path)
    assert told(tmp_path, "gate", "main")[1]["incumbent"] == "", "before the first release there is nobody"
    assert told(tmp_path, "release", "promote", "main")[0] == 0
    assert told(tmp_path, "release", "rollback")[0] == 0
    code, said = told(tmp_path, "gate", "main")
    assert (code, said["reasons"][0]["rule"]) == (3, "changed"), "it was released, and nothing else ever was"
    code, said = told(tmp_path, "release", "promote", "same", "--override", "so that there is another one")
    assert told(tmp_path, "release", "rollback")[0] == 0
    code, judged = told(tmp_path, "gate", "main")
    assert (code, judged["incumbent"]) == (4, said["variant"])


def test_no_gate_is_asked_while_something_else_is_at_work(rooms: Path, told: Told) -> None:
    with durable.exclusive(rooms / ".gatewheel"):
        code, said = told(rooms, "gate", "deaf")
    assert (code, said["error"].partition(";")[0]) == (1, "another run is at work in this project")


def test_documents_that_change_while_it_is_asked_end_it(tmp_path: Path) -> None:
    with gw.open(make(tmp_path)) as project:

        def meddle(now: Progress) -> None:
            if now.done == now.total:
                with project.parts.engine.begin() as connection:
                    connection.execute(update(documents).values(sha256="0" * 64))

        with pytest.raises(ProjectError, match="the documents changed meanwhile; run it again"):
            decide(project.parts, "deaf", watching=Watching(on_progress=meddle))
        assert releases.history(project.parts.engine) == []


def test_a_suite_that_changes_while_it_is_asked_is_judged_as_it_was(tmp_path: Path) -> None:
    cases = make(tmp_path) / "suites" / "rooms.jsonl"
    with gw.open(tmp_path) as project:

        def meddle(now: Progress) -> None:
            if now.target.startswith("candidate") and now.done == now.total:
                cases.write_text("".join(f"{line}\n" for line in cases.read_text().splitlines()[:10]))

        decided = decide(project.parts, "deaf", watching=Watching(on_progress=meddle))
        assert (decided.cases, decided.of, len(cases.read_text().splitlines())) == (40, 40, 10)
        made = [kept_report.get(project.parts.engine, id_).report for id_ in decided.reports]
        assert [len(one.rows) for one in made] == [40, 40]


def test_a_gate_refuses_a_suite_of_which_every_case_is_a_slice(tmp_path: Path, told: Told) -> None:
    make(tmp_path, gate="slices = { inclusion = 0.1 }\n")
    path = tmp_path / "suites" / "rooms.jsonl"
    cases = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text(
        "".join(json.dumps({**one, "tags": [f"{at}-{n}" for n in range(6)]}) + "\n" for at, one in enumerate(cases))
    )
    for command in (["gate", "deaf"], ["config", "check"]):
        code, said = told(tmp_path, *command)
        assert (code, "which has 240 tags; 200 are allowed" in said["error"]) == (1, True)


def test_the_files_for_a_pull_request_and_for_the_build(rooms: Path, tmp_path: Path) -> None:
    markdown, junit = tmp_path / "gate.md", tmp_path / "gate.xml"
    assert run(["-C", str(rooms), "gate", "deaf", "--markdown", str(markdown), "--junit", str(junit)]) == 3
    lines = markdown.read_text().splitlines()
    assert lines[0] == "## ❌ Gate `main`: reject"
    assert sum(line.startswith("| ❌ | ") for line in lines) == 2
    suite = ElementTree.parse(junit).getroot()[0]
    assert suite.attrib == {"name": "gate main", "tests": "2", "failures": "2", "errors": "0"}
    assert [case.attrib["name"] for case in suite] == ["better inclusion", "not worse abstention"]
    assert [case[0].attrib["type"] for case in suite] == ["reject", "reject"]
    assert run(["-C", str(rooms), "gate", "deaf", "--markdown", str(tmp_path / "no" / "folder.md")]) == 1


def test_a_gate_that_looks_on_the_way_stops_when_all_is_settled(tmp_path: Path, told: Told) -> None:
    make(tmp_path, gate="better = { inclusion = 0.0 }\nslices = { inclusion = 0.3 }\nsequential = true\nstep = 10\n")
    code, said = told(tmp_path, "gate", "deaf")
    assert (code, said["outcome"]) == (3, "reject")
    assert said["cases"] < said["of"] == 40
    code, said = told(tmp_path, "gate", "same")
    assert (code, said["cases"]) == (4, 40)
    cases = tmp_path / "suites" / "rooms.jsonl"
    first, *rest = cases.read_text().splitlines()
    rare = json.dumps({**json.loads(first), "tags": ["door", "rare"]})
    cases.write_text("\n".join([rare, *rest]) + "\n")
    code, said = told(tmp_path, "gate", "main", "--against", "deaf")
    assert (code, said["cases"]) == (4, 40), "of a slice that was not yet seen nothing is said before the end"
    assert [one["slice"] for one in said["reasons"] if one["outcome"] == "inconclusive"] == ["rare"]
    with gw.open(tmp_path) as project, project.parts.engine.connect() as connection:
        kept = connection.execute(select(reports.c.id)).scalars().all()
        last = [row.reason["reports"] for row in releases.history(project.parts.engine)] + [said["reports"]]
    assert set(kept) == {id_ for ids in last for id_ in ids}, "no report of a look on the way is left behind"


def test_what_read_the_documents_otherwise_is_judged_by_its_report_of_then(tmp_path: Path, told: Told) -> None:
    make(tmp_path, gate="not_worse = { inclusion = 0.2 }\n")
    assert told(tmp_path, "gate", "main")[0] == 0
    assert told(tmp_path, "release", "promote", "main")[0] == 0
    toml = (tmp_path / "gatewheel.toml").read_text()
    (tmp_path / "gatewheel.toml").write_text(f'{toml}\n[chunker.main]\nuse = "fixed"\ntokens = 64\n')
    with gw.open(tmp_path) as project:
        project.ingest()
    code, said = told(tmp_path, "gate", "main")
    assert (code, said["outcome"]) == (0, "promote")
    with gw.open(tmp_path) as project:
        assert said["incumbent"] == releases.current(project.parts.engine, "main") != said["candidate"]
    (tmp_path / "suites" / "rooms.toml").write_text('metrics = ["inclusion"]\n')  # what was answered is scored anew
    code, said = told(tmp_path, "gate", "main")
    assert (code, said["outcome"]) == (0, "promote")
    with (tmp_path / "suites" / "rooms.jsonl").open("a") as file:
        file.write(json.dumps({"question": "Who keeps the keys of the cellar?", "references": ["nobody"]}) + "\n")
    code, said = told(tmp_path, "gate", "main")
    assert (code, "did not answer all of rooms then" in said["error"]) == (1, True)


def test_the_workflow_of_the_page_judges_a_pull_request(tmp_path: Path) -> None:
    steps = yaml.safe_load((DOCS / "examples" / "gate.yml").read_text())["jobs"]["gate"]["steps"]
    scripts = [step for step in steps if step.get("name", "").startswith("What ")]
    make(tmp_path, more='[metric.own]\nuse = "python"\nfunction = "judging:own"\n')
    (tmp_path / "judging.py").write_text("def own(case, answer):\n    return 0.5\n")
    shutil.rmtree(tmp_path / ".gatewheel")

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "base")
    base = git("rev-parse", "HEAD")
    toml = tmp_path / "gatewheel.toml"
    toml.write_text(toml.read_text().replace("[app.main]", '[app.main]\nchecker = "deaf"'))
    git("commit", "--quiet", "--all", "--message", "head")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def code(step: Any) -> int:
        environment = {**os.environ, "PATH": path, "BASE": base, "HEAD": git("rev-parse", "HEAD"), "SUITE": "rooms"}
        shell = ["python", "-c"] if step.get("shell") == "python" else ["bash", "-e", "-c"]
        return subprocess.run([*shell, step["run"]], cwd=tmp_path, env=environment, capture_output=True).returncode

    assert [code(step) for step in scripts] == [0, 0, 3]
    assert (tmp_path / "gate.md").read_text().startswith("## ❌ Gate `main`: reject")
    moves = {
        "gatewheel.toml": ("[gate.main]", toml.read_text().replace("inclusion = 0.0", "inclusion = 0.1")),
        "suites/learnt.jsonl": ("suites/learnt.jsonl", '{"question": "What was learnt?"}\n'),
        "judging.py": ("judging.py", "def own(case, answer):\n    return 1.0\n"),
    }
    for file, (told, text) in moves.items():
        head = git("rev-parse", "HEAD")
        (tmp_path / file).write_text(text)
        git("add", file)
        git("commit", "--quiet", "--message", "another bar")
        assert code(scripts[0]) == 1, file
        assert f"The bar is not that of the base branch: {told}." in (tmp_path / "gate.md").read_text()
        git("reset", "--quiet", "--hard", head)
