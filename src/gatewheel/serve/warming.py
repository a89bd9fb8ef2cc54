"""Loads encoder, index and models when a service starts, so that the first question waits for none of them."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy.exc import DBAPIError

from gatewheel.kernel.errors import GatewheelError
from gatewheel.kernel.store.database import explain
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
            settings: Any = parts.config.table("app", name).settings
            app = parts.app(name)
            app.retriever.retrieve("ready", k=1)
            model = getattr(settings, "model", "")
            if model and getattr(settings, "mode", "") != "quote" and not service.closing.is_set():
                parts.say(f"loading [model.{model}] ({parts.config.table('model', model).use})")
                app.model().count_tokens("ready")
    except GatewheelError as error:
        log.warning("not ready: %s", error)
    except DBAPIError as error:
        log.warning("not ready: %s", explain(error))
    else:
        service.ready.set()
        parts.say(f"ready after {time.monotonic() - began:.1f} s")
    finally:
        service.tried.set()
