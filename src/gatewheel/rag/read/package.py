"""Opens an Office file: a zip of XML parts that point at each other. Reads only the parts asked for, within bounds.

Macros, media and embedded files are never unpacked, so nothing in them can run and a picture costs nothing.
ECMA-376 part 2 (Open Packaging Conventions).
"""

from __future__ import annotations

import posixpath
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from gatewheel.kernel.errors import SourceError

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PART_LIMIT = 64 << 20  # XML in lxml takes about eight times its size in memory
_TOTAL_LIMIT = 256 << 20
_RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"


class Package:
    """The parts of one Office file. Close it after use (`contextlib.closing`)."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            if file.read(8) == _OLE:
                cure = "remove its password, or save it in the current format"
                raise SourceError("the file is encrypted, or an Office file from before 2007", cure=cure)
        self._zip = zipfile.ZipFile(path)
        self._names = {name.lower(): name for name in self._zip.namelist()}
        self._read = 0

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def part(self, name: str) -> Any | None:
        """The root element of a part, or None when the package does not have it.

        Raises SourceError when it would unpack to more than is sensible (a zip bomb).
        """
        from lxml import etree

        stored = self._names.get(name.lower())
        if stored is None:
            return None
        # zipfile stops at the declared size, so the declaration bounds what is unpacked even if it lies
        size = self._zip.getinfo(stored).file_size
        self._read += size
        if size > _PART_LIMIT or self._read > _TOTAL_LIMIT:
            raise SourceError(f"'{stored}' in it unpacks to {size >> 20} MB", cure="split the file")
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
        return etree.fromstring(self._zip.read(stored), parser)

    def related(self, name: str) -> dict[str, tuple[str, str]]:
        """What a part points at inside the package: id to (last word of the type, name of the target)."""
        folder, file = posixpath.split(name)
        root = self.part(posixpath.join(folder, "_rels", f"{file}.rels"))
        found: dict[str, tuple[str, str]] = {}
        for relation in [] if root is None else root.iter(_RELATIONS):
            if relation.get("TargetMode") != "External":
                target = unquote(relation.get("Target", "")).split("#")[0]
                whole = posixpath.normpath(posixpath.join("/" + folder, target)).lstrip("/")
                found[relation.get("Id", "")] = (relation.get("Type", "").rpartition("/")[2], whole)
        return found

    def one(self, name: str, kind: str) -> str:
        """The first part of a type that `name` points at ("" stands for the package), or an empty text."""
        return next((target for word, target in self.related(name).values() if word == kind), "")

    def properties(self) -> dict[str, str]:
        """The core properties that say something about the text: title, author, subject, keywords."""
        root = self.part(self.one("", "core-properties") or "docProps/core.xml")
        words = {"title": "title", "creator": "author", "subject": "subject", "keywords": "keywords"}
        found = {} if root is None else {child.tag.rpartition("}")[2]: child.text for child in root.iterchildren("*")}
        return {name: " ".join(found[tag].split()) for tag, name in words.items() if (found.get(tag) or "").strip()}
