"""`/api/drafts`: drafts are read, accepted, reworded and refused over HTTP, as the command line does it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import gatewheel as gw
from gatewheel.data import cases as case_files
from gatewheel.data import drafts, origins, suites
from gatewheel.data.cases import identity, split_key
from gatewheel.kernel.nouns import Case
from gatewheel.ops import keys
from serving import Served, running

TOML = '[encoder.main]\nuse = "none"\n[retriever.main]\nuse = "bm25"\n[model.chat]\nuse = "llama.cpp"\nthreads = 1\n'
TEXT = "# Port\n\nThe master of Leith counts 42 ships. A ship pays four crowns. Pilots of Leith speak on channel 12.\n"
ASKED = {
    "How many ships does the master of Leith count?": "The master of Leith counts 42 ships.",
    "What does a ship pay?": "A ship pays four crowns.",
    "On which channel do the pilots of Leith speak?": "Pilots of Leith speak on channel 12.",
}


def drafted(root: Path, suite: str, asked: dict[str, str]) -> None:
    """Drafts as `gatewheel evals generate` leaves them."""
    found = []
    for question, sentence in asked.items():
        at = TEXT.index(sentence)
        meta = {"passage": "p", "span": [at, at + len(sentence)], "model": "chat"}
        case = Case(id="", question=question, references=(sentence,), sources=("port.md",), meta=meta)
        found.append(dataclasses.replace(case, id=identity(case)))
    case_files.write(drafts.path_of(root, suite), found)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("drafts") / "port"
    gw.init(home).close()
    (home / "gatewheel.toml").write_text(TOML, encoding="utf-8")
    (home / "port.md").write_text(TEXT, encoding="utf-8")
    held = '{"question": "What does a ship pay in the harbour of Leith at noon?", "references": ["four crowns"]}\n'
    (home / "suites" / "held.jsonl").write_text(held, encoding="utf-8")
    (home / "suites" / "held.toml").write_text('metrics = ["inclusion"]\n', encoding="utf-8")
    drafted(home, "port-train", ASKED)
    with running(gw.open(home)) as it:
        yield it


@pytest.fixture
def http(served: Served) -> Iterator[Any]:
    with httpx2.Client(base_url=served.base_url, timeout=60) as client:
        yield client


def test_drafts_are_accepted_reworded_and_refused(http: Any, served: Served) -> None:
    assert http.get("/api/drafts").json() == [{"suite": "port-train", "waiting": 3}]
    found = http.get("/api/drafts/port-train").json()
    assert (found["split"], found["accepted"], found["refused"]) == ("", 0, 0)
    first, second, third = found["waiting"]
    assert TEXT[slice(*first["span"])] == first["reference"]
    assert first["source"] == "port.md"

    def say(draft: Any, **said: str) -> Any:
        return http.post(f"/api/drafts/port-train/{draft['id']}", json=said)

    assert say(first, verdict="accepted").json() == {"waiting": 2, "cases": 1}
    assert say(second, verdict="refused").json() == {"waiting": 1, "cases": None}
    near = say(third, verdict="accepted", question="What does a ship pay in the harbour of Leith at noon?")
    assert (near.status_code, "nearly the same" in near.text) == (409, True)
    assert say(third, verdict="accepted", reference="Channel 12.").json() == {"waiting": 0, "cases": 2}
    assert say(third, verdict="accepted").status_code == 404

    root, engine = served.project.config.root, served.project.parts.engine
    suite = suites.load(root, "port-train")
    assert (suite.split, [case.references for case in suite.cases]) == (
        "train",
        [(first["reference"],), ("Channel 12.",)],
    )
    made = origins.of(engine, [split_key(suite.cases[1])])
    assert [(one.kind, one.ref) for one in made[split_key(suite.cases[1])]] == [("document", "port.md")]
    found = http.get("/api/drafts/port-train").json()
    assert (found["split"], found["cases"], found["accepted"], found["refused"]) == ("train", 2, 2, 1)


def test_what_was_said_is_taken_back_with_the_case_that_it_added(http: Any, served: Served) -> None:
    root = served.project.config.root
    drafted(root, "again-train", ASKED)
    before = drafts.path_of(root, "again-train").read_bytes()
    first, second, third = http.get("/api/drafts/again-train").json()["waiting"]

    def say(draft: Any, **said: str) -> Any:
        return http.post(f"/api/drafts/again-train/{draft['id']}", json=said).json()

    def back(draft: Any) -> Any:
        return http.delete(f"/api/drafts/again-train/{draft['id']}")

    assert back(first).status_code == 404, "nothing was said of it yet"
    say(first, verdict="accepted")
    say(second, verdict="accepted", reference="Four.")
    say(third, verdict="refused")
    assert back(third).json() == {"waiting": 1, "cases": None}
    assert back(second).json() == {"waiting": 2, "cases": 1}
    assert [case.references for case in suites.load(root, "again-train").cases] == [(first["reference"],)]
    assert back(first).json() == {"waiting": 3, "cases": 0}
    assert "again-train" not in suites.names(root), "it was made for that case"
    assert drafts.path_of(root, "again-train").read_bytes() == before
    assert back(first).status_code == 404
    assert say(first, verdict="accepted") == {"waiting": 2, "cases": 1}
    case_files.write(
        root / "suites" / "again-train.jsonl", [Case(id="mine", question="Who counts?", references=("x",))]
    )
    assert back(first).json() == {"waiting": 3, "cases": 1}, "what somebody has changed since is theirs"


def test_the_last_case_of_a_suite_stays_where_others_were_added_to_it(http: Any, served: Served) -> None:
    """A suite without cases could not be read, and drafts are taken back in any order, by several people."""
    root = served.project.config.root
    drafted(root, "order-train", ASKED)
    first, second, _ = http.get("/api/drafts/order-train").json()["waiting"]
    for draft in (first, second):
        http.post(f"/api/drafts/order-train/{draft['id']}", json={"verdict": "accepted"})
    assert http.delete(f"/api/drafts/order-train/{first['id']}").json() == {"waiting": 2, "cases": 1}
    last = http.delete(f"/api/drafts/order-train/{second['id']}")
    assert (last.status_code, "the last case of suite order-train" in last.text) == (409, True)
    assert [case.references for case in suites.load(root, "order-train").cases] == [(second["reference"],)]
    assert len(http.get("/api/drafts/order-train").json()["waiting"]) == 2, "it is still accepted"


def test_what_cannot_be_said_or_drafted_is_refused(http: Any, served: Served) -> None:
    drafted(served.project.config.root, "other", dict(list(ASKED.items())[:1]))
    [one] = http.get("/api/drafts/other").json()["waiting"]
    for body in ({}, {"verdict": "maybe"}, {"verdict": "accepted", "answer": "x"}):
        assert http.post(f"/api/drafts/other/{one['id']}", json=body).status_code == 400
    assert http.post("/api/drafts/other/ffffffff", json={"verdict": "refused"}).status_code == 404
    assert http.post("/api/drafts/other", json={"count": 0}).status_code == 400
    unknown = http.post("/api/drafts/other", json={"model": "nobody"})
    assert (unknown.status_code, "nobody" in unknown.text) == (400, True)
    assert http.get("/api/drafts/.other").status_code == 400


def test_drafts_quote_documents_so_who_does_not_see_all_of_them_reads_none(http: Any, served: Served) -> None:
    engine = served.project.parts.engine
    made = []
    for name, scopes, groups in (("asks", ("ask",), ("*",)), ("some", ("operate",), ("hr",))):
        key, secret = keys.create(engine, name=name, scopes=scopes, groups=groups)
        made.append(key)
        headers = {"X-API-Key": secret}
        assert http.get("/api/drafts", headers=headers).status_code == 403
        assert http.get("/api/drafts/other", headers=headers).status_code == 403
        assert http.post("/api/drafts/other", json={}, headers=headers).status_code == 403
        assert http.post("/api/drafts/other/ffffffff", json={"verdict": "refused"}, headers=headers).status_code == 403
    for key in made:
        keys.revoke(engine, key.id)
