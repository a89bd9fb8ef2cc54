"""API keys: made once, kept as hashes, with scopes, groups and limits.

The secret has 256 random bits, so a plain SHA-256 keeps it and finding the row by it tells nothing by its time.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, get_args
from weakref import WeakSet

from sqlalchemy import Engine, insert, or_, select, update

from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import Key, Scope
from gatewheel.kernel.settings import GROUP
from gatewheel.kernel.store.schema import keys

SECRET = re.compile(r"gw_[\w-]{43}", re.ASCII)
SCOPES: tuple[Scope, ...] = get_args(Scope)
DEFAULT_SCOPES: tuple[Scope, ...] = ("ask", "feedback")
MOST_A_MINUTE = 100_000
REMEMBERED = 3.0  # seconds for which this process believes that a key is as it was, and that there are none
EVERY = "*"  # the group of keys that see every document


def create(
    engine: Engine,
    *,
    name: str,
    scopes: Sequence[str] = DEFAULT_SCOPES,
    groups: Sequence[str] = (),
    requests_per_minute: int | None = None,
    dollars_per_day: float | None = None,
) -> tuple[Key, str]:
    """A new key and its secret, which is kept nowhere. Raises UserError."""
    key = Key(
        id=secrets.token_hex(6),
        name=_sound_name(name),
        scopes=_sound_scopes(scopes),
        groups=_sound_groups(groups),
        requests_per_minute=requests_per_minute,
        dollars_per_day=dollars_per_day,
        created=time.time(),
    )
    if requests_per_minute is not None and not 1 <= requests_per_minute <= MOST_A_MINUTE:
        raise UserError(f"{requests_per_minute} requests a minute", cure=f"write 1 to {MOST_A_MINUTE}")
    if dollars_per_day is not None and not 0 <= dollars_per_day < float("inf"):
        raise UserError(f"{dollars_per_day} dollars a day", cure="write 0 or more")
    secret = f"gw_{secrets.token_urlsafe(32)}"
    with engine.begin() as connection:
        taken = select(keys.c.id).where(keys.c.name == key.name, keys.c.revoked.is_(None))
        if connection.execute(taken).first():
            raise UserError(f"there is a key named '{key.name}'", cure="choose another name, or revoke that one")
        connection.execute(insert(keys).values(hash=digest(secret), **_columns(key)))
    _forget()
    return key, secret


def verify(engine: Engine, secret: str) -> Key | None:
    """The key of a secret, or None when it is unknown or revoked."""
    if not SECRET.fullmatch(secret):
        return None
    with engine.connect() as connection:
        query = select(keys).where(keys.c.hash == digest(secret), keys.c.revoked.is_(None))
        row = connection.execute(query).one_or_none()
    return of_row(row) if row else None


def exist(engine: Engine) -> bool:
    """Whether a key was ever made. Revoking the last one closes the service; it does not open it to who is near."""
    with engine.connect() as connection:
        return connection.execute(select(keys.c.id).limit(1)).first() is not None


def every(engine: Engine) -> list[Key]:
    """All keys, the newest first, revoked ones among them."""
    with engine.connect() as connection:
        rows = connection.execute(select(keys).order_by(keys.c.created.desc(), keys.c.id))
        return [of_row(row) for row in rows]


def within(engine: Engine, groups: Collection[str]) -> set[str]:
    """The ids of the keys, revoked ones among them, that see nothing which these groups may not see."""
    return {key.id for key in every(engine) if set(key.groups) <= set(groups)}


def revoke(engine: Engine, named: str) -> Key:
    """End a key, given by its name or the beginning of its id. Raises UserError when that is not exactly one."""
    with engine.begin() as connection:
        meant = or_(keys.c.name == named, keys.c.id.startswith(named, autoescape=True))
        query = select(keys).where(meant, keys.c.revoked.is_(None))
        found = [of_row(row) for row in connection.execute(query)] if named else []
        found = [key for key in found if key.name == named] or found
        if len(found) != 1:
            what = f"no key '{named}' that is not revoked" if not found else f"'{named}' begins {len(found)} keys"
            known = select(keys.c.name).where(keys.c.revoked.is_(None))
            raise UserError(what, cure=did_you_mean(named, connection.execute(known).scalars()))
        now = time.time()
        connection.execute(update(keys).where(keys.c.id == found[0].id).values(revoked=now))
    _forget()
    return replace(found[0], revoked=now)


class Known:
    """Keys as they were a moment ago, so that a request costs no query. Revoking in this process is heard at once."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[float, Key]] = {}
        self._none_until = 0.0
        self._age = 0  # grows with every change
        _LISTENING.add(self)

    def get(self, token: str) -> Key | None:
        """The key of a secret or a session that was found lately."""
        end, key = self._keys.get(hash_ := digest(token), (0.0, None))
        if time.monotonic() < end:
            return key
        self._keys.pop(hash_, None)
        return None

    def find(self, token: str, look: Callable[[], Key | None]) -> Key | None:
        """Look it up, and remember it when there is one: what is unknown costs a query each time, and no memory."""
        asked, age = time.monotonic(), self._age
        key = look()
        if key and age == self._age:  # not when one was revoked meanwhile
            self._keys[digest(token)] = (asked + REMEMBERED, key)
        return key

    def drop(self, token: str) -> None:
        """A session has ended."""
        self._keys.pop(digest(token), None)

    def none_yet(self, look: Callable[[], bool]) -> bool:
        """Whether there is no key at all; `look` says whether there is one."""
        asked, age = time.monotonic(), self._age
        none = not look()
        if none and age == self._age:
            self._none_until = asked + REMEMBERED
        return none

    @property
    def none_lately(self) -> bool:
        """Whether there was none a moment ago."""
        return time.monotonic() < self._none_until

    def forget(self) -> None:
        """Ask again."""
        self._age += 1
        self._keys.clear()
        self._none_until = 0.0


_LISTENING: WeakSet[Known] = WeakSet()


def _forget() -> None:
    for known in list(_LISTENING):
        known.forget()


def digest(secret: str) -> str:
    """SHA-256, as hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def of_row(row: Any) -> Key:
    """A row of the table as a Key."""
    return Key(
        id=row.id,
        name=row.name,
        scopes=tuple(row.scopes),
        groups=tuple(row.groups),
        requests_per_minute=row.requests_per_minute,
        dollars_per_day=row.dollars_per_day,
        created=row.created,
        revoked=row.revoked,
    )


def _columns(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "groups": list(key.groups),
        "requests_per_minute": key.requests_per_minute,
        "dollars_per_day": key.dollars_per_day,
        "created": key.created,
    }


def _sound_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > 100 or not name.isprintable() or SECRET.search(name):
        raise UserError(f"'{name[:100]}' is no name of a key", cure="write 1 to 100 printable characters")
    return name


def _sound_scopes(scopes: Sequence[str]) -> tuple[Scope, ...]:
    for scope in scopes:
        if scope not in SCOPES:
            raise UserError(f"no scope named '{scope}'", cure=did_you_mean(scope, SCOPES))
    if not scopes:
        raise UserError("a key without scopes may do nothing", cure=f"choose of {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in scopes)


def _sound_groups(groups: Sequence[str]) -> tuple[str, ...]:
    for group in groups:
        if group != EVERY and (not GROUP.fullmatch(group) or group != group.strip()):
            cure = "write letters, digits, spaces and . : @ / + - _, at most 64"
            raise UserError(f"'{group}' is no name of a group", cure=cure)
    return tuple(sorted(set(groups)))
