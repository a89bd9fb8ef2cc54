"""How offensive an English text is, by the words in it: a linear classifier whose whole knowledge is a table of words.

The table is that of alt-profanity-check (MIT, `toxic_words.LICENSE`): five support vector machines over TF-IDF, learned
from 200,000 comments of Wikipedia and tweets that people had labelled (Jigsaw 2018; Davidson et al. 2017).
`tools/toxic_words.py` makes it. Knows nothing of order, irony and negation.

Such comments name minorities mostly to insult them, so "gay" by itself came out as .9 offensive (Dixon et al. 2018,
"Measuring and Mitigating Unintended Bias in Text Classification"). Words that name who people are therefore weigh
nothing here; what is said of them does.
"""

from __future__ import annotations

import gzip
import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib import resources

_WORD = re.compile(r"\b\w\w+\b")
IDENTITIES = frozenset(
    # gender and orientation
    "woman women girl girls female females lady ladies man men boy boys guy guys male males mother mothers father "
    "wife wives husband gay gays lesbian lesbians bisexual bisexuals homosexual homosexuals homosexuality heterosexual "
    "straight queer trans transgender transsexual nonbinary lgbt lgbtq feminist feminists "
    # belief
    "muslim muslims islam islamic christian christians christianity catholic catholics protestant jew jews jewish "
    "judaism hindu hindus buddhist buddhists sikh sikhs mormon mormons atheist atheists religious religion "
    # origin and colour
    "black blacks white whites brown asian asians african africans arab arabs arabic latino latina latinos hispanic "
    "hispanics mexican mexicans american americans indian indians chinese japanese korean koreans vietnamese filipino "
    "pakistani turkish turks iranian iraqi syrian somali nigerian ethiopian polish russian russians ukrainian romanian "
    "german germans french italian italians irish british english spanish israeli palestinian palestinians cuban "
    "gypsy roma native indigenous immigrant immigrants migrant migrants refugee refugees foreigner foreigners "
    # body, age, means
    "disabled disability deaf blind autistic autism dyslexic wheelchair paralysed paralyzed schizophrenic bipolar "
    "depressed mentally ill fat thin short old elderly young teenager teenagers poor homeless rich".split()
)


@dataclass(frozen=True, slots=True)
class Words:
    """word → (idf, weight in each machine). Of each machine: intercept, and a and b of its 1 / (1 + e^(a · f + b))."""

    table: dict[str, tuple[float, ...]]
    machines: tuple[tuple[float, float, float], ...]

    def probability(self, text: str) -> float:
        """That people would call the text offensive, 0..1, the mean of the machines. Without a known word it is .04."""
        counts = Counter(word for word in _WORD.findall(text.lower()) if word in self.table)
        rows = [(count * self.table[word][0], self.table[word][1:]) for word, count in counts.items()]
        norm = math.sqrt(math.fsum(tfidf * tfidf for tfidf, _ in rows)) or 1.0
        said = 0.0
        for at, (intercept, a, b) in enumerate(self.machines):
            f = math.fsum(tfidf * weights[at] for tfidf, weights in rows) / norm + intercept
            said += 1 / (1 + math.exp(a * f + b))
        return said / len(self.machines)


@cache
def words(*, neutral: frozenset[str] = IDENTITIES) -> Words:
    """The table, in which the `neutral` words weigh nothing."""
    packed = (resources.files(__package__) / "toxic_words.tsv.gz").read_bytes()
    rows = [line.split("\t") for line in gzip.decompress(packed).decode("utf-8").splitlines()[1:]]
    machines = [(float(row[0]), float(row[1]), float(row[2])) for row in rows if len(row) == 3]
    table = {}
    for word, idf, *weights in rows[len(machines) :]:
        table[word] = (float(idf), *(0.0 if word in neutral else float(weight) for weight in weights))
    return Words(table, tuple(machines))
