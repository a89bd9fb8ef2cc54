"""What an answer costs is told by the prices of today: answers are kept for ever, and prices change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import gatewheel as gw
from examinee import Examinee, examinee, numbered, project, suite
from gatewheel.kernel.nouns import Report
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.prices import PriceList


@pytest.fixture
def endpoint() -> Iterator[Examinee]:
    with examinee() as it:
        yield it


@pytest.fixture
def home(tmp_path: Path, endpoint: Examinee) -> Path:
    folder = project(tmp_path, endpoint.url)
    suite(folder, numbered(4), metrics=["exact-match", "cost"])
    return folder


def priced(folder: Path, read: float, written: float) -> None:
    """Write the prices of the model chat into the file, in place of those that it had."""
    toml = folder / "gatewheel.toml"
    lines = [line for line in toml.read_text(encoding="utf-8").splitlines() if "_price" not in line]
    at = lines.index("[model.chat]") + 1
    lines[at:at] = [f"input_price = {read}", f"output_price = {written}"]
    toml.write_text("\n".join(lines), encoding="utf-8")


def evaluated(folder: Path) -> Report:
    with gw.open(folder) as opened:
        return opened.evaluate(Wanted(suite="exam"))


def costs(report: Report) -> set[tuple[float, ...] | None]:
    return {row.values["cost"] for row in report.rows}


def test_prices_that_are_written_later_are_those_of_answers_that_were_kept(home: Path, endpoint: Examinee) -> None:
    before = evaluated(home)
    assert costs(before) == {None}
    endpoint.forget()
    priced(home, 10.0, 30.0)
    after = evaluated(home)
    assert endpoint.requests == []
    [(dollars,)] = [found for found in costs(after) if found]
    assert dollars == pytest.approx((5 * 10 + 2 * 30) / 1e6)  # the endpoint says 5 and 2
    priced(home, 1.0, 3.0)
    [(cheaper,)] = [found for found in costs(evaluated(home)) if found]
    assert cheaper == pytest.approx(dollars / 10)
    assert before.variant == after.variant
    assert before.suite_id != after.suite_id, "two price lists are not compared"


def test_a_variant_whose_model_is_gone_or_that_nobody_kept_has_no_prices(home: Path) -> None:
    variant = evaluated(home).variant
    priced(home, 1.0, 3.0)
    with gw.open(home) as opened:
        prices = PriceList(opened.parts)
        assert prices(variant) == (1.0, 3.0)
        assert (prices("f" * 64), prices("")) == (None, None)
        changed = opened.parts.with_settings("model", "chat", {"model": "another"})
        assert PriceList(changed)(variant) is None
        changed.close()
