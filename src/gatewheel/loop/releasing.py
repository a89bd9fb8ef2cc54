"""A kept variant put to work again, and the way from a variant to the release.

A variant brings its application, model, retriever, checker and prompt. The documents are those of the project, as they
are read now: a project has them once. Where the variant was made with other settings of reading, its answers carry the
id of what it has become.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gatewheel.kernel import catalog
from gatewheel.kernel.config import Config, checked, load, validate
from gatewheel.kernel.errors import ProjectError, UserError
from gatewheel.kernel.nouns import Variant
from gatewheel.loop import tainting, variants
from gatewheel.loop.compose import Parts
from gatewheel.loop.recipes import DOCUMENTS, WORDLESS, words
from gatewheel.loop.serving import SHARED, as_served, shared
from gatewheel.ops import releases
from gatewheel.ops.releases import Release

if TYPE_CHECKING:
    from gatewheel.loop.leaks import Tick
    from gatewheel.prompts.template import Prompt

ADDED = ("engine", "weights_sha256", "adapter_sha256")  # what a recipe says of a model besides its settings


def as_variant(parts: Parts, name: str, variant: Variant) -> Parts:
    """The project with a kept variant as its `[app.<name>]`; database, documents and equal models are shared.

    Raises ProjectError when it cannot be made again: weights that changed, a prompt or a setting that is no more.
    """
    short = variant.id[:12]
    if "app" not in variant.recipe:
        raise ProjectError(f"variant {short} is a model alone", cure="name the variant of an application")
    recipe = {**variant.recipe, "model": _pinned(variant.recipe["model"])}
    try:
        config = _configured(parts.config, name, recipe)
        prompt = _prompt(parts, variant)
        made = parts.recast(config, variants={}, prompts={prompt.name: prompt})
        became = made.variant(name)
    except UserError as error:
        raise ProjectError(f"variant {short} cannot be made again: {error.what}", cure=error.cure) from None
    unlike = list(_unlike(recipe, became.recipe))
    if lost := [place for place in unlike if place.partition(".")[0] not in DOCUMENTS]:
        what = f"variant {short} cannot be made again: {', '.join(lost)} differ by now"
        raise ProjectError(what, cure="restore them, or release the variant that there is now")
    if unlike:
        return made
    return parts.recast(config, variants={name: variant}, prompts={prompt.name: prompt})


def refuse_other_documents(parts: Parts, name: str, variant: Variant) -> None:
    """Raises ProjectError when the variant cannot be made again as it was, with the documents as they are read now."""
    became = as_variant(parts, name, variant).variant(name)
    if became.id != variant.id:
        unlike = ", ".join(place for place in _unlike(variant.recipe, became.recipe) if not place.startswith("model."))
        what = f"variant {variant.id[:12]} was made with other settings of the documents ({unlike})"
        cure = "write them into gatewheel.toml and run `gatewheel ingest`, or evaluate it as it is now"
        raise ProjectError(what, cure=cure)


@contextmanager
def as_filed(parts: Parts) -> Iterator[Parts]:
    """The project as its file says it now, and as it would be served: a service has read it when it started.

    So a gate is asked, as a run, and so it is seen whether its pass holds. Raises ConfigError for a file that is wrong.
    """
    now = load(parts.config.path)
    alike = now.table("encoder", "main") == parts.config.table("encoder", "main")
    made = Parts(shared(now), say=parts.say, lender=parts if alike else None, written=now)
    try:
        yield made
    finally:
        made.close()


def promote(parts: Parts, name: str, named: str, *, override: str = "", author: str = "") -> Release:
    """Release a variant that every `[gate.*]` of the application let pass, or for the reason `override`.

    A pass holds for what it was said of: the same settings of the gate, suite, metrics, documents and incumbent, as the
    file says them now. `named` is an application or the beginning of a variant's id. Raises UserError when a gate did
    not let it pass, and for one that learned of what was forgotten since, which no override lets pass; ProjectError
    when it cannot be made again.
    """
    with as_filed(parts) as served:
        variant = find(served, named)
        tainting.refuse(served.engine, variant)
        refuse_other_documents(served, name, variant)
        gates = {} if override.strip() else _present(served, name, variant)
        return releases.promote(parts.engine, name, variant.id, gates=gates, override=override, author=author)


def refused(served: Parts, name: str, named: str, *, tick: Tick = lambda: None) -> str:
    """Why `promote` would not release a variant now, in words; empty where it would. `served` are parts `as_filed`.

    It takes minutes where an encoder has to look for leaks in much that is new.
    """
    try:
        variant = find(served, named)
        tainting.refuse(served.engine, variant)
        refuse_other_documents(served, name, variant)
        releases.passes(releases.history(served.engine), name, variant.id, _present(served, name, variant, tick))
    except UserError as error:
        return error.what
    return ""


def propose(parts: Parts, name: str, named: str, *, text: str = "", author: str = "") -> Release:
    """Ask for a variant to be released. Raises UserError, ProjectError when it cannot be made again."""
    with as_served(parts) as served:
        variant = find(served, named)
        tainting.refuse(served.engine, variant)
        as_variant(served, name, variant)
        return releases.propose(parts.engine, name, variant.id, text=text, author=author)


def incumbent_of(served: Parts, name: str, candidate: Variant) -> Variant | None:
    """Whom a candidate has to be compared with: the release, or what the file says while there is none.

    A candidate that is what the file says is compared with the variant that was released last; only before the first
    release ever there is nobody.
    """
    if released := releases.current(served.engine, name):
        return variants.get(served.engine, released)
    file = served.keep_variant(name)
    if file.id != candidate.id:
        return file
    last = releases.last_released(served.engine, name, besides=candidate.id)
    return variants.get(served.engine, last) if last else None


def _present(served: Parts, name: str, variant: Variant, tick: Tick = lambda: None) -> dict[str, dict[str, Any]]:
    """What the decision of each gate has to have been about, as loop/gating.py writes it down.

    Raises UserError where it does not hold whatever was answered.
    """
    from gatewheel.data import suites
    from gatewheel.loop import besides, correcting, leaks, unseen
    from gatewheel.loop.evaluate import scored_by
    from gatewheel.loop.targets import corpus_of

    incumbent, now, made = incumbent_of(served, name, variant), corpus_of(as_variant(served, name, variant), name), {}
    known = leaks.learned(served, [variant], beside=incumbent)
    for gate in gates_of(served.config, name):
        settings: Any = served.config.table("gate", gate).settings
        suite = suites.load(served.config.root, settings.suite)
        learned = leaks.of_cases(served, suite.name, suite.cases, more=known, tick=tick)
        besides.refuse(served, settings, learned)
        made[gate] = {
            **unseen.state(learned),
            **correcting.rests(served, settings, [variant.id, *([incumbent.id] if incumbent else [])]),
            "settings": settings.model_dump(mode="json"),
            "suite_id": scored_by(served, suite),
            "corpus": now,
            "incumbent": incumbent.id if incumbent else "",
        }
    return made


def gates_of(config: Config, name: str) -> list[str]:
    """The names of the gates that guard an application."""
    tables = {gate: config.table("gate", gate).settings for gate in config.names("gate")}
    return [gate for gate, settings in tables.items() if getattr(settings, "app", "") == name]


def find(served: Parts, named: str) -> Variant:
    """The variant of `[app.<named>]` as it would be served, kept, or one by the beginning of its id.

    Raises UserError when there is none or more than one.
    """
    if ("app", named) in served.config.tables:
        return served.keep_variant(named)
    return variants.get(served.engine, named)


def _prompt(parts: Parts, variant: Variant) -> Prompt:
    from gatewheel.prompts.template import parse

    variants.restore_prompt(parts.engine, parts.objects, variant)
    text = parts.objects.get(str(variant.recipe["prompt"])).decode("utf-8")
    return parse(text, name=str(variant.recipe["app"]["prompt"]))


def _pinned(model: Mapping[str, Any]) -> dict[str, Any]:
    """A model's recipe with the engine that `auto` stood for; it might stand for another one today."""
    made = {key: [_pinned(one) for one in value] if _is_recipes(value) else value for key, value in model.items()}
    engine = made.pop("engine", "")
    return {**made, "use": engine} if engine else made


def _is_recipes(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) and "use" in one for one in value)


def _configured(now: Config, name: str, recipe: Mapping[str, Any]) -> Config:
    """The configuration with the tables of a recipe under the names that the recipe knows them by."""
    raw = {key: dict(value) for key, value in copy.deepcopy(dict(now.raw)).items()}

    def put(kind: str, table: str, said: Mapping[str, Any]) -> None:
        use, rest = str(said["use"]), {key: value for key, value in said.items() if key not in ("use", *ADDED)}
        values = {**_wordless(now, kind, table, said), **rest}
        # every default written out, so that what serves does not take it for left open
        settings = checked(catalog.load(kind, use).Settings, values, f"[{kind}.{table}]")
        raw.setdefault(kind, {})[table] = {"use": use, **settings.model_dump(mode="json")}

    def put_model(table: str, said: Mapping[str, Any]) -> None:
        named = dict(said)
        for key, value in said.items():
            if _is_recipes(value):
                named[key] = [f"{table} {at}" for at in range(1, len(value) + 1)]
                for inner, one in zip(named[key], value, strict=True):
                    put_model(inner, one)
        put("model", table, named)

    app = recipe["app"]
    put_model(str(app["model"]), recipe["model"])
    for kind in ("retriever", "checker"):
        if kind in recipe:
            put(kind, str(app[kind]), recipe[kind])
    put("app", name, app)
    return validate(raw, now.path)


def _wordless(now: Config, kind: str, table: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that change no answer, such as the name of a key's variable: of the table that says the same words."""
    alike = [now.table(kind, one) for one in now.names(kind) if now.table(kind, one).use == said["use"]]
    same = [one for one in alike if not list(_unlike({**said, **dict.fromkeys(ADDED)}, words(one), skip=ADDED))]
    for found in (*same, *(one for one in alike if one.name == table)):
        return {key: value for key, value in found.plain().items() if key in WORDLESS}
    return {"parallel": now.serve.slots} if said["use"] == SHARED else {}


def _unlike(said: Any, made: Any, *, place: str = "", skip: tuple[str, ...] = ()) -> Iterator[str]:
    """The dotted places at which `made` is not what was said. A newer setting, of which nothing was said, is none."""
    if isinstance(said, Mapping) and isinstance(made, Mapping):
        for key, value in said.items():
            if key not in skip:
                yield from _unlike(value, made.get(key), place=f"{place}.{key}" if place else key, skip=skip)
    elif isinstance(said, list) and isinstance(made, list) and len(said) == len(made):
        for at, (left, right) in enumerate(zip(said, made, strict=True), start=1):
            yield from _unlike(left, right, place=f"{place}.{at}", skip=skip)
    elif said != made:
        yield place
