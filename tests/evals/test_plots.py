"""Plots: whatever stands in a name stays text, names keep clear of each other, axes hold what they show."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gatewheel.evals.plots import labels
from gatewheel.evals.plots.element import Element, draw, markup
from gatewheel.evals.plots.histogram import BINS, Scores, histogram
from gatewheel.evals.plots.labels import Box, Name
from gatewheel.evals.plots.scale import Unit, axis, between, step_of, tick, told
from gatewheel.evals.plots.scatter import Measure, Point, scatter
from gatewheel.evals.plots.whisker import Line, whiskers

HOSTILE = "</text><script>alert(1)</script>\x00\x1b\ud800 \" ' & <"
QUALITY = Measure(name=HOSTILE, unit="share", bounds=(0.0, 1.0))
PRICE = Measure(name="price", unit="dollars", bounds=(0.0, None))
finite = st.integers(-(10**9), 10**9).map(lambda number: number / 1000)


def parsed(element: Element) -> Any:
    """The plot as a strict parser reads it."""
    return etree.fromstring(markup(element).encode())


def points(*places: tuple[float, float, bool]) -> list[Point]:
    return [
        Point(
            number=at,
            name=f"candidate {at}",
            cost=cost,
            quality=quality,
            quality_ends=(max(0.0, quality - 0.1), min(1.0, quality + 0.1)),
            front=front,
        )
        for at, (cost, quality, front) in enumerate(places, 1)
    ]


def every_plot(name: str) -> list[Element]:
    point = Point(number=1, name=name, cost=1.0, quality=0.5, quality_ends=(0.4, 0.6), cost_ends=(0.5, 2.0), front=True)
    line = Line(name=name, value=0.5, low=0.4, high=0.6, text=name, side="a", group=name, mark="worse")
    scores = Scores(name=name, values=[0.0, 0.5, 1.0], side="b")
    return [
        scatter("s", [point], QUALITY, PRICE, wide=True),
        whiskers("w", [line], title=name, unit="share", scale="whole"),
        histogram("h", [scores], title=name, unit="share", share=True),
    ]


def test_names_of_others_stay_text_and_nothing_in_a_plot_runs_or_is_styled_inline() -> None:
    for plot in every_plot(HOSTILE):
        text = markup(plot)
        assert "<script" not in text
        assert not re.search(r"\s(style|on\w+|href|xlink:href)=", text)
        assert "alert(1)" in "".join(parsed(plot).itertext())


@given(st.text())
def test_any_name_gives_a_well_formed_plot_that_says_it_in_words(name: str) -> None:
    for plot in every_plot(name):
        root = parsed(plot)
        assert root.get("role") == "img"
        title, desc = root[0], root[1]
        assert root.get("aria-labelledby").split() == [title.get("id"), desc.get("id")]


def test_the_description_has_every_figure_and_who_is_on_the_front() -> None:
    plot = scatter("s", points((0.0, 0.5, True), (2.0, 0.9, True), (3.0, 0.7, False)), QUALITY, PRICE, wide=True)
    said = parsed(plot)[1].text
    assert "candidate 2: 90% [80% to 100%], $2.00, on the front" in said
    assert "Nothing surely beats: candidate 1, candidate 2." in said


@pytest.mark.parametrize("wide", [True, False])
def test_names_stand_inside_and_cover_no_name_and_no_point(wide: bool) -> None:
    places = [(0.0, 0.93, True), (0.0, 0.93, True), (0.004, 0.9, True), (0.03, 0.9, True), (0.028, 0.7, False)]
    plot = parsed(scatter("s", points(*places, (0.1, 1.0, True), (0.1, 0.5, False)), QUALITY, PRICE, wide=wide))
    _, _, width, height = map(float, plot.get("viewBox").split())
    dots = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in coordinates(plot, "circle", "cx", "cy")]
    names = [one for one in plot.iter("text") if "plot-name" in one.get("class")]
    assert len(names) == 7
    boxes = []
    for one in names:
        x, y = float(one.get("x")), float(one.get("y"))
        boxes.append(Box(x, y - 9, x + labels.width(one.text, bold="on" in one.get("class")), y + 2))
        assert boxes[-1].within(Box(0, 0, width + 2, height))
    for a, b in itertools.combinations(boxes, 2):
        assert not a.meets(b)
    assert not any(name.meets(dot) for name in boxes for dot in dots)


def coordinates(plot: Any, tag: str, *names: str) -> list[tuple[float, ...]]:
    return [tuple(float(one.get(name)) for name in names) for one in plot.iter(tag)]


@given(st.lists(st.tuples(st.floats(20, 780), st.floats(20, 380)), min_size=1, max_size=8))
def test_no_name_leaves_the_plot_wherever_points_are(places: list[tuple[float, float]]) -> None:
    area = Box(0, 0, 800, 400)
    names = [Name(f"{at} a name", f"{at}") for at in range(len(places))]
    for one in labels.place(places, names, area, []):
        assert one.box.within(area)


@given(st.lists(finite, min_size=1, max_size=20), st.booleans(), st.booleans())
def test_an_axis_holds_its_values_in_their_order_with_ticks_that_can_be_told_apart(
    values: list[float], zero: bool, straight: bool
) -> None:
    along = axis(values, 0, 800, unit="number", zero=zero, straight=straight)
    ordered = [along.at(value) for value in sorted(values)]
    assert ordered == sorted(ordered)
    assert 0 <= ordered[0] <= ordered[-1] <= 800
    assert all(-0.01 <= along.at(one) <= 800.01 for one in along.ticks)
    said = [tick(one, one if along.log else step_of(along.ticks), "number") for one in along.ticks]
    assert len(set(said)) == len(said)
    if along.log:
        assert not straight


def test_what_costs_nothing_stands_beside_a_logarithmic_axis() -> None:
    along = axis([0.0, 0.001, 10.0], 100, 800, unit="dollars", bounds=(0.0, None), zero=True)
    assert (along.log, along.at(0.0), along.ticks[0]) == (True, 100, 0.0)
    assert along.at(0.001) > 130
    assert along.at(0.01) - along.at(0.001) == pytest.approx(along.at(10.0) - along.at(1.0))


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (None, "share", "–"),
        (math.inf, "seconds", "–"),
        (1.0, "share", "100%"),
        (0.001, "share", "0.1%"),
        (12.345, "seconds", "12.3 s"),
        (0.00041, "dollars", "$0.00041"),
        (1234.5, "dollars", "$1,234.50"),
        (1.5e9, "bytes", "1.5 GB"),
        (0, "bytes", "0"),
        (-0.25, "number", "−0.25"),
    ],
)
def test_numbers_are_told_with_their_unit(value: float | None, unit: Any, said: str) -> None:
    assert told(value, unit) == said


@given(st.floats(-1e300, 1e300) | st.sampled_from([math.nan, math.inf, 4e-4, -5e-324]), st.booleans())
def test_any_number_is_told(value: float, signed: bool) -> None:
    for unit in get_args(Unit):
        assert told(value, unit)
        assert between(value, -value, None, unit, signed=signed)


def test_what_rounds_to_nothing_is_nothing_and_has_no_sign() -> None:
    assert told(0.0004, "share") == "0%"
    assert between(-1e-4, -0.02, 4e-4, "points", signed=True) == "0 points [−2, 0]"


def test_an_interval_is_told_in_one_unit() -> None:
    assert between(0.05, 0.04, 0.07, "seconds") == "50 ms [40, 70]"
    assert between(0.5, 0.04, 0.7, "seconds") == "0.5 s [0.04, 0.7]"
    assert between(0.026, 0.02, 0.03, "dollars") == "$0.026 [$0.02, $0.03]"
    assert between(0.5, None, None, "share") == "50% ± ?"
    assert between(None, None, None, "share") == "not measured"
    assert between(-0.1, None, 0.2, "points", signed=True) == "−10 points [?, +20]"


def test_bars_count_every_case_once() -> None:
    values = [0.0] * 5 + [0.5] * 3 + [1.0] * 7
    plot = parsed(histogram("h", [Scores(name="x", values=values)], title="t", unit="share", share=True))
    titles = [int(bar.find("title").text) for bar in plot.iter("rect")]
    assert titles == [5, 3, 7]
    assert BINS >= 3


def test_a_plot_of_nothing_is_a_plot() -> None:
    assert parsed(whiskers("w", [], title="t", unit="number")).tag == "svg"
    assert parsed(histogram("h", [Scores(name="x", values=[])], title="t", unit="number", share=False)).tag == "svg"
    nothing = Line(name="x", value=None, low=None, high=None, text="not measured")
    assert not list(parsed(whiskers("w", [nothing], title="t", unit="seconds")).iter("circle"))
    assert markup(draw("g", None, "a")) == "<g>a</g>"
