"""Where the tokens of a text roughly begin when its encoder's vocabulary is not at hand: an estimate by words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Offsets

CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
# Up to 7 letters or digits, one CJK character, or one other visible character: 0.94 to 1.07 of the WordPiece tokens of
# five English corpora (encyclopaedia, contracts, technical documentation, novels, abstracts).
TOKEN = re.compile(rf"[{CJK}]|[^\W{CJK}]{{1,7}}|[^\w\s]")


def word_starts(text: str) -> Offsets:
    """Character offset at which each token starts, ascending, int32, shape (tokens,)."""
    import numpy as np

    return np.fromiter((match.start() for match in TOKEN.finditer(text)), np.int32)
