"""The way back leads past what learned of what was forgotten, and says where it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

import gatewheel as gw
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.store import learning, schema
from gatewheel.loop import release_status, rolling_back, tainting
from gatewheel.loop.project import Project
from gatewheel.ops import releases
from gating import make

A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Three releases, one after another, each of weights of its own."""
    with gw.open(make(tmp_path, gate="floors = { inclusion = 0.2 }\n")) as opened:
        recipe = opened.variant().recipe
        for id_ in (A, B, C):
            model = {"use": "llama.cpp", "weights": f"object:{id_}", "weights_sha256": id_}
            with opened.parts.engine.begin() as connection:
                values = {"id": id_, "created": 1.0, "recipe": {**recipe, "model": model}}
                connection.execute(insert(schema.variants).values(**values))
            releases.promote(opened.parts.engine, "main", id_, gates={}, override="it is a test")
        yield opened


def taint(project: Project, *weights: str) -> None:
    rows = [{"kind": "artifact", "ref": one, "reason": "user ada was forgotten", "created": 1.0} for one in weights]
    with project.parts.engine.begin() as connection:
        connection.execute(insert(learning.taints), rows)


def back(project: Project) -> str | None:
    return next(one.back for one in release_status.statuses(project.parts) if one.app == "main")


def test_a_tainted_release_is_passed_over_by_name(project: Project) -> None:
    taint(project, B)
    with pytest.raises(UserError, match="variant bbbbbbbbbbbb, which was released before, learned of") as refused:
        rolling_back.rollback(project.parts, "main")
    assert "user ada was forgotten" in refused.value.what
    assert "gatewheel release rollback --app main --to aaaaaaaaaaaa" in refused.value.cure
    assert releases.current(project.parts.engine, "main") == C, "nothing changed"
    assert back(project) == A, "the studio goes there at once"
    with pytest.raises(UserError, match="learned of"):
        rolling_back.rollback(project.parts, "main", to="bbbb")
    made = rolling_back.rollback(project.parts, "main", to="aaaa", text="ada is gone")
    assert (made.variant, made.reason) == (A, {"text": "ada is gone", "from": C})
    assert rolling_back.rollback(project.parts, "main").variant == ""


def test_where_every_earlier_release_is_tainted_the_file_is_what_is_left(project: Project) -> None:
    taint(project, A, B)
    assert back(project) == ""
    with pytest.raises(UserError) as refused:
        rolling_back.rollback(project.parts, "main")
    assert refused.value.cure.startswith("no earlier release is clean, so fall back to the file: `gatewheel release")
    assert rolling_back.rollback(project.parts, "main", to="file").variant == ""
    assert releases.serving(project.parts.engine) == {}


def test_where_the_file_is_tainted_too_it_says_so_and_changes_nothing(project: Project) -> None:
    taint(project, A, B, *tainting.weights_of(project.variant().recipe))
    assert back(project) == B
    with pytest.raises(UserError) as refused:
        rolling_back.rollback(project.parts, "main")
    assert "and so is what the file says: write other weights into the model of [app.main]" in refused.value.cure
    with pytest.raises(UserError, match="what the file says learned of what was forgotten"):
        rolling_back.rollback(project.parts, "main", to="file")
    assert releases.current(project.parts.engine, "main") == C


def test_a_place_that_is_none_is_named_with_those_that_are(project: Project) -> None:
    for wrong in ("cccc", "dddd", "f" * 64):
        with pytest.raises(UserError, match="begins none of the earlier releases") as refused:
            rolling_back.rollback(project.parts, "main", to=wrong)
        assert refused.value.cure == "name one of bbbbbbbbbbbb, aaaaaaaaaaaa, file"
    assert rolling_back.rollback(project.parts, "main").variant == B
