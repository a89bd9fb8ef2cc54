"""`/api/session`: the studio logs in by a key, and from then on carries a cookie that scripts cannot read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.nouns import Scope
from gatewheel.ops import keys, sessions
from gatewheel.serve import origin
from gatewheel.serve.access import Visitor, cookie_name, door, refuse_other_sites, visitor
from gatewheel.serve.api.wire import refusals
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api", tags=["session"])
FAILURES = 10  # of one peer in a minute; a key cannot be guessed, but each attempt costs a query


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionKey:
    """The key of a session, without its secret."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """Who is asking: the owner at the machine, a key, or nobody yet (no scopes)."""

    owner: bool
    key: SessionKey | None
    scopes: list[Scope]


class Login(BaseModel):
    """A key as `gatewheel keys create` printed it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    key: str = Field(max_length=200)


@router.get("/session", operation_id="get_session", summary="Who is asking", responses=refusals())
async def show(request: Request) -> Session:
    """The owner, a key, or nobody yet."""
    return _shown(await visitor(request))


@router.post("/session", operation_id="log_in", summary="Log in by a key", responses=refusals())
async def log_in(
    request: Request,
    response: Response,
    said: Annotated[Login, Body()],
    made: Annotated[Service, Depends(service)],
) -> Session:
    """Sets a cookie for a week."""
    refuse_other_sites(request)
    failed, peer = door(request).failed_logins, origin.peer(request)
    engine = made.project.parts.engine
    key = await made.quickly(lambda: keys.verify(engine, said.key.strip()))
    if key is None:  # only then: behind a proxy all have one address, and who has a key must not wait for who has none
        if wait := failed.wait(peer, FAILURES):
            message = f"{FAILURES} keys were refused in a minute; wait {wait} s"
            raise Fault(429, message, code="rate_limit_exceeded", retry_after=wait)
        failed.count(peer)
        message = "this key is not known or was revoked; copy it whole, as `gatewheel keys create` printed it"
        raise Fault(401, message, code="invalid_api_key")
    token = await made.quickly(lambda: sessions.begin(engine, key))
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=int(sessions.SECONDS),
        path="/",
        secure=origin.secure(request),
        httponly=True,
        samesite="strict",
    )
    scopes = list(key.scopes)
    return Session(owner=False, key=SessionKey(id=key.id, name=key.name), scopes=scopes)


@router.delete(
    "/session", operation_id="log_out", summary="Log out", status_code=204, responses=refusals(), response_model=None
)
async def log_out(request: Request, response: Response, made: Annotated[Service, Depends(service)]) -> None:
    """Ends the session of the cookie; without one nothing happens."""
    refuse_other_sites(request)
    name = cookie_name(request)
    if token := request.cookies.get(name, ""):
        engine = made.project.parts.engine
        await made.quickly(lambda: sessions.end(engine, token))
        door(request).known.drop(token)
        response.delete_cookie(name, path="/", secure=origin.secure(request), httponly=True, samesite="strict")


def _shown(who: Visitor | None) -> Session:
    if who is None:
        return Session(owner=False, key=None, scopes=[])
    key = SessionKey(id=who.key.id, name=who.key.name) if who.key else None
    return Session(owner=who.key is None, key=key, scopes=list(who.caller.scopes))
