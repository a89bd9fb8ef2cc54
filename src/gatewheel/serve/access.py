"""Who a request comes from and what it may do: `caller: Caller = Depends(may("ask"))`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from fastapi import FastAPI, Request
from starlette.types import Scope as Scope_

from gatewheel.kernel.nouns import Caller, Key, Scope
from gatewheel.ops import keys, sessions, spending
from gatewheel.serve import limits, origin, quiet
from gatewheel.serve.fault import Fault
from gatewheel.serve.pace import Pace

if TYPE_CHECKING:
    from gatewheel.serve.service import Service

OWNER = Caller()
HOW = "send `Authorization: Bearer <key>`; `gatewheel keys create` makes one"


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    """Who came: the owner when `key` is None. `by_header` when a key was sent, which no other site can make happen."""

    caller: Caller
    key: Key | None = None
    by_header: bool = False


@dataclass(frozen=True, kw_only=True)
class Door:
    """What the service remembers of who came. One for each application."""

    known: keys.Known = field(default_factory=keys.Known)
    pace: Pace = field(default_factory=Pace)
    failed_logins: Pace = field(default_factory=Pace)


def door(request: Request) -> Door:
    """The door of the application that a request came to."""
    return cast(Door, request.app.state.door)


def may(*scopes: Scope, paying: bool = False) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that lets through whoever has one of these scopes. Raises Fault 401, 403 or 429.

    Who asks, and whatever else is `paying`, is refused when the dollars of the day are spent.
    With a key that was seen in the last seconds it costs 20 µs.
    """

    async def caller(request: Request) -> Caller:
        who = await visitor(request)
        if who is None:
            raise await _unknown(request)
        if not who.by_header:
            refuse_other_sites(request)
        if who.key is not None:
            _keep_pace(door(request).pace, who.key)
        if not set(scopes) & set(who.caller.scopes):
            has, needs = ", ".join(who.caller.scopes), " or ".join(f"'{scope}'" for scope in scopes)
            message = f"this needs a key with the scope {needs}; yours has {has}"
            raise Fault(403, message, code="insufficient_scope")
        if paying or ("ask" in scopes and request.method not in origin.SAFE):
            await _refuse_spent(_service(request), who.key)
        return who.caller

    return caller


async def visitor(request: Request) -> Visitor | None:
    """Who came, by key, by session, or as the owner at the machine while there are no keys; None: nobody known.

    Raises Fault 401 for a key that is not known.
    """
    engine = _service(request).project.parts.engine
    if secret := _secret(request):
        if key := await _find(request, secret, lambda: keys.verify(engine, secret)):
            return _with(key, by_header=True)
        if await _owner(request):  # clients of OpenAI's must be given some key
            return Visitor(caller=OWNER)
        raise Fault(401, f"this key is not known or was revoked; {HOW}", code="invalid_api_key")
    token = request.cookies.get(cookie_name(request), "")
    if token and (key := await _find(request, token, lambda: sessions.find(engine, token))):
        return _with(key, by_header=False)
    return Visitor(caller=OWNER) if await _owner(request) else None


async def admit(scope: Scope_) -> None:
    """Raises Fault 401 for a request of nobody known. Reads no body."""
    request = Request(scope)
    if await visitor(request) is None:
        raise await _unknown(request)


def refuse_other_sites(request: Request) -> None:
    """Raises Fault 403 when another site made a browser send something that changes things."""
    if request.method not in origin.SAFE and not origin.from_our_pages(request):
        message = "another site sent this; use the studio's own pages, or send a key in the header"
        raise Fault(403, message, code="cross_site")


def cookie_name(request: Request) -> str:
    """Cookies do not know ports, and one machine may run several studios."""
    server = request.scope.get("server") or ("", 0)
    return f"gatewheel-{server[1] or 0}"


def protect(app: FastAPI) -> None:
    """Wrap an application in what every request must pass. Call it when its service is in place."""
    settings = cast("Service", app.state.service).project.config.serve
    app.state.door = Door()
    quiet.keep_keys_out()
    build = app.build_middleware_stack
    # around everything, so that what our own faults look like is no exception
    app.build_middleware_stack = lambda: limits.Headers(limits.Bodies(build(), settings, admit=admit))  # type: ignore[method-assign]


def _service(request: Request) -> Service:
    return cast("Service", request.app.state.service)


async def _find(request: Request, token: str, look: Callable[[], Key | None]) -> Key | None:
    if not (keys.SECRET.fullmatch(token) or sessions.TOKEN.fullmatch(token)):
        return None
    known = door(request).known
    return known.get(token) or await _service(request).quickly(lambda: known.find(token, look))


async def _owner(request: Request) -> bool:
    if not origin.from_this_machine(request):
        return False
    return door(request).known.none_lately or await _none_yet(request)


async def _none_yet(request: Request) -> bool:
    made = _service(request)
    look = made.project.parts
    return await made.quickly(lambda: door(request).known.none_yet(lambda: keys.exist(look.engine)))


async def _unknown(request: Request) -> Fault:
    if await _none_yet(request):
        message = (
            "there are no keys yet, so only this machine is served, by its own name and without a proxy; "
            "`gatewheel keys create` makes one"
        )
    else:
        message = f"no key was sent; {HOW}"
    return Fault(401, message, code="invalid_api_key")


def _secret(request: Request) -> str:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and secret.strip():
        return secret.strip()
    return request.headers.get("x-api-key", "").strip()


def _with(key: Key, *, by_header: bool) -> Visitor:
    groups = None if keys.EVERY in key.groups else frozenset(key.groups)
    caller = Caller(key=key.id, scopes=key.scopes, groups=groups)
    return Visitor(caller=caller, key=key, by_header=by_header)


def _keep_pace(pace: Pace, key: Key) -> None:
    if key.requests_per_minute is None:
        return
    if wait := pace.wait(key.id, key.requests_per_minute):
        message = f"the key '{key.name}' may send {key.requests_per_minute} requests a minute; wait {wait} s"
        raise Fault(429, message, code="rate_limit_exceeded", retry_after=wait)
    pace.count(key.id)


async def _refuse_spent(made: Service, key: Key | None) -> None:
    """The request that crosses the line is served, since its price is known only afterwards; the next is not."""
    most = made.project.config.serve.dollars_per_day
    if most is None and (key is None or key.dollars_per_day is None):
        return
    engine = made.project.parts.engine
    if what := await made.quickly(lambda: spending.spent(engine, key, most=most)):
        message = f"{what}; come back after midnight UTC, or have the limit raised"
        raise Fault(429, message, code="insufficient_quota", retry_after=spending.seconds_left())
