"""From values to places: an axis with round ticks, straight or logarithmic, and numbers as people read them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Unit = Literal["share", "seconds", "dollars", "bytes", "number", "points"]
LOG = 30.0  # values further apart than this factor would crowd on a straight axis
_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """Values `low` to `high` on the places `start` to `end`, with its ticks.

    They begin `apart` behind `start` where 0, which a logarithm does not reach, stands by itself before them.
    """

    low: float
    high: float
    start: float
    end: float
    unit: Unit
    log: bool = False
    ticks: tuple[float, ...] = ()
    apart: float = 0.0

    def at(self, value: float) -> float:
        """The place of a value; what lies outside is put at the edge."""
        if self.apart and value <= 0:
            return self.start
        value = min(max(value, self.low), self.high)
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        begin = self.start + self.apart
        return begin + part * (self.end - begin)


def axis(  # noqa: PLR0913 (what is shown, where, and how)
    values: Iterable[float | None],
    start: float,
    end: float,
    *,
    unit: Unit,
    bounds: tuple[float | None, float | None] = (None, None),
    zero: bool = False,
    straight: bool = False,
    ticks: int = 5,
) -> Axis:
    """An axis that holds all values with some room, never beyond `bounds`. `zero`: 0 is on it.

    Logarithmic where the values are far apart, unless it is to be `straight`; 0 then stands by itself.
    """
    known = [value for value in values if value is not None and math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    above = [value for value in known if value > 0]
    if not straight and low >= 0 and above and high / min(above) > LOG:
        return _logarithmic(min(above) / 1.3, high * 1.3, (start, end), unit, zero=low == 0)
    low, high = (min(low, 0.0), max(high, 0.0)) if zero else (low, high)
    room = 0.08 * (high - low) or abs(high) * 0.5 or 0.5
    low, high = low - (0 if zero and low == 0 else room), high + (0 if zero and high == 0 else room)
    least, most = bounds
    low, high = low if least is None else max(low, least), high if most is None else min(high, most)
    high = high if high > low else low + 1.0
    return Axis(low=low, high=high, start=start, end=end, unit=unit, ticks=_round(low, high, ticks))


def whole(start: float, end: float, unit: Unit = "share") -> Axis:
    """From 0 to 1."""
    return Axis(low=0.0, high=1.0, start=start, end=end, unit=unit, ticks=(0.0, 0.25, 0.5, 0.75, 1.0))


def told(value: float | None, unit: Unit, *, digits: int = 3) -> str:
    """A number with its unit.

    >>> [told(0.925, "share"), told(0.0421, "seconds"), told(98_362_432, "bytes"), told(0.0345, "dollars")]
    ['92.5%', '42 ms', '98 MB', '$0.035']
    """
    if value is None or not math.isfinite(value):
        return "–"
    if unit in ("share", "points"):
        value = round(100 * value, 1)
    if value == 0:
        return {"share": "0%", "dollars": "$0", "seconds": "0 s"}.get(unit, "0")
    match unit:
        case "share":
            return f"{_plain(value, digits)}%"
        case "seconds":
            return f"{_plain(value * 1000, 2)} ms" if 0 < abs(value) < 0.1 else f"{_plain(value, digits)} s"
        case "dollars":
            return f"${value:,.2f}" if abs(value) >= 1 else f"${_plain(value, 2)}"
        case "bytes":
            scale, name = next(((by, name) for by, name in _SIZES if abs(value) >= by), (1.0, "B"))
            return f"{_plain(value / scale, 2 if abs(value / scale) < 100 else 3)} {name}"
    return _plain(value, digits)


def between(value: float | None, low: float | None, high: float | None, unit: Unit, *, signed: bool = False) -> str:
    """A figure with its interval, in one unit; `signed` is a difference.

    >>> between(0.925, 0.8, 0.974, "share"), between(-0.05, -0.2, 0.1, "points", signed=True)
    ('92.5% [80, 97.4]', '−5 points [−20, +10]')
    """
    if value is None:
        return "not measured"
    known = [abs(end) for end in (value, low, high) if end is not None]
    small = unit == "seconds" and max(known) < 0.1
    scale: float = 1000.0 if small else 1.0
    kind: Unit = "number" if unit == "seconds" else unit
    texts = []
    for one in (value, low, high):
        sign = "" if one is None or not signed or one == 0 else "+" if one > 0 else "−"
        number = None if one is None else scale * (abs(one) if signed else one)
        if number is not None and unit == "seconds" and not small:
            number = round(number, 3)  # nobody waits for less
        text = "?" if number is None else told(number, kind)
        texts.append(text if text == told(0.0, kind) else sign + text)
    suffix = {"share": "%", "seconds": " ms" if small else " s", "points": " points"}.get(unit, "")
    bare = [text.removesuffix("%") for text in texts]
    if low is None and high is None:
        return f"{bare[0]}{suffix} ± ?"
    return f"{bare[0]}{suffix} [{bare[1]}, {bare[2]}]"


def tick(value: float, step: float, unit: Unit) -> str:
    """A number at a tick: as many digits as the step needs."""
    if not value:
        return {"share": "0%", "dollars": "$0", "seconds": "0 s"}.get(unit, "0")
    if unit in ("share", "points"):
        value, step = 100 * value, 100 * step
    elif unit == "bytes":
        scale, name = next(((by, name) for by, name in _SIZES if step >= by or value >= 10 * by), (1.0, "B"))
        return f"{_decimals(value / scale, step / scale)} {name}"
    text = _decimals(value, step)
    return {"share": f"{text}%", "dollars": f"${text}", "seconds": f"{text} s"}.get(unit, text)


def step_of(ticks: Sequence[float]) -> float:
    """How far apart ticks are."""
    return min((b - a for a, b in itertools.pairwise(ticks)), default=1.0)


def _logarithmic(low: float, high: float, places: tuple[float, float], unit: Unit, *, zero: bool) -> Axis:
    start, end = places
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = (1, 2, 5) if len(powers) <= 3 else (1,)
    ticks = tuple(by * 10.0**power for power in powers for by in every if low <= by * 10.0**power <= high)
    if zero:
        ticks, apart = (0.0, *ticks), 0.1 * (end - start)
        return Axis(low=low, high=high, start=start, end=end, unit=unit, log=True, ticks=ticks, apart=apart)
    return Axis(low=low, high=high, start=start, end=end, unit=unit, log=True, ticks=ticks)


def _round(low: float, high: float, wanted: int) -> tuple[float, ...]:
    rough = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(by * power for by in (1, 2, 2.5, 5, 10) if by * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(at * step, 12) for at in range(first, last + 1))


def _plain(value: float, digits: int) -> str:
    """So many digits, without zeros at the end."""
    text = f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


def _decimals(value: float, step: float) -> str:
    places = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    if step > 0 and abs(round(step, places) - step) > 1e-9 * step:
        places += 1
    return f"{value:,.{min(places, 12)}f}".replace("-", "−")
