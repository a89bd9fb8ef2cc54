"""What answers for each application now: its release, or else what the file says. A change is followed while it serves.

Requests under way finish with the parts that they began with; what comes after a change gets the new ones. Models that
both use stay loaded, and the new ones are loaded before the change, so nobody waits for it and nobody is dropped.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError

from gatewheel.kernel.errors import GatewheelError
from gatewheel.kernel.store.database import explain
from gatewheel.loop import shelf, variants
from gatewheel.loop.compose import Parts
from gatewheel.loop.releasing import as_variant
from gatewheel.ops import releases

log = logging.getLogger("gatewheel.serve")
EVERY = 0.25  # seconds between two looks, each one short query: 0.3 ms of processor time
Prepare = Callable[[Parts, str], None]


@dataclass(kw_only=True, slots=True)
class _Held:
    """A release at work; `users` are the requests that it answers at this moment."""

    variant: str
    parts: Parts
    users: int = 0


class Followed:
    """The releases of a project, as `[app.<name>]` → parts. Any thread may call it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._tidying = threading.Lock()  # held while models are closed, so that none is which is just being loaded
        self._now: dict[str, _Held] = {}
        self._coming: list[tuple[str, _Held]] = []  # being loaded
        self._leaving: list[tuple[str, _Held]] = []  # replaced, but still answering
        self._seen = -1
        self._due = threading.Event()

    @contextmanager
    def serving(self, name: str) -> Iterator[Parts]:
        """The parts that answer for an application, which stay whole until this ends."""
        with self._lock:
            held = self._now.get(name)
            if held:
                held.users += 1
        try:
            yield held.parts if held else self._parts
        finally:
            if held:
                self._give_back(held)

    def look(self, *, prepare: Prepare = lambda _, __: None) -> bool:
        """Bring everything in line with the releases; says whether something changed.

        `prepare` loads what the new parts need before they answer. Raises ProjectError for a release that cannot be
        made again, and then what answered goes on answering.
        """
        with self._looking:
            number = releases.newest(self._parts.engine)
            if number == self._seen:
                return False
            wanted = releases.serving(self._parts.engine)
            known = self._parts.config.names("app")
            changed = [name for name in known if wanted.get(name, "") != self.released(name)]
            faults = [self._tried(name, wanted.get(name, ""), prepare) for name in changed]
            for fault in faults:
                if fault:
                    raise fault  # looked at again the next time, when it may be mended
            self._seen = number
            return bool(changed)

    def look_soon(self) -> None:
        """A release was just changed here: whoever follows need not wait for the next look."""
        self._due.set()

    def wait(self, seconds: float) -> None:
        """Until the next look is due."""
        self._due.wait(seconds)
        self._due.clear()

    def released(self, name: str) -> str:
        """The id of the release that answers for an application; empty when the file's variant does."""
        with self._lock:
            return self._now[name].variant if name in self._now else ""

    def _tried(self, name: str, id_: str, prepare: Prepare) -> GatewheelError | None:
        """Follow one release, so that what is wrong with it keeps no other from being followed."""
        try:
            self._change(name, self._made(name, id_, prepare) if id_ else None)
        except GatewheelError as error:
            return error
        finally:
            with self._lock:
                self._coming.clear()
            self._tidy()
        return None

    def _made(self, name: str, id_: str, prepare: Prepare) -> _Held:
        parts = as_variant(self._parts, name, variants.get(self._parts.engine, id_))
        if (became := parts.variant(name).id) != id_:
            what = f"the documents are read by other settings than release {id_[:12]} of [app.{name}] was made with"
            self._parts.say(f"{what}; its answers are those of variant {became[:12]}")
        held = _Held(variant=id_, parts=parts)
        with self._tidying, self._lock:
            self._coming.append((name, held))
        prepare(parts, name)
        return held

    def _change(self, name: str, held: _Held | None) -> None:
        with self._lock:
            before = self._now.pop(name, None)
            if held:
                self._now[name] = held
            if before:
                self._leaving.append((name, before))

    def _give_back(self, held: _Held) -> None:
        with self._lock:
            held.users -= 1
            left = not held.users and any(held is one for _, one in self._leaving)
        if left:
            self._tidy()

    def _tidy(self) -> None:
        """Close the models that only releases used which answer nobody any more."""
        base = self._parts.config
        with self._tidying:
            with self._lock:
                self._leaving = [(name, held) for name, held in self._leaving if held.users]
                working = [*self._now.items(), *self._coming, *self._leaving]
            kept = shelf.keys(base, base.names("model"))
            for name, held in working:
                settings: Any = held.parts.config.table("app", name).settings
                kept |= shelf.keys(held.parts.config, [settings.model])
            self._parts.shelf.keep(kept)


def keep_following(
    followed: Followed, stopped: threading.Event, *, prepare: Prepare, say: Callable[[str], None], every: float = EVERY
) -> None:
    """Look again and again until `stopped` is set. Made for a thread; what goes wrong is logged once and outlived."""
    last = ""
    while True:
        followed.wait(every)
        if stopped.is_set():
            return
        fault, unexpected = "", None
        try:
            if followed.look(prepare=prepare):
                say("a release changed; new requests get it")
        except DBAPIError as error:
            fault = f"the releases cannot be read: {explain(error)}"
        except GatewheelError as error:
            fault = f"a release is not followed, what answered goes on: {error}"
        except Exception as error:  # noqa: BLE001 (a door: without this thread no later release would be followed)
            fault, unexpected = f"a release is not followed, what answered goes on: {error!r}", error
        if fault and fault != last:
            log.log(logging.ERROR if unexpected else logging.WARNING, fault, exc_info=unexpected)
        last = fault
