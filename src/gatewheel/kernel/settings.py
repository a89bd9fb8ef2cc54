"""The tables of gatewheel.toml of which there is one each, such as `[project]` and `[serve]`.

Knows nothing about the file; config.py reads it.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from gatewheel.kernel.errors import did_you_mean

REDACTED = ("email", "phone", "card", "iban", "ip", "secret")  # what guard/redact.py can black out

GROUP = re.compile(r"[\w.:@/+ -]{1,64}")  # the name of a group, without spaces around it


class ProjectSettings(BaseModel):
    """`[project]`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field("", description="Shown to people; the folder's name when empty.")


class SourceSettings(BaseModel):
    """`[sources]`: which files are the project's documents."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    paths: tuple[str, ...] = Field((".",), description="Folders, files or globs, relative to the project.")
    exclude: tuple[str, ...] = Field((), description="Globs that are never read.")
    max_file_mb: int = Field(50, ge=1, description="Larger files are skipped with a reason.")


def _can_be_redacted(kind: str) -> str:
    if kind not in REDACTED:
        raise PydanticCustomError("redact", "cannot be blacked out", {"cure": did_you_mean(kind, REDACTED)})
    return kind


Redacted = tuple[Annotated[str, AfterValidator(_can_be_redacted)], ...]


class TraceSettings(BaseModel):
    """`[trace]`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    store: bool = Field(True, description="Record each question with its spans in the project's database.")
    sample: float = Field(1.0, ge=0, le=1, description="Share of requests that are recorded.")
    keep_days: int = Field(0, ge=0, description="Older traces are deleted with their feedback; 0: never.")
    redact: Redacted = Field(
        (), description="What is blacked out before a trace is written: email, phone, card, iban, ip, secret."
    )
    otlp: str = Field(
        "", description="URL of an OTLP/HTTP receiver that gets every trace too, such as http://host:4318."
    )

    @field_validator("otlp")
    @classmethod
    def _is_a_receiver(cls, url: str) -> str:
        if not url:
            return url
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PydanticCustomError("otlp", "must be an http or https URL", {"cure": "write e.g. http://host:4318"})
        if parts.password is not None or parts.username is not None:
            cure = "take it out and set OTEL_EXPORTER_OTLP_HEADERS"
            raise PydanticCustomError("secret", "must not hold a name or password", {"cure": cure})
        return url


class ServeSettings(BaseModel):
    """`[serve]`: the service that `gatewheel serve` starts."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    host: str = Field("127.0.0.1", description="Address to listen on; without API keys only a loopback one.")
    port: int = Field(8321, ge=0, le=65_535, description="0: one that is free.")
    slots: int = Field(4, ge=1, le=256, description="Requests that are answered at once.")
    queue: int = Field(32, ge=0, le=10_000, description="Requests that may wait; the next is told to come back later.")
    max_body_mb: int = Field(32, ge=1, le=10_000, description="Larger uploads are refused.")
    max_json_mb: int = Field(2, ge=1, le=1_000, description="Larger bodies that are no uploads are refused.")
    redact_files: Redacted = Field(
        (), description="What is blacked out in files to learn from before they are stored; kinds as of [trace] redact."
    )
    idle_seconds: float = Field(30, gt=0, description="A request that does not arrive in this time is dropped.")
    closing_seconds: float = Field(30, ge=0, description="Answers under way may take so long when the service stops.")
    dollars_per_day: float | None = Field(
        None, ge=0, description="Of all together; then questions and runs are refused until midnight UTC."
    )


class ScaleSettings(BaseModel):
    """`[scale]`: how many processes share long work, and who starts them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    train: Literal["local", "ray"] = Field(
        "local", description="Who starts the processes of a tuning: this machine, or Ray."
    )
    workers: int = Field(0, ge=0, le=4096, description="Processes of a tuning; 0: one for each CUDA device, else one.")
    shard: bool = Field(False, description="Each process holds a part of the base, for one that fits no device.")


class AccessSettings(BaseModel):
    """`[access]`: which groups may see which documents. A document without groups is open to every key."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    rules: dict[str, tuple[str, ...]] = Field(
        {},
        description='Glob of sources → groups, such as { "hr/**" = ["hr"] }. A document\'s own field `groups` adds.',
    )

    @field_validator("rules")
    @classmethod
    def _names(cls, rules: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for group in (group for groups in rules.values() for group in groups):
            if not GROUP.fullmatch(group) or group != group.strip():
                cure = "write letters, digits, spaces and . : @ / + - _, at most 64"
                raise PydanticCustomError("group", "has a group that is no name", {"cure": cure})
        return rules


class StoreSettings(BaseModel):
    """`[store]`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: str = Field(
        "",
        description="SQLAlchemy URL; empty means SQLite in .gatewheel/. GATEWHEEL_STORE_URL in the environment "
        "wins, so that a password need not stand in the file.",
    )
    language: str = Field("english", description="Stemming of the text index: a Snowball language, or none.")

    @field_validator("url")
    @classmethod
    def _no_password(cls, url: str) -> str:
        if url and _has_password(url):
            raise PydanticCustomError(
                "secret",
                "must not hold a password",
                {"cure": "take the line out and set GATEWHEEL_STORE_URL to the URL"},
            )
        return url

    @field_validator("language")
    @classmethod
    def _known_language(cls, language: str) -> str:
        if language not in ("english", "none"):  # the usual ones, and the import costs 10 ms
            from Stemmer import algorithms

            known = [*algorithms(), "none"]
            if language not in known:
                cure = did_you_mean(language, known)
                raise PydanticCustomError("language", "has no stemmer", {"cure": cure})
        return language


def _has_password(url: str) -> bool:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return False  # opening the store tells what is wrong with it
    return parsed.password is not None or any("password" in key.lower() for key in parsed.query)


MODELS: dict[str, type[BaseModel]] = {
    "project": ProjectSettings,
    "sources": SourceSettings,
    "trace": TraceSettings,
    "store": StoreSettings,
    "serve": ServeSettings,
    "access": AccessSettings,
    "scale": ScaleSettings,
}
