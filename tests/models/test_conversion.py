"""The kept conversion: made once, remade when damaged, shared by processes that start together, true to the weights."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import Message
from gatewheel.kernel.ports import Decoding
from gatewheel.models import llamacpp, openvino
from gatewheel.models.weights import DEFAULT, find, identity

MAKE = """
from gatewheel.models import openvino
openvino.create(openvino.Settings(threads=1), on_progress=print).close()
"""
TEXT = """The first lighthouses were fires built on hilltops, and sailors learned to read them long before anyone wrote
a chart. In time the fires were raised on towers of stone, so that they could be seen from further out at sea. The most
famous of them stood on the island of Pharos, near the harbour of Alexandria, and was counted among the seven wonders of
the ancient world. It was built in the third century before Christ."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder in which two processes found an older version's conversion and made their own, at once."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWHEEL_CACHE", str(folder))
        older = folder / "openvino" / f"{identity(find(DEFAULT))[:16]}-2026.4.1.0"
        older.mkdir(parents=True)
        (older / "openvino_model.bin").write_bytes(b"of another time")
        other = subprocess.Popen([sys.executable, "-c", MAKE], env=os.environ)
        openvino.create(openvino.Settings(threads=1)).close()
        assert other.wait(200) == 0
        yield folder


def conversion(cache: Path) -> Path:
    (folder,) = (cache / "openvino").iterdir()
    return folder


@pytest.mark.slow
def test_processes_that_race_leave_one_conversion_which_is_used_again(cache: Path) -> None:
    assert (conversion(cache) / "openvino_model.bin").stat().st_size > 2**20  # and nothing else in the folder
    told: list[str] = []
    openvino.create(openvino.Settings(threads=1), on_progress=told.append).close()
    assert told == []


@pytest.mark.slow
def test_it_gives_each_token_the_probability_that_llama_cpp_gives_it(cache: Path) -> None:
    """As OpenVINO imports these weights, the mean difference is 0.6 and the perplexity 55 % higher."""
    from openvino_genai import Tokenizer

    tokens = Tokenizer(str(conversion(cache))).encode(TEXT, add_special_tokens=False).input_ids.data[0].tolist()
    ours, theirs = by_openvino(conversion(cache), tokens), by_llama_cpp(tokens)
    assert len(tokens) > 80
    assert np.abs(ours - theirs).mean() < 0.15
    assert np.exp(theirs.mean() - ours.mean()) == pytest.approx(1.0, abs=0.03)  # the ratio of the perplexities


def by_openvino(folder: Path, tokens: list[int]) -> Any:
    """The logarithm of the probability of each token after the first, in float32: bfloat16 is not everywhere."""
    from openvino import Core

    core, count = Core(), len(tokens)
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    request = core.compile_model(core.read_model(folder / "openvino_model.xml"), "CPU", options).create_infer_request()
    request.infer(
        {
            "input_ids": np.array([tokens]),
            "attention_mask": np.ones((1, count), dtype=np.int64),
            "position_ids": np.arange(count)[None],
            "beam_idx": np.zeros(1, dtype=np.int32),
        }
    )
    logits = request.get_tensor("logits").data[0, :-1].astype(np.float64)
    return logits[range(count - 1), tokens[1:]] - np.logaddexp.reduce(logits, axis=1)


def by_llama_cpp(tokens: list[int]) -> Any:
    model = llamacpp.create(llamacpp.Settings(context_length=256, threads=1))
    found = []
    for at in range(1, len(tokens)):
        for depth in (500, 50_000):  # the whole vocabulary only for the few tokens that surprise
            request = {"prompt": tokens[:at], "max_tokens": 1, "temperature": 0, "cache_prompt": True}
            answer = model._server.handle_completions(request | {"n_probs": depth})  # type: ignore[attr-defined]
            (first,) = answer["choices"][0]["logprobs"]["content"]
            likely = {entry["id"]: entry["logprob"] for entry in first["top_logprobs"]}
            if tokens[at] in likely:
                break
        found.append(likely[tokens[at]])
    model.close()
    return np.array(found)


@pytest.mark.slow
def test_a_damaged_conversion_is_made_again(cache: Path) -> None:
    (conversion(cache) / "openvino_model.bin").write_bytes(b"cut short")
    told: list[str] = []
    model = openvino.create(openvino.Settings(threads=1), on_progress=told.append)
    assert [line for line in told if line.startswith("converting")]
    assert model.chat([Message(role="user", content="Say hi")], decoding=Decoding(max_tokens=4)).text
    model.close()


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GATEWHEEL_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"cannot keep the converted weights .*; set GATEWHEEL_CACHE"):
        openvino.create(openvino.Settings(threads=1))
