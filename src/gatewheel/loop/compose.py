"""From a configuration to working parts: the only place that builds objects and hands them to each other.

Every part is built at its first use and once, so `search` loads no chat model and `config show` loads nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from gatewheel.kernel import catalog
from gatewheel.kernel.config import Config, Table, validate
from gatewheel.kernel.errors import PromptError, did_you_mean
from gatewheel.kernel.nouns import Variant

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gatewheel.embeddings.search import PassageSearch
    from gatewheel.embeddings.store import PassageStore
    from gatewheel.kernel.ports import Checker, Chunker, Encoder, Index, Model, Reader, Retriever
    from gatewheel.kernel.store.objects import Objects
    from gatewheel.prompts.template import Prompt
    from gatewheel.rag.answer import App

READING = 1  # grows when the same bytes would give other passages; every file is then read anew


class Parts:
    """The parts of a project. `say` is told what takes long, such as converting weights the first time."""

    def __init__(self, config: Config, *, say: Callable[[str], None] | None = None) -> None:
        self.config = config
        self.say = say or (lambda _: None)
        self._models: dict[str, Model] = {}
        self._apps: dict[str, App] = {}

    @cached_property
    def engine(self) -> Engine:
        """The database, migrated."""
        from gatewheel.kernel.store.database import open_database

        return open_database(self.config.state, self.config.store.url)

    @cached_property
    def objects(self) -> Objects:
        """Bytes under their SHA-256."""
        from gatewheel.kernel.store.objects import Objects

        return Objects(self.config.state / "objects")

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of the project: `[encoder.main]`."""
        return cast("Encoder", self._create(self.config.table("encoder", "main")))

    @cached_property
    def chunker(self) -> Chunker:
        """`[chunker.main]`"""
        return cast("Chunker", self._create(self.config.table("chunker", "main")))

    @cached_property
    def readers(self) -> dict[str, Reader]:
        """`[reader.*]` by name."""
        return {name: self._create(self.config.table("reader", name)) for name in self.config.names("reader")}

    @cached_property
    def store(self) -> PassageStore:
        """The write side of the passages."""
        from gatewheel.embeddings.analyse import Analyser
        from gatewheel.embeddings.store import PassageStore

        return PassageStore(self.engine, analyser=Analyser(self.config.store.language), encoder_id=self.encoder.id)

    @cached_property
    def search(self) -> PassageSearch:
        """The read side of the passages."""
        from gatewheel.embeddings.search import PassageSearch

        return PassageSearch(self.engine, analyser=self.store.analyser, open_index=self.open_index)

    def open_index(self) -> Index:
        """The vector index, brought up to the store's revision when it is behind."""
        table = self.config.table("index", "main")
        # another encoder or another database must never be answered from this one's vectors
        belongs = digest([self.encoder.id, self.store.identity()])
        folder = self.config.state / "index" / f"{table.use}-{belongs[:16]}"
        index: Any = self._create(table, folder=folder, dimensions=self.encoder.dimensions)
        revision = self.store.revision()
        if index.revision != revision:
            index.update(revision=revision, alive=self.store.rows(), vectors=self.store.vectors)
        return cast("Index", index)

    def forget_index(self) -> None:
        """The passages changed: open the index anew at the next question."""
        self.__dict__.pop("search", None)
        self._apps.clear()

    def retriever(self, name: str = "main") -> Retriever:
        """`[retriever.<name>]`"""
        table = self.config.table("retriever", name)
        return cast("Retriever", self._create(table, passages=self.search, encoder=self.encoder))

    def checker(self, name: str) -> Checker:
        """`[checker.<name>]`"""
        return cast("Checker", self._create(self.config.table("checker", name), encoder=self.encoder))

    def model(self, name: str) -> Model:
        """`[model.<name>]`, loaded once."""
        if name not in self._models:
            self._models[name] = self._create(self.config.table("model", name), on_progress=self.say)
        return self._models[name]

    def prompt(self, name: str) -> Prompt:
        """prompts/<name>.md"""
        from gatewheel.prompts.template import load

        path = self.config.root / "prompts" / f"{name}.md"
        if not path.is_file():
            known = [found.stem for found in path.parent.glob("*.md")]
            raise PromptError(f"no prompt prompts/{name}.md", cure=did_you_mean(name, known))
        return load(path)

    def app(self, name: str = "main") -> App:
        """`[app.<name>]`: the application of a variant."""
        if name not in self._apps:
            table = self.config.table("app", name)
            settings: Any = table.settings
            self._apps[name] = self._create(
                table,
                model=lambda: self.model(settings.model),
                retriever=self.retriever(settings.retriever),
                checker=self.checker(settings.checker),
                prompt=self.prompt(settings.prompt),
                variant=self.variant(name).id,
            )
        return self._apps[name]

    def variant(self, name: str = "main") -> Variant:
        """The complete recipe of `[app.<name>]`, named by the SHA-256 of its canonical JSON.

        An `auto` model enters as the engine that it stands for on this machine, since engines differ in their words.
        """
        app = self.config.table("app", name)
        settings: Any = app.settings
        model = self.config.table("model", settings.model)
        recipe = {
            "app": app.plain(),
            "model": self._model_recipe(model),
            "retriever": self.config.table("retriever", settings.retriever).plain(),
            "checker": self.config.table("checker", settings.checker).plain(),
            "encoder": {**self.config.table("encoder", "main").plain(), "id": self.encoder.id},
            "chunker": self.config.table("chunker", "main").plain(),
            "prompt": self.prompt(settings.prompt).sha256,
        }
        return Variant(id=digest(recipe), recipe=recipe)

    def keep_variant(self, name: str = "main") -> Variant:
        """The variant of `[app.<name>]`, remembered with its prompt."""
        from gatewheel.loop import variants

        variant = self.variant(name)
        settings: Any = self.config.table("app", name).settings
        variants.keep(self.engine, self.objects, variant, prompt=self.prompt(settings.prompt).text)
        return variant

    def _model_recipe(self, table: Table) -> dict[str, Any]:
        from gatewheel.models import measure, weights

        recipe, settings = table.plain(), table.settings
        if table.use == "auto":
            recipe["engine"] = measure.choose(recipe["weights"], threads=recipe["threads"], on_progress=self.say)[0]
        if hasattr(settings, "weights"):
            recipe["weights_sha256"] = weights.identity(weights.find(settings.weights))
        recipe.pop("threads", None)  # decides the speed, not the words
        return recipe

    def reading_recipes(self) -> dict[str, str]:
        """For each reader, what decides the passages of a file apart from its bytes."""
        chunker = self.config.table("chunker", "main").plain()
        rest = {"chunker": chunker, "encoder": self.encoder.id, "version": READING}
        names = self.config.names("reader")
        return {name: digest({**rest, "reader": self.config.table("reader", name).plain()}) for name in names}

    def with_settings(self, kind: str, name: str, changes: Mapping[str, Any]) -> Parts:
        """The same project with some settings of one table changed for this once. Raises ConfigError."""
        if not changes:
            return self
        plain = self.config.plain()
        plain[kind][name] |= changes
        return Parts(validate(plain, self.config.path), say=self.say)

    def close(self) -> None:
        """Let go of models and connections."""
        for model in self._models.values():
            model.close()
        self._models.clear()
        self._apps.clear()
        if "engine" in self.__dict__:
            self.engine.dispose()

    def _create(self, table: Table, **parts: Any) -> Any:
        return catalog.load(table.kind, table.use).create(table.settings, **parts)


def digest(value: Any) -> str:
    """SHA-256 of canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
