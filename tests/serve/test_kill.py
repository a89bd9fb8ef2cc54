"""Kill -9 of the service at work: nothing that it acknowledged is lost, it starts again, and its jobs go on."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import tiny_llama

import gatewheel as gw
from awaiting import eventually
from gatewheel.kernel import runs
from gatewheel.models.dense import open_dense
from gatewheel.models.exporting import export
from serving import make_project

COMMAND = [sys.executable, "-P", "-m", "gatewheel"]
CLIENTS, ACKNOWLEDGED = 4, 60


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [*COMMAND, "-C", str(folder), "serve", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["url"]


def test_acknowledged_feedback_outlives_the_service(tmp_path: Path) -> None:
    with make_project(tmp_path) as project:
        trace = project.ask("How many litres does the kettle hold?", app="quoting").trace
    process, url = start(tmp_path)
    kept: set[str] = set()

    def give(client: int) -> None:
        with httpx2.Client(base_url=url, timeout=30) as session:
            for number in range(10_000):
                said = {"trace": trace, "comment": f"{client}.{number}"}
                try:
                    if session.post("/api/feedback", json=said).status_code == 201:
                        kept.add(said["comment"])
                    session.get("/api/search", params={"q": "kettle"})
                except httpx2.HTTPError:
                    return

    threads = [threading.Thread(target=give, args=(client,), daemon=True) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(kept) >= ACKNOWLEDGED)
    process.kill()
    process.wait()
    for thread in threads:
        thread.join(timeout=60)
    assert process.stdout is not None
    process.stdout.close()
    with gw.open(tmp_path) as project:
        assert kept <= {one.comment for one in project.feedback(limit=100_000)}
    again, url = start(tmp_path)
    try:
        assert httpx2.get(f"{url}/healthz", timeout=30).status_code == 200
    finally:
        again.kill()
        again.communicate()


TUNING = """
[encoder.main]
use = "none"
[model.chat]
use = "llama.cpp"
weights = "base.gguf"
threads = 1
[app.main]
use = "direct"
prompt = "answer"
[finetune.lora]
rank = 2
batch = 1
validation = 0.0
patience = 0
checkpoint_every = 10
samples = 0
threads = 1
[serve]
port = 0
"""


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60)


def test_a_job_goes_on_in_the_next_service_and_one_that_was_paused_waits(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra train is not installed")
    folder = tiny_llama.folder(tmp_path / "base")
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>", "chat_template": template}))
    export(open_dense(folder), tmp_path / "base.gguf", kind="F32")
    gw.init(tmp_path).close()
    toml = TUNING.replace("base.gguf", str(tmp_path / "base.gguf"))
    (tmp_path / "gatewheel.toml").write_text(toml, encoding="utf-8")
    turns: list[Any] = [{"role": "user", "content": "lamp?"}, {"role": "assistant", "content": "lit"}]
    line = json.dumps({"messages": turns}).encode() + b"\n"
    process, url = start(tmp_path)
    with client(url) as before:
        file = before.files.create(file=("a.jsonl", line), purpose="fine-tune").id
        job, other = (
            before.fine_tuning.jobs.create(model="chat", training_file=file, hyperparameters={"n_epochs": 200}).id
            for _ in range(2)
        )
        assert before.fine_tuning.jobs.pause(other).status == "paused"  # type: ignore[comparison-overlap]

        def learned() -> int:
            events = before.fine_tuning.jobs.list_events(job, limit=1).data
            return int(events[0].data["step"]) if events[0].data else 0  # type: ignore[index]

        eventually(lambda: learned() > 20, seconds=120)
    process.kill()
    process.communicate()
    again, url = start(tmp_path)
    try:
        with client(url) as after:
            jobs = after.fine_tuning.jobs
            eventually(lambda: jobs.retrieve(job).finished_at is not None, seconds=120)
            done = jobs.retrieve(job)
            assert (done.status, done.error) == ("succeeded", None)
            assert after.models.retrieve(done.fine_tuned_model or "").id == done.fine_tuned_model
            assert jobs.retrieve(other).status == "paused"  # type: ignore[comparison-overlap]
            assert jobs.cancel(other).finished_at is not None
    finally:
        again.kill()
        again.communicate()
    with gw.open(tmp_path) as project:
        run = runs.get(project.parts.engine, job.removeprefix("ftjob-"))
        log = (runs.folder(project.config.state, run.id) / "kills.jsonl").read_text()
    assert int(json.loads(log.split("\n")[1])[0]) > 20, "it went on from what it had learned"
