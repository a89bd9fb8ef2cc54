"""Where things live on this machine outside of any project. Knows nothing about what is kept there."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """The user's cache folder: `$GATEWHEEL_CACHE`, else `$XDG_CACHE_HOME/gatewheel`, else `~/.cache/gatewheel`.

    Everything in it can be rebuilt, so a user may delete it at any time. The folder is not created here.
    """
    if own := os.environ.get("GATEWHEEL_CACHE"):
        return Path(own).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg).expanduser() / "gatewheel"
    return Path.home() / ".cache" / "gatewheel"
