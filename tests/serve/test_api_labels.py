"""Labels over HTTP: blind, kept once, by whom a key is, of documents that it may see; and what they come to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

import gatewheel as gw
import gating
from gatewheel.kernel.nouns import Scope
from gatewheel.loop import labelling
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.serving import open_for_serving
from gatewheel.ops import keys
from serving import Served, running

SAMPLING = '\n[app.loose]\nuse = "answer"\nmode = "quote"\ntemperature = 0.5\nbudget = 998\n'
HR = '\n[access]\nrules = { "rooms/amber.md" = ["hr"] }\n'


@dataclass(frozen=True)
class Place:
    """A service with reports, and what is asked of it."""

    served: Served
    http: Any
    reports: dict[str, str]

    def params(self, *apps: str, **more: Any) -> dict[str, Any]:
        return {"report": [self.reports[app] for app in apps], **more}

    def link(self, operator: dict[str, str], params: dict[str, Any]) -> dict[str, Any]:
        """The same with the seal that a rater needs, as an operator is told it."""
        return {**params, "seal": self.get("/sheet", params, headers=operator).json()["seal"]}

    def get(self, path: str, params: dict[str, Any], **more: Any) -> Any:
        return self.http.get(f"/api/evals/labels{path}", params=params, **more)

    def give(self, params: dict[str, Any], item: str, **more: Any) -> Any:
        return self.http.put("/api/evals/labels/item", params={**params, "item": item}, **more)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Reports of an application that quotes, of one that is deaf, and of one that was asked twice."""
    root = gating.make(tmp_path_factory.mktemp("judged") / "rooms", more=SAMPLING + HR)
    cases = root / "suites" / "rooms.jsonl"
    lines = [json.loads(line) for line in cases.read_text(encoding="utf-8").splitlines()]
    for line in lines:  # where the answer stands, so that who may see it may label
        line["sources"] = [f"rooms/{line['question'].split(' room')[0].split()[-1]}.md"]
    lines[3].pop("sources")
    cases.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (root / "suites" / "rooms.toml").write_text('metrics = ["inclusion"]\n', encoding="utf-8")
    project = open_for_serving(gw.open(root))
    made = {app: project.evaluate(Wanted(suite="rooms", app=app)).id for app in ("main", "deaf")}
    made["loose"] = project.evaluate(Wanted(suite="rooms", app="loose", limit=5, repeat=2)).id
    with running(project) as served, httpx2.Client(base_url=served.base_url, timeout=120) as http:
        yield Place(served, http, made)


@pytest.fixture
def key(place: Place) -> Iterator[Any]:
    """Makes keys, which end with the test; returns the header of one."""
    made = []

    def make(name: str, *scopes: Scope, groups: tuple[str, ...] = ("*",)) -> dict[str, str]:
        one, secret = keys.create(place.served.project.parts.engine, name=name, scopes=scopes, groups=groups)
        made.append(one)
        return {"Authorization": f"Bearer {secret}"}

    yield make
    for one in made:
        keys.revoke(place.served.project.parts.engine, one.id)


def test_a_sheet_is_of_both_in_the_raters_own_order_and_tells_nobody(place: Place) -> None:
    ada, bob = (place.get("/sheet", place.params("main", "deaf", rater=name)).json() for name in ("Ada", "Bob"))
    assert (len(ada["items"]), ada["labelled"], ada["criteria"], ada["hidden"]) == (40, 0, [], 0)
    assert {one["item"] for one in ada["items"]} == {one["item"] for one in bob["items"]}
    assert ada["items"] != bob["items"]
    other = place.get("/sheet", place.params("deaf", "main", rater="Ada")).json()
    assert other["items"] == ada["items"], "the order in the address tells nothing"
    abstained = set()
    for one in ada["items"][:8]:
        shown = place.get("/item", place.params("main", "deaf", rater="Ada", item=one["item"]))
        item = shown.json()
        assert len(item["answers"]) == 2
        abstained.add([answer["abstained"] for answer in item["answers"]].index(True))
        quoted = next(answer for answer in item["answers"] if not answer["abstained"])
        cited = quoted["citations"][0]
        assert cited["source"].startswith("rooms/")
        assert cited["quote"]
        assert item["question"].endswith("?")
        parts = place.served.project.parts
        for name in ("main", "deaf", *place.reports.values(), *(parts.variant(app).id for app in ("main", "deaf"))):
            assert name not in shown.text
    assert abstained == {0, 1}, "now the one stands first, now the other"


def test_a_label_is_kept_once_replaced_and_taken_back(place: Place) -> None:
    params = place.params("main", "deaf", rater="Cy")
    first, second = (one["item"] for one in place.get("/sheet", params).json()["items"][:2])
    for _ in range(2):  # a key that is pressed twice, or a second tab
        said = place.give(params, first, json={"better": 1, "comment": " clear "})
        assert (said.status_code, said.json()) == (200, {"labelled": 1, "total": 40})
    assert place.give(params, first, json={"better": 2}).json()["labelled"] == 1
    assert place.give(params, second, json={"better": 0, "comment": "both"}).json()["labelled"] == 2
    items = place.get("/sheet", params).json()["items"]
    assert [one["given"]["better"] for one in items[:2]] == [2, 0]
    shown = place.get("/item", {**params, "item": second}).json()
    assert shown["given"]["comment"] == "both"
    chosen = place.get("/item", {**params, "item": first}).json()["answers"][1]
    kept = labelling.labels(place.served.project.parts.engine, "rooms", rater="Cy")
    mine = next(one for one in kept if one.better != "tie")
    side = mine.item.a if mine.better == "a" else mine.item.b
    assert side
    assert (side.variant == place.served.project.parts.variant("deaf").id) == chosen["abstained"]
    for left in (1, 0, 0):
        path = "/api/evals/labels/item"
        gone = place.http.delete(path, params={**params, "item": first if left else second})
        assert gone.json() == {"labelled": left, "total": 40}


def test_a_rubric_grades_single_answers(place: Place) -> None:
    params = place.params("main", "deaf", rater="Dee", rubric="faithful=1-4,complete=0-2")
    sheet = place.get("/sheet", params).json()
    assert (len(sheet["items"]), [one["name"] for one in sheet["criteria"]]) == (80, ["faithful", "complete"])
    token = sheet["items"][0]["item"]
    assert len(place.get("/item", {**params, "item": token}).json()["answers"]) == 1
    for wrong in (
        {"better": 1},
        {"scores": {"faithful": 4}},
        {"scores": {"faithful": 5, "complete": 1}},
        {"scores": {"faithful": 1.5, "complete": 1}},
    ):
        assert place.give(params, token, json=wrong).status_code == 400
    assert place.give(params, token, json={"scores": {"faithful": 4, "complete": 0}}).json()["labelled"] == 1
    found = place.get("", params).json()
    assert [(one["criterion"], one["mean"], one["least"], one["most"]) for one in found["grades"]] == [
        ("faithful", 4.0, 1, 4),
        ("complete", 0.0, 0, 2),
    ]
    assert place.get("/sheet", place.params("main", "deaf", rater="Dee")).json()["labelled"] == 0


def test_each_time_that_a_case_was_asked_is_an_item_when_that_is_wished(place: Place) -> None:
    once = place.params("loose", rater="Eve", rubric="good=1-2")
    assert len(place.get("/sheet", once).json()["items"]) == 5
    every = {**once, "repeats": True}
    tokens = [one["item"] for one in place.get("/sheet", every).json()["items"]]
    assert len(set(tokens)) == 10
    for token in tokens:
        assert place.give(every, token, json={"scores": {"good": 2}}).status_code == 200
    kept = labelling.labels(place.served.project.parts.engine, "rooms", rater="Eve")
    assert sorted(one.item.repeat for one in kept) == [0] * 5 + [1] * 5
    assert place.get("/sheet", once).json()["labelled"] == 5
    grade = next(one for one in place.get("", every).json()["grades"])
    assert (grade["items"], grade["target"]) == (10, "app loose")


def test_what_all_labels_come_to_is_told_with_names_and_leaves_as_preferences(place: Place) -> None:
    engine = place.served.project.parts.engine
    for rater in ("Flo", "Gus"):
        params = place.params("main", "deaf", rater=rater)
        for one in place.get("/sheet", params).json()["items"][:12]:
            answers = place.get("/item", {**params, "item": one["item"]}).json()["answers"]
            right = [answer["abstained"] for answer in answers].index(False) + 1
            assert place.give(params, one["item"], json={"better": right}).status_code == 200
    found = place.get("", place.params("main", "deaf", rater="Flo")).json()
    assert (found["a"], found["b"], found["split"]) == ("app main", "app deaf", "holdout")
    tally = {one["rater"]: (one["a"], one["b"], one["ties"]) for one in found["tally"]}
    assert tally == {"Flo": (12, 0, 0), "Gus": (12, 0, 0)}
    best, worst = found["ranking"]
    assert (best["target"], worst["target"]) == ("app main", "app deaf")
    assert best["strength"] > 0 > worst["strength"]
    assert best["low"] is None or best["low"] <= best["strength"]
    lines = place.get("/export", {"suite": "rooms"})
    assert lines.headers["content-disposition"].startswith("attachment")
    plain = [json.loads(line) for line in lines.text.splitlines()]
    assert len(plain) == found["preferences"] > 0
    assert {one["rejected"] for one in plain} == {"Your documents do not say."}
    assert {one["rater"] for one in place.get("/raters", {"suite": "rooms"}).json()} >= {"Flo", "Gus"}
    assert len(labelling.labels(engine, "rooms", rater="Flo")) == 12


def test_what_is_no_sheet_is_refused(place: Place) -> None:
    for wrong in (
        {"report": []},
        {"report": ["none"], "rater": "Ada"},
        {"report": [place.reports["main"]], "rater": "Ada"},
        {"report": [place.reports["main"], place.reports["main"]], "rater": "Ada"},
        place.params("main", "deaf"),
        place.params("main", "deaf", rater="Ada", rubric="faithful"),
    ):
        assert place.get("/sheet", wrong).status_code in (400, 404), wrong
    params = place.params("main", "deaf", rater="Ada")
    assert place.give(params, "none", json={"better": 1}).status_code == 404
    token = place.get("/sheet", params).json()["items"][0]["item"]
    for body in ({}, {"better": 3}, {"better": None}, {"better": 1, "scores": {"x": 1}}, {"better": 1, "more": 1}):
        assert place.give(params, token, json=body).status_code == 400, body
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert place.give(params, token, json={"better": 1}, headers=cross).status_code == 403


def test_a_key_labels_by_its_own_name_by_a_link_and_is_told_whose_they_are_at_the_end(place: Place, key: Any) -> None:
    rater, operator, asker = key("Hal", "feedback"), key("Ida", "operate"), key("Jo", "ask")
    params = place.link(operator, place.params("main", "loose", rubric="good=1-2"))
    assert place.get("/sheet", params, headers=asker).status_code == 403
    assert place.get("/sheet", params).status_code == 401
    sheet = place.get("/sheet", params, headers=rater).json()
    assert (sheet["rater"], sheet["seal"]) == ("Hal", "")
    assert place.get("/sheet", params, headers=operator).json()["rater"] == "Ida"
    refused = place.get("/sheet", {**params, "rater": "Ida"}, headers=rater)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "other_rater")
    guessed = place.get("/sheet", {**params, "report": [params["report"][0][:3]]}, headers=rater)
    assert guessed.status_code == 404
    assert place.reports["main"][:12] not in guessed.text
    for path in ("/raters", "/export"):
        assert place.get(path, {"suite": "rooms"}, headers=rater).status_code == 403
    assert place.get("", params, headers=rater).status_code == 409
    assert place.get("", params, headers=operator).status_code == 200
    for one in sheet["items"]:
        assert place.give(params, one["item"], json={"scores": {"good": 1}}, headers=rater).status_code == 200
    told = place.get("", params, headers=rater).json()
    assert {one["target"] for one in told["grades"]} == {"app main", "app loose"}
    assert told["preferences"] is None


def test_who_was_told_whose_they_are_changes_nothing_any_more(place: Place, key: Any) -> None:
    rater, operator = key("Sue", "feedback"), key("Tom", "operate")
    params = place.link(operator, place.params("main", "loose", rubric="sound=1-2"))
    elsewhere = place.link(operator, place.params("main", "deaf", rubric="sound=1-2"))
    other = place.get("/sheet", elsewhere, headers=operator).json()["items"]
    mine = {one["item"] for one in place.get("/sheet", params, headers=operator).json()["items"]}
    outside = next(one["item"] for one in other if one["item"] not in mine)
    assert place.give(elsewhere, outside, json={"scores": {"sound": 2}}, headers=operator).status_code == 200
    for item in mine:
        assert place.give(params, item, json={"scores": {"sound": 1}}, headers=rater).status_code == 200
    first = {**params, "item": next(iter(mine))}
    path = "/api/evals/labels/item"
    assert place.http.delete(path, params=first, headers=rater).status_code == 200, "nobody was told yet"
    assert place.give(params, first["item"], json={"scores": {"sound": 2}}, headers=rater).status_code == 200
    told = place.get("", params, headers=rater).json()
    assert [one["rater"] for one in told["raters"]] == ["Sue"], "of other sheets nothing is told"
    again = place.give(params, first["item"], json={"scores": {"sound": 1}}, headers=rater)
    assert (again.status_code, "stays as it is" in again.text) == (409, True)
    assert place.http.delete(path, params=first, headers=rater).status_code == 409
    kept = labelling.labels(place.served.project.parts.engine, "rooms", rater="Sue")
    assert sorted(one.scores["sound"] for one in kept) == [1.0] * (len(mine) - 1) + [2.0]
    assert place.give(params, first["item"], json={"scores": {"sound": 1}}, headers=operator).status_code == 200
    assert place.get("", params, headers=rater).status_code == 200


def test_a_name_that_is_taken_again_is_another_rater(place: Place, key: Any) -> None:
    engine, operator = place.served.project.parts.engine, key("Uma", "operate")
    params = place.link(operator, place.params("main", rubric="good=1-2"))
    long = "V" * 80
    names = []
    for name in ("Vic", "Vic", f"{long}1", f"{long}2"):
        one, secret = keys.create(engine, name=name, scopes=("feedback",), groups=("*",))
        header = {"Authorization": f"Bearer {secret}"}
        names.append(place.get("/sheet", params, headers=header).json()["rater"])
        keys.revoke(engine, one.id)
    assert names[0] == "Vic"
    assert names[1].startswith("Vic ")
    assert len(set(names)) == 4
    assert max(map(len, names)) <= 64


def test_a_rater_has_the_sheet_of_the_link_and_no_other(place: Place, key: Any) -> None:
    rater, operator = key("Ora", "feedback"), key("Pia", "operate")
    pairs = place.link(operator, place.params("main", "deaf"))
    graded = place.link(operator, place.params("main", "deaf", rubric="good=1-3"))
    [token, *_] = (one["item"] for one in place.get("/sheet", graded, headers=rater).json()["items"])
    for link, changes in (
        (pairs, {"seal": ""}),
        (pairs, {"report": pairs["report"][:1], "rubric": "good=1-3"}),  # whose answers they are would be plain
        (pairs, {"rubric": "good=1-3"}),
        (graded, {"rubric": "good=0-9"}),
        (graded, {"rubric": "kind=1-3"}),
        (graded, {"report": graded["report"][:1]}),
        (graded, {"repeats": True}),
        (graded, {"seal": pairs["seal"]}),
        (graded, {"seal": "\u017f" * 32}),
    ):
        params = {**link, **changes}
        said = place.get("/sheet", params, headers=rater)
        assert (said.status_code, said.json()["error"]["param"]) == (404, "seal"), changes
        for path in ("", "/item"):
            assert place.get(path, {**params, "item": token}, headers=rater).status_code == 404
        assert place.give(params, token, json={"scores": {"good": 3}}, headers=rater).status_code == 404
        gone = place.http.delete("/api/evals/labels/item", params={**params, "item": token}, headers=rater)
        assert gone.status_code == 404
    for link in (pairs, graded):
        shorter = {**link, "report": [id_[:12] for id_ in reversed(link["report"])]}
        assert place.get("/sheet", shorter, headers=rater).status_code == 200
    other = place.params("main", "deaf", rubric="good=0-9")
    assert place.get("/sheet", other, headers=operator).status_code == 200


def test_a_case_that_is_of_hidden_documents_by_now_leaves_the_desk(place: Place, key: Any) -> None:
    operator, some = key("Quin", "operate"), key("Rob", "feedback", groups=("other",))
    params = place.link(operator, place.params("main", rubric="good=1-2"))
    before = [one["item"] for one in place.get("/sheet", params, headers=some).json()["items"]]
    file = place.served.project.config.root / "suites" / "rooms.jsonl"
    written = file.read_text(encoding="utf-8")
    shown = place.get("/item", {**params, "item": before[0]}, headers=some).json()
    lines = [json.loads(line) for line in written.splitlines()]
    line = next(one for one in lines if one["question"] == shown["question"])
    line["sources"] = [*line["sources"], "rooms/amber.md"]
    try:
        file.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
        assert place.get("/item", {**params, "item": before[0]}, headers=some).status_code == 404
        after = [one["item"] for one in place.get("/sheet", params, headers=some).json()["items"]]
        assert after == before[1:]
    finally:
        file.write_text(written, encoding="utf-8")


def test_a_key_that_may_not_see_a_document_is_shown_nothing_that_may_come_from_it(place: Place, key: Any) -> None:
    some, hr = key("Kai", "feedback", groups=("other",)), key("Lee", "feedback", groups=("hr",))
    operator = key("Max", "operate")
    params = place.link(operator, place.params("main", rubric="good=1-2"))
    every = place.get("/sheet", params, headers=operator).json()
    assert (len(every["items"]), every["hidden"]) == (40, 0)
    seen = {name: place.get("/sheet", params, headers=header).json() for name, header in (("some", some), ("hr", hr))}
    assert (len(seen["hr"]["items"]), seen["hr"]["hidden"]) == (39, 1), "one case names no sources"
    tokens = {one["item"] for one in seen["some"]["items"]}
    assert 0 < len(tokens) < 39
    text = "".join(place.get("/item", {**params, "item": token}, headers=some).text for token in tokens)
    assert "amber" not in text
    hidden = next(one["item"] for one in every["items"] if one["item"] not in tokens)
    assert place.get("/item", {**params, "item": hidden}, headers=some).status_code == 404
    assert place.give(params, hidden, json={"scores": {"good": 1}}, headers=some).status_code == 404
    operator = key("Ned", "operate", groups=("hr",))
    assert place.get("/export", {"suite": "rooms"}, headers=operator).status_code == 403
