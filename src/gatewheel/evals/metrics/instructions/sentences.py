"""Sentences and words as IFEval counts them: Punkt (Kiss & Strunk 2006) and the Penn Treebank's words, by NLTK.

What Punkt learned of English is a download, so its rules run here on lists of our own: abbreviations of American
newspapers, on which it was trained, and words that begin sentences. "e.g." is none of them there, so neither here. A
line break ends no sentence to Punkt, which is why what parts our own documents is no use for this.
"""

from __future__ import annotations

from functools import cache
from typing import Any

# titles, companies, places, times and initials
_ABBREVIATIONS = (
    "dr mr mrs ms prof rep reps sen gen col lt maj adm st messrs jr sr inc ltd co corp bros cos cie vs ave ft "
    "u.s u.k u.n u.s.a u.s.s.r d.c n.y n.j n.c s.c l.a r.i n.h n.d n.m w.va a.m p.m ph.d m.b.a j.p j.r "
    "jan feb aug sep sept oct nov dec tues wed fri yr v ct sw mg "
    "ariz calif colo conn fla ga ill kan ky mich minn nev okla ore pa tenn va vt wash wis"
).split()
# in small letters inside of sentences, so that a capital behind an abbreviation begins a new one
_STARTERS = (
    "the a an this that these those he she it we they i you his her its our their my your there here in on at by for "
    "from with to of as if when while where after before since because although though however but and or so yet then "
    "what who how why which some many most all both each every no not one two such even also according among despite "
    "indeed instead meanwhile moreover nevertheless similarly thus under during once only just now is are was were do "
    "does did can could will would should may let please first second third next finally"
).split()


def count(text: str) -> int:
    """How many sentences."""
    return sum(1 for _ in _punkt().span_tokenize(text))


def words(text: str) -> list[str]:
    """The words and signs, with punctuation apart."""
    treebank = _treebank()
    return [word for sentence in _punkt().tokenize(text) for word in treebank.tokenize(sentence)]


@cache
def _punkt() -> Any:
    from nltk.tokenize.punkt import _ORTHO_MID_LC, PunktParameters, PunktSentenceTokenizer

    parameters = PunktParameters()
    parameters.abbrev_types = set(_ABBREVIATIONS)
    parameters.sent_starters = set(_STARTERS)
    for word in _STARTERS:
        parameters.add_ortho_context(word, _ORTHO_MID_LC)
    return PunktSentenceTokenizer(parameters)


@cache
def _treebank() -> Any:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    return NLTKWordTokenizer()
