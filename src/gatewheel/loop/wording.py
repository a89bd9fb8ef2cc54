"""What a tuning starts from: a frozen dataset, and each case of it worded as it will be asked, with what is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gatewheel.data import datasets, suites
from gatewheel.data.cases import split_key
from gatewheel.data.datasets import Dataset
from gatewheel.kernel.example import Example
from gatewheel.kernel.nouns import Case
from gatewheel.loop import client_files, freezing, putting
from gatewheel.loop.compose import Parts
from gatewheel.loop.nearness import encoder_of
from gatewheel.loop.recipes import reads_documents


def dataset_of(parts: Parts, named: str) -> Dataset:
    """A suite for training or a file of the tuning API, frozen, or a version that there is. Raises UserError."""
    if client_files.ID.fullmatch(named):
        return client_files.frozen(parts, named)
    if named in suites.names(parts.config.root):
        return freezing.freeze(parts, freezing.Wanted(suite=named), encoder=encoder_of(parts, tell=parts.say)).dataset
    return datasets.find(parts.engine, named)


def examples_of(served: Parts, name: str, cases: Sequence[Case]) -> list[Example]:
    """What `[app.<name>]` would tell its model for each case, and what is right to say; cases without that are left.

    Where documents are asked that do not say it, that is the application's abstention. Without a name each case is told
    as a suite tells it to a model alone.
    """
    if not name:
        return [
            Example(prompt=tuple(putting.to_model(case)), reply=right, case=split_key(case))
            for case in cases
            if (right := putting.right(case))
        ]
    app = served.app(name)
    settings: Any = app.settings
    found = []
    for case in cases:
        abstains = reads_documents(settings) and not case.answerable
        if right := settings.abstention if abstains else putting.right(case):
            told = tuple(putting.messages(served, app, case))
            found.append(Example(prompt=told, reply=right, case=split_key(case)))
    return found
