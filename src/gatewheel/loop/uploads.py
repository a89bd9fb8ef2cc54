"""Files that others send: under a safe name below `uploads/` in the project, byte for byte, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import unicodedata
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath
from typing import IO

from sqlalchemy import Engine, func, select

from gatewheel.embeddings import grants
from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.store.schema import documents, files
from gatewheel.rag.read.kinds import CURES, by_name, suffix_of

FOLDER = "uploads"
LONGEST_NAME = 200  # bytes; file systems take 255, and the file is written under a longer name first
PIECE = 1 << 20  # bytes that are copied at a time


def keep(
    root: Path,
    name: str,
    content: IO[bytes],
    *,
    max_mb: int,
    taken: Collection[str] = (),
    replaces: Callable[[str], bool] = lambda _: True,
) -> str:
    """Write a file and return its source. One of the same name is replaced, unless it is among `taken`.

    `replaces` says of the source of a file that is there whether it may be replaced.

    Raises SourceError for a name that says nothing, a kind that nobody reads, a file that is too large, a file that may
    not be replaced, a symbolic link or a folder in its place, and when it cannot be written.
    """
    safe = safe_name(name)
    source = f"{FOLDER}/{safe}"
    if source in taken:
        raise SourceError("came twice in one request", cure="give each file a name of its own")
    if not by_name(safe) and suffix_of(safe):
        cure = CURES.get(suffix_of(safe), "convert it to text, Markdown, HTML or PDF")
        raise SourceError(f"no reader takes files that end in {suffix_of(safe)}", cure=cure)
    try:
        folder = _opened(root)
        try:
            _refuse_taken(folder, safe, may=lambda: replaces(source))
            _write(folder, safe, content, most=max_mb * 1_000_000)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            what = f"{FOLDER}/ in the project is no folder of its own but a link or a file"
            raise SourceError(what, cure="put a real folder in its place") from None
        raise SourceError(f"cannot be written: {error.strerror}", cure="check the disk and its permissions") from None
    return source


def remove(root: Path, source: str) -> bool:
    """Delete an uploaded file. False when there is none of that name that is a file and no link."""
    path = PurePosixPath(source)
    if len(path.parts) != 2 or path.parts[0] != FOLDER or path.name == "..":
        return False
    try:
        folder = _opened(root)
        try:
            if not stat.S_ISREG(os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode):
                return False
            os.unlink(path.name, dir_fd=folder)
        finally:
            os.close(folder)
    except (OSError, ValueError):
        return False
    return True


def whole_in_sight(engine: Engine, source: str, groups: Collection[str] | None) -> bool:
    """Whether these groups may see every document that was read from a file; None may always.

    A file of which nothing was read is out of sight: nobody can tell to whom it would be open.
    """
    seen = grants.visible(groups)
    if seen is None:
        return True
    read = select(func.count()).select_from(documents).join(files).where(files.c.source == source)
    with engine.connect() as connection:
        count = connection.execute(read).scalar_one()
        return 0 < count == connection.execute(read.where(seen)).scalar_one()


def safe_name(name: str) -> str:
    """The last part of a name, without what steers terminals, hides files or leads elsewhere.

    Raises SourceError when nothing is left.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    plain = "".join(sign for sign in last if unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
    plain = plain.strip().lstrip(". ").strip()
    suffix = suffix_of(plain) if len(suffix_of(plain).encode()) <= 20 else ""
    stem = plain[: len(plain) - len(suffix)]
    while len((stem + suffix).encode("utf-8")) > LONGEST_NAME:
        stem = stem[:-1]
    if not stem:
        raise SourceError("has no name", cure="send it with a file name")
    return stem + plain[len(plain) - len(suffix) :] if suffix else stem


def shown(name: str) -> str:
    """Any name as it may be told."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name)[:LONGEST_NAME]


def _opened(root: Path) -> int:
    """A descriptor of the folder: whoever swaps it for a link meanwhile changes nothing."""
    folder = root / FOLDER
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _refuse_taken(folder: int, name: str, *, may: Callable[[], bool]) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode) or not may():
            # the same words for all, since one may be a file that is hidden from who sends this
            raise SourceError("this name is taken", cure="give it another name")


def _write(folder: int, name: str, content: IO[bytes], *, most: int) -> None:
    part = f".{secrets.token_hex(8)}.part"  # hidden, so that no ingest reads half of it
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(part, flags, 0o644, dir_fd=folder), "wb") as file:
            size = 0
            while piece := content.read(PIECE):
                size += len(piece)
                if size > most:
                    raise SourceError(f"is larger than {most // 1_000_000} MB", cure="raise [sources] max_file_mb")
                file.write(piece)
        os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part, dir_fd=folder)
        raise
