"""The language of a document, told where it can be and left open where it cannot."""

from __future__ import annotations

import threading

import pytest

from gatewheel.rag.language import detect


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The cat sat on the mat and looked at the dog for a while.", "en"),
        ("Der Hund läuft über die Straße und bellt die Katze an.", "de"),
        ("Le chat est sur la table et il dort depuis ce matin.", "fr"),
        ("Съешь же ещё этих мягких французских булок, да выпей чаю.", "ru"),
        ("東京は日本の首都です。", "ja"),
        ("한국어 문장입니다. 서울은 수도입니다.", "ko"),
        ("\n" * 3_000 + "The cat sat on the mat and looked at the dog for a while.", "en"),
        ("", ""),
        ("ok", ""),
        ("1234 5678 -- 99 %", ""),
        ("def f(x): return x+1; import os, sys", ""),
        ("asdkjh qwoeiu zxmcnb alskdj qpwoei zmxncb", ""),
    ],
)
def test_detect(text: str, code: str) -> None:
    assert detect(text) == code


def test_threads_may_ask_at_once() -> None:
    found: list[str] = []
    ask = [
        threading.Thread(target=lambda: found.append(detect("The cat sat on the mat and looked at the dog.")))
        for _ in range(8)
    ]
    for thread in ask:
        thread.start()
    for thread in ask:
        thread.join()
    assert found == ["en"] * 8
