"""Finds the files to ingest: paths, folders and globs to candidates, and a reason for every file that is left out.

Looks at names, kinds and the first bytes of files; reads none. Walking a folder passes over hidden entries,
those of tools (`.git`, `node_modules`, ...) and virtual environments; naming one takes it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewheel.kernel.nouns import Refusal
from gatewheel.rag.globs import Globs, split_glob
from gatewheel.rag.read.encoding import marked, wide
from gatewheel.rag.read.kinds import CURES, by_name, suffix_of

_TOOLS = frozenset(("node_modules", "__pycache__", "site-packages"))
_SNIFFED = 8192
_ENVIRONMENT = "pyvenv.cfg"  # PEP 405: the file that makes a folder a virtual environment of Python
NO_MATCH = "no file matches it"
LOOP = "a symbolic link that leads back to itself; remove or exclude the link"
_Visit = tuple[Path, frozenset[str], bool]  # a folder, the real folders above it, whether a link led here


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A file that a reader takes. `source` is its path below the root with /, or absolute when outside."""

    path: Path
    source: str
    format: str
    size: int


def discover(
    patterns: Sequence[str], *, root: Path, exclude: Sequence[str] = (), max_file_mb: int = 100
) -> Iterator[Candidate | Refusal]:
    """Every file that the patterns name, sorted by source, each real file once.

    A pattern is a path, a folder or a glob (`*`, `?`, `[a-z]`, `**`), relative to `root` or absolute. An exclude glob
    without a slash matches a name at any depth, one with a slash a path from the root; a folder takes what it holds.
    """
    search = _Search(_absolute(root), Globs(exclude))
    for pattern in patterns:
        search.add(pattern)
    for source, path in search.found():
        yield path if isinstance(path, Refusal) else _examine(path, source, max_file_mb << 20)


def at_or_below(patterns: Sequence[str], *, root: Path) -> Callable[[str], bool]:
    """Says of a source whether the patterns name it or a folder above it, be it still there or not."""
    root = _absolute(root)
    named = [_absolute(root / Path(pattern).expanduser()) for pattern in patterns]
    split = [(folder, glob) for folder, glob in map(split_glob, patterns) if glob]
    globs = [(_absolute(root / Path(folder).expanduser()), Globs([glob], anchored=True)) for folder, glob in split]

    def covers(source: str) -> bool:
        path = root / source
        return any(path.is_relative_to(one) for one in named) or any(
            path.is_relative_to(base) and glob.match(path.relative_to(base).as_posix()) for base, glob in globs
        )

    return covers


def format_of(path: Path) -> str | None:
    """The name of the reader in the catalog: by the file's name, else by its first bytes; None when none fits.

    Raises OSError when the name does not say and the file cannot be opened.
    """
    return by_name(path.name) or _sniff(_head(path))


class _Search:
    """What the patterns have led to so far: real file to (source, path), and refusals."""

    def __init__(self, root: Path, exclude: Globs) -> None:
        self._root = root
        self._exclude = exclude
        self._files: dict[str, tuple[str, Path]] = {}
        self._refused: dict[str, Refusal] = {}
        self._linked: set[str] = set()

    def found(self) -> list[tuple[str, Path | Refusal]]:
        """Sources with their paths or refusals, sorted."""
        both: list[tuple[str, Path | Refusal]] = [*self._files.values(), *self._refused.items()]
        return sorted(both, key=lambda entry: entry[0])

    def add(self, pattern: str) -> None:
        """Take what one pattern names; refuse the pattern when that is nothing."""
        start = self._root / Path(pattern).expanduser()
        if os.path.lexists(start):
            self._enter(start)
            return
        folder, glob = split_glob(pattern)
        base = _absolute(self._root / Path(folder).expanduser())
        if not glob or not base.is_dir():
            self._refuse(pattern, f"{NO_MATCH}; check the spelling")
            return
        wanted, before = Globs([glob], anchored=True), len(self._files) + len(self._refused)
        self._walk(base, wanted=wanted, base=base)
        if len(self._files) + len(self._refused) == before and not self._hits(base, wanted):
            self._refuse(pattern, f"{NO_MATCH}; quote a glob, and use ** for folders in folders")

    def _hits(self, base: Path, wanted: Globs) -> bool:
        """Whether a glob that added nothing names files that another pattern had already found."""
        paths = (path for _, path in self._files.values() if path.is_relative_to(base))
        return any(wanted.match(path.relative_to(base).as_posix()) for path in paths)

    def _enter(self, path: Path) -> None:
        path = _absolute(path)
        if path.is_dir():
            self._walk(path, wanted=None, base=path)
        else:
            self._take(path, real=os.path.realpath(path), linked=path.is_symlink())

    def _walk(self, folder: Path, *, wanted: Globs | None, base: Path) -> None:
        """Visit a folder and those below it, each real folder once: links to folders wait until the others are done."""
        stack: list[_Visit] = [(folder, frozenset(), folder.is_symlink())]
        links: list[_Visit] = []
        visited: set[str] = set()
        while stack or links:
            here, above, linked = stack.pop() if stack else links.pop()
            real = os.path.realpath(here)
            if real in above:
                self._refuse(self._source(here), LOOP)
            if real in visited:
                continue
            visited.add(real)
            for entry in self._entries(here, named=here == folder):
                path, is_link = here / entry.name, entry.is_symlink()
                if _is_folder(entry):
                    (links if is_link else stack).append((path, above | {real}, linked or is_link))
                elif wanted is None or wanted.match(path.relative_to(base).as_posix()):
                    target = os.path.realpath(path) if is_link else f"{real.rstrip('/')}/{entry.name}"
                    self._take(path, real=target, linked=linked or is_link)

    def _entries(self, folder: Path, *, named: bool) -> list[os.DirEntry[str]]:
        """What is in a folder and not passed over; a folder that cannot be listed is refused."""
        try:
            with os.scandir(folder) as entries:
                every = list(entries)
        except OSError as error:
            self._refuse(self._source(folder), _reason(error))
            return []
        if not named and any(entry.name == _ENVIRONMENT for entry in every):
            return []
        shown = [entry for entry in every if not _is_passed_over(entry.name)]
        return [entry for entry in shown if not self._exclude.match(self._source(folder / entry.name))]

    def _take(self, path: Path, *, real: str, linked: bool) -> None:
        source = self._source(path)
        if self._exclude.match(source):
            return
        # the same file by a link and by its own name keeps its own name, whichever was found first
        if real not in self._files or (real in self._linked and not linked):
            self._files[real] = (source, path)
            (self._linked.add if linked else self._linked.discard)(real)

    def _refuse(self, source: str, reason: str) -> None:
        self._refused[source] = Refusal(source=source, reason=reason)

    def _source(self, path: Path) -> str:
        name = path.relative_to(self._root) if path.is_relative_to(self._root) else path
        # a file name is bytes; what is not UTF-8 in it cannot be stored
        return os.fsencode(name.as_posix()).decode("utf-8", "replace")


def _examine(path: Path, source: str, limit: int) -> Candidate | Refusal:
    """A candidate, when a reader takes the file and it is neither empty nor over `limit` bytes."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # before opening: a fifo would block for ever
            return Refusal(source=source, reason=f"{_special(about.st_mode)}, not a file; exclude it")
        if not about.st_size:
            return Refusal(source=source, reason="an empty file; exclude it, or look whether it was saved whole")
        if about.st_size > limit:
            size = f"{-(-about.st_size >> 20)} MB is over the limit of {limit >> 20} MB"
            return Refusal(source=source, reason=f"{size}; raise [sources] max_file_mb or split it")
        return _known(path, source, about.st_size)
    except OSError as error:
        return Refusal(source=source, reason=_reason(error))


def _known(path: Path, source: str, size: int) -> Candidate | Refusal:
    """Raises OSError when the file cannot be opened."""
    head, name = _head(path), by_name(path.name)
    binary = _is_binary(head)
    if binary and name in ("text", "table", "jsonl", "notebook", "html"):
        reason = f"a binary file under the name of a {suffix_of(path.name) or 'text'} file; exclude it or rename it"
        return Refusal(source=source, reason=reason)
    name = name or _sniff(head)
    suffix = suffix_of(path.name)
    if not name or (suffix in CURES and name == "text"):
        what = f"no reader for {suffix} files" if suffix else "a binary file of no known format"
        return Refusal(source=source, reason=f"{what}; {CURES.get(suffix, 'exclude it')}")
    return Candidate(path=path, source=source, format=name, size=size)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_SNIFFED)


def _sniff(head: bytes) -> str | None:
    """The reader for a file whose name says nothing, by its first bytes."""
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        names = {b"word/": "docx", b"ppt/": "pptx"}
        return next((name for folder, name in names.items() if folder in head), None)
    if _is_binary(head):
        return None
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:256].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "html"
    return "notebook" if start.startswith(b"{") and b'"cells"' in head and b'"cell_type"' in head else "text"


def _is_binary(head: bytes) -> bool:
    """NUL bytes, or many control characters, in what is not UTF-16 or UTF-32."""
    if marked(head) or wide(head):
        return False
    controls = head.translate(None, bytes(range(7, 14)) + b"\x1b" + bytes(range(32, 256)))
    return b"\0" in head or len(controls) * 100 > len(head)


def _is_passed_over(name: str) -> bool:
    return name.startswith(".") or name in _TOOLS


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _absolute(path: Path) -> Path:
    """The path from the root of the disk, without `..`, its links not followed: the user's own names stay."""
    return Path(os.path.normpath(path.absolute()))


def _special(mode: int) -> str:
    names = {stat.S_IFIFO: "a pipe (fifo)", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
    return names.get(stat.S_IFMT(mode), "a device")


def _reason(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return LOOP
    if error.errno == errno.ENOENT:
        return "a symbolic link to a file that does not exist; remove or exclude the link"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "no permission to read it; change its mode or exclude it"
    return f"cannot be opened ({error.strerror}); check the disk, or exclude it"
