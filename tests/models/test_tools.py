"""The schema of a tool call admits valid calls only, and reads back what it admits."""

from __future__ import annotations

import json

import jsonschema
import pytest

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import Message
from gatewheel.models import tools

BOOK = {
    "type": "function",
    "function": {
        "name": "book",
        "description": "Book a room.",
        "parameters": {
            "type": "object",
            "properties": {"day": {"$ref": "#/$defs/Day"}},
            "required": ["day"],
            "$defs": {"Day": {"enum": ["monday", "friday"]}},
        },
    },
}
OTHER = {"type": "function", "function": {"name": "stop"}}


@pytest.mark.parametrize(
    ("call", "valid"),
    [
        ({"tool": "book", "arguments": {"day": "friday"}}, True),
        ({"tool": "book", "arguments": {"day": "sunday"}}, False),
        ({"tool": "book", "arguments": {}}, False),
        ({"tool": "stop", "arguments": {}}, True),
        ({"tool": "fly", "arguments": {}}, False),
        ({"tool": "reply", "arguments": {"text": "no"}}, True),
    ],
)
def test_only_valid_calls_validate(call: object, valid: bool) -> None:
    validator = jsonschema.Draft202012Validator(tools.call_schema([BOOK, OTHER]))
    assert validator.is_valid(call) is valid


def test_a_call_is_read_back() -> None:
    text, (call,) = tools.read_call('{"tool": "book", "arguments": {"day": "friday"}}')
    assert (text, call.name, json.loads(call.arguments)) == ("", "book", {"day": "friday"})
    assert tools.read_call('{"tool": "reply", "arguments": {"text": "hello"}}') == ("hello", ())


def test_the_tools_are_explained_in_the_system_message() -> None:
    user = Message(role="user", content="hi")
    told = tools.with_instruction([Message(role="system", content="Be brief."), user], [BOOK])
    assert told[0].content.startswith("Be brief.")
    assert "book: Book a room." in told[0].content
    assert [message.role for message in tools.with_instruction([user], [BOOK])] == ["system", "user"]


@pytest.mark.parametrize("name", ["", None, "reply"])
def test_a_tool_needs_a_name_of_its_own(name: object) -> None:
    with pytest.raises(ModelError, match="a tool named"):
        tools.call_schema([{"function": {"name": name}}])
