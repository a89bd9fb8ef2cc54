"""Log-probabilities belong to the text that was kept, wherever a stop string cut it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import TokenLogprob
from gatewheel.kernel.ports import Decoding
from gatewheel.models import logprobs


@given(st.lists(st.text(max_size=4), max_size=8), st.integers(0, 40))
def test_the_tokens_kept_are_those_that_the_text_needs(tokens: list[str], length: int) -> None:
    text = "".join(tokens)[:length]
    kept = logprobs.cut([TokenLogprob(token=token, logprob=-1.0) for token in tokens], text)
    written = "".join(entry.token for entry in kept)
    assert written.startswith(text)
    assert not kept or len("".join(entry.token for entry in kept[:-1])) < len(text)


def test_an_engine_without_them_names_those_that_have_them() -> None:
    logprobs.refuse(Decoding(), engine="openvino")
    with pytest.raises(ModelError, match=r"openvino gives no log-probabilities, logprobs = 2.*llama.cpp"):
        logprobs.refuse(Decoding(logprobs=2), engine="openvino")
