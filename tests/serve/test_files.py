"""`/v1/files` as OpenAI's client speaks it: what is sent is looked at line by line, kept, and seen by its key alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

import gatewheel as gw
from gatewheel.loop import client_files
from gatewheel.ops import keys
from serving import Served, running

TOML = """
[encoder.main]
use = "none"
[model.chat]
use = "llama.cpp"
[app.main]
use = "direct"
prompt = "answer"
[serve]
max_body_mb = 3
max_json_mb = 1
"""


def row(*said: str, **more: Any) -> bytes:
    """A line: a system text, then user and assistant in turn."""
    turns = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]
    system = {"role": "system", "content": "Sort the letter."}
    return json.dumps({"messages": [system, *turns], **more}).encode() + b"\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("files")
    gw.init(root).close()
    (root / "gatewheel.toml").write_text(TOML, encoding="utf-8")
    with running(gw.open(root)) as it:
        for name in ("ada", "bob"):
            one = keys.create(it.project.parts.engine, name=name, scopes=("operate",), groups=("*",))
            SECRETS[name] = one[1]
        SECRETS["asker"] = keys.create(it.project.parts.engine, name="asker", scopes=("ask",), groups=("*",))[1]
        yield it
        for each in CLIENTS.values():
            each.close()


SECRETS: dict[str, str] = {}
CLIENTS: dict[str, openai.OpenAI] = {}


def client(served: Served, name: str = "ada") -> openai.OpenAI:
    if name not in CLIENTS:
        url, secret = f"{served.base_url}/v1", SECRETS[name]
        CLIENTS[name] = openai.OpenAI(base_url=url, api_key=secret, max_retries=0, timeout=60)
    return CLIENTS[name]


def test_a_file_is_kept_listed_read_back_and_deleted(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    path.write_bytes(row("Where is it?", "delivery") + b"\n" + row("Pay me back.", "refund", id=7))
    ada = client(served)
    made = ada.files.create(file=path, purpose="fine-tune")
    assert (made.object, made.filename, made.bytes) == ("file", "letters.jsonl", path.stat().st_size)
    assert (made.purpose, made.status) == ("fine-tune", "processed")
    assert ada.files.retrieve(made.id) == made
    assert ada.files.content(made.id).read() == path.read_bytes()
    assert made.id in [one.id for one in ada.files.list()]
    assert [one.id for one in ada.files.list(purpose="batch")] == []
    deleted = ada.files.delete(made.id)
    assert (deleted.id, deleted.deleted) == (made.id, True)
    for gone in (ada.files.retrieve, ada.files.content, ada.files.delete):
        with pytest.raises(openai.NotFoundError) as error:
            gone(made.id)
        assert error.value.code == "file_not_found"


def test_pages_are_turned_by_the_client(served: Served) -> None:
    bob = client(served, "bob")
    sent = [bob.files.create(file=(f"{n}.jsonl", row(f"a {n}", "b")), purpose="fine-tune").id for n in range(5)]
    assert [one.id for one in bob.files.list(limit=2, order="asc")] == sent
    assert [one.id for one in bob.files.list(limit=2)] == sent[::-1]
    first = bob.files.list(limit=2)
    assert (first.has_more, len(first.data)) == (True, 2)
    with pytest.raises(openai.BadRequestError) as error:
        bob.files.list(after="file-000000000000000000000000")
    assert error.value.param == "after"


def test_nobody_sees_the_file_of_another_key_and_the_same_bytes_outlive_one_of_two(served: Served) -> None:
    ada, bob = client(served), client(served, "bob")
    content = row("Whose is this?", "mine")
    mine, his = (one.files.create(file=("same.jsonl", content), purpose="fine-tune") for one in (ada, bob))
    assert mine.id not in [one.id for one in bob.files.list()]
    for hidden in (bob.files.retrieve, bob.files.content, bob.files.delete):
        with pytest.raises(openai.NotFoundError):
            hidden(mine.id)
    ada.files.delete(mine.id)
    assert bob.files.content(his.id).read() == content
    objects = served.project.parts.objects
    [known] = [one for one in objects.folder.rglob("*") if one.is_file() and one.read_bytes() == content]
    bob.files.delete(his.id)
    assert not known.exists()


def test_a_key_that_may_only_ask_sends_and_sees_nothing(served: Served) -> None:
    for call in (
        lambda: client(served, "asker").files.list(),
        lambda: client(served, "asker").files.create(file=("a.jsonl", row("a", "b")), purpose="fine-tune"),
    ):
        with pytest.raises(openai.PermissionDeniedError):
            call()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no lines"),
        (b"\n\n", "holds no lines"),
        (b'{"messages": [', "line 1: no JSON"),
        (row("a", "b") + b'\xff\xfe{"messages"', "line 2: byte 0xff is not UTF-8"),
        (row("a", "b") + row("a") + row("c"), "line 2: the assistant says nothing that is to be learned (1 more"),
        (b'{"prompt": "a", "completion": "b"}', "line 1: it has no 'messages'"),
        (b'{"messages": [{"role": "robot", "content": "a"}]}', "messages.0: role: 'robot'"),
        (b'{"messages": [{"role": "user", "content": 3}]}', "messages.0: content: is no text"),
        (row("a", "b", tools=[{"type": "function"}]), "line 1: it has tools"),
        (row(" ", "b"), "line 1: question: is blank"),
        (b'{"messages": [{"role": "user", "content": "\\u0000"}, {"role": "assistant", "content": "b"}]}', "U+0000"),
    ],
)
def test_a_line_that_cannot_be_learned_is_named_and_nothing_is_kept(served: Served, content: bytes, said: str) -> None:
    ada = client(served)
    before = len(list(ada.files.list()))
    with pytest.raises(openai.BadRequestError) as error:
        ada.files.create(file=("broken.jsonl", content), purpose="fine-tune")
    assert said in error.value.message
    assert (error.value.param, error.value.code) == ("file", "invalid_file_format")
    assert len(list(ada.files.list())) == before


def test_what_is_not_done_with_files_is_refused_with_its_name(served: Served) -> None:
    ada, good = client(served), ("a.jsonl", row("a", "b"))
    with pytest.raises(openai.BadRequestError) as error:
        ada.files.create(file=good, purpose="batch")
    assert error.value.param == "purpose"
    with pytest.raises(openai.BadRequestError) as error:
        expiring: Any = {"anchor": "created_at", "seconds": 3600}
        ada.files.create(file=good, purpose="fine-tune", expires_after=expiring)
    assert error.value.param == "expires_after"
    header = {"Authorization": f"Bearer {SECRETS['ada']}"}
    form = httpx2.post(f"{served.base_url}/v1/files", data={"purpose": "fine-tune"}, headers=header, timeout=60)
    assert form.status_code == 400
    form = httpx2.post(f"{served.base_url}/v1/files", content=b"{}", headers=header, timeout=60)
    assert (form.status_code, form.json()["error"]["code"]) == (400, "invalid_body")


def test_an_upload_may_be_as_large_as_uploads_are(served: Served) -> None:
    ada = client(served)
    line = row("What is this?", "x" * 10_000)
    assert ada.files.create(file=("large.jsonl", line * 200), purpose="fine-tune").bytes > 2_000_000
    with pytest.raises(openai.APIStatusError) as error:
        ada.files.create(file=("larger.jsonl", line * 320), purpose="fine-tune")
    assert error.value.status_code == 413


def test_what_belongs_to_people_is_blacked_out_before_anything_is_stored(tmp_path: Path) -> None:
    gw.init(tmp_path).close()
    toml = TOML.replace("[serve]", '[serve]\nredact_files = ["email", "iban"]')
    (tmp_path / "gatewheel.toml").write_text(toml, encoding="utf-8")
    asked = [{"type": "text", "text": "I am Zoë, zoe@exam"}, {"type": "text", "text": "ple.org; where is it?"}]
    turns = [
        {"role": "user", "content": asked, "name": "zoe@example.org", "zoe@example.org": 1},
        {"role": "assistant", "content": "delivery"},
    ]
    refund = row("Pay me back, 030 1234567", "To GB82 WEST 1234 5698 7654 32, then.", id=1234569876)
    escaped = json.dumps({"messages": turns}).replace("@", "\\u0040").encode()
    with running(gw.open(tmp_path)) as it:
        with openai.OpenAI(base_url=f"{it.base_url}/v1", api_key="none", max_retries=0, timeout=60) as one:
            sent = ("zoe@example.org.jsonl", b"\xef\xbb\xbf" + escaped + b"\n\n" + refund)
            made = one.files.create(file=sent, purpose="fine-tune")
            kept = one.files.content(made.id).read()
            assert made.filename == "[email]"
        parts = it.project.parts
        first, blank, second = kept.decode().splitlines()
        assert json.loads(first)["messages"][0] == {"role": "user", "content": "I am Zoë, [email]; where is it?"}
        assert blank == ""
        said = json.loads(second)
        assert (said["messages"][2]["content"], [*said]) == ("To [iban], then.", ["messages"])
        assert said["messages"][1]["content"] == "Pay me back, 030 1234567", "phones are not named"
        version = client_files.frozen(parts, made.id)
        assert "I am Zoë, [email]; where is it?" in parts.objects.get(version.id).decode()
        for path in (one for one in tmp_path.rglob("*") if one.is_file()):
            held = path.read_bytes()
            assert b"zoe@" not in held, path
            assert b"1234 5698" not in held, path
            assert b"123456987" not in held, path
