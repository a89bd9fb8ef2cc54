"""Ingestion does the work that is needed and no more, counts it rightly, and no file harms another."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from documents import docx, encrypted, pdf
from gatewheel.kernel import catalog
from gatewheel.kernel.nouns import Document, Refusal
from gatewheel.kernel.store.database import open_database
from gatewheel.rag.discover import Candidate
from gatewheel.rag.ingest import Ingested, Ingestion, Parts, Progress
from ingesting import CountingReader, Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "docs").mkdir()
    engine = open_database(tmp_path / "state")
    yield Project(tmp_path / "docs", engine)
    engine.dispose()


def counts(result: Ingested) -> tuple[int, int, int, int]:
    return result.added, result.updated, result.removed, result.unchanged


VALVE = "# Valve\n\nClose the valve before the pump starts.\n"
PUMP = "# Pump\n\nThe pump moves twelve litres a minute.\n"


def test_only_what_changed_is_read_and_encoded(project: Project) -> None:
    project.write("valve.md", VALVE)
    pump = project.write("pump.md", PUMP)
    assert counts(project.ingest()) == (2, 0, 0, 0)
    assert sorted(project.read) == ["pump.md", "valve.md"]
    assert len(project.encoder.texts) == 2
    assert counts(project.ingest()) == (0, 0, 0, 2)
    assert project.read == project.encoder.texts == []
    os.utime(pump, (1, 1))
    assert counts(project.ingest()) == (0, 0, 0, 2)
    assert project.store.files()["pump.md"].mtime_ns == 10**9
    project.write("pump.md", PUMP + "\n# Fan\n\nThe fan moves air.\n")
    project.write("seal.txt", "Seals grow old.")
    assert counts(project.ingest()) == (1, 1, 0, 1)
    assert sorted(project.read) == ["pump.md", "seal.txt"]
    assert not any("Close the valve" in text for text in project.encoder.texts)
    pump.unlink()
    assert counts(project.ingest()) == (0, 0, 1, 2)
    assert project.sources() == {"valve.md", "seal.txt"}
    assert project.finds("pump litres fan") == {"valve.md"}


def test_every_kind_of_file_and_its_passages_are_where_they_say(project: Project) -> None:
    project.write("a.md", VALVE)
    project.write("b.pdf", pdf(["The first page is about pumps.", "", "The third is about seals."]))
    project.write("c.docx", docx())
    project.write("d.csv", "city,people\nLima,10092000\n")
    project.write("e.jsonl", '{"id": "x", "text": "A note on valves."}\n')
    project.write("f/g.html", "<h1>Hello</h1><p>One.</p>")
    result = project.ingest()
    assert [(one.source, one.reason) for one in result.skipped] == [
        ("b.pdf", "no text layer on page 2; run OCR first, e.g. ocrmypdf")
    ]
    assert project.ingest().skipped == result.skipped
    assert project.sources() == {"a.md", "b.pdf", "c.docx", "d.csv", "e.jsonl#x", "f/g.html"}
    for source in project.sources():
        document = project.search.document(source)
        assert document is not None
        found = project.search.passages_of(source)
        assert found
        assert all(document.text[slice(*passage.span)] == passage.text for passage in found)


@pytest.mark.parametrize("chunker", sorted(catalog.CATALOG["chunker"]))
def test_a_passage_stands_on_one_page_which_it_names(project: Project, chunker: str) -> None:
    project.chunker = chunker
    pages = ["Close the valve first.", "", "The pump moves twelve litres.", "Seals grow old. " * 60]
    project.write("b.pdf", pdf(pages))
    project.ingest()
    document = project.search.document("b.pdf")
    assert document is not None
    passages = project.search.passages_of("b.pdf")
    covered: set[int] = set()
    for passage in passages:
        start, end = passage.span
        assert document.text[start:end] == passage.text
        assert passage.text.strip() in " ".join(pages[(passage.page or 0) - 1].split())
        covered.update(range(start, end))
    assert [passage.page for passage in passages][:3] == [1, 3, 4]
    assert all(at in covered for at, sign in enumerate(document.text) if not sign.isspace())
    for page, words in ((1, "valve"), (3, "pump litres"), (4, "seals")):
        assert project.search.by_terms(words, k=5, where=f"page={page}"), page
        assert not project.search.by_terms(words, k=5, where="page=2")


def test_an_encrypted_pdf_is_tried_again_while_its_bytes_stay(project: Project) -> None:
    project.write("locked.pdf", encrypted())
    for _ in range(2):
        result = project.ingest()
        assert project.read == ["locked.pdf"]
        assert [one.source for one in result.skipped] == ["locked.pdf"]


def test_a_moved_file_keeps_its_vectors(project: Project) -> None:
    project.write("valve.md", VALVE)
    project.write("plain.txt", "Text without a heading, named by its file alone.")
    project.ingest()
    (project.root / "new").mkdir()
    (project.root / "valve.md").rename(project.root / "new" / "valve.md")
    (project.root / "plain.txt").rename(project.root / "renamed.txt")
    assert counts(project.ingest()) == (2, 0, 2, 0)
    assert project.encoder.texts == []
    assert project.sources() == {"new/valve.md", "renamed.txt"}
    project.write("copy.md", VALVE)
    project.ingest()
    assert project.encoder.texts == []


def test_a_bad_file_harms_no_other_and_is_told_again_without_being_read(project: Project) -> None:
    project.write("a.md", VALVE)
    project.write("bad.pdf", b"%PDF-1.7 and nothing else")
    project.write("z.md", PUMP)
    result = project.ingest()
    assert counts(result) == (2, 0, 0, 0)
    [refusal] = result.skipped
    assert refusal.source == "bad.pdf"
    assert refusal.reason
    again = project.ingest()
    assert again.skipped == (refusal,)
    assert project.read == []
    project.write("bad.pdf", pdf(["Now it can be read."]))
    assert counts(project.ingest()) == (1, 0, 0, 2)
    assert project.finds("now") == {"bad.pdf"}
    project.write("bad.pdf", b"%PDF-1.7 broken again")
    result = project.ingest()
    assert counts(result) == (0, 0, 1, 2)
    assert [refusal.source for refusal in result.skipped] == ["bad.pdf"]
    assert project.finds("now") == set()


def test_lines_of_a_jsonl_file_live_their_own_lives(project: Project) -> None:
    lines = [json.dumps({"id": f"n{number}", "text": f"Note number {number}."}) for number in range(4)]
    project.write("notes.jsonl", "\n".join([lines[0], "{bad", *lines[1:]]))
    result = project.ingest()
    assert counts(result) == (4, 0, 0, 0)
    [refusal] = result.skipped
    assert "line 2" in refusal.reason
    assert project.ingest().skipped == (refusal,)  # told again while the file stays as it is
    lines[2] = json.dumps({"id": "n2", "text": "Another note."})
    project.write("notes.jsonl", "\n".join([*lines[:3], json.dumps({"id": "n4", "text": "The fifth."})]))
    result = project.ingest()
    assert counts(result) == (1, 1, 1, 2)
    assert result.skipped == ()
    assert len(project.encoder.texts) == 2
    assert project.sources() == {f"notes.jsonl#{id_}" for id_ in ("n0", "n1", "n2", "n4")}


def test_what_no_database_holds_is_cleaned_or_refused(project: Project) -> None:
    strange = {"id": "a\0b", "text": "nul \0 and \ud800 half", "meta": float("nan"), "title": "\udfff", "big": 10**400}
    project.jsonl = {"meta_fields": ["meta", "big"]}
    project.write("s.jsonl", json.dumps(strange) + '\n{"id": "fine", "text": "A sound line."}\n')
    result = project.ingest()
    assert result.documents == 2
    assert project.finds("sound") == {"s.jsonl#fine"}
    for filter_ in ("meta.meta=NaN", "meta.meta>3", "meta.big>3", "not meta.meta~=x"):
        project.search.by_terms("sound line half", k=5, where=filter_)


def test_two_files_may_not_make_one_document(project: Project) -> None:
    project.write("n.jsonl", '{"id": "1", "text": "From the lines."}\n')
    project.write("n.jsonl#1", "From a file of that name.")
    result = project.ingest()
    assert result.documents == 1
    assert [refusal.source for refusal in result.skipped] == ["n.jsonl#1"]


def test_another_recipe_reads_everything_again(project: Project) -> None:
    project.write("valve.md", VALVE)
    project.ingest()
    project.recipe = "2"
    assert counts(project.ingest()) == (0, 1, 0, 0)
    assert project.read == ["valve.md"]
    assert project.encoder.texts == []
    assert counts(project.ingest()) == (0, 0, 0, 1)


def test_a_file_that_vanishes_after_it_was_found(project: Project) -> None:
    project.write("a.md", VALVE)
    gone = project.write("b.md", PUMP)
    result = project.ingest(after_discovery=gone.unlink)
    assert counts(result) == (1, 0, 0, 0)
    assert [(one.source, one.reason) for one in result.skipped] == [("b.md", "it is gone; run ingest again")]
    assert project.ingest().skipped == ()


def test_a_file_that_vanishes_while_it_is_read_is_read_when_it_is_back(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.write("b.md", PUMP)
    read = CountingReader.read

    def vanishing(self: CountingReader, path: Path, *, source: str) -> Iterable[Document | Refusal]:
        path.unlink()
        return read(self, path, source=source)

    monkeypatch.setattr(CountingReader, "read", vanishing)
    result = project.ingest()
    assert [one.source for one in result.skipped] == ["b.md"]
    monkeypatch.undo()
    path.write_text(PUMP)
    assert counts(project.ingest()) == (1, 0, 0, 0)


def test_a_file_that_may_not_be_read_is_refused(project: Project) -> None:
    project.write("a.md", VALVE)
    project.ingest()
    (project.root / "secret.md").symlink_to("/proc/self/mem")  # nobody may read it from the start, not even root
    found = [Candidate(path=project.root / "secret.md", source="secret.md", format="text", size=5)]
    parts = Parts(ledger=project.store, readers={}, chunker=None, encoder=project.encoder, recipes={"text": "1"})  # type: ignore[arg-type]
    result = Ingestion(parts).run(found, gone=lambda _: False, named=False)
    assert [one.source for one in result.skipped] == ["secret.md"]
    assert "cannot be read" in result.skipped[0].reason
    assert project.sources() == {"a.md"}


def test_links_are_followed_once(project: Project) -> None:
    real = project.write("real/valve.md", VALVE)
    (project.root / "link.md").symlink_to(real)
    (project.root / "loop").symlink_to(project.root)
    (project.root / "dangling.md").symlink_to(project.root / "nowhere.md")
    result = project.ingest()
    assert project.sources() == {"real/valve.md"}
    assert {one.source for one in result.skipped} == {"dangling.md", "loop"}


def test_a_run_that_was_stopped_goes_on_where_it_was(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewheel.rag.ingest.BATCH_PASSAGES", 3)
    for number in range(8):
        project.write(f"note{number}.md", f"# Note {number}\n\nThis is the note with number {number}.\n")

    def stop(progress: Progress) -> None:
        if progress.files == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project.ingest(on_progress=stop)
    assert project.store.totals() == (3, 3)
    result = project.ingest()
    assert counts(result) == (5, 0, 0, 3)
    assert len(project.encoder.texts) == 5


def test_progress_only_grows_and_ends_at_the_whole(project: Project) -> None:
    for number in range(3):
        project.write(f"note{number}.md", f"# Note {number}\n\nText {number}.\n")
    project.write("bad.pdf", b"%PDF-1.7 and nothing else")
    told: list[Progress] = []
    project.ingest(on_progress=told.append)
    assert [one.files for one in told] == sorted(one.files for one in told)
    assert [one.bytes for one in told] == sorted(one.bytes for one in told)
    last = told[-1]
    assert (last.files, last.bytes, last.passages) == (last.total_files, last.total_bytes, 3) == (4, last.bytes, 3)
    project.ingest(on_progress=told.append)
    assert told[-1].files == 4


def test_a_file_counts_when_its_passages_are_in_the_index(project: Project) -> None:
    for number in range(3):
        project.write(f"note{number}.md", f"# Note {number}\n\nText {number}.\n")
    told: list[tuple[int, int]] = []
    project.ingest(on_progress=lambda now: told.append((now.files, project.store.totals()[0])))
    assert told[-1] == (3, 3)
    assert all(files <= kept for files, kept in told)


def test_a_file_broken_halfway_leaves_nothing_of_itself(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewheel.kernel.errors import SourceError

    monkeypatch.setattr("gatewheel.rag.ingest.BATCH_PASSAGES", 2)
    project.write("a.md", VALVE)
    project.write("notes.jsonl", "".join(f'{{"id": "n{n}", "text": "Note {n}."}}\n' for n in range(6)))
    read = CountingReader.read

    def breaking(self: CountingReader, path: Path, *, source: str) -> Iterable[Document | Refusal]:
        for at, document in enumerate(read(self, path, source=source)):
            if at == 4:
                raise SourceError("it ends in the middle", cure="fetch it again")
            yield document

    monkeypatch.setattr(CountingReader, "read", breaking)
    result = project.ingest()
    assert counts(result) == (1, 0, 0, 0)
    assert project.sources() == {"a.md"}
    assert [one.reason for one in result.skipped] == ["it ends in the middle; fetch it again"]
