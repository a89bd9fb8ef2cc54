"""The pages for people. Whatever they show or do goes through the API of `serve/`."""

from __future__ import annotations

from fastapi import FastAPI

from gatewheel.studio import files, pages


def mount(app: FastAPI) -> None:
    """Add the pages and their files to an application."""
    assets = files.load()
    files.add(app, assets)
    pages.add(app, assets)
