"""Where names of points may stand without covering each other, a point, or the edge. Knows nothing about drawing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEIGHT = 15.0  # of a line of text of 13 px
ROOM = 10.0  # from a point to its name
_NARROW, _WIDE = set("iljtfrI.,:;'|()[]1 "), set("mwMW@%—")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, by two corners."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> float:
        """The area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        tall = min(self.bottom, other.bottom) - max(self.top, other.top)
        return wide * tall if wide > 0 and tall > 0 else 0.0

    def within(self, other: Box) -> bool:
        """Whether all of it lies inside of another."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.top >= other.top
            and self.bottom <= other.bottom
        )


@dataclass(frozen=True, slots=True)
class Name:
    """What a point is called, and what it is called where there is little room."""

    text: str
    short: str
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A name with the place of its first letter's foot. `far`: so far from its point that a line has to lead there."""

    text: str
    x: float
    y: float
    box: Box
    far: bool


def width(text: str, *, bold: bool = False) -> float:
    """About how wide a text of 13 px is in DejaVu Sans, the widest of the usual faces."""
    plain = sum(4.7 if letter in _NARROW else 12.9 if letter in _WIDE else 8.3 for letter in text)
    return 1.1 * plain if bold else plain


def place(
    points: Sequence[tuple[float, float]], names: Sequence[Name], area: Box, taken: Sequence[Box]
) -> list[Placed]:
    """A place for each name, in the order of the points, the free one that is nearest; `taken` are boxes to keep clear.

    Where a name fits nowhere its short form is tried, and that stands at the least bad place.
    """
    clear = [*taken, *(Box(x - 6, y - 6, x + 6, y + 6) for x, y in points)]
    made: list[Placed] = []
    for point, name in zip(points, names, strict=True):
        others = [*clear, *(one.box for one in made)]
        forms = [(text, width(text, bold=name.bold)) for text in (name.text, name.short)]
        found = next((found for form in forms if (found := _free(point, form, area, others))), None)
        made.append(found or _least_bad(point, forms[1], area, others))
    return made


def shortened(text: str, most: int) -> str:
    """At most so many characters."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _free(point: tuple[float, float], name: tuple[str, float], area: Box, others: Sequence[Box]) -> Placed | None:
    inside = (one for one in _candidates(point, name) if one.box.within(area))
    return next((one for one in inside if not any(one.box.meets(other) for other in others)), None)


def _least_bad(point: tuple[float, float], name: tuple[str, float], area: Box, others: Sequence[Box]) -> Placed:
    every = list(_candidates(point, name))
    inside = [one for one in every if one.box.within(area)] or every
    return min(inside, key=lambda one: sum(one.box.meets(other) for other in others))


def _candidates(point: tuple[float, float], name: tuple[str, float]) -> Iterator[Placed]:
    """Right, left, above, below, then in circles that grow, for a text with its width."""
    x, y = point
    text, wide = name
    for distance in (ROOM, 2.2 * ROOM, 3.6 * ROOM, 5.5 * ROOM, 8 * ROOM):
        for angle in (0, 180, -45, 45, -135, 135, -90, 90):
            dx, dy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            left = x + dx * distance - wide * (1 - dx) / 2
            middle = y + dy * (distance + 3)
            box = Box(left - 2, middle - HEIGHT / 2, left + wide + 2, middle + HEIGHT / 2)
            yield Placed(text, left, middle + 4.5, box, distance > 2.5 * ROOM)
