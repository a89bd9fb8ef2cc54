"""What belongs to people is blacked out, what does not stays, and no text takes long."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewheel.guard.redact import KINDS, redact
from gatewheel.kernel.settings import REDACTED

FOUND = [
    ("email", "anna.b+x@mail.example.com"),
    ("email", "jürgen@müller.de"),
    ("phone", "+49 (0)30 123-4567"),
    ("phone", "0049 30 1234567"),
    ("phone", "(555) 123-4567"),
    ("phone", "555-123-4567"),
    ("phone", "0171/123 45 67"),
    ("phone", "01 23 45 67 89"),
    ("card", "4111 1111 1111 1111"),
    ("card", "5555-5555-5555-4444"),
    ("card", "378282246310005"),
    ("card", "3782 822463 10005"),
    ("card", "6011 0009 9013 9424"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB82WEST12345698765432"),
    ("iban", "no9386011117947"),
    ("ip", "192.168.0.17"),
    ("ip", "2001:db8::8a2e:370:7334"),
    ("ip", "::1"),
    ("ip", "::ffff:10.0.0.1"),
    ("secret", "sk-proj-abcdefghijklmnop1234"),
    ("secret", "ghp_" + "a1B2" * 9),
    ("secret", "AKIAIOSFODNN7EXAMPLE"),
    ("secret", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmN"),
    ("secret", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"),
]


@pytest.mark.parametrize(("kind", "text"), FOUND)
@pytest.mark.parametrize("frame", ["{}", "Write to {}.", "({}), please", "„{}“", "a,{};b"])
def test_is_blacked_out(kind: str, text: str, frame: str) -> None:
    assert redact(frame.format(text), [kind]) == frame.format(f"[{kind}]")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abcdEFGH1234abcd", "Authorization: Bearer [secret]"),
        ('{"api_key": "Zx81kQ94mmPq77"}', '{"api_key": "[secret]"}'),
        ("password=hunter2hunterXY and more", "password=[secret] and more"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEow and no end", "[secret]"),
        ("4111 1111 1111 1111 12/26 123", "[card] 12/26 123"),
        ("4111 1111 1111 1111 123", "[card] 123"),
        ("DE89 3704 0044 0532 0130 00 AND MORE", "[iban] AND MORE"),
        ("a@b.com,c@d.org", "[email],[email]"),
        ("anna@10.0.0.1 from 10.0.0.1", "anna@[ip] from [ip]"),
    ],
)
def test_what_stands_beside_it_stays(text: str, left: str) -> None:
    assert redact(text, KINDS) == left


@pytest.mark.parametrize(
    "text",
    [
        "On 2024-01-15 10:30 and on 01-15-2024 10 people came.",
        "Version 1.2.3 of 2026-11-21 costs 1,234,567.89 dollars.",
        "4111 1111 1111 1112 fails its check digit, and 1234567890123 is nobody's.",
        "GB82 WEST 1234 5698 7654 33 fails its check digits.",
        "std::dead at 12:30:45 in 00:1b:63:84:45:e6 @ home, a@b",
        "The token is authentication-based, max_tokens: 123456789012, a bearer internationalization of basic rights.",
        "0123456789abcdef0123456789abcdef",
        "§ 45 CFR 46.101(b)(2), 10 CFR 50.55a, pages 555-1234.",
    ],
)
def test_what_is_nobodys_stays(text: str) -> None:
    assert redact(text, KINDS) == text


PIECES = st.sampled_from(
    [text for _, text in FOUND]
    + [*"@.:-+ /()[]=_é1a\n", "token=", "password is ", "bearer ", "::", "00", "eyJ", "sk-", "[email]", "a" * 60]
    + ["B3cdefghijkl", "4111111111111111", "-----BEGIN PRIVATE KEY-----"]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join) | st.text()


@given(TEXTS, st.sets(st.sampled_from(sorted(KINDS))))
@example("x@y.com+a@b.com::1", set(KINDS))
@example("password=B3cdefghijkl/" + "a" * 60 + "@b.co", {"email", "secret"})
@example("1.2.3.4.4111111111111111", {"ip", "card"})
def test_blacking_out_twice_is_blacking_out_once(text: str, kinds: set[str]) -> None:
    once = redact(text, kinds)
    assert redact(once, kinds) == once


@given(TEXTS, st.sets(st.sampled_from(sorted(KINDS))))
def test_only_whole_pieces_are_replaced(text: str, kinds: set[str]) -> None:
    left = redact(text, kinds)
    pieces = re.split("|".join(rf"\[{kind}\]" for kind in kinds) or r"(?!)", left)
    at = 0
    for piece in pieces:
        at = text.index(piece, at) + len(piece)
    assert kinds or left == text


@pytest.mark.parametrize(
    "piece",
    ["a", "a.", "a@a.", "1 ", "+1", "(0", "::", "eyJ-", "token=é", "bearer ", "-----BEGIN PRIVATE KEY-----", "a@b.co"],
)
def test_a_megabyte_made_to_be_hard_takes_no_longer_than_any(piece: str) -> None:
    text = (piece * (1_000_000 // len(piece) + 1))[:1_000_000]  # a quadratic pattern would take hours
    assert redact(text, KINDS).startswith(text[:1]) or "[" in redact(text[:100], KINDS)


def test_the_settings_know_the_same_kinds() -> None:
    assert set(REDACTED) == set(KINDS)
