"""Files of the tuning API: what its clients send to be learned, and the figures of a tuning for them.

An object under its SHA-256, and a row for each who sent it. A file belongs to the key that sent it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, Any, Literal

from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from gatewheel.data import chat, lessons
from gatewheel.data.cases import split_key
from gatewheel.data.datasets import Dataset
from gatewheel.data.lines import record_of
from gatewheel.data.origins import Origin
from gatewheel.guard.redact import redact
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case
from gatewheel.kernel.store.learning import artifacts, client_files, datasets
from gatewheel.kernel.store.objects import Objects
from gatewheel.loop import freezing
from gatewheel.loop.compose import Parts
from gatewheel.loop.nearness import encoder_of

Purpose = Literal["fine-tune", "fine-tune-results"]
ID = re.compile(r"file-[0-9a-f]{24}")
_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """One file of a key's; `object` is the SHA-256 of its bytes."""

    id: str
    key: str
    created: float
    name: str
    purpose: Purpose
    bytes: int
    object: str


def refuse_unfit(content: IO[bytes]) -> None:
    """Raises UserError for the first line that is no lesson, and for a file without any."""
    faults: list[lessons.Fault] = []
    count = 0
    for found in lessons.read(content):
        if isinstance(found, lessons.Fault):
            faults.append(found)
        else:
            count += 1
    if faults:
        first, more = faults[0], f" ({len(faults) - 1} more lines are at fault)" if len(faults) > 1 else ""
        raise UserError(f"line {first.line}: {first.what.what}{more}", cure=first.what.cure)
    if not count:
        raise UserError("it holds no lines", cure='write one conversation a line: {"messages": […]}')


@contextmanager
def blacked(content: IO[bytes], kinds: Iterable[str]) -> Iterator[IO[bytes]]:
    """The lines of a file with what is of these kinds blacked out, and without all that is not learned.

    Each text is put together first, as it is learned: an address may be divided among its parts.
    Raises UserError for a line that cannot be read; `refuse_unfit` would have named it.
    """
    with tempfile.TemporaryFile() as made:  # unnamed, so that nothing of it outlives this process
        for line in content:
            if text := line.decode("utf-8-sig").strip():
                turns = chat.turns(record_of(text).get("messages"), "messages")
                said = {"messages": [_blacked(turn, tuple(kinds)) for turn in turns]}
                made.write(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"))
            made.write(b"\n")
        made.seek(0)
        yield made


def keep(engine: Engine, objects: Objects, content: IO[bytes], *, name: str, key: str, run: str = "") -> File:
    """Keep the bytes of a file to learn from; with a `run` those of its results, once."""
    digest, size = hashlib.sha256(), 0
    for piece in _pieces(content):
        digest.update(piece)
        size += len(piece)
    content.seek(0)
    made = File(
        id=results_of(run) if run else f"file-{secrets.token_hex(12)}",
        key=key,
        created=time.time(),
        name=name,
        purpose="fine-tune-results" if run else "fine-tune",
        bytes=size,
        object=digest.hexdigest(),
    )
    try:
        # the row first, and the object before others see it: who deletes the same bytes waits, and then sees this row
        with engine.begin() as connection:
            connection.execute(insert(client_files).values(**asdict(made)))
            objects.put(_pieces(content))
    except IntegrityError:
        return of_id(engine, made.id)
    return made


def results_of(run: str) -> str:
    """The id of the file with the figures of a run."""
    return f"file-{hashlib.sha256(run.encode()).hexdigest()[:24]}"


def find(engine: Engine, id_: str, *, key: str) -> File | None:
    """A file of this key."""
    return next((one for one in _read(engine, _named(id_)) if one.key == key), None)


def of_id(engine: Engine, id_: str) -> File:
    """A file, whosever it is. Raises UserError when there is none."""
    found = _read(engine, _named(id_))
    if not found:
        raise UserError(f"there is no file '{id_[:80]}'", cure="upload it again")
    return found[0]


def listed(engine: Engine, *, key: str, purpose: str = "") -> list[File]:
    """The files of this key, the oldest first."""
    mine = _read(engine, client_files.c.key == key)
    return [one for one in mine if purpose in ("", one.purpose)]


def remove(engine: Engine, objects: Objects, id_: str, *, key: str) -> bool:
    """Delete a file of this key; its bytes too, unless something else is made of the same. False when there is none."""
    with engine.begin() as connection:
        # the write comes before any read: it waits for whoever writes
        mine = delete(client_files).where(_named(id_), client_files.c.key == key)
        gone = connection.execute(mine.returning(client_files.c.object)).scalar_one_or_none()
        if gone is not None and not _needed(connection, gone):
            objects.path(gone).unlink(missing_ok=True)
    return gone is not None


def frozen(parts: Parts, id_: str) -> Dataset:
    """The cases of a file as a dataset version, entered for training.

    What stands for a holdout or is near to one is left out, and counted on the card. Raises UserError for a file that
    is no more, when nothing is left of it, and for the cases of a version that is tainted.
    """
    file = of_id(parts.engine, id_)
    cases = list(_cases(parts.objects.path(file.object).open("rb")))

    def read() -> list[Case]:
        of_id(parts.engine, id_)  # it may have been deleted since
        return cases

    about = {"id": file.id, "key": file.key}
    made_of = [Origin(case=split_key(case), kind="file", ref=file.name, detail=about) for case in cases]
    wanted = freezing.Wanted(suite=file.id)
    return freezing.of_cases(parts, read, wanted, encoder=encoder_of(parts, tell=parts.say), origins=made_of).dataset


def _cases(content: IO[bytes]) -> Iterator[Case]:
    with content:
        for found in lessons.read(content):
            if isinstance(found, lessons.Fault):
                raise UserError(f"line {found.line}: {found.what.what}", cure=found.what.cure)
            yield from found


def _blacked(turn: Mapping[str, Any], kinds: tuple[str, ...]) -> dict[str, Any]:
    weight = {"weight": turn["weight"]} if "weight" in turn else {}
    return {"role": turn["role"], "content": redact(turn["content"], kinds), **weight}


def _needed(connection: Connection, object_: str) -> bool:
    named = (client_files.c.object, datasets.c.id, artifacts.c.id)
    return any(connection.execute(select(one).where(one == object_).limit(1)).first() for one in named)


def _read(engine: Engine, *conditions: Any) -> list[File]:
    asked = select(client_files).where(*conditions).order_by(client_files.c.created, client_files.c.id)
    with engine.connect() as connection:
        return [File(**row._mapping) for row in connection.execute(asked)]


def _named(id_: str) -> Any:
    # what cannot be an id may hold a NUL, which PostgreSQL takes in no text
    return client_files.c.id == (id_ if ID.fullmatch(id_) else "")


def _pieces(content: IO[bytes]) -> Iterator[bytes]:
    while piece := content.read(_PIECE):
        yield piece
