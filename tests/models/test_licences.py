"""What licences allow: known ones by any spelling, unknown ones never guessed."""

from __future__ import annotations

import pytest

from gatewheel.models import catalogue, licences


@pytest.mark.parametrize("name", ["Apache-2.0", "apache-2.0", "MIT", "cc-by-nc-4.0", "llama3.2"])
def test_known_licences_are_found_however_they_are_written(name: str) -> None:
    found = licences.find(name)
    assert "unknown" not in (found.commercial, found.redistribution, found.derived)
    assert found.source.startswith("https://")


def test_an_unknown_licence_and_none_at_all_allow_nothing_that_is_known() -> None:
    for name in ("in-house", ""):
        found = licences.find(name)
        assert (found.commercial, found.redistribution, found.derived) == ("unknown",) * 3
        assert found.told
    assert licences.find("LicenseRef-Own").title == "Own"


def test_no_commercial_use_is_told_as_no() -> None:
    assert licences.find("CC-BY-NC-4.0").commercial == "no"


def test_every_licence_of_the_catalogue_is_known() -> None:
    for entry in catalogue.list_models():
        assert licences.find(entry.licence).commercial != "unknown", entry.name
    assert catalogue.knows("gpt-4o-mini")
    assert not catalogue.knows("no-such-model")
