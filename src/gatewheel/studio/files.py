"""Scripts, styles and the icon, served from memory under a digest of them all, so that browsers may keep them for ever.

One digest for all, not one for each: a module imports its neighbours by relative path and so never meets an older one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
KEEP = "public, max-age=31536000, immutable"  # RFC 8246


@dataclass(frozen=True, kw_only=True, slots=True)
class Assets:
    """Files by name, and the digest that stands in their URLs."""

    digest: str
    files: Mapping[str, bytes]

    def url(self, name: str) -> str:
        """The path of a file. Raises KeyError when there is none of this name."""
        if name not in self.files:
            raise KeyError(name)
        return f"/static/{self.digest}/{name}"


def load() -> Assets:
    """Read static/."""
    folder = resources.files("gatewheel.studio") / "static"
    files = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.name.rpartition(".")[2] in TYPES}
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return Assets(digest=digest.hexdigest()[:16], files=files)


def add(app: FastAPI, assets: Assets) -> None:
    """Serve the files of `assets`; any other name or digest is a 404."""

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if request.path_params["digest"] != assets.digest or name not in assets.files:
            raise HTTPException(404, f"the studio has no file {request.url.path}")
        headers = {"Cache-Control": KEEP, "X-Content-Type-Options": "nosniff"}
        return Response(assets.files[name], media_type=TYPES[name.rpartition(".")[2]], headers=headers)

    app.add_route("/static/{digest}/{name}", file, methods=["GET", "HEAD"], include_in_schema=False)
