"""Variants are kept once, found by the beginning of their id, and compared key by key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gatewheel.kernel import trace
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Trace, Variant
from gatewheel.kernel.store.objects import Objects
from gatewheel.loop import variants

TEXTS = ["Answer: {{ question }}", "Réponse : {{ question }}"]
DIGESTS = [hashlib.sha256(text.encode()).hexdigest() for text in TEXTS]
FIRST = Variant(id="ab" * 32, recipe={"app": {"budget": 100, "stop": [1, 2]}, "prompt": DIGESTS[0], "seed": 1})
SECOND = Variant(
    id="ab" + "cd" * 31, recipe={"app": {"budget": 200, "stop": [1, 2]}, "prompt": DIGESTS[1], "model": {}}
)


def kept(engine: Engine, folder: Path, *which: Variant) -> Objects:
    objects = Objects(folder / "objects")
    for one in which:
        variants.keep(engine, objects, one, prompt=TEXTS[DIGESTS.index(one.recipe["prompt"])])
    return objects


def asked(engine: Engine, number: int, variant: Variant) -> None:
    counts = {"seconds": 0.1, "input_tokens": 1, "output_tokens": 1}
    said = {"kind": "ask", "question": "?", "answer": "", "abstained": True, "variant": variant.id}
    trace.keep(engine, Trace(id=f"{number:032}", created=float(number), **said, **counts))  # type: ignore[arg-type]


def test_a_variant_is_kept_once_with_its_prompt_and_listed_with_its_traces(engine: Engine, tmp_path: Path) -> None:
    assert variants.listed(engine) == []
    objects = kept(engine, tmp_path, FIRST, FIRST, SECOND, FIRST)
    assert [objects.get(digest).decode() for digest in DIGESTS] == TEXTS
    for number in range(3):
        asked(engine, number, SECOND)
    listed = variants.listed(engine)
    assert [(row["id"], row["traces"], row["recipe"]) for row in listed] == [
        (SECOND.id, 3, SECOND.recipe),
        (FIRST.id, 0, FIRST.recipe),
    ]


def test_a_variant_is_found_by_the_beginning_of_its_id(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no variant 'x'; known: none"):
        variants.get(engine, "x")
    kept(engine, tmp_path, FIRST, SECOND)
    assert variants.get(engine, "aba") == FIRST
    assert variants.get(engine, SECOND.id) == SECOND
    with pytest.raises(UserError, match="'ab' begins 2 variants"):
        variants.get(engine, "ab")
    for nothing in ("", "%", "_"):
        with pytest.raises(UserError, match=f"no variant '{nothing}'"):
            variants.get(engine, nothing)


def test_a_difference_names_each_key_that_changed() -> None:
    assert variants.difference(FIRST.recipe, SECOND.recipe) == [
        ("app.budget", 100, 200),
        ("prompt", *DIGESTS),
        ("seed", 1, None),
    ]
    assert variants.difference(FIRST.recipe, FIRST.recipe) == []
    assert variants.difference({"a": {"b": 1}}, {"a": 1}) == [("a", None, 1), ("a.b", 1, None)]
