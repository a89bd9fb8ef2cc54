"""`/api/lineage`: the trees, and what a key that does not see every document is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

import gatewheel as gw
import learned
from gatewheel.data.cases import split_key
from gatewheel.loop import forgetting, forgotten
from gatewheel.ops import keys, releases
from gatewheel.serve import app as application
from learned import CORRECTED, Learned


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    found = learned.make(tmp_path_factory.mktemp("lineage"))
    with gw.open(found.home) as project:
        releases.rollback(project.parts.engine, "main")  # of the weights that were released there are but rows
    return found


@pytest.fixture
def client(made: Learned) -> Iterator[TestClient]:
    with gw.open(made.home) as project:
        app = application.create(project)
        yield TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1), raise_server_exceptions=False)


def header(made: Learned, *groups: str, scopes: tuple[str, ...] = ("operate",)) -> dict[str, str]:
    with gw.open(made.home) as project:
        name = f"key {len(keys.every(project.parts.engine))}"
        secret = keys.create(project.parts.engine, name=name, scopes=scopes, groups=groups)[1]
    return {"Authorization": f"Bearer {secret}"}


def kinds(branch: dict[str, Any]) -> set[str]:
    return {branch["node"]["kind"]}.union(*map(kinds, branch["branches"]))


def test_who_sees_everything_is_told_everything(client: TestClient, made: Learned) -> None:
    whole = header(made, "*")
    found = client.get("/api/lineage/docs/kettle.md", headers=whole).json()
    assert (found["node"]["kind"], found["node"]["label"], found["up"]["branches"]) == ("document", "Kettle", [])
    assert {"case", "dataset", "run", "artifact", "variant", "release", "trace"} <= kinds(found["down"])
    up = client.get(f"/api/lineage/{made.variant[:12]}", params={"direction": "up"}, headers=whole).json()
    assert up["down"] is None
    assert "document" in kinds(up["up"])
    assert client.get("/api/lineage/docs%2Fkettle.md", headers=whole).status_code == 200


def test_few_of_many_are_listed(client: TestClient, made: Learned) -> None:
    whole = header(made, "*")
    found = client.get(f"/api/lineage/{made.dataset}", params={"most": 1}, headers=whole).json()
    assert (len(found["up"]["branches"]), found["up"]["more"]) == (1, {"case": 2})
    assert client.get(f"/api/lineage/{made.dataset}", params={"most": 0}, headers=whole).status_code == 400


def test_a_key_that_does_not_see_every_document_is_told_no_names_and_texts(client: TestClient, made: Learned) -> None:
    limited = header(made)
    told = client.get(f"/api/lineage/{made.variant}", headers=limited)
    assert told.status_code == 200
    assert {"document", "case", "artifact", "run"} <= kinds(told.json()["up"])
    for secret in ("kettle", "Kettle", split_key(CORRECTED), "given.jsonl", "characters"):
        assert secret not in told.text
    for hidden in ("docs/kettle.md", split_key(CORRECTED), "ada", made.said, "nothing"):
        refused = client.get(f"/api/lineage/{hidden}", headers=limited)
        assert refused.status_code == 404
        assert refused.json()["error"]["message"].startswith(f"nothing here is called '{hidden}'")
        assert "lamp" not in refused.text


def test_who_is_no_operator_is_refused(client: TestClient, made: Learned) -> None:
    refused = client.get(f"/api/lineage/{made.variant}", headers=header(made, "*", scopes=("ask",)))
    assert refused.status_code == 403


def test_a_taint_is_told_without_its_reason_to_who_may_not_know_it(client: TestClient, made: Learned) -> None:
    with gw.open(made.home) as project:
        forgetting.forget(project.parts, forgotten.asked_for(project.parts, document="docs/kettle.md"))
    told = [client.get(f"/api/lineage/{made.variant}", headers=header(made, *who)).json() for who in (("*",), ())]
    reasons = [one["node"]["tainted"] for one in told]
    assert reasons == [["document docs/kettle.md was forgotten"], ["something was forgotten"]]
