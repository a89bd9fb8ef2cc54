"""Loads encoder, index and models when a service starts or a release comes, so that no question waits for them."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy.exc import DBAPIError

from gatewheel.kernel.errors import GatewheelError
from gatewheel.kernel.store.database import explain
from gatewheel.loop import recipes
from gatewheel.loop.compose import Parts
from gatewheel.loop.following import keep_following
from gatewheel.serve.service import Service

log = logging.getLogger("gatewheel.serve")


def warm(service: Service) -> None:
    """Load what the applications use and set `ready`. What cannot be loaded is told; requests then get the reason."""
    parts = service.project.parts
    began = time.monotonic()
    try:
        if parts.encoder.dimensions:
            parts.encoder.encode(["ready"])
        for name in parts.config.names("app"):
            if not service.closing.is_set():
                with service.project.answering(name) as answering:
                    load(answering, name)
    except GatewheelError as error:
        log.warning("not ready: %s", error)
    except DBAPIError as error:
        log.warning("not ready: %s", explain(error))
    else:
        service.ready.set()
        parts.say(f"ready after {time.monotonic() - began:.1f} s")
    finally:
        service.tried.set()


def load(parts: Parts, name: str) -> None:
    """Load what `[app.<name>]` uses. Raises what loading raises."""
    settings: Any = parts.config.table("app", name).settings
    app = parts.app(name)
    if recipes.reads_documents(settings):
        parts.retriever(settings.retriever).retrieve("ready", k=1)
    model = getattr(settings, "model", "")
    if model and getattr(settings, "mode", "") != "quote":
        parts.say(f"loading [model.{model}] ({parts.config.table('model', model).use})")
        app.model().count_tokens("ready")


def follow(service: Service) -> None:
    """Follow the releases of the project until the service stops; each is loaded before it answers."""
    if service.project.followed:
        keep_following(service.project.followed, service.closing, prepare=load, say=service.project.parts.say)
