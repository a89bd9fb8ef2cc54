"""Candidates over HTTP: figures, fronts, the plot as elements, what keys may see, and what cannot be chosen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

import gatewheel as gw
import gating
from gatewheel.evals.plots.element import Element, markup
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.serving import open_for_serving
from gatewheel.ops import keys
from serving import Served, running


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with reports of two applications, one of them deaf, and a third without."""
    project = open_for_serving(gw.open(gating.make(tmp_path_factory.mktemp("judged") / "rooms")))
    for app in ("main", "deaf"):
        project.evaluate(Wanted(suite="rooms", app=app))
    with running(project) as it:
        yield it


@pytest.fixture(scope="module")
def http(judged: Served) -> Iterator[Any]:
    with httpx2.Client(base_url=judged.base_url, timeout=120) as client:
        yield client


def models(http: Any, **wanted: Any) -> Any:
    answer = http.get("/api/evals/models", params=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


def element(plain: Any) -> Element:
    """What the service sent, as the element that it was."""
    children = tuple(one if isinstance(one, str) else element(one) for one in plain["children"])
    return Element(tag=plain["tag"], attributes=plain["attributes"], children=children)


def test_the_suite_of_the_newest_report_is_told_with_its_candidates_and_who_waits(http: Any) -> None:
    found = models(http)
    assert found["suites"] == ["rooms"]
    choice = found["choice"]
    assert (choice["suite"], choice["metric"], choice["cost"], choice["cases"]) == ("rooms", "inclusion", "price", 40)
    main, deaf = choice["candidates"]
    assert (main["name"], main["quality"]["value"], main["front"], main["gap"]) == ("app main", 0.925, True, None)
    assert (deaf["front"], deaf["beaten_by"], deaf["gap"]["verdict"]) == (False, [1], "worse")
    assert deaf["price"] == 0
    assert [one["command"] for one in choice["waiting"]] == ["gatewheel evals run rooms --app same"]


def test_the_plot_comes_as_elements_for_wide_and_for_narrow_pages(http: Any) -> None:
    found = models(http, cost="seconds")
    wide, narrow = element(found["wide"]), element(found["narrow"])
    assert float(wide.attributes["width"]) > 2 * float(narrow.attributes["width"])
    for plot in (wide, narrow):
        assert markup(plot).count("<circle") == 2
        assert "app main" in markup(plot)


def test_another_metric_and_a_margin_are_taken(http: Any) -> None:
    found = models(http, suite="rooms", metric="abstention", cost="memory", margin=0.05)["choice"]
    assert (found["metric"], found["cost"], found["margin"]) == ("abstention", "memory", 0.05)


@pytest.mark.parametrize(
    ("wanted", "status"),
    [({"suite": "none"}, 404), ({"metric": "none"}, 400), ({"cost": "none"}, 400), ({"margin": 2}, 400)],
)
def test_what_cannot_be_chosen_is_refused(wanted: dict[str, Any], status: int, http: Any) -> None:
    answer = http.get("/api/evals/models", params=wanted)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_operators_of_any_group_see_figures_without_words_of_cases_and_others_nothing(
    judged: Served, http: Any
) -> None:
    engine = judged.project.parts.engine
    made = [
        keys.create(engine, name=name, scopes=scopes, groups=groups)  # type: ignore[arg-type]
        for name, scopes, groups in (("hr", ("operate",), ("hr",)), ("asks", ("ask", "feedback"), ("*",)))
    ]
    operates, asks = ({"Authorization": f"Bearer {secret}"} for _, secret in made)
    try:
        seen = http.get("/api/evals/models", headers=operates)
        assert seen.status_code == 200
        assert "code of the door" not in json.dumps(seen.json())
        assert http.get("/api/evals/models", headers=asks).status_code == 403
    finally:
        for key, _ in made:
            keys.revoke(engine, key.id)


def test_a_project_without_suites_has_nothing_to_choose(serve: Any) -> None:
    empty = serve()
    found = httpx2.get(f"{empty.base_url}/api/evals/models", timeout=60).json()
    assert found == {"suites": [], "choice": None, "wide": None, "narrow": None}
