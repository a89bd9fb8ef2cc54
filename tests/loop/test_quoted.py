"""Only what quotes the words that go is purged with them, and what a state is told by is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import learned
from gatewheel.data import cases as case_files
from gatewheel.data import vectors
from gatewheel.kernel import runs
from gatewheel.kernel.nouns import Case, Report, Scored
from gatewheel.loop import answers, forgetting, forgotten, leaks, reports, tuning_jobs
from gatewheel.loop.evaluate import put
from gatewheel.loop.forgotten import Forgotten
from gatewheel.loop.project import Project
from gatewheel.loop.reports import Asked, Kept
from gatewheel.loop.running import PAUSED, STOPPED
from gatewheel.loop.verbatim import words_of
from learned import BYHAND, KEPT, OTHER, Learned
from storing import HashEncoder

KETTLE = "docs/kettle.md"
ASKED = "What does the kettle hold?"


def forget(project: Project, *, yes: bool = True, **whom: str) -> Forgotten:
    wanted = forgotten.asked_for(project.parts, **(whom or {"document": KETTLE}))
    return (forgetting.forget if yes else forgotten.look)(project.parts, wanted)


def ended(project: Project, state: str, error: str, log: str = "", **settings: Any) -> str:
    run = runs.create(project.parts.engine, "finetune", settings=settings, config={})
    runs.end(project.parts.engine, run, state, error=error)
    if log:
        (runs.folder(project.config.state, run) / "log.txt").write_text(log)
    return run


def said(project: Project, run: str) -> tuple[str, bool]:
    log = runs.folder(project.config.state, run) / "log.txt"
    return runs.get(project.parts.engine, run).error, log.exists()


def test_what_says_that_a_job_waits_for_its_client_is_left_alone(project: Project) -> None:
    paused, stopped = (ended(project, "interrupted", why, job={"base": "m"}) for why in (PAUSED, STOPPED))
    forget(project)
    assert tuning_jobs.is_paused(runs.get(project.parts.engine, paused))
    assert said(project, stopped)[0] == STOPPED


def test_errors_and_logs_go_only_where_they_quote_what_goes(project: Project) -> None:
    other = ended(project, "failed", "ModelError: the server at port 8000 timed out", log="connecting\n")
    error = ended(project, "failed", f"cases are held out, such as '{ASKED.upper()}'", log="tuned for 3 steps\n")
    log = ended(project, "interrupted", "", log='KeyError: "The kettle of the office holds 1.7 lit')
    short = ended(project, "failed", "metric inclusion has no place for 'on Mondays'")
    told = forget(project, yes=False).found.quotes
    assert {*told.runs} == {error, log, short}
    forget(project)
    assert said(project, other) == ("ModelError: the server at port 8000 timed out", True)
    assert (ASKED.upper() in said(project, error)[0], said(project, error)[1]) == (False, True)
    assert said(project, log) == ("", False)
    assert "Mondays" not in said(project, short)[0]
    assert forget(project).found.quotes.runs == ()


def test_a_user_takes_along_what_their_jobs_said_of_what_they_sent(project: Project, made: Learned) -> None:
    mine, other = (
        ended(project, "failed", "user: line 3: 'zebra' is no role", job={}, payer=payer)
        for payer in (made.ada, made.bea)
    )
    forget(project, user="ada")
    assert ("zebra" in said(project, mine)[0], "zebra" in said(project, other)[0]) == (False, True)


def test_leaks_and_vectors_of_others_stay(project: Project, made: Learned) -> None:
    folder, state = made.home / "suites", project.config.state
    case_files.write(folder / "web.jsonl", [Case(id="w", question=OTHER.question)])
    (folder / "held.toml").write_text('metrics = ["inclusion"]\ntrained_on = ["web.jsonl"]\n')
    leaks.of_cases(project.parts, "held", (OTHER,))
    kept = {path.name for path in (state / leaks.FOLDER).iterdir()}
    case_files.write(folder / "web.jsonl", [Case(id="w", question=BYHAND.question)])
    leaks.of_cases(project.parts, "held", (BYHAND,))
    (folder / "web.jsonl").unlink()
    (folder / "held.toml").write_text('metrics = ["inclusion"]\n')
    once = vectors.Once(HashEncoder(), folder=state / vectors.FOLDER)
    once.encode([BYHAND.question, ASKED, KEPT.question])
    told = forget(project, yes=False).found.quotes
    assert (len(told.leaks), told.vectors) == (1, 2)
    forget(project)
    assert {path.name for path in (state / leaks.FOLDER).iterdir()} == kept
    anew = vectors.Once(HashEncoder(), folder=state / vectors.FOLDER)
    assert anew.missing([BYHAND.question, ASKED, KEPT.question]) == 2


def test_a_case_that_was_reworded_since_loses_its_former_words_too(project: Project, made: Learned) -> None:
    engine, before = project.parts.engine, replace(BYHAND, question="Which person takes the scale out of it?")
    asked = {
        one.id: Asked(question=one.question, expected=one.references, key=put(one), corpus="c")
        for one in (before, KEPT)
    }
    for sign, suite in (("d", "held"), ("e", "other")):
        row = Scored(case=before.id, values={"inclusion": (1.0,)}, error=f"no: {before.question}")
        report = Report(
            id=sign * 32, created=1.0, suite=suite, suite_id="s", variant=made.variant, corpus="c", rows=(row,)
        )
        ids = asked if suite == "held" else {"byhand": replace(asked["kept"], question="Has it a lid?")}
        reports.keep(engine, Kept(report=report, target="app main", run="", cases=ids))
    answers.keep(engine, answers.Key(variant=made.variant, corpus="c", case=put(before)), learned.gw_answer(()))
    failed = ended(project, "failed", f"such as '{before.question}'")
    told = forget(project)
    assert told.found.quotes.reports == ("d" * 32,)
    kept = reports.get(engine, "d" * 32)
    assert (kept.cases[KEPT.id].question, kept.report.rows[0].values) == (KEPT.question, {"inclusion": (1.0,)})
    assert "scale" not in kept.cases[BYHAND.id].question + kept.report.rows[0].error + said(project, failed)[0]
    assert reports.get(engine, "e" * 32).cases["byhand"].question == "Has it a lid?", "another suite's"
    assert put(before) in {key[2] for key in told.found.quotes.answers}


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        ("no answer to 'WHEN is the kettle, descaled?'", True),
        ('{"question": "The maintenance-responsibility of the internationalisation offi…', True),
        ("line 1\\nThe kettle\\nof the office holds 1.7", True),
        ("when the kettle is descaled", False),
        ("Ada has no key", False),
        ("no author 'Ada'", True),
        ("it isn't 'ada'", True),
    ],
)
def test_a_quote_is_known_whole_in_part_and_cut(text: str, quotes: bool) -> None:
    long = "The maintenance-responsibility of the internationalisation office lies with whom?"
    kettle = "In it: the kettle of the office holds 1.7 litres. It is descaled on Mondays."
    assert words_of(["When is the kettle descaled?", "Ada", long, kettle]).within(text) is quotes
