"""The one pass over all patterns may only leave out a pattern that has no match."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deid.note
import deid.recognizers
from deid.detect import DetectParams, load_detector
from deid.folding import fold
from deid.note import _WATCHED, Note

GOLD = Path(__file__).parent / "gold"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "deid" / "clinical_dev.jsonl.gz"
assert deid.recognizers  # its import watches the patterns


def _silent_but_matching(text: str) -> list[str]:
    note = Note(fold(text)[0])
    return [p.pattern[:60] for p in _WATCHED if id(p) not in note.where and p.search(note.text)]


WORDS = st.sampled_from(
    [
        "Dr.", "Mrs.", "Núñez", "MRN", "#", "4471902", "3/14/2019", "14:05", "Zoë", "O'Connor", "ſmith", "DOB:", "90", "year-old", "K", "ı", "²", "½",
        "St. Mary's Hospital", "(617) 555-0182", "ext.", "x4412", "12 Elm St", "Boston, MA 02139", "N407GX", "tail", "Александр", "Ω", "🙂", "é", "\u0301",
        "jo@example.org", "10.0.0.1", "SSN", "xxx-xx-1234", "March", "4th", "of", "ninety", "Room", "12B", "/es/", "per", "RN", ",", ".", ":", "\n", "\t", "-", "ﬁ",
    ]
)  # fmt: skip


@given(st.lists(WORDS, max_size=30).map(" ".join) | st.text(max_size=200))
def test_no_pattern_that_matches_is_left_out(text: str) -> None:
    assert _silent_but_matching(text) == []


def test_no_pattern_that_matches_in_the_gold_is_left_out() -> None:
    for path in GOLD.glob("*_notes.txt"):
        for part in path.read_text(encoding="utf-8").split("=====")[:40]:
            assert not _silent_but_matching(part), path.name


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data/deid")
def test_no_pattern_that_matches_in_public_notes_is_left_out() -> None:
    with gzip.open(SHARED) as lines:
        for line in list(lines)[:150]:
            assert not _silent_but_matching(json.loads(line)["text"])


def test_spans_are_the_same_without_hyperscan(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = load_detector(DetectParams(ner="none"))
    texts = (GOLD / "held15_notes.txt").read_text(encoding="utf-8").split("=====")[:10]
    with_pass = detector.detect(texts)
    monkeypatch.setattr(deid.note, "_HAVE_HYPERSCAN", False)
    monkeypatch.setattr(deid.note, "_scanner", None)
    assert detector.detect(texts) == with_pass


def test_a_database_that_cannot_be_read_is_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hyperscan")
    import hyperscan

    monkeypatch.setenv("CLINICORPUS_CACHE", str(tmp_path / "clinicorpus"))
    patterns = _WATCHED[:3]
    deid.note._load(patterns, hyperscan)
    (stored,) = (tmp_path / "clinicorpus").iterdir()
    whole = stored.read_bytes()
    stored.write_bytes(b"broken")
    deid.note._load(patterns, hyperscan)
    assert stored.read_bytes() == whole


@given(st.lists(WORDS, min_size=1, max_size=60).map(" ".join), st.integers(16, 64))
def test_windows_find_what_one_pass_over_the_whole_note_finds(text: str, window: int) -> None:
    detector = load_detector(DetectParams(ner="none"))
    whole = detector.detect([text])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deid.note, "WINDOW", window)
        assert detector.detect([text]) == whole


def test_a_note_of_many_windows_is_read_as_one() -> None:
    notes = (GOLD / "held21_notes.txt").read_text(encoding="utf-8").split("=====")
    text = "\n".join(notes)
    detector = load_detector(DetectParams(ner="none"))
    in_windows = detector.detect([text])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deid.note, "WINDOW", len(text))
        assert detector.detect([text]) == in_windows
