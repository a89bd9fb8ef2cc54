"""A prompt file says what it says: its faults are told by line, and what is put into it is never run."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewheel.kernel.errors import PromptError
from gatewheel.prompts import template

WHOLE = """---
description: Answer from passages.
system: You answer {{ style }}.
---
{% for passage in passages %}
[{{ passage.n }}] {{ passage.text }}
{% endfor %}
Question: {{ question }}
"""


def user(source: str, **values: Any) -> str:
    """What the user message says."""
    return template.parse(source, name="p").render(**values)[-1].content


def test_front_matter_and_both_messages() -> None:
    prompt = template.parse(WHOLE, name="answer")
    assert prompt.description == "Answer from passages."
    assert prompt.variables == ["passages", "question", "style"]
    passages = [SimpleNamespace(n=1, text="One."), SimpleNamespace(n=2, text="Two.")]
    system, asked = prompt.render(passages=passages, question="Why?", style="briefly", unused=1)
    assert (system.role, system.content) == ("system", "You answer briefly.")
    assert (asked.role, asked.content) == ("user", "[1] One.\n[2] Two.\nQuestion: Why?")


@pytest.mark.parametrize(
    "text",
    [
        "Ask.",
        "---\n---\nAsk.",
        "---\r\nsystem:\r\n---\r\nAsk.",
        "---\ndescription: x\n---\nAsk.\n",
        "--- \n\n---\n\nAsk.",
    ],
)
def test_front_matter_may_be_missing_or_empty(text: str) -> None:
    messages = template.parse(text, name="p").render()
    assert [(message.role, message.content) for message in messages] == [("user", "Ask.")]


def test_a_file_may_end_with_its_front_matter(tmp_path: Path) -> None:
    path = tmp_path / "p.md"
    path.write_bytes(b"\xef\xbb\xbf---\nsystem: Only this.\n---")
    assert [message.content for message in template.load(path).render()] == ["Only this.", ""]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("---\nsystem: [\n---\nx", "front matter, line 3: expected the node content.*; write `key: value` lines"),
        ("---\nsystm: x\n---\nx", "it may hold: description, system"),
        ("---\n- x\n---\nx", "it may hold: description, system"),
        ("---\ndescription: 2026-13-45\n---\nx", "front matter: month must be in 1..12"),
        ("---\nsystem: 5\n---\nx", "system: must be text, got 5; put it in quotes"),
        ("---\nsystem: !!python/object:os.system x\n---\nx", "front matter"),
        ("a\nb {{ c", "prompt 'p', line 2,"),
        ("---\nsystem: x\n---\n\na\n{% for %}", "prompt 'p', line 6,"),
        ("---\nsystem: '{{ x'\n---\nb", "prompt 'p', line 1 of system,"),
        ("{{ x|nofilter }}", "line 1, No filter named 'nofilter'"),
        ("{% unknown %}", "line 1, .*unknown tag"),
        ("{% for a in b %}" * 40 + "{% endfor %}" * 40, "simplify the template"),
        ("{{ " + "1" * 5000 + " }}", "prompt 'p'"),
        ("{{ " + "(" * 5000, "prompt 'p'"),
    ],
)
def test_what_does_not_load_is_told_by_its_place(text: str, match: str) -> None:
    with pytest.raises(PromptError, match=match) as caught:
        template.parse(text, name="p")
    assert caught.value.cure


def test_a_missing_value_is_told_with_the_line_and_what_there_is() -> None:
    with pytest.raises(PromptError, match=r"line 6, does not render: 'quesion' is undefined; it may use: passages, q"):
        user("---\nsystem: x\n---\na\n\n{{ quesion }}", question="?", passages=[])
    with pytest.raises(PromptError, match="line 1 of system, does not render"):
        user("---\nsystem: '{{ styl }}'\n---\nb", style="x")


@pytest.mark.parametrize(
    "expression",
    [
        "question.__class__",
        "question.__class__.__mro__",
        "''.__class__.__base__.__subclasses__()",
        "question['__class__'].__base__",
        "question|attr('__class__')",
        "passages.append(1)",
        "passages.clear()",
        "function.__globals__",
        "function.__code__",
        "self.__init__.__globals__",
        "cycler.__init__.__globals__.os.popen('id').read()",
        "lipsum.__globals__['os']",
        "'{0.__class__}'.format(question)",
        "range(10**9)",
        "open('/etc/passwd').read()",
        "__import__('os')",
        "1 / 0",
        "'a' + 1",
        "passages[3].text",
        "{}['x'].y",
        "question.nothing.more",
        "function()",
    ],
)
def test_the_sandbox_lets_nothing_out(expression: str) -> None:
    def function() -> None:
        raise ValueError("inside")

    passages = ["a"]
    shown = ""
    with suppress(PromptError):
        shown = user(f"{{{{ {expression} }}}}", question="q", passages=passages, function=function)
    assert "root:" not in shown
    assert "class" not in shown
    assert "module" not in shown
    assert passages == ["a"]


@pytest.mark.parametrize("tag", ["include '/etc/passwd'", "import 'os' as os", "extends 'x'", "from 'x' import y"])
def test_other_files_are_out_of_reach(tag: str) -> None:
    with pytest.raises(PromptError):
        user(f"{{% {tag} %}}")


def test_a_macro_that_calls_itself_for_ever_is_told() -> None:
    with pytest.raises(PromptError, match="does not render"):
        user("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")


@given(text=st.text(max_size=50).map(lambda text: f"{{{{ 7*7 }}}} {text} {{% raw %}} {{# gone #}} {text}"))
def test_what_is_put_in_stays_as_it_is(text: str) -> None:
    shown = user("<{{ text }}>{% for p in passages %}<{{ p.text }}>{% endfor %}", text=text, passages=[{"text": text}])
    assert shown == f"<{text}><{text}>"


def test_the_hash_is_of_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "p.md"
    seen = set()
    for text in (WHOLE, WHOLE.replace("passages.", "passages!", 1), WHOLE + "\n", WHOLE.replace("Question", "Q")):
        path.write_text(text)
        prompt = template.load(path)
        assert prompt.name == "p"
        seen.add(prompt.sha256)
        assert template.load(path).sha256 == prompt.sha256
    assert len(seen) == 4


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "p.md", tmp_path / "none.md", tmp_path):
        with pytest.raises(PromptError, match=r"cannot be read: .*gatewheel init"):
            template.load(path)


PIECES = st.sampled_from(
    [
        "---\n",
        "system: ",
        "description: ",
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        " x ",
        "for a in x",
        "endfor",
        "if",
        "|",
        "\n",
        "-",
        "[",
        ":",
        "'",
        "set y = 1",
        "raw",
        "endraw",
        "(",
        ")",
        "1",
        ".",
        "*",
        "&a",
        "*a",
        "!!",
        "? ",
    ]
)


@given(text=st.lists(PIECES | st.text(max_size=3), max_size=14).map("".join))
@example("---\n? [a]\n: b\n---\n")
@example("---\n{a: b}: c\n---\n")
@example("---\n=: =\n---\n")
@example("---\nsystem: &a [*a]\n---\n")
@example("\ud800{{ x }}")
def test_arbitrary_text_is_a_prompt_or_a_prompt_error(text: str) -> None:
    with suppress(PromptError):
        template.parse(text, name="p").render(x=[1], y="z")
