"""Keeps keys and sessions out of every log of this process, wherever a client may have put them."""

from __future__ import annotations

import logging
import re
from typing import Any

# a key may stand in a path that was quoted, so its beginning is enough
_TOKEN = re.compile(r"(gws?_)[\w-]{8,}", re.ASCII)
_FORMATTER = logging.Formatter()


def keep_keys_out() -> None:
    """Let every log record of this process pass through `hushed`. Doing it twice is doing it once."""
    make = logging.getLogRecordFactory()
    if getattr(make, "hushes", False):
        return

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return hushed(make(*args, **kwargs))

    factory.hushes = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(factory)


def hushed(record: logging.LogRecord) -> logging.LogRecord:
    """The record without tokens, in message, arguments and traceback. Its arguments stay apart where they can."""
    if isinstance(record.args, tuple):
        record.args = tuple(black(each) if isinstance(each, str) else each for each in record.args)
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):
        return record  # a fault of who logs; the handler will tell
    if _TOKEN.search(message):
        record.msg, record.args = black(message), ()
    if record.exc_info and record.exc_info[0] and _TOKEN.search(text := _FORMATTER.formatException(record.exc_info)):
        record.exc_info, record.exc_text = None, black(text)
    return record


def black(text: str) -> str:
    """A text with every token blacked out."""
    return _TOKEN.sub(r"\1…", text)
