"""Turns whatever a parser throws at a broken file into one SourceError, and a read text into a sound Document."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager

from gatewheel.kernel.errors import GatewheelError, SourceError
from gatewheel.kernel.nouns import Document

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@contextmanager
def reading(what: str, *, cure: str) -> Iterator[None]:
    """Guard a block that hands a file to a parser; `what` names the kind of file: "a PDF".

    Raises SourceError for any exception that is not ours.
    """
    try:
        yield
    except GatewheelError:
        raise
    except FileNotFoundError:
        raise SourceError("it is gone", cure="run ingest again") from None
    except PermissionError:
        raise SourceError("no permission to read it", cure="change its mode or exclude it") from None
    # A door: fuzzed files made the parsers raise KeyError, AttributeError, struct.error, RecursionError and others.
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SourceError(f"not {what} that can be read ({first[:160]})", cure=cure) from error


def storable(text: str) -> str:
    """The text with NUL and lone surrogates replaced by U+FFFD, one for one: PostgreSQL refuses the first,
    UTF-8 the second, and the offsets must stay.

    >>> storable("a\\x00b\\ud800")
    'a�b�'
    """
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def sound(document: Document) -> Document:
    """The document as the store can hold it.

    Raises SourceError when it has no text.
    """
    if not document.text or document.text.isspace():
        raise SourceError("there is no text in it", cure="exclude it, or look whether it was saved whole")
    text, title = storable(document.text), " ".join(storable(document.title).split())
    if text is document.text and title == document.title:
        return document
    return dataclasses.replace(document, text=text, title=title)
