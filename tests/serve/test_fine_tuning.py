"""`/v1/fine_tuning/jobs` as OpenAI's client speaks it: a file is learned as a run, what it made is asked by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai.types.fine_tuning import FineTuningJob

import gatewheel as gw
from awaiting import eventually
from gatewheel.kernel import runs
from gatewheel.kernel.nouns import Caller, Message
from gatewheel.kernel.ports import Decoding
from gatewheel.loop import artifacts, tuned_models
from gatewheel.models import adapters
from gatewheel.ops import keys
from serving import Served, running

pytest.importorskip("torch", reason="the extra train is not installed")

TOML = """
[encoder.main]
use = "none"
[model.chat]
use = "llama.cpp"
threads = 1
[model.far]
use = "openai"
model = "m"
base_url = "http://localhost:9"
[app.main]
use = "direct"
prompt = "answer"
[app.elsewhere]
use = "direct"
model = "far"
prompt = "answer"
[finetune.lora]
rank = 4
learning_rate = 2e-3
steps = 4
batch = 4
validation = 0.2
samples = 1
evaluate_every = 2
threads = 1
[serve]
slots = 2
"""
SYSTEM = "Which department?"
THINGS = ("kettle", "lamp", "tent", "chair", "camera", "jacket", "clock", "toaster")
SECRETS: dict[str, str] = {}
CLIENTS: dict[str, openai.OpenAI] = {}


def lines(things: tuple[str, ...] = THINGS) -> bytes:
    turns = [
        [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": f"Where is my {thing}?"},
            {"role": "assistant", "content": "delivery"},
        ]
        for thing in things
    ]
    return b"".join(json.dumps({"messages": one}).encode() + b"\n" for one in turns)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("tuning")
    gw.init(root).close()
    (root / "gatewheel.toml").write_text(TOML, encoding="utf-8")
    with running(gw.open(root)) as it:
        for name, groups in (("ada", ("*",)), ("bob", ("*",)), ("hr", ("hr",))):
            made = keys.create(it.project.parts.engine, name=name, scopes=("operate", "ask"), groups=groups)
            SECRETS[name] = made[1]
        SECRETS["asker"] = keys.create(it.project.parts.engine, name="asker", scopes=("ask",), groups=("hr",))[1]
        yield it
        for each in CLIENTS.values():
            each.close()


def client(served: Served, name: str = "ada") -> openai.OpenAI:
    if name not in CLIENTS:
        url, secret = f"{served.base_url}/v1", SECRETS[name]
        CLIENTS[name] = openai.OpenAI(base_url=url, api_key=secret, max_retries=0, timeout=120)
    return CLIENTS[name]


def sent(of: openai.OpenAI, content: bytes = b"") -> str:
    return of.files.create(file=("letters.jsonl", content or lines()), purpose="fine-tune").id


def ended(of: openai.OpenAI, job: str) -> FineTuningJob:
    over = ("succeeded", "failed", "cancelled", "paused")
    eventually(lambda: of.fine_tuning.jobs.retrieve(job).status in over, seconds=240)
    return of.fine_tuning.jobs.retrieve(job)


@pytest.fixture(scope="module")
def done(served: Served) -> FineTuningJob:
    """A job that has succeeded."""
    ada = client(served)
    begun = ada.fine_tuning.jobs.create(
        model="chat",
        training_file=sent(ada),
        validation_file=sent(ada, lines(("parasol", "ladder", "kayak"))),
        suffix="letters",
        seed=3,
        metadata={"team": "post"},
        method={
            "type": "supervised",
            "supervised": {"hyperparameters": {"learning_rate_multiplier": 4.0, "n_epochs": "auto"}},
        },
    )
    assert begun.status in ("queued", "validating_files")
    assert (begun.object, begun.model, begun.fine_tuned_model, begun.finished_at) == (
        "fine_tuning.job",
        "chat",
        None,
        None,
    )
    return ended(ada, begun.id)


def asked(of: openai.OpenAI, model: str, thing: str = "garden gnome") -> str:
    turns: Any = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"Where is my {thing}?"}]
    said = of.chat.completions.create(model=model, messages=turns, temperature=0, max_tokens=4)
    return said.choices[0].message.content or ""


def test_what_was_learned_is_asked_by_its_name(served: Served, done: FineTuningJob) -> None:
    ada = client(served)
    assert (done.status, done.error) == ("succeeded", None)
    assert done.fine_tuned_model == f"ft:chat:letters:{done.id.removeprefix('ftjob-')}"
    assert asked(ada, done.fine_tuned_model) == "delivery"
    assert asked(ada, "chat") != "delivery", "the base is as it was"
    assert asked(client(served, "asker"), done.fine_tuned_model) == "delivery", "its maker saw every document"
    assert ada.models.retrieve(done.fine_tuned_model).id in [one.id for one in ada.models.list()]
    streamed = ada.responses.create(model=done.fine_tuned_model, input="Where is my sofa?", max_output_tokens=16)
    assert streamed.model == done.fine_tuned_model


def test_a_job_says_by_what_it_learned_and_what_happened(served: Served, done: FineTuningJob) -> None:
    ada, jobs = client(served), client(served).fine_tuning.jobs
    assert done.hyperparameters.model_dump() == {
        "n_epochs": "auto",
        "batch_size": 4,
        "learning_rate_multiplier": 4.0,
    }
    assert (done.seed, done.metadata) == (3, {"team": "post"})
    assert done.trained_tokens
    assert done.finished_at
    assert done.created_at <= done.finished_at
    told = [*jobs.list_events(done.id, limit=3)]
    assert told[0].message == "The job has successfully completed"
    assert told[-1].message == f"Created fine-tuning job: {done.id}"
    steps = [one.data for one in told if one.type == "metrics"]
    assert [one["step"] for one in steps if "train_loss" in one] == [4, 3, 2, 1]  # type: ignore[index, operator]
    assert len({one.id for one in told}) == len(told)
    assert [one.created_at for one in told] == sorted((one.created_at for one in told), reverse=True)
    [checkpoint] = jobs.checkpoints.list(done.id)
    assert checkpoint.fine_tuned_model_checkpoint == done.fine_tuned_model
    assert checkpoint.metrics.valid_loss is not None
    [results] = done.result_files
    table = ada.files.content(results).text.splitlines()
    assert table[0] == "step,train_loss,valid_loss"
    assert len(table) == 6, "the first look, and four steps"
    assert ada.files.retrieve(results).purpose == "fine-tune-results"


def test_jobs_are_listed_by_their_key_and_its_metadata(served: Served, done: FineTuningJob) -> None:
    ada, bob = client(served), client(served, "bob")
    assert done.id in [one.id for one in ada.fine_tuning.jobs.list(limit=1)]
    assert [one.id for one in ada.fine_tuning.jobs.list(metadata={"team": "post"})] == [done.id]
    assert [*ada.fine_tuning.jobs.list(metadata={"team": "sales"})] == []
    assert [*bob.fine_tuning.jobs.list()] == []
    for hidden in (bob.fine_tuning.jobs.retrieve, bob.fine_tuning.jobs.list_events, bob.fine_tuning.jobs.cancel):
        with pytest.raises(openai.NotFoundError) as missing:
            hidden(done.id)
        assert missing.value.code == "fine_tune_not_found"
    with pytest.raises(openai.BadRequestError) as error:
        bob.fine_tuning.jobs.create(model="chat", training_file=done.training_file)
    assert error.value.param == "training_file"
    for over in (ada.fine_tuning.jobs.cancel, ada.fine_tuning.jobs.pause, ada.fine_tuning.jobs.resume):
        with pytest.raises(openai.BadRequestError, match=r"done|succeeded"):
            over(done.id)


def test_its_run_is_booked_and_its_cases_are_frozen_for_training(served: Served, done: FineTuningJob) -> None:
    engine = served.project.parts.engine
    run = runs.get(engine, done.id.removeprefix("ftjob-"))
    ada = next(one for one in keys.every(engine) if one.name == "ada")
    assert (run.kind, run.settings["payer"], run.settings["app"]) == ("finetune", ada.id, "")
    from gatewheel.data import datasets, splits
    from gatewheel.data.cases import split_key

    cases = datasets.load(served.project.parts.objects, run.result["dataset"])
    assert {case.history[0].content for case in cases} == {SYSTEM}
    assert set(splits.of(engine, map(split_key, cases)).values()) == {"train"}


def test_who_sees_not_every_document_sees_no_words_of_its_cases(served: Served, done: FineTuningJob) -> None:
    path = f"{served.base_url}/api/runs/{done.id.removeprefix('ftjob-')}"
    told = {
        name: httpx2.get(path, headers={"Authorization": f"Bearer {SECRETS[name]}"}, timeout=60)
        for name in ("bob", "hr")
    }
    assert told["hr"].json()["about"] == f"lora of chat on {done.training_file}"
    assert ["Where is my" in told[name].text for name in ("bob", "hr")] == [True, False]


def test_a_job_is_paused_resumed_and_called_off(served: Served) -> None:
    ada, jobs = client(served), client(served).fine_tuning.jobs
    begun = jobs.create(
        model="app", training_file=sent(ada, lines(THINGS[:4])), hyperparameters={"n_epochs": 500, "batch_size": 2}
    )
    assert (begun.hyperparameters.n_epochs, begun.hyperparameters.batch_size) == (500, 2)
    eventually(lambda: jobs.retrieve(begun.id).status == "running", seconds=240)
    paused = jobs.pause(begun.id)
    assert paused.status == "paused"  # type: ignore[comparison-overlap]
    assert paused.finished_at is None
    assert jobs.resume(begun.id).status in ("queued", "validating_files", "running")
    assert jobs.cancel(begun.id).status == "cancelled"
    assert next(iter(jobs.list_events(begun.id))).level == "warn"
    assert [*jobs.checkpoints.list(begun.id)] == []
    with pytest.raises(openai.BadRequestError, match="only a paused job"):
        jobs.resume(begun.id)


def test_a_tuned_model_is_tuned_further(served: Served, done: FineTuningJob) -> None:
    ada, jobs, name = client(served), client(served).fine_tuning.jobs, done.fine_tuned_model or ""
    with pytest.raises(openai.NotFoundError):
        hr = client(served, "hr")
        hr.fine_tuning.jobs.create(model="ft:chat:letters:nobody", training_file=sent(hr))
    begun = jobs.create(model=name, training_file=sent(ada, lines(THINGS[4:])), suffix="more")
    assert jobs.cancel(begun.id).status == "cancelled"
    run = runs.get(served.project.parts.engine, begun.id.removeprefix("ftjob-"))
    first = runs.get(served.project.parts.engine, done.id.removeprefix("ftjob-"))
    assert (run.settings["base"], run.settings["begins"]) == ("chat", first.result["adapter"])
    assert (begun.model, run.settings["job"]["open"]) == (name, True)


def test_what_a_private_model_learned_stays_private_when_who_sees_all_tunes_it_further(
    served: Served, done: FineTuningJob
) -> None:
    ada, jobs, name = client(served), client(served).fine_tuning.jobs, "ft:chat:hr:20260101-000000-abcdef"
    engine = served.project.parts.engine
    hr = next(one for one in keys.every(engine) if one.name == "hr")
    [made] = [one for one in tuned_models.listed(engine, Caller()) if one.name == done.fine_tuned_model]
    tuned_models.keep(served.project.parts, replace(made, name=name, key=hr.id, open=False))
    begun = jobs.create(model=name, training_file=sent(ada, lines(THINGS[4:])))
    assert jobs.cancel(begun.id).status == "cancelled"
    assert runs.get(engine, begun.id.removeprefix("ftjob-")).settings["job"]["open"] is False
    assert ada.models.delete(name).deleted


def test_a_tuned_model_of_other_pairs_than_the_settings_ask_for_is_refused_in_words_for_a_client(
    served: Served, done: FineTuningJob, tmp_path: Path
) -> None:
    ada, parts, name = client(served), served.project.parts, "ft:chat:wide:20260101-000000-abcdef"
    [made] = [one for one in tuned_models.listed(parts.engine, Caller()) if one.name == done.fine_tuned_model]
    first = artifacts.get(parts.engine, made.adapter)
    whole = adapters.read(artifacts.path(parts.objects, first))
    pairs = {module: pair for module, pair in whole.pairs.items() if module.endswith("q_proj")}
    file = adapters.write(replace(whole, pairs=pairs), tmp_path)
    other = artifacts.keep(parts.engine, parts.objects, file, kind="adapter", run="", meta=first.meta)
    tuned_models.keep(parts, replace(made, name=name, adapter=other.id))
    with pytest.raises(openai.BadRequestError) as error:
        ada.fine_tuning.jobs.create(model=name, training_file=sent(ada))
    assert error.value.param == "model"
    assert "tune 'chat' instead" in error.value.message
    assert "--" not in error.value.message, "a client has no command line"
    assert ada.models.delete(name).deleted


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"model": "nobody"}, "model"),
        ({"model": "encoder"}, "model"),
        ({"model": "far"}, "model"),
        ({"model": "app/elsewhere"}, "model"),
        ({"model": "ft:chat::20260101-000000-abcdef"}, "model"),
        ({"training_file": "file-000000000000000000000000"}, "training_file"),
        ({"training_file": "file\0"}, "training_file"),
        ({"validation_file": "file-000000000000000000000000"}, "validation_file"),
        ({"validation_file": "the same"}, "validation_file"),
        ({"integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}, "integrations"),
        ({"method": {"type": "dpo"}}, "method.type"),
        ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"learning_rate_multiplier": 999.0, "n_epochs": 1}}, "hyperparameters"),
        ({"suffix": "a b"}, "suffix"),
        ({"seed": -1}, "seed"),
        ({"metadata": {"a": "b" * 513}}, "metadata.a"),
    ],
)
def test_what_cannot_be_tuned_is_refused_at_once_with_its_name(served: Served, said: Any, param: str) -> None:
    ada = client(served)
    before = len(runs.recent(served.project.parts.engine, limit=None))
    wanted = {"model": "chat", "training_file": said.get("training_file") or sent(ada), **said}
    if wanted.get("validation_file") == "the same":
        wanted["validation_file"] = wanted["training_file"]
    with pytest.raises((openai.BadRequestError, openai.NotFoundError)) as error:
        ada.fine_tuning.jobs.create(**wanted)
    assert (error.value.param or "").startswith(param), error.value.message
    assert len(runs.recent(served.project.parts.engine, limit=None)) == before


def test_what_is_validated_on_may_be_a_file_of_its_own(served: Served, done: FineTuningJob) -> None:
    ada, jobs = client(served), client(served).fine_tuning.jobs
    assert done.validation_file
    assert ada.files.retrieve(done.validation_file).purpose == "fine-tune"
    run = runs.get(served.project.parts.engine, done.id.removeprefix("ftjob-"))
    assert (run.result["tuned"]["examples"], run.result["tuned"]["kept"]) == (len(THINGS), 3), "none is kept back"
    [checkpoint] = jobs.checkpoints.list(done.id)
    assert checkpoint.metrics.full_valid_loss is not None
    told = [one.message for one in jobs.list_events(done.id)]
    assert f"Validating validation file: {done.validation_file}" in told


def test_the_same_conversations_in_both_files_fail_the_job_with_one_of_them(served: Served) -> None:
    ada, jobs = client(served), client(served).fine_tuning.jobs
    both = sent(ada, lines((*THINGS[:1], "parasol")))
    job = ended(ada, jobs.create(model="chat", training_file=sent(ada), validation_file=both).id)
    assert job.status == "failed"
    assert job.error
    assert "1 of the 2 validation cases are learned too, such as 'Where is my kettle?'" in (job.error.message or "")


def test_a_model_is_deleted_by_its_name_and_asked_no_more(served: Served, done: FineTuningJob) -> None:
    ada, name = client(served), done.fine_tuned_model or ""
    for wrong, kind in (("chat", openai.BadRequestError), ("ft:chat::nobody", openai.NotFoundError)):
        with pytest.raises(kind):
            ada.models.delete(wrong)
    with pytest.raises(openai.NotFoundError):
        client(served, "hr").models.delete(name)
    tuned = served.service.project.tuned
    assert tuned
    with tuned.serving(name) as parts:
        assert ada.models.delete(name).deleted
        asked_before = parts.model(name).chat([Message(role="user", content="hi")], decoding=Decoding(max_tokens=2))
        assert asked_before.usage.output_tokens, "who was being answered is answered to the end"
    for gone in (lambda: asked(ada, name), lambda: ada.models.retrieve(name), lambda: ada.models.delete(name)):
        with pytest.raises(openai.NotFoundError) as error:
            gone()
        assert error.value.code == "model_not_found"
    assert name not in [one.id for one in ada.models.list()]
    assert ada.fine_tuning.jobs.retrieve(done.id).fine_tuned_model == name
