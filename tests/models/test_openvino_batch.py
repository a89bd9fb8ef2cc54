"""Several answers at once by OpenVINO: the same texts, one caller's fault is nobody else's, a process that may die."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import Completion, Message
from gatewheel.kernel.ports import Decoding, Model, OnText
from gatewheel.models import conversion, openvino
from gatewheel.models.weights import DEFAULT, find, read_json

QUESTIONS = ["Name three colours.", "What is the sea?", "Count from one to nine.", "Who wrote Hamlet?", "Say hello."]
IMPOSSIBLE = {"type": "array", "minItems": 3, "maxItems": 1}
PARENT = """
from gatewheel.models import openvino
made = openvino.create(openvino.Settings(parallel=2, threads=1, context_length=256))
print("ready", flush=True)
input()
"""
AT_ONCE = """
import sys, threading
from gatewheel.kernel.nouns import Message
from gatewheel.kernel.ports import Decoding
from gatewheel.models import openvino
made = openvino.create(openvino.Settings(parallel=2, threads=1, context_length=256))
together = threading.Barrier(8)
def ask():
    together.wait()
    made.chat([Message(role="user", content="Hi")], decoding=Decoding(max_tokens=1))
sys.setswitchinterval(1e-6)  # so that all of them are in the midst of it
for thread in (threads := [threading.Thread(target=ask) for _ in range(8)]):
    thread.start()
for thread in threads:
    thread.join()
made.close()
"""


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    made = openvino.create(openvino.Settings(parallel=3, threads=1, context_length=512, exact=True))
    yield made
    made.close()


def ask(model: Model, question: str, *, on_text: OnText | None = None, **decoding: Any) -> Completion:
    told = Decoding(**{"max_tokens": 12, **decoding})
    return model.chat([Message(role="user", content=question)], decoding=told, on_text=on_text)


def test_answers_written_at_once_are_those_written_alone(model: Model) -> None:
    alone = [ask(model, question).text for question in QUESTIONS]
    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(lambda question: ask(model, question).text, QUESTIONS)) == alone


def test_the_first_questions_of_a_process_may_come_at_once() -> None:
    """They waited for each other for ever, in OpenVINO's search for numpy."""
    subprocess.run([sys.executable, "-c", AT_ONCE], check=True, timeout=120)


def test_a_schema_that_cannot_be_followed_fails_for_its_caller_alone(model: Model) -> None:
    """Also for a neighbour who draws by chance, and for one with a schema of its own."""
    drawn: dict[str, Any] = {"max_tokens": 40, "temperature": 1.0, "seed": 3}
    bound: dict[str, Any] = {"max_tokens": 40, "schema": {"type": "string", "maxLength": 60}}
    alone = [ask(model, "Tell a story of the sea.", **told).text for told in (drawn, bound)]
    begun = [threading.Event(), threading.Event()]
    with ThreadPoolExecutor(3) as pool:
        others = [
            pool.submit(ask, model, "Tell a story of the sea.", on_text=seen(event), **told)
            for told, event in zip((drawn, bound), begun, strict=True)
        ]
        assert all(event.wait(60) for event in begun)
        for _ in range(2):
            with pytest.raises(ModelError, match="OpenVINO refused: minItems is greater"):
                ask(model, "Say hello.", schema=IMPOSSIBLE)
        assert [other.result().text for other in others] == alone


def seen(event: threading.Event) -> OnText:
    """Sets the event at the first words."""
    return lambda piece: event.set() if piece else None


def test_of_several_new_schemas_at_once_only_the_impossible_one_is_refused(model: Model) -> None:
    colours = [{"enum": ["red", f"blue{at}"]} for at in range(4)]
    with ThreadPoolExecutor(5) as pool:
        bad = pool.submit(ask, model, "Name a colour.", schema={"type": "integer", "minimum": 5, "maximum": 3})
        good = [pool.submit(ask, model, "Name a colour.", schema=schema) for schema in colours]
        with pytest.raises(ModelError, match="Invalid range"):
            bad.result()
        assert all(one.result().text.strip('"') in schema["enum"] for one, schema in zip(good, colours, strict=True))


def test_who_leaves_while_a_prompt_is_read_gives_the_place_back(model: Model) -> None:
    """Else three who left would write to the end of the context before anybody else."""
    prompt = "The keeper lights the lamp. " * 60
    for _ in range(model.parallel):
        assert ask(model, prompt, on_text=lambda _: True, max_tokens=100).finish == "cancelled"
    heard: list[str] = []
    assert ask(model, "Say hello.", on_text=heard.append, max_tokens=3).text
    process = child_of(os.getpid())
    idle = ticks(process)
    time.sleep(1.0)
    assert ticks(process) - idle < 20  # a hundred in a second of work


def test_when_its_process_is_killed_callers_are_told_and_the_next_one_is_answered(model: Model) -> None:
    begun = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(ask, model, "Tell a long story.", on_text=lambda _: begun.set(), max_tokens=400)
        assert begun.wait(60)
        os.kill(child_of(os.getpid()), signal.SIGKILL)
        with pytest.raises(ModelError, match=r"ended \(signal 9\); ask again"):
            told.result()
    assert ask(model, "Say hello.").text


def test_its_process_ends_with_the_one_that_was_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    child = child_of(parent.pid)
    parent.kill()
    parent.communicate()
    end = time.monotonic() + 60
    while stat(child)[0] != "Z" and time.monotonic() < end:
        time.sleep(0.05)
    assert stat(child)[0] == "Z"


def test_a_compiled_form_that_was_cut_short_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that the process maps; those that came with the conversion are test_conversion.py's."""
    settings = openvino.Settings(parallel=2, threads=1, context_length=256)
    folder = conversion.kept(find(DEFAULT), threads=1, on_progress=print)
    here = tmp_path / "openvino" / folder.name
    for name in read_json(folder / "manifest.json") | {"manifest.json": 0}:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).symlink_to(folder / name)
    monkeypatch.setenv("GATEWHEEL_CACHE", str(tmp_path))
    openvino.create(settings).close()
    [blob] = (one for one in here.glob("compiled/*.blob") if not one.is_symlink())
    size = blob.stat().st_size
    blob.chmod(0o600)
    os.truncate(blob, size // 2)
    made = openvino.create(settings)
    assert ask(made, "Say hello.").text
    made.close()
    assert blob.stat().st_size == size


def child_of(process: int) -> int:
    """The child that writes, of a process."""
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # others end meanwhile
            writes = folder.name.isdigit() and b"openvino_child" in (folder / "cmdline").read_bytes()
            if writes and int(stat(int(folder.name))[1]) == process:
                return int(folder.name)
    raise AssertionError("no process writes")


def ticks(process: int) -> int:
    """Of processor time, a hundredth of a second each."""
    return sum(map(int, stat(process)[11:13]))


def stat(process: int) -> list[str]:
    """proc_pid_stat(5) from the third field on; the state alone where it has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return ["Z"]
