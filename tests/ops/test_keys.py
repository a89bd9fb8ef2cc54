"""Keys, sessions and spending, on both engines."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

import gatewheel as gw
from gatewheel.cli.main import run
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Usage
from gatewheel.kernel.store import schema
from gatewheel.kernel.store.schema import sessions as session_rows
from gatewheel.ops import keys, sessions, spending


def test_a_secret_is_known_until_it_is_revoked_and_stands_nowhere(engine: Engine) -> None:
    key, secret = keys.create(engine, name=" the  bot ", scopes=["operate", "ask"], groups=["hr", "board", "hr"])
    assert re.fullmatch(r"gw_[A-Za-z0-9_-]{43}", secret)
    assert len(base64.urlsafe_b64decode(secret[3:] + "=")) == 32
    assert (key.name, key.scopes, key.groups) == ("the bot", ("ask", "operate"), ("board", "hr"))
    assert keys.verify(engine, secret) == key
    with engine.connect() as connection:
        assert secret[3:] not in str(connection.execute(select(schema.keys)).all())
    ended = keys.revoke(engine, key.id[:5])
    assert ended.revoked is not None
    assert keys.verify(engine, secret) is None
    assert keys.every(engine) == [ended]


@pytest.mark.parametrize("wrong", ["", "gw_", "gw_" + "a" * 43, "gw_" + "é" * 43, "x" * 10_000, "gw_\0", "\ud800"])
def test_what_is_no_key_is_none(engine: Engine, wrong: str) -> None:
    keys.create(engine, name="one")
    assert keys.verify(engine, wrong) is None


def test_a_revoked_key_leaves_the_service_closed(engine: Engine) -> None:
    assert not keys.exist(engine)
    keys.create(engine, name="one")
    keys.revoke(engine, "one")
    assert keys.exist(engine)


def test_revoking_takes_exactly_one(engine: Engine) -> None:
    first, _ = keys.create(engine, name="one")
    keys.create(engine, name="two")
    for named in ("", "%", "_", "three", first.id + "0"):
        with pytest.raises(UserError, match="no key"):
            keys.revoke(engine, named)
    with engine.begin() as connection:  # two ids that begin alike
        for number, name in enumerate(("one", "two")):
            connection.execute(update(schema.keys).where(schema.keys.c.name == name).values(id=f"abc{number}"))
    with pytest.raises(UserError, match="begins 2 keys"):
        keys.revoke(engine, "abc")
    assert keys.revoke(engine, "two").id == "abc1"
    with pytest.raises(UserError, match="no key 'two'"):
        keys.revoke(engine, "two")
    keys.create(engine, name="two")  # its name is free again


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"name": " "}, "no name of a key"),
        ({"name": "a\x1b"}, "no name of a key"),
        ({"name": "taken"}, "there is a key named"),
        ({"name": "a", "scopes": ["aks"]}, "did you mean 'ask'"),
        ({"name": "a", "scopes": []}, "without scopes"),
        ({"name": "a", "groups": [""]}, "no name of a group"),
        ({"name": "a", "groups": ["hr,board"]}, "no name of a group"),
        ({"name": "a", "requests_per_minute": 0}, "0 requests a minute"),
        ({"name": "a", "dollars_per_day": -1}, "-1 dollars"),
        ({"name": "a", "dollars_per_day": float("nan")}, "nan dollars"),
    ],
)
def test_what_cannot_be_a_key_is_refused(engine: Engine, said: dict[str, object], fault: str) -> None:
    keys.create(engine, name="taken")
    with pytest.raises(UserError, match=fault):
        keys.create(engine, **said)  # type: ignore[arg-type]
    assert len(keys.every(engine)) == 1


def test_what_is_remembered_is_forgotten_when_a_key_is_revoked_or_made(engine: Engine) -> None:
    known = keys.Known()
    assert known.none_yet(lambda: keys.exist(engine))
    assert known.none_lately
    _, secret = keys.create(engine, name="one")
    assert not known.none_lately
    found = known.find(secret, lambda: keys.verify(engine, secret))
    assert found is not None
    assert known.get(secret) == found
    keys.revoke(engine, "one")
    assert known.get(secret) is None


def test_a_key_that_is_revoked_while_it_is_looked_up_is_not_remembered(engine: Engine) -> None:
    known = keys.Known()
    _, secret = keys.create(engine, name="one")

    def look() -> object:
        found = keys.verify(engine, secret)
        keys.revoke(engine, "one")
        return found

    known.find(secret, look)  # type: ignore[arg-type]
    assert known.get(secret) is None


def test_a_session_stands_for_its_key_until_it_ends(engine: Engine) -> None:
    key, _ = keys.create(engine, name="one")
    token, other = sessions.begin(engine, key), sessions.begin(engine, key)
    assert sessions.find(engine, token) == key
    with engine.connect() as connection:
        assert token not in str(connection.execute(select(session_rows)).all())
    sessions.end(engine, token)
    assert sessions.find(engine, token) is None
    assert sessions.find(engine, other) == key
    keys.revoke(engine, "one")
    assert sessions.find(engine, other) is None


def test_a_session_that_has_run_out_is_cleared_away(engine: Engine) -> None:
    key, _ = keys.create(engine, name="one")
    token = sessions.begin(engine, key)
    with engine.begin() as connection:
        connection.execute(update(session_rows).values(expires=time.time() - 1))
    assert sessions.find(engine, token) is None
    sessions.begin(engine, key)
    with engine.connect() as connection:
        assert len(connection.execute(select(session_rows)).all()) == 1


def test_spending_adds_up_when_many_spend_at_once(engine: Engine) -> None:
    usage = Usage(input_tokens=10, output_tokens=5, cost=0.25)

    def spend() -> None:
        for _ in range(5):
            spending.spend(engine, "a", usage)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spending.spend(engine, "b", Usage(input_tokens=1, output_tokens=1))
    assert spending.spent_today(engine, "a") == 5.0
    assert spending.spent_today(engine, "b") == 0.0
    assert spending.spent_today(engine) == 5.0
    with engine.connect() as connection:
        row = connection.execute(select(schema.spending).where(schema.spending.c.key == "a")).one()
    assert (row.requests, row.input_tokens, row.output_tokens) == (20, 200, 100)


def test_a_new_day_begins_at_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    spending.spend(engine, "a", Usage(cost=1.0))
    monkeypatch.setattr(spending, "today", lambda: "2999-01-01")
    assert spending.spent_today(engine, "a") == 0.0
    assert 1 <= spending.seconds_left() <= spending.DAY


def test_the_command_line_shows_a_secret_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gw.init(tmp_path).close()

    def told(*words: str) -> dict[str, Any]:
        assert run(["-C", str(tmp_path), "keys", *words, "--json"]) == 0
        said: dict[str, Any] = json.loads(capsys.readouterr().out)
        return said

    assert told("list") == {"keys": []}
    limits = ["--requests-per-minute", "60", "--dollars-per-day", "1"]
    made = told("create", "bot", "--scope", "ask", "--group", "hr", *limits)
    assert keys.SECRET.fullmatch(made["secret"])
    key = made["key"]
    assert (key["scopes"], key["groups"], key["requests_per_minute"]) == (["ask"], ["hr"], 60)
    assert told("create", "other")["key"]["scopes"] == ["ask", "feedback"]
    listed = told("list")
    assert [one["name"] for one in listed["keys"]] == ["other", "bot"]
    assert made["secret"] not in json.dumps(listed)
    assert told("revoke", key["id"])["revoked"] is not None
    assert run(["-C", str(tmp_path), "keys", "revoke", "bot"]) == 1
    assert run(["-C", str(tmp_path), "keys", "create", "third"]) == 0
    shown = capsys.readouterr()
    assert keys.SECRET.fullmatch(shown.out.strip())
    assert "shown only this once" in shown.err
