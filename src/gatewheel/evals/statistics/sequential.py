"""Evidence that may be looked at after every case: a bet against "the candidate is worse by the margin or more".

A gambler stakes part of a fortune of 1 on each next difference, at odds that are fair or worse while the hypothesis
holds. The fortune, `e_value`, then reaches 1/alpha with probability at most alpha at *any* time (Ville 1939), so that
looking, stopping and going on are free. Source: Waudby-Smith and Ramdas (2024), "Estimating means of bounded random
variables by betting"; the fortune is the mean of those of constant bets and of a bet that learns (their aGRAPA).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, isfinite, log, log1p

from gatewheel.kernel.errors import UserError

STAKES = tuple(0.95 / 2**n for n in range(5))  # parts of the fortune that the constant bets put at risk
LEARNING = 0.5  # part of the first fortune that is given to the bet that learns
MOST = 0.9  # part of its fortune that the bet that learns puts at risk at most
# imagined cases without a difference that it starts from: one who only has to show "not worse" is taken to be as good,
# which settles a 5-point margin after a sixth fewer cases than trust in the mean so far does
EVEN = 1000
UNSURE = 20  # the same where superiority is to be shown
SPREAD, SPREAD_CASES = 0.2, 10  # the standard deviation that it starts from, in parts of the scale, and its weight
SLACK = 1e-9  # by which floating point may leave the bounds


class Evidence:
    """A test of the mean of differences that arrive one by one, each the mean of one cluster of cases.

    `bounds` are the least and greatest value of a *difference*, (-1, 1) for scores in 0..1; positive is better. The
    hypothesis that it speaks against is "the mean is at most -margin": a negative margin asks for superiority by that
    much. Hand the clusters over in an order that has nothing to do with their scores.
    """

    def __init__(self, bounds: tuple[float, float], margin: float, alpha: float = 0.05) -> None:
        low, high = bounds
        if not (isfinite(low) and isfinite(high)):
            raise UserError(
                f"bounds are {low} to {high}", cure="only scores with finite bounds can be tested at any time"
            )
        if not low < -margin < high:
            raise UserError(
                f"a margin of {margin:g} for differences from {low:g} to {high:g}",
                cure="take one that lies within them",
            )
        self.alpha = alpha
        self.n = 0
        self._low, self._width = low, high - low
        self._null = (-margin - low) / self._width
        self._stakes = tuple(stake / self._null for stake in STAKES)
        self._constant = [0.0] * len(STAKES)  # logarithms of their fortunes
        self._learning = 0.0
        self._imagined = EVEN if margin > 0 else UNSURE
        self._sum = self._imagined * min(max(-low / self._width, 0.0), 1.0)
        self._squares = SPREAD_CASES * SPREAD**2
        self._highest = 0.0

    def add(self, values: Iterable[float]) -> None:
        """Differences of further clusters. Raises UserError for one that is outside the bounds or not a number."""
        for value in values:
            place = (value - self._low) / self._width
            if not -SLACK <= place <= 1 + SLACK:
                raise UserError(
                    f"a difference of {value} is outside {self._low:g} to {self._low + self._width:g}",
                    cure="name the bounds that a difference can have",
                )
            self._bet(min(1.0, max(0.0, place)))

    @property
    def e_value(self) -> float:
        """The fortune now: how many times more the data speak for the candidate than the hypothesis allows."""
        return exp(min(700.0, self._log()))

    @property
    def rejects(self) -> bool:
        """The fortune has reached 1/alpha, now or before: the candidate is not worse by the margin."""
        return self._highest >= -log(self.alpha)

    @property
    def p(self) -> float:
        """The p-value that is valid at any time: 1 over the greatest fortune so far, at most 1."""
        return exp(-self._highest)

    def _bet(self, place: float) -> None:
        mean = self._sum / (self.n + self._imagined)
        variance = self._squares / (self.n + SPREAD_CASES)
        edge = mean - self._null
        stake = min(max(edge / (variance + edge * edge), 0.0), MOST / self._null)
        gain = place - self._null
        self._learning += log1p(stake * gain)
        # numbers of Python: five are too few for arrays, which take five times as long
        self._constant = [
            known + log1p(stake * gain) for known, stake in zip(self._constant, self._stakes, strict=True)
        ]
        self.n += 1
        self._sum += place
        self._squares += (place - self._sum / (self.n + self._imagined)) ** 2
        self._highest = max(self._highest, self._log())

    def _log(self) -> float:
        top = max(*self._constant, self._learning)
        constant = sum(exp(known - top) for known in self._constant) / len(self._constant)
        return top + log((1 - LEARNING) * constant + LEARNING * exp(self._learning - top))
