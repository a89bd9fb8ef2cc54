"""What was worked out lately, by all that decides it, so that a page that is loaded again need not wait again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

Value = TypeVar("Value")


class Lately:
    """The `most` values that were asked for last. Any thread may call it; two that miss at once both work it out."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made if it is not held. What `make` raises is not held."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return cast(Value, self._held[key])
        made = make()  # outside of the lock: it may take seconds, and others want other values
        with self._lock:
            self._held[key] = made
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return made
