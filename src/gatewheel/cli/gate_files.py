"""What a gate said as files: Markdown for a pull request, JUnit XML for whatever shows tests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewheel.loop.gating import Decided
    from gatewheel.ops.gate import Reason

MARKS = {"promote": "✅", "reject": "❌", "inconclusive": "❔"}
SAID = {
    "promote": "may be released",
    "reject": "may not be released",
    "inconclusive": "has not shown enough to be released",
}
# what XML 1.0 cannot hold, escaped or not
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def sentence(decided: Decided) -> str:
    """One line: who, against whom, what came of it."""
    against = f" against {decided.incumbent[:12]}" if decided.incumbent else ""
    return f"{decided.candidate[:12]}{against} {SAID[decided.decision.outcome]}"


def markdown(decided: Decided) -> str:
    """A heading, what was decided, and a row for each rule, those that failed first."""
    outcome = decided.decision.outcome
    lines = [
        f"## {MARKS[outcome]} Gate `{decided.gate}`: {outcome}",
        "",
        f"Variant `{decided.candidate[:12]}` of `[app.{decided.app}]` {SAID[outcome]}, by {decided.cases} of "
        f"{decided.of} cases of suite `{decided.suite}`"
        + (f", against `{decided.incumbent[:12]}`." if decided.incumbent else "; nothing is released yet."),
        "",
        "| | rule | |",
        "|---|---|---|",
    ]
    for reason in by_weight(decided.decision.reasons):
        lines.append(f"| {MARKS[reason.outcome]} | {reason.rule} | {_cell(reason.text)} |")
    told = " and ".join(f"`{report[:12]}`" for report in dict.fromkeys(decided.reports))
    where = [f"Reports: {told}; `gatewheel evals show` prints them.", ""] if told else []
    return "\n".join([*lines, "", *where])


def junit(decided: Decided) -> str:
    """A test suite with a test for each rule; what is inconclusive fails too, for it does not pass."""
    from xml.etree import ElementTree

    failed = [reason for reason in decided.decision.reasons if reason.outcome != "promote"]
    counts = {"tests": str(len(decided.decision.reasons)), "failures": str(len(failed)), "errors": "0"}
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": f"gate {decided.gate}", **counts})
    for reason in decided.decision.reasons:
        name = " ".join(part for part in (reason.rule, reason.metric, reason.slice) if part)
        attributes = {"classname": f"gate.{decided.gate}", "name": _spoken(name)}
        case = ElementTree.SubElement(suite, "testcase", attributes)
        if reason.outcome != "promote":
            told = {"type": reason.outcome, "message": _spoken(reason.text)}
            ElementTree.SubElement(case, "failure", told).text = _spoken(reason.text)
        else:
            ElementTree.SubElement(case, "system-out").text = _spoken(reason.text)
    ElementTree.indent(root)
    return f"<?xml version='1.0' encoding='UTF-8'?>\n{ElementTree.tostring(root, encoding='unicode')}\n"


def by_weight(reasons: Iterable[Reason]) -> list[Reason]:
    """What was rejected first, then what is open, then what passed."""
    order = {"reject": 0, "inconclusive": 1, "promote": 2}
    return sorted(reasons, key=lambda reason: order[reason.outcome])


def _cell(text: str) -> str:
    """Text inside a table: models and authors of cases wrote part of it."""
    text = re.sub(r"([\\|`*_<>\[\]])", r"\\\1", " ".join(text.split()))
    return text.replace("@", "@\u200b")  # so that an error message mentions nobody


def _spoken(text: str) -> str:
    return _UNSPEAKABLE.sub("\ufffd", text)
