"""Gatewheel: from a foundation model and your own documents to a measured, guarded, served AI application.

>>> import gatewheel as gw
>>> project = gw.open(".")                      # doctest: +SKIP
>>> project.ask("What does a gate decide?")     # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["GatewheelError", "Question", "UserError", "__version__", "init", "open"]

if TYPE_CHECKING:
    from gatewheel.kernel.errors import GatewheelError, UserError
    from gatewheel.loop.project import init, open  # noqa: A004 (gw.open)
    from gatewheel.rag.question import Question


def __getattr__(name: str) -> Any:
    # importing gatewheel does nothing: the command line must answer --help in under 0.3 s
    if name in ("init", "open"):
        from gatewheel.loop import project

        return getattr(project, name)
    if name in ("GatewheelError", "UserError"):
        from gatewheel.kernel import errors

        return getattr(errors, name)
    if name == "Question":
        from gatewheel.rag.question import Question

        return Question
    raise AttributeError(f"module 'gatewheel' has no attribute '{name}'")
