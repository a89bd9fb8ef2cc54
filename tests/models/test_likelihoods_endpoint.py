"""Likelihoods by an endpoint: what is asked of it, what is read back, and what it says when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.models import openai
from listening import as_json, listening

BEGINS = 1  # the token that begins a text


class Echoing:
    """An endpoint whose tokens are letters, and which holds a letter for likely (-0.5) after itself, else not (-2)."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.begins = False  # whether it puts a token before every text
        self.missing = ""  # a route that it does not have

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        route = path.partition("?")[0]
        self.asked.append((route, body))
        if route == self.missing:
            return 404, {"error": {"message": f"no {route} here"}}
        if route == "/tokenizer_info":
            return 200, {"bos_token": chr(BEGINS), "eos_token": "</s>"}
        if route == "/tokenize":
            begin = [BEGINS] if self.begins and body.get("add_special_tokens", True) else []
            return 200, {"tokens": begin + [ord(letter) for letter in body["prompt"]], "max_model_len": 64}
        choices = [{"index": at, "text": "", "logprobs": _read_back(ids)} for at, ids in enumerate(body["prompt"])]
        return 200, {"choices": choices[::-1]}  # in any order


def _read_back(ids: list[int]) -> dict[str, Any]:
    own = [None, *(-0.5 if one == other else -2.0 for one, other in pairwise(ids)), -0.1]
    top = [None if each is None else {"x": max(each, -0.5), "y": each} for each in own]
    return {"tokens": ["?"] * len(own), "token_logprobs": own, "top_logprobs": top, "text_offset": [0] * len(own)}


@contextmanager
def _listening(one: Echoing) -> Iterator[Echoing]:
    with listening(lambda request: as_json(*one.answer(request.path, request.json())), gets=True) as address:
        one.url = f"{address}/v1"
        yield one


@pytest.fixture
def endpoint() -> Iterator[Echoing]:
    with _listening(Echoing()) as one:
        yield one


def teller(url: str, **said: Any) -> Any:
    return openai.text_likelihoods(openai.Settings(model="m", base_url=url, max_retries=0, **said))


def test_choices_are_sent_as_tokens_in_one_request_and_read_back(endpoint: Echoing) -> None:
    model = teller(endpoint.url)
    found = model.likelihoods("ab ", ["bb", " b"])
    assert [(each.logprob, each.tokens, each.greedy) for each in found] == [(-4.5, 3, False), (-4.5, 3, False)]
    [(_, sent)] = [each for each in endpoint.asked if each[0] == "/v1/completions"]
    assert sent["prompt"] == [[97, 98, 32, 98, 98], [97, 98, 32, 32, 98]]
    assert sent["echo"] is True
    assert sent["model"] == "m"
    [same] = model.likelihoods("aa", ["aa"])
    assert same.greedy
    assert same.logprob == -1.0
    model.close()


def test_a_text_begins_with_the_token_that_the_endpoint_names_and_is_told_in_windows(endpoint: Echoing) -> None:
    model = teller(endpoint.url, context_length=128)
    rolled = model.rolling("a" * 200)
    assert rolled.tokens == 200
    assert rolled.logprob == -2.0 - 0.5 * 199
    sent = [body["prompt"][0] for route, body in endpoint.asked if route == "/v1/completions"]
    assert sent[0][0] == BEGINS
    assert all(len(each) + 1 <= 128 for each in sent)  # the token that is written has room as well


def test_an_endpoint_that_begins_every_text_does_so_here_too(endpoint: Echoing) -> None:
    endpoint.begins = True
    endpoint.missing = "/tokenizer_info"  # it need not be asked
    model = teller(endpoint.url)
    assert model.likelihoods("a", ["b"])[0].tokens == 1
    assert model.likelihoods("", ["b"])[0].tokens == 1
    assert [body["prompt"] for route, body in endpoint.asked if route == "/v1/completions"] == [
        [[1, 97, 98]],
        [[1, 98]],
    ]


@pytest.mark.parametrize("missing", ["/tokenize", "/tokenizer_info", "/v1/completions"])
def test_an_endpoint_that_lacks_a_route_is_told_apart(endpoint: Echoing, missing: str) -> None:
    endpoint.missing = missing
    with pytest.raises(ModelError, match=rf"{missing} is not there: .*; score with use = \"openvino\""):
        teller(endpoint.url).likelihoods("", ["a"])


def test_an_endpoint_that_does_not_read_back_is_no_score_of_0(
    endpoint: Echoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "_read_back", lambda _: {"token_logprobs": [-0.1], "top_logprobs": [{"x": -0.1}]})
    with pytest.raises(ModelError, match="does not read prompts back"):
        teller(endpoint.url).likelihoods("a", ["b"])


def test_a_remote_endpoint_needs_a_key() -> None:
    with pytest.raises(MissingPart, match="NO_SUCH_KEY is empty"):
        openai.text_likelihoods(
            openai.Settings(model="m", base_url="https://example.com/v1", api_key_env="NO_SUCH_KEY")
        )
