"""A service answers by its releases and follows them while it serves: nobody is dropped, nobody gets half of each."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import gatewheel as gw
from awaiting import eventually
from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.kernel.errors import ModelError, ProjectError
from gatewheel.kernel.trace import Recorder
from gatewheel.loop import releasing, variants
from gatewheel.loop.compose import Parts
from gatewheel.loop.following import keep_following
from gatewheel.loop.project import Project
from gatewheel.ops import releases
from gatewheel.rag.question import Question
from serving import Served, make_project, running

# [app.main] of the project drafts; what is released quotes, or says that it does not know
MORE = """
[app.silent]
use = "answer"
mode = "quote"
checker = "deaf"
abstention = "Ask the office."

[app.own]
use = "answer"
prompt = "own"
mode = "draft"
max_tokens = 4

[checker.deaf]
use = "grounding"
answerability = 1.0
"""
QUESTION = "How many litres does the kettle hold?"


def release(project: Project, named: str, app: str = "main") -> str:
    return releasing.promote(project.parts, app, named, override="for the test").variant


def ask(at: Served, app: str = "main") -> Any:
    response = httpx2.post(f"{at.base_url}/api/ask", json={"question": QUESTION, "app": app}, timeout=120)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with make_project(tmp_path, more=MORE) as made:
        (tmp_path / "prompts" / "own.md").write_text("First: {{ question }}")
        yield made


def test_a_release_is_followed_and_left_again(project: Project) -> None:
    with running(project) as at:
        file = ask(at, "silent")["variant"]
        assert project.variant("silent").id == file
        quoting = release(project, "quoting", app="silent")
        eventually(lambda: ask(at, "silent")["variant"] == quoting)
        said = ask(at, "silent")
        assert "1.7 litres" in said["answer"]
        apps = httpx2.get(f"{at.base_url}/api/apps", timeout=60).json()["apps"]
        assert {one["name"]: one["variant"] for one in apps}["silent"] == quoting
        releases.rollback(project.parts.engine, "silent")
        eventually(lambda: ask(at, "silent")["variant"] == file)
        assert ask(at, "silent")["answer"] == "Ask the office."


def test_a_service_begins_with_the_release_and_says_which(project: Project) -> None:
    quoting = release(project, "quoting")
    with running(project) as at:
        assert ask(at)["variant"] == quoting
        wheel = httpx2.get(f"{at.base_url}/api/wheel", timeout=60).json()
        assert (wheel["release"]["current"], wheel["variant"]) == (quoting, quoting)


def test_under_load_every_answer_is_whole_and_of_one_variant(project: Project) -> None:
    words = {release(project, "silent"): "Ask the office.", release(project, "quoting"): "1.7 litres"}
    stopped = threading.Event()
    heard: list[tuple[str, str]] = []
    faults: list[BaseException] = []

    def keep_asking(at: Served) -> None:
        while not stopped.is_set():
            try:
                said = ask(at)
                heard.append((said["variant"], said["answer"]))
            except (AssertionError, httpx2.HTTPError) as error:
                faults.append(error)
                return

    with running(project) as at:
        threads = [threading.Thread(target=keep_asking, args=(at,), daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for named in ("silent", "quoting", "silent"):
            now = release(project, named)
            eventually(lambda now=now: any(variant == now for variant, _ in heard[-6:]))
        stopped.set()
        for thread in threads:
            thread.join(timeout=60)
    assert faults == []
    assert {variant for variant, _ in heard} == words.keys()
    for variant, answer in heard:
        assert words[variant] in answer


def test_a_stream_under_way_is_written_to_its_end_by_who_began_it(project: Project) -> None:
    toml = (project.config.root / CONFIG_FILE).read_text()
    (project.config.root / CONFIG_FILE).write_text(toml.replace("max_tokens = 4", "max_tokens = 200"))
    (project.config.root / "prompts" / "own.md").write_text("Write a long story about a kettle. {{ question }}")
    with gw.open(project.config.root) as longer, running(longer) as at:
        began = release(longer, "own")
        eventually(lambda: at.service.project.variant().id == began)
        asked = {"question": QUESTION, "stream": True}
        with httpx2.stream("POST", f"{at.base_url}/api/ask", json=asked, timeout=120) as response:
            lines = response.iter_lines()
            next(line for line in lines if line == "event: text")
            quoting = release(longer, "quoting")
            eventually(lambda: ask(at)["variant"] == quoting)
            events = [line for line in lines if line.startswith(("event: ", "data: "))]
        assert events[-2] == "event: answer"
        assert json.loads(events[-1].removeprefix("data: "))["variant"] == began


def test_a_request_under_way_ends_with_the_prompt_and_the_model_that_it_began_with(project: Project) -> None:
    first, root = release(project, "own"), project.config.root
    (root / "prompts" / "own.md").write_text("Second: {{ question }}")
    toml = (root / CONFIG_FILE).read_text().replace("max_tokens = 4", "max_tokens = 5")
    (root / CONFIG_FILE).write_text(toml.replace("threads = 1", "threads = 1\ncontext_length = 512"))
    with gw.open(root) as project:
        served = project.following()
        with served.answering() as parts:
            assert parts.variant().id == first
            assert parts.app().prompt.render(question="?")[-1].content == "First: ?"
            assert parts.app().settings.max_tokens == 4
            old = parts.app().model()
            assert old.context_length == 4096
            second = release(project, "own")
            assert served.followed is not None
            assert served.followed.look()
            with served.answering() as newer:
                assert newer.variant().id == second
                assert newer.app().model().context_length == 512
            assert served.variant().id == second
            assert parts.app().answer(Question(text=QUESTION), recorder=Recorder()).variant == first
        with pytest.raises(ModelError):
            old.count_tokens("nobody is left who needs it")
        assert served.ask(QUESTION).variant == second
        assert not served.followed.look()


def test_two_releases_of_one_model_share_it(project: Project) -> None:
    release(project, "silent")
    served = project.following()
    assert served.followed is not None
    models = []
    for named in ("own", "main"):
        release(project, named)
        served.followed.look()
        with served.answering() as parts:
            models.append(parts.model("chat"))
    assert models[0] is models[1]


def test_a_release_that_cannot_be_made_again_is_told_and_what_answered_goes_on(project: Project) -> None:
    quoting = release(project, "quoting")
    served = project.following()
    assert served.followed is not None
    own = release(project, "own")
    prompt = project.parts.objects.path(variants.get(project.parts.engine, own).recipe["prompt"])
    kept = prompt.read_bytes()
    prompt.write_bytes(b"Damaged: {{ question }}")
    with pytest.raises(ProjectError, match=r"cannot be made again: object .* is damaged"):
        served.followed.look()
    assert served.ask(QUESTION).variant == quoting
    with pytest.raises(ProjectError, match="cannot be made again"):
        project.following()
    prompt.write_bytes(kept)
    assert served.followed.look()
    assert served.variant().id == own


def test_nothing_that_a_look_meets_ends_the_following(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    served, stopped = project.following(), threading.Event()
    assert served.followed is not None
    faults = iter([RuntimeError("a defect"), RuntimeError("a defect"), OSError("no weights")])

    def prepare(parts: Parts, name: str) -> None:
        if fault := next(faults, None):
            raise fault

    quoting = release(project, "quoting")
    told: list[str] = []
    keep_following(
        served.followed, stopped, prepare=prepare, say=lambda text: (told.append(text), stopped.set())[0], every=0.01
    )
    assert (served.variant().id, len(told)) == (quoting, 1)
    said = [record for record in caplog.records if "is not followed" in record.message]
    assert [("a defect" in one.message, one.exc_info is not None) for one in said] == [(True, True), (False, True)]


def test_documents_that_are_read_otherwise_give_the_answers_another_name(project: Project) -> None:
    quoting, root = release(project, "quoting"), project.config.root
    toml = (root / CONFIG_FILE).read_text()
    (root / CONFIG_FILE).write_text(f'{toml}\n[chunker.main]\nuse = "fixed"\ntokens = 32\n')
    said: list[str] = []
    with gw.open(root, say=said.append) as project:
        project.ingest()
        answer = project.following().ask(QUESTION)
        assert ("1.7 litres" in answer.answer, answer.variant == quoting) == (True, False)
        assert any("other settings" in line for line in said)
        releases.rollback(project.parts.engine, "main")
        with pytest.raises(ProjectError, match=r"made with other settings of the documents \(chunker"):
            release(project, quoting[:12])
