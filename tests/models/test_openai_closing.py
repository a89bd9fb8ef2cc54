"""What ends a call of an endpoint that hears nothing from it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import Message
from gatewheel.kernel.ports import Decoding
from gatewheel.models import openai
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
