"""Walks an HTML tree once, without recursion, and writes its blocks as Markdown."""

from __future__ import annotations

import re
from typing import Any

from gatewheel.rag.read import markdown

_SILENT_TAGS = "head script style template noscript svg canvas object embed iframe audio video map datalist"
_CHROME_TAGS = "nav footer button select input textarea dialog"
_BLOCK_TAGS = """
    address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol option optgroup p section
    summary table tbody td tfoot th thead tr ul
"""
_SILENT, _CHROME, _BLOCKS = (frozenset(tags.split()) for tags in (_SILENT_TAGS, _CHROME_TAGS, _BLOCK_TAGS))
_CHROME_ROLES = frozenset(("navigation", "search", "contentinfo", "banner"))
_CHROME_CLASSES = frozenset(("headerlink", "anchorjs-link", "skip-link"))
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LISTS = ("ul", "ol", "menu", "dir")
_STRUCTURED = (*_HEADINGS, "table", "pre")
_SPACE = re.compile(r"[^\S\n]*\n[^\S\n]*")
_LANGUAGE = re.compile(r"(?:language|lang|highlight|brush)-(?!source)([\w+#.-]+)")
_SPAN_LIMIT = 64


def blocks(root: Any, *, keep_all: bool) -> str:
    """The text of the page as Markdown; `keep_all` keeps navigation, footers and form controls."""
    from lxml import etree

    writer = _Writer()
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        tag = element.tag
        if event == "start":
            if tag in _SILENT or (not keep_all and _is_chrome(element)) or writer.whole(element):
                walker.skip_subtree()
                continue
            writer.open(element)
            writer.say(element.text)
        else:
            writer.close(element)
            if element is not root:
                writer.say(element.tail)
    writer.flush()
    return writer.sheet.text()


class _Writer:
    """Where the walk stands: words not yet written, and the lists around them."""

    def __init__(self) -> None:
        self.sheet = markdown.Sheet()
        self._words: list[str] = []
        self._lists: list[int | None] = []
        self._marker = False
        self._quotes = 0

    def say(self, text: str | None) -> None:
        if text:
            self._words.append(re.sub(r"\s+", " ", text))

    def open(self, element: Any) -> None:
        tag = element.tag
        if tag in _BLOCKS:
            self.flush()
        if tag in _LISTS:
            start = element.get("start", "1")
            self._lists.append((int(start) if start.isdecimal() else 1) if tag == "ol" else None)
        elif tag == "li":
            self._marker = True
            if not self._lists:
                self._lists.append(None)
        elif tag == "blockquote":
            self._quotes += 1
        elif tag == "br":
            self._words.append("\n")
        elif tag == "img":
            self.say(element.get("alt"))

    def close(self, element: Any) -> None:
        tag = element.tag
        if tag in _BLOCKS:
            self.flush(level=_HEADINGS.get(tag, 0))
        if tag in _LISTS and self._lists:
            self._lists.pop()
            self._marker = False
        elif tag == "li":
            self._marker = False
        elif tag == "blockquote":
            self._quotes -= 1

    def whole(self, element: Any) -> bool:
        """Write code and tables of figures in one go; True when the walk is to pass over the element."""
        if element.tag == "pre":
            self.flush()
            self.sheet.add(markdown.fence(_verbatim(element), _language(element)))
            return True
        if element.tag == "table" and _is_data(element):
            self.flush()
            for caption in element.iterchildren("caption"):
                self.sheet.add(markdown.paragraph(_cell(caption)))
            self.sheet.add(markdown.table(_rows(element)))
            return True
        return False

    def flush(self, *, level: int = 0) -> None:
        """Write the words since the last block as a heading, an item or a paragraph."""
        text = _SPACE.sub("\n", re.sub(r"[^\S\n]+", " ", "".join(self._words))).strip()
        self._words.clear()
        if not text:
            return
        depth = max(0, len(self._lists) - 1)
        if level and not self._lists:
            self.sheet.add(markdown.heading(level, text))
        elif self._marker:
            number = self._lists[-1]
            self.sheet.add(markdown.item(text, depth=depth, number=number), item=True)
            if number is not None:
                self._lists[-1] = number + 1
            self._marker = False
        else:
            lead = "    " * len(self._lists) + "> " * self._quotes
            self.sheet.add("\n".join(lead + line for line in markdown.paragraph(text).split("\n")))


def _is_chrome(element: Any) -> bool:
    """Whether an element belongs to the site and not to the page. A footer inside an article is the article's."""
    tag = element.tag
    if tag == "footer" or element.get("role") == "contentinfo":
        return not any(above.tag in ("article", "main", "blockquote", "section") for above in element.iterancestors())
    if tag == "button":  # frequent questions fold up under a heading that is a button
        return not any(above.tag in _HEADINGS for above in element.iterancestors())
    if tag in _CHROME or element.get("role") in _CHROME_ROLES:
        return not (element.get("role") == "banner" and next(element.iter(*_HEADINGS), None) is not None)
    names = element.get("class")
    return bool(names) and not _CHROME_CLASSES.isdisjoint(names.split())


def _verbatim(element: Any) -> str:
    """The characters of <pre> as they stand, without the button to copy them."""
    parts: list[str] = []
    walker = _events(element)
    for event, child in walker:
        if event == "end":
            parts.append("" if child is element else child.tail or "")
        elif child.tag == "button" or child.tag in _SILENT:
            walker.skip_subtree()
        else:
            parts.append(("\n" if child.tag == "br" else "") + (child.text or ""))
    return "".join(parts)


def _events(element: Any) -> Any:
    from lxml import etree

    return etree.iterwalk(element, events=("start", "end"))


def _language(element: Any) -> str:
    """The language of code, from the class of <pre>, of the <code> in it, or of the frame around it."""
    frames = [element, *element.iterchildren("code"), *list(element.iterancestors())[:2]]
    found = next(filter(None, (_LANGUAGE.search(each.get("class", "")) for each in frames)), None)
    return found[1] if found else ""


def _is_data(table: Any) -> bool:
    """Whether a table holds data, and not the layout of a page: two columns, no headings, code or tables inside."""
    if any(element is not table for element in table.iter(*_STRUCTURED)):
        return False
    return any(len(list(row.iterchildren("td", "th"))) > 1 for row in table.iter("tr"))


def _rows(table: Any) -> list[list[str]]:
    """The cells, those that span rows repeated in each, so that a row can be read alone."""
    rows: list[list[str]] = []
    hanging: dict[int, tuple[int, str]] = {}
    for row in table.iter("tr"):
        cells: list[str] = []
        for cell in row.iterchildren("td", "th"):
            _hang(cells, hanging)
            words = _cell(cell)
            down, across = _span(cell, "rowspan"), _span(cell, "colspan")
            if down > 1:
                hanging[len(cells)] = (down - 1, words)
            cells.extend([words, *[""] * (across - 1)])
        _hang(cells, hanging)
        rows.append(cells)
    return rows


def _hang(cells: list[str], hanging: dict[int, tuple[int, str]]) -> None:
    """Put in what hangs down from the rows above at this place."""
    while len(cells) in hanging:
        left, words = hanging.pop(len(cells))
        if left > 1:
            hanging[len(cells)] = (left - 1, words)
        cells.append(words)


def _span(cell: Any, name: str) -> int:
    value = cell.get(name, "1").strip()
    return min(_SPAN_LIMIT, max(1, int(value))) if value.isdecimal() else 1


def _cell(element: Any) -> str:
    """The words of a cell on one line."""
    parts: list[str] = []
    for event, child in _events(element):
        if child.tag in _BLOCKS or child.tag == "br":
            parts.append(" ")
        if event == "start" and child.tag not in _SILENT:
            parts.append(child.text or child.get("alt") or "")
        elif event == "end" and child is not element:
            parts.append(child.tail or "")
    return markdown.one_line("".join(parts))
