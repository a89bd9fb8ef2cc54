"""What a variant's recipe holds: every setting that decides the words of an answer, and none that does not."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.config import OBJECT, STATE_FOLDER, Table, references

if TYPE_CHECKING:
    from gatewheel.loop.compose import Parts

READING = 2  # grows when the same bytes would give other passages; every file is then read anew
# Settings that decide speed, price or whose key it is, never the words of an answer.
WORDLESS = {
    *("threads", "batch", "parallel", "timeout", "retries", "max_retries", "failures", "cooldown"),
    *("input_price", "output_price", "api_key_env", "key_env", "password_env"),
}
# settings that came later: at these values a recipe is what it was before, so that an upgrade makes no other variants
LATER: dict[str, Any] = {"adapter": "", "adapter_scale": 1.0}
_OBJECT_PATH = re.compile(rf"/{re.escape(STATE_FOLDER)}/objects/[0-9a-f]{{2}}/([0-9a-f]{{64}})$")
# what decides how documents are read and found, apart from the retriever; a project has each once
DOCUMENTS = ("encoder", "chunker", "readers", "reading", "index", "analyser")


def recipe(parts: Parts, name: str, *, prompt: str) -> dict[str, Any]:
    """The complete recipe of `[app.<name>]`; `prompt` is the SHA-256 of its prompt file."""
    config = parts.config
    app = config.table("app", name)
    settings: Any = app.settings
    made = {
        "app": words(app),
        "model": parts.model_recipe(config.table("model", settings.model)),
        "prompt": prompt,
    }
    if not reads_documents(settings):
        return made
    return {
        **made,
        "retriever": words(config.table("retriever", settings.retriever)),
        "checker": words(config.table("checker", settings.checker)),
        "encoder": {**words(config.table("encoder", "main")), "id": parts.encoder.id},
        "chunker": words(config.table("chunker", "main")),
        "readers": {name: words(config.table("reader", name)) for name in config.names("reader")},
        "reading": READING,
        "index": words(config.table("index", "main")),
        "analyser": parts.analyser.id,
    }


def reads_documents(settings: Any) -> bool:
    """Whether an application answers from documents, by its settings."""
    return "retriever" in references(settings)


def words(table: Table) -> dict[str, Any]:
    """A table without the settings that change no answer."""
    plain = {key: value for key, value in table.plain().items() if key not in LATER or value != LATER[key]}
    return {key: _as_object(value) for key, value in plain.items() if key not in WORDLESS}


def _as_object(value: Any) -> Any:
    """An object of the project by its digest, so that a recipe is the same wherever the project lies."""
    if isinstance(value, str) and (found := _OBJECT_PATH.search(value)):
        return OBJECT + found[1]
    return value


def identity(named: str) -> str:
    """The digest of the weights of this name, a file or a folder. Raises MissingPart when they are not here."""
    from gatewheel.models import weights

    if named.startswith(OBJECT):
        return named.removeprefix(OBJECT)
    folder = Path(named).expanduser()
    if not folder.is_dir():
        return weights.identity(weights.find(named))
    return digest({path.name: weights.identity(path) for path in sorted(folder.iterdir()) if path.is_file()})


def digest(value: Any) -> str:
    """SHA-256 of canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
