"""The names that IFEval gives its instructions, and what is followed of those that a case asks for.

Zhou et al. (2023), "Instruction-Following Evaluation for Large Language Models", table 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from gatewheel.evals.metrics.instructions import (
    capitals,
    combination,
    content,
    ends,
    keywords,
    language,
    layout,
    length,
)
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import Case

Check = Callable[..., bool]
"""Takes the text and, by keyword, what the instruction names; says whether it was followed."""

CHECKS: Mapping[str, Check] = {
    "change_case:capital_word_frequency": capitals.capital_words,
    "change_case:english_capital": capitals.all_capital,
    "change_case:english_lowercase": capitals.all_small,
    "combination:repeat_prompt": combination.repeated,
    "combination:two_responses": combination.two_responses,
    "detectable_content:number_placeholders": content.placeholders,
    "detectable_content:postscript": content.postscript,
    "detectable_format:constrained_response": layout.constrained,
    "detectable_format:json_format": layout.as_json,
    "detectable_format:multiple_sections": layout.sections,
    "detectable_format:number_bullet_lists": layout.bullets,
    "detectable_format:number_highlighted_sections": layout.highlights,
    "detectable_format:title": layout.title,
    "keywords:existence": keywords.existence,
    "keywords:forbidden_words": keywords.forbidden,
    "keywords:frequency": keywords.frequency,
    "keywords:letter_frequency": keywords.letters,
    "language:response_language": language.response_language,
    "length_constraints:nth_paragraph_first_word": length.nth_paragraph,
    "length_constraints:number_paragraphs": length.paragraphs,
    "length_constraints:number_sentences": length.sentences,
    "length_constraints:number_words": length.words,
    "punctuation:no_comma": ends.no_comma,
    "startend:end_checker": ends.phrase,
    "startend:quotation": ends.quotation,
}


def asked(case: Case) -> list[Callable[[str], bool]]:
    """The instructions of a case, each a function of the text: `meta.checks`, a list of {"id": …, "kwargs": {…}}.

    Raises UserError for one that nobody knows, or whose kwargs are not what it takes.
    """
    every = case.meta.get("checks") or []
    if not isinstance(every, list):
        what = f"case {case.id!r}: meta.checks: must be a list, got {every!r:.80}"
        raise UserError(what, cure='write [{"id": …, "kwargs": {…}}]')
    return [_bound(case, each) for each in every]


def followed(checks: Iterable[Callable[[str], bool]], forms: Sequence[str]) -> list[bool]:
    """For each instruction whether one of the forms of an answer follows it. A blank form follows none."""
    said = [form for form in forms if form.strip()]
    return [any(map(check, said)) for check in checks]


def loosened(text: str) -> tuple[str, ...]:
    """The eight forms of a text that the loose criterion tries (section 2.2).

    As it is, without its first line, its last, and both ("Sure, here it is:"), and each without asterisks.
    """
    lines = text.split("\n")
    cut = ["\n".join(some).strip() for some in (lines[1:], lines[:-1], lines[1:-1])]
    forms = (text, *cut)
    return (*forms, *(form.replace("*", "") for form in forms))


def _bound(case: Case, each: Any) -> Callable[[str], bool]:
    named = each.get("id") if isinstance(each, Mapping) else None
    if not isinstance(named, str) or named not in CHECKS:
        what = f"case {case.id!r}: there is no check {str(named)[:80]!r}"
        raise UserError(what, cure=did_you_mean(str(named), CHECKS))
    kwargs = each.get("kwargs") or {}
    if not isinstance(kwargs, Mapping):
        what = f"case {case.id!r}: check {named}: kwargs: must be an object, got {kwargs!r:.80}"
        raise UserError(what, cure='write "kwargs": {…}')
    given = {str(key): value for key, value in kwargs.items() if value is not None}
    return lambda text: _called(case, named, text, given)


def _called(case: Case, named: str, text: str, given: Mapping[str, Any]) -> bool:
    from pydantic import ValidationError

    try:
        return bool(_validated(named)(text, **given))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        what = f"case {case.id!r}: check {named}: kwargs: {key}: {first['msg']}"
        raise UserError(what, cure="mend the case") from None


@cache
def _validated(named: str) -> Check:
    """The check, which refuses what it does not take: the kwargs come out of a file."""
    from pydantic import validate_call

    return validate_call(CHECKS[named])
