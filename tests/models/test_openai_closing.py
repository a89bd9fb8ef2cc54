"""What ends a call of an endpoint that hears nothing from it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import Message
from gatewheel.kernel.ports import Decoding
from gatewheel.models import openai
from gatewheel.models.turn import hush
from silent_server import silent

ASK = [Message(role="user", content="What is the capital of France?")]


def test_closing_ends_a_call_that_hears_nothing() -> None:
    with silent(begun=True) as (url, gone):
        model = openai.create(openai.Settings(model="m", base_url=url, timeout=600.0))
        with ThreadPoolExecutor(1) as pool:
            asked = threading.Event()
            writing = pool.submit(model.chat, ASK, decoding=Decoding(), on_text=lambda _: asked.set())
            assert asked.wait(30)
            model.close()
            with pytest.raises(ModelError, match="closed"):
                writing.result(timeout=30)
        assert gone.wait(30)


def test_a_call_that_waits_its_turn_is_not_sent_once_the_model_is_closed() -> None:
    before = threading.enumerate()
    with silent(begun=True) as (url, gone):
        model = openai.create(openai.Settings(model="m", base_url=url, timeout=600.0, parallel=1))
        with ThreadPoolExecutor(2) as pool:
            asked, waits = threading.Event(), threading.Event()
            first = pool.submit(model.chat, ASK, decoding=Decoding(), on_text=lambda _: asked.set())
            assert asked.wait(30)
            second = pool.submit(model.chat, ASK, decoding=Decoding(), on_text=lambda _: waits.set())
            assert waits.wait(30)
            model.close()
            for call in (first, second):
                with pytest.raises(ModelError, match="closed"):
                    call.result(timeout=30)
        assert gone.wait(30)
    left = [thread for thread in threading.enumerate() if thread not in before and thread.name == "endpoint"]
    for thread in left:
        thread.join(10)
    assert not any(thread.is_alive() for thread in left)


def test_an_answer_asked_for_whole_ends_when_the_model_is_closed() -> None:
    with silent(begun=False) as (url, _):
        model = openai.create(openai.Settings(model="m", base_url=url, timeout=600.0))
        with ThreadPoolExecutor(1) as pool:
            asked = threading.Event()
            writing = pool.submit(model.chat, ASK, decoding=Decoding(max_tokens=8), on_text=hush(lambda _: asked.set()))
            assert asked.wait(30)
            model.close()
            with pytest.raises(ModelError, match="closed"):
                writing.result(timeout=30)
