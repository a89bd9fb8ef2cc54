"""The pages for people. Whatever they show or do goes through the API of `serve/`."""

from __future__ import annotations

from fastapi import FastAPI


def mount(app: FastAPI) -> None:
    """Add the pages and their files to an application."""
    del app
