"""Who is let in, and what they may do: keys, sessions, the owner, other sites, limits."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

import gatewheel as gw
from gatewheel.kernel import trace
from gatewheel.kernel.nouns import Trace, Usage
from gatewheel.loop.project import Project
from gatewheel.ops import keys, spending
from gatewheel.serve import app as application
from gatewheel.serve import login
from gatewheel.serve.pace import Pace

HERE = "http://127.0.0.1:8321"
ASK = "/api/documents"
OPERATE = "/api/traces"
TOML = '[encoder.main]\nuse = "none"\n[sources]\npaths = ["notes"]\n[access]\nrules = { "notes/hr" = ["hr"] }\n'


@pytest.fixture
def project(tmp_path: Any) -> Iterator[Project]:
    gw.init(tmp_path).close()
    (tmp_path / "gatewheel.toml").write_text(TOML)
    for name, text in {"hr/pay.md": "# Pay\n\nAda earns 90000.\n", "open.md": "# Open\n\nAda has a kettle.\n"}.items():
        (tmp_path / "notes" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "notes" / name).write_text(text)
    with gw.open(tmp_path) as opened:
        opened.ingest()
        yield opened


@pytest.fixture
def app(project: Project) -> Any:
    return application.create(project)


def visit(app: Any, *, host: str = HERE, peer: str = "127.0.0.1") -> TestClient:
    return TestClient(app, base_url=host, client=(peer, 50_000), raise_server_exceptions=False)


def make(project: Project, name: str = "bot", **said: Any) -> dict[str, str]:
    """The header of a new key."""
    return {"Authorization": f"Bearer {keys.create(project.parts.engine, name=name, **said)[1]}"}


def told(response: Any) -> tuple[int, str | None]:
    return response.status_code, response.json()["error"]["code"]


# the owner


@pytest.mark.parametrize(
    "host", [HERE, "http://localhost:8321", "http://localhost", "http://[::1]:8321", "http://127.8.0.1"]
)
def test_without_keys_this_machine_is_the_owner(app: Any, host: str) -> None:
    for peer in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert visit(app, host=host, peer=peer).get(OPERATE).status_code == 200
    found = visit(app, host=host).get("/api/session").json()
    assert found == {"owner": True, "key": None, "scopes": ["ask", "feedback", "operate"]}


@pytest.mark.parametrize(
    ("host", "peer", "headers"),
    [
        (HERE, "192.168.0.7", {}),
        (HERE, "testclient", {}),
        ("http://rebound.example:8321", "127.0.0.1", {}),
        ("http://localhost.example", "127.0.0.1", {}),
        ("http://127.0.0.1.example", "127.0.0.1", {}),
        (HERE, "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
        (HERE, "127.0.0.1", {"Forwarded": "for=127.0.0.1"}),
        (HERE, "10.0.0.1", {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}),
    ],
)
def test_without_keys_nobody_else_is_let_in(app: Any, host: str, peer: str, headers: dict[str, str]) -> None:
    response = visit(app, host=host, peer=peer).get(ASK, headers=headers)
    assert told(response) == (401, "invalid_api_key")
    assert "no keys yet" in response.json()["error"]["message"]


def test_a_client_that_must_send_some_key_is_the_owner_too(app: Any) -> None:
    assert visit(app).get(OPERATE, headers={"Authorization": "Bearer unused"}).status_code == 200
    assert told(visit(app, peer="10.0.0.1").get(OPERATE, headers={"Authorization": "Bearer unused"}))[0] == 401


def test_the_first_key_closes_the_machine_and_revoking_it_does_not_open_it(app: Any, project: Project) -> None:
    client = visit(app)
    assert client.get(ASK).status_code == 200
    make(project)
    assert told(client.get(ASK)) == (401, "invalid_api_key")
    keys.revoke(project.parts.engine, "bot")
    response = client.get(ASK)
    assert told(response) == (401, "invalid_api_key")
    assert response.headers["www-authenticate"].startswith("Bearer")


# keys


def test_a_key_is_let_in_from_anywhere_by_either_header(app: Any, project: Project) -> None:
    header = make(project)
    client = visit(app, host="http://office.example", peer="10.1.2.3")
    assert client.get(ASK, headers=header).status_code == 200
    secret = header["Authorization"].split()[1]
    assert client.get(ASK, headers={"x-api-key": secret}).status_code == 200
    assert client.get(ASK, headers={"Authorization": f"bearer  {secret}"}).status_code == 200
    for wrong in ({"Authorization": secret}, {"Authorization": f"Basic {secret}"}, {"Authorization": "Bearer"}):
        assert told(client.get(ASK, headers=wrong)) == (401, "invalid_api_key")
    for wrong_secret in (secret[:-1], secret + "a", secret.swapcase(), "é", "gw_" + "a" * 43):
        given = {"Authorization": f"Bearer {wrong_secret}".encode()}
        assert told(client.get(ASK, headers=given)) == (401, "invalid_api_key")
    assert told(client.get(f"{ASK}?key={secret}")) == (401, "invalid_api_key")


def test_a_missing_scope_is_named(app: Any, project: Project) -> None:
    response = visit(app).get(OPERATE, headers=make(project))
    assert told(response) == (403, "insufficient_scope")
    assert "'operate'" in response.json()["error"]["message"]


def test_a_revoked_key_is_refused_at_once(app: Any, project: Project) -> None:
    header, client = make(project), visit(app)
    assert client.get(ASK, headers=header).status_code == 200
    keys.revoke(project.parts.engine, "bot")
    assert told(client.get(ASK, headers=header)) == (401, "invalid_api_key")


def test_another_process_is_heard_within_seconds(app: Any, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    header, client = make(project), visit(app)
    assert client.get(ASK, headers=header).status_code == 200
    monkeypatch.setattr(keys, "_forget", lambda: None)  # as if it had been revoked elsewhere
    keys.revoke(project.parts.engine, "bot")
    assert client.get(ASK, headers=header).status_code == 200
    later = keys.time.monotonic() + keys.REMEMBERED + 0.1  # type: ignore[attr-defined]
    monkeypatch.setattr(keys.time, "monotonic", lambda: later)  # type: ignore[attr-defined]
    assert told(client.get(ASK, headers=header)) == (401, "invalid_api_key")


def test_a_key_sees_its_groups_and_cannot_tell_hidden_from_unknown(app: Any, project: Project) -> None:
    client = visit(app)
    for groups, expected in (((), ["notes/open.md"]), (("hr",), ["notes/hr/pay.md", "notes/open.md"])):
        header = make(project, f"with {groups}", groups=groups, scopes=["ask", "operate"])
        listed = client.get(ASK, headers=header).json()
        assert [row["source"] for row in listed["documents"]] == expected
        assert listed["total"] == len(expected)
        found = client.get("/api/search", params={"q": "Ada"}, headers=header).json()["passages"]
        assert sorted(passage["source"] for passage in found) == expected
    header = make(project, "other", groups=("board",))
    hidden, unknown = (client.get(f"{ASK}/notes/hr/{name}.md", headers=header) for name in ("pay", "pax"))
    assert told(hidden) == (404, "not_found")
    assert hidden.text.replace("pay", "pax") == unknown.text


# limits of a key


def test_an_operator_sees_the_traces_of_its_own_circle(app: Any, project: Project) -> None:
    engine = project.parts.engine
    asked: dict[str, str] = {}
    headers: dict[str, dict[str, str]] = {}
    for name, groups in {"plain": (), "hr": ("hr",), "all": ("*",)}.items():
        key, secret = keys.create(engine, name=name, scopes=("ask", "feedback", "operate"), groups=groups)
        headers[name] = {"Authorization": f"Bearer {secret}"}
        trace.keep(engine, one(key.id, created=float(len(asked))))
        asked[name] = one(key.id, created=0).id
    trace.keep(engine, one("", created=9.0))
    seen = {"plain": {"plain"}, "hr": {"plain", "hr"}, "all": {"plain", "hr", "all", "owner"}}
    asked["owner"] = one("", created=0).id
    for name, header in headers.items():
        found = visit(app).get("/api/traces", headers=header).json()["traces"]
        assert {row["id"] for row in found} == {asked[other] for other in seen[name]}
        for other, id_ in asked.items():
            status = visit(app).get(f"/api/traces/{id_}", headers=header).status_code
            assert status == (200 if other in seen[name] else 404)
            said = visit(app).post("/api/feedback", headers=header, json={"trace": id_, "thumb": "up"})
            assert said.status_code == (201 if other in seen[name] else 404)
        told = visit(app).get("/api/feedback", headers=header).json()["feedback"]
        assert {row["trace"] for row in told} <= {asked[other] for other in seen[name]}


def one(key: str, *, created: float) -> Trace:
    """The trace of a question under this key."""
    return Trace(
        id=(key or "0").rjust(32, "0")[-32:],
        created=created,
        kind="ask",
        question="What does Ada earn?",
        answer="90000",
        abstained=False,
        variant="v",
        seconds=1.0,
        input_tokens=1,
        output_tokens=1,
        key=key,
    )


def test_a_key_at_its_pace_waits(app: Any, project: Project) -> None:
    header, client = make(project, requests_per_minute=3), visit(app)
    assert [client.get(ASK, headers=header).status_code for _ in range(3)] == [200] * 3
    response = client.get(ASK, headers=header)
    assert told(response) == (429, "rate_limit_exceeded")
    assert 1 <= int(response.headers["retry-after"]) <= 60
    assert client.get(ASK, headers=make(project, "other")).status_code == 200


def test_no_minute_holds_more_than_is_allowed() -> None:
    now = 0.0
    pace = Pace(clock=lambda: now)
    allowed = []
    for tick in range(600):
        now = tick * 0.5
        if not pace.wait("a", 10):
            pace.count("a")
            allowed.append(now)
    assert max(sum(at <= time < at + 60 for time in allowed) for at in allowed) == 10
    assert len(allowed) == 50


def test_the_request_that_crosses_the_line_is_served_and_the_next_is_not(app: Any, project: Project) -> None:
    header, client, engine = make(project, dollars_per_day=1), visit(app), project.parts.engine
    key = keys.every(engine)[0].id
    question = {"question": "kettle?", "app": "nothing"}
    spending.spend(engine, key, Usage(cost=0.999))
    assert client.post("/api/ask", json=question, headers=header).status_code != 429
    spending.spend(engine, key, Usage(cost=0.002))
    response = client.post("/api/ask", json=question, headers=header)
    assert told(response) == (429, "insufficient_quota")
    assert 1 <= int(response.headers["retry-after"]) <= 86_400
    assert client.get(ASK, headers=header).status_code == 200  # looking costs nothing


# sessions


def test_one_logs_in_by_a_key_and_out_again(app: Any, project: Project) -> None:
    secret = make(project)["Authorization"].split()[1]
    client = visit(app, host="http://office.example", peer="10.0.0.2")
    assert client.get("/api/session").json() == {"owner": False, "key": None, "scopes": []}
    response = client.post("/api/session", json={"key": f" {secret} "})
    key = keys.every(project.parts.engine)[0]
    assert response.json() == {"owner": False, "key": {"id": key.id, "name": "bot"}, "scopes": ["ask", "feedback"]}
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    assert secret.lower() not in cookie
    assert client.get("/api/session").json() == response.json()
    assert client.get(ASK).status_code == 200
    token = dict(client.cookies)
    assert client.delete("/api/session").status_code == 204
    assert told(client.get(ASK)) == (401, "invalid_api_key")
    client.cookies.update(token)  # a copy that somebody took is of no use
    assert told(client.get(ASK)) == (401, "invalid_api_key")


def test_over_https_the_cookie_stays_there(app: Any, project: Project) -> None:
    secret = make(project)["Authorization"].split()[1]
    for client, headers in ((visit(app, host="https://a.example"), {}), (visit(app), {"X-Forwarded-Proto": "https"})):
        response = client.post("/api/session", json={"key": secret}, headers=headers)
        assert "; Secure" in response.headers["set-cookie"]


def test_a_session_ends_with_its_key(app: Any, project: Project) -> None:
    client = visit(app)
    client.post("/api/session", json={"key": make(project)["Authorization"].split()[1]})
    assert client.get(ASK).status_code == 200
    keys.revoke(project.parts.engine, "bot")
    assert told(client.get(ASK)) == (401, "invalid_api_key")


def test_failed_logins_slow_down_only_wrong_keys_of_who_failed(app: Any, project: Project) -> None:
    secret = make(project)["Authorization"].split()[1]
    client = visit(app, peer="10.0.0.3")
    for _ in range(login.FAILURES):
        assert told(client.post("/api/session", json={"key": "gw_" + "a" * 43})) == (401, "invalid_api_key")
    refused = client.post("/api/session", json={"key": "gw_" + "b" * 43})
    assert told(refused) == (429, "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) >= 1
    assert client.post("/api/session", json={"key": secret}).status_code == 200  # behind a proxy all are one peer
    wrong = visit(app, peer="10.0.0.4").post("/api/session", json={"key": "gw_" + "a" * 43})
    assert told(wrong) == (401, "invalid_api_key")


# other sites

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:3000"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:3000"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Origin": HERE},
]
OURS: list[dict[str, str]] = [
    {},
    {"Origin": HERE},
    {"Sec-Fetch-Site": "same-origin", "Origin": HERE},
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("who", ["owner", "cookie"])
def test_other_sites_change_nothing_in_somebodys_name(app: Any, project: Project, who: str) -> None:
    client = visit(app)
    if who == "cookie":
        secret = make(project, scopes=["operate"])["Authorization"].split()[1]
        client.post("/api/session", json={"key": secret})
    for headers in FOREIGN:
        for call in (
            client.post("/api/runs/x/cancel", headers=headers),
            client.delete("/api/session", headers=headers),
        ):
            assert told(call) == (403, "cross_site")
    for headers in OURS:
        assert told(client.post("/api/runs/x/cancel", headers=headers))[0] == 404
    assert client.get(OPERATE, headers=FOREIGN[0]).status_code == 200  # which it cannot read: there is no CORS


def test_another_site_cannot_log_somebody_in(app: Any, project: Project) -> None:
    secret = make(project)["Authorization"].split()[1]
    for headers in FOREIGN:
        assert told(visit(app).post("/api/session", json={"key": secret}, headers=headers)) == (403, "cross_site")


def test_a_key_in_the_header_needs_no_page_of_ours(app: Any, project: Project) -> None:
    header = make(project, scopes=["operate"])
    for headers in FOREIGN:
        assert told(visit(app).post("/api/runs/x/cancel", headers=headers | header))[0] == 404


def test_no_other_origin_is_invited(app: Any) -> None:
    for method in ("GET", "OPTIONS"):
        response = visit(app).request(method, ASK, headers={"Origin": "http://evil.example"})
        assert not [name for name in response.headers if name.startswith("access-control")]


# logs


def test_no_log_holds_a_key_wherever_it_was_put(app: Any, project: Project) -> None:
    secret = make(project, scopes=["ask", "operate"])["Authorization"].split()[1]
    kept, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(kept)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        client = visit(app)
        client.get(ASK, headers={"Authorization": f"Bearer {secret}"})
        client.get(ASK, headers={"x-api-key": secret, "x-request-id": secret})
        client.get(f"{ASK}?q={secret}&key={secret}")
        client.get(f"{ASK}/{secret}")
        client.post("/api/session", content=f'{{"key": "{secret}"'.encode())
        client.post("/api/session", json={"key": [secret], "more": secret})
        client.post("/api/session", json={"key": secret})
        token = next(iter(client.cookies.values()))
        client.get(ASK)
        client.post(f"/api/runs/{secret}/cancel")
        log = logging.getLogger("access")  # as uvicorn writes it
        log.info('%s - "%s %s HTTP/%s" %d', "127.0.0.1:1", "GET", f"/api/search?key={secret}", "1.1", 200)
        log.debug("headers %r", [(b"authorization", f"Bearer {secret}".encode())])
        try:
            raise RuntimeError(secret)
        except RuntimeError:
            logging.getLogger("gatewheel.serve").exception("a defect with %s", {"token": token})
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    text = kept.getvalue()
    assert "access 127.0.0.1:1" in text
    assert "RuntimeError" in text
    assert secret[3:] not in text
    assert token[4:] not in text
