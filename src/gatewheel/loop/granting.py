"""`[access] rules` as what the store asks: the groups of a document by its name."""

from __future__ import annotations

import hashlib
import json

from gatewheel.embeddings.grants import Rules
from gatewheel.kernel.config import Config
from gatewheel.rag.globs import Globs


def rules_of(config: Config) -> Rules:
    """The rules of a project. A glob is read as in `[sources] exclude`: a folder takes all below it."""
    written = config.access.rules
    matchers = [(Globs([pattern]), groups) for pattern, groups in written.items()]
    text = json.dumps(sorted((pattern, sorted(groups)) for pattern, groups in written.items()))
    return Rules(
        hashlib.sha256(text.encode()).hexdigest(),
        lambda source: {group for globs, groups in matchers if globs.match(source) for group in groups},
    )
