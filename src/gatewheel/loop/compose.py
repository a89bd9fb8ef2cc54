"""From a configuration to working parts: the only place that builds objects and hands them to each other.

Every part is built at its first use and once, so `search` loads no chat model and `config show` loads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gatewheel.kernel import catalog
from gatewheel.kernel.config import Config, Table, references, validate
from gatewheel.kernel.errors import PromptError, did_you_mean
from gatewheel.kernel.nouns import Variant
from gatewheel.loop import recipes
from gatewheel.loop.likelihood_shelf import LazyLikelihoods, LikelihoodShelf
from gatewheel.loop.recipes import READING, WORDLESS, digest, words
from gatewheel.loop.shelf import Shelf
from gatewheel.ops.spans import Exporter

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gatewheel.embeddings.analyse import Analyser
    from gatewheel.embeddings.search import PassageSearch
    from gatewheel.embeddings.store import PassageStore
    from gatewheel.kernel.ports import Checker, Chunker, Encoder, Index, Model, Reader, Retriever
    from gatewheel.kernel.store.objects import Objects
    from gatewheel.loop.paying import Payer
    from gatewheel.loop.putting import App
    from gatewheel.prompts.template import Prompt
    from gatewheel.rag.answer import App as DocumentsApp

__all__ = ["READING", "WORDLESS", "Parts", "digest"]


class Parts:
    """The parts of a project. `say` is told what takes long, such as converting weights the first time."""

    def __init__(
        self,
        config: Config,
        *,
        say: Callable[[str], None] | None = None,
        lender: Parts | None = None,
        written: Config | None = None,
        payer: Payer | None = None,
    ) -> None:
        self.config = config
        self.written = written or config  # as the file says it, where `config` was made of that for serving
        self.say = say or (lambda _: None)
        self.payer: Payer | None = payer or (lender.payer if lender else None)
        self._lender = lender
        self.shelf: Shelf = lender.shelf if lender else Shelf(self.say)
        self.likelihood_shelf: LikelihoodShelf = lender.likelihood_shelf if lender else LikelihoodShelf(self.say)
        self._apps: dict[str, App] = {}
        self._checkers: dict[str, Checker] = {}
        self._prompts: dict[str, Prompt] = {}
        self._variants: dict[str, Variant] = {}
        service = config.project.name or config.root.name
        own = Exporter(config.trace.otlp, service=service, say=self.say)  # it begins to work with the first trace
        self.exporter: Exporter = lender.exporter if lender else own

    def recast(self, config: Config, *, variants: Mapping[str, Variant], prompts: Mapping[str, Prompt]) -> Parts:
        """The same project by another configuration, with the same database, documents and equal models.

        `variants` are known to be what this configuration makes of an application, `prompts` those that they use.
        """
        made = Parts(config, say=self.say, lender=self)
        made._variants |= variants
        made._prompts |= prompts
        return made

    @cached_property
    def engine(self) -> Engine:
        """The database, migrated."""
        from gatewheel.kernel.store.database import open_database

        if self._lender:
            return self._lender.engine
        return open_database(self.config.state, self.config.store.url)

    @cached_property
    def objects(self) -> Objects:
        """Bytes under their SHA-256."""
        from gatewheel.kernel.store.objects import Objects

        return Objects(self.config.state / "objects")

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of the project: `[encoder.main]`."""
        if self._lender:
            return self._lender.encoder
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
    def analyser(self) -> Analyser:
        """What cuts texts into search terms, in the language of [store]."""
        from gatewheel.embeddings.analyse import Analyser

        return Analyser(self.config.store.language)

    @cached_property
    def store(self) -> PassageStore:
        """The write side of the passages."""
        from gatewheel.embeddings.store import PassageStore
        from gatewheel.loop.granting import rules_of

        rules = rules_of(self.config)
        return PassageStore(self.engine, analyser=self.analyser, encoder_id=self.encoder.id, rules=rules)

    @cached_property
    def search(self) -> PassageSearch:
        """The read side of the passages. Tells `say` when they were made by other settings than the present ones."""
        from gatewheel.embeddings.search import PassageSearch
        from gatewheel.loop import soundness

        if outdated := soundness.outdated(self):
            self.say(str(outdated))
        return PassageSearch(self.engine, analyser=self.analyser, open_index=self.open_index)

    @property
    def index_folder(self) -> Path:
        """Of the vector index: another encoder or another database must never be answered from this one's vectors."""
        belongs = digest([self.encoder.id, self.store.identity()])
        return self.config.state / "index" / f"{self.config.table('index', 'main').use}-{belongs[:16]}"

    def open_index(self) -> Index:
        """The vector index, brought up to the store's revision when it is behind."""
        table = self.config.table("index", "main")
        index: Any = self._create(table, folder=self.index_folder, dimensions=self.encoder.dimensions)
        revision = self.store.revision()
        if index.revision != revision:
            index.update(revision=revision, alive=self.store.rows(), vectors=self.store.vectors)
        return cast("Index", index)

    def forget_index(self) -> None:
        """The passages changed: open the index anew at the next question."""
        self.__dict__.pop("search", None)
        self.__dict__.pop("_granted", None)
        self._apps.clear()

    def passages(self, groups: frozenset[str] | None = None) -> PassageSearch:
        """The read side of the passages that these groups may see; None: all."""
        if self._lender:
            return self._lender.passages(groups)
        return self.search if groups is None else self._granted.seen_by(groups)

    @cached_property
    def _granted(self) -> PassageSearch:
        """The read side, once the documents are known to be granted by the present [access] rules."""
        from gatewheel.embeddings import grants
        from gatewheel.loop.granting import rules_of

        grants.bring_up(self.engine, rules_of(self.config))
        return self.search

    def retriever(self, name: str = "main", *, groups: frozenset[str] | None = None) -> Retriever:
        """`[retriever.<name>]`. Raises ConfigError when it needs vectors and the encoder makes none."""
        from gatewheel.loop import soundness

        table = self.config.table("retriever", name)
        soundness.refuse_blind(self.config, table)
        return cast("Retriever", self._create(table, passages=self.passages(groups), encoder=self.encoder))

    def checker(self, name: str) -> Checker:
        """`[checker.<name>]`, made once, and borrowed where it says the same: it keeps what it read of passages."""
        table = self.config.table("checker", name)
        if self._lender and self._lender.config.tables.get(("checker", name)) == table:
            return self._lender.checker(name)
        if name not in self._checkers:
            self._checkers[name] = cast("Checker", self._create(table, encoder=self.encoder))
        return self._checkers[name]

    def model(self, name: str) -> Model:
        """`[model.<name>]`, loaded once."""
        found = self.shelf.get(self.config, name)
        return self.payer.paying(found) if self.payer else found

    def likelihoods(self, name: str) -> LazyLikelihoods:
        """What says how probable texts are to `[model.<name>]`, loaded when it is first asked."""
        return self.likelihood_shelf.get(self.written, name)

    def prompt(self, name: str) -> Prompt:
        """prompts/<name>.md"""
        from gatewheel.prompts.template import load

        path = self.config.root / "prompts" / f"{name}.md"
        if not path.is_file():
            known = [found.stem for found in path.parent.glob("*.md")]
            raise PromptError(f"no prompt prompts/{name}.md", cure=did_you_mean(name, known))
        return load(path)

    def _first_read(self, name: str) -> Prompt:
        """A prompt as it was at its first use, so that the words that answer and the variant's id never part."""
        self._prompts[name] = self._prompts.get(name) or self.prompt(name)
        return self._prompts[name]

    def app(self, name: str = "main", *, groups: frozenset[str] | None = None) -> App:
        """`[app.<name>]`: the application of a variant, which sees what these groups may see."""
        table = self.config.table("app", name)
        settings: Any = table.settings
        if groups is not None and recipes.reads_documents(settings):
            seen = self.retriever(settings.retriever, groups=groups)
            return replace(cast("DocumentsApp", self.app(name)), retriever=seen)
        if name not in self._apps:
            named = {kind: getattr(settings, key) for key, kind in references(settings).items() if kind != "model"}
            self._apps[name] = self._create(
                table,
                model=lambda: self.model(settings.model),
                prompt=self._first_read(settings.prompt),
                variant=self.variant(name).id,
                **{kind: getattr(self, kind)(one) for kind, one in named.items()},
            )
        return self._apps[name]

    def variant(self, name: str = "main") -> Variant:
        """The complete recipe of `[app.<name>]`, named by the SHA-256 of its canonical JSON.

        An `auto` model enters as the engine that it stands for on this machine, since engines differ in their words:
        the one that it was made by, or before it is made the one that it will most likely be made by.
        """
        if name not in self._variants:
            settings: Any = self.config.table("app", name).settings
            recipe = recipes.recipe(self, name, prompt=self._first_read(settings.prompt).sha256)
            return Variant(id=digest(recipe), recipe=recipe)
        return self._variants[name]

    def keep_variant(self, name: str = "main", variant: Variant | None = None) -> Variant:
        """The variant of `[app.<name>]`, remembered with its prompt; `variant` is it where the caller knows it."""
        from gatewheel.loop import variants

        variant = variant or self.variant(name)
        settings: Any = self.config.table("app", name).settings
        variants.keep(self.engine, self.objects, variant, prompt=self._first_read(settings.prompt).text)
        return variant

    def model_recipe(self, table: Table) -> dict[str, Any]:
        """What of a `[model.<name>]` table decides its words, with the digest of its weights."""
        return self.shelf.recipe(self.config, table)

    def reading_recipes(self) -> dict[str, str]:
        """For each reader, what decides the passages of a file apart from its bytes."""
        chunker = words(self.config.table("chunker", "main"))
        rest = {"chunker": chunker, "encoder": self.encoder.id, "version": READING}
        names = self.config.names("reader")
        return {name: digest({**rest, "reader": words(self.config.table("reader", name))}) for name in names}

    def with_settings(self, kind: str, name: str, changes: Mapping[str, Any]) -> Parts:
        """The same project with some settings of one table changed for this once. Raises ConfigError."""
        if not changes:
            return self
        raw = dict(self.config.raw)  # as the file says it: what is written out may hide what is secret
        raw[kind] = {**raw.get(kind, {}), name: {**raw.get(kind, {}).get(name, {}), **changes}}
        return Parts(validate(raw, self.config.path), say=self.say, payer=self.payer)

    def close(self) -> None:
        """Let go of models and connections, other than those that are lent."""
        self._apps.clear()
        if self._lender:
            return
        self.exporter.close()
        self.shelf.close()
        self.likelihood_shelf.close()
        if "engine" in self.__dict__:
            self.engine.dispose()

    def _create(self, table: Table, **parts: Any) -> Any:
        return catalog.load(table.kind, table.use).create(table.settings, **parts)
