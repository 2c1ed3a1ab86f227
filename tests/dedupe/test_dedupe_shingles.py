"""Tokens and shingles, against a plain reading of their definition."""

import unicodedata

import numpy as np
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedupe import shingles

TEXTS = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.text(alphabet="aB9_[]] .é\u0301İẞΣ°’\u00a0", max_size=60),
        st.lists(st.sampled_from(["[NAME]", "[HEALTH_PLAN]", "[x", "]", "[", "a_b", "x", "[[A]", "[É]", "7 "])).map(
            "".join
        ),
    ),
    max_size=8,
)


def expected(text: str) -> list[str]:
    """What the pattern finds in the composed, lower-cased text."""
    composed = pl.Series([unicodedata.normalize("NFC", text)], dtype=pl.String)
    return composed.str.to_lowercase().str.extract_all(shingles.TOKEN).to_list()[0]


@settings(deadline=None)
@given(TEXTS)
@example([])
@example(["", "[" + "a" * 40 + "]", "a" * 40, "[" + "b" * 41 + "]", "b" * 41, "[" + "a" * 50])
@example(["a" * 8 + " " + "a" * 9 + " " + "a" * 64 + " " + "a" * 65 + " " + "a" * 64 + "b"])
def test_tokens_are_those_of_the_pattern(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    hashes, count = shingles.token_hashes(pl.Series(texts, dtype=pl.String))
    tokens = [token for text in texts for token in expected(text)]
    assert count.tolist() == [len(expected(text)) for text in texts]
    by_token = dict(zip(tokens, hashes.tolist(), strict=True))
    assert [by_token[token] for token in tokens] == hashes.tolist()
    assert len(set(by_token.values())) == len(by_token)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), max_size=9), max_size=6), st.integers(1, 6))
def test_shingles_are_the_windows_of_each_note_alone(notes: list[list[int]], width: int) -> None:
    tokens = np.array([token for note in notes for token in note], dtype=np.uint64)
    hashes, count = shingles.shingle_hashes(tokens, np.array([len(note) for note in notes], dtype=np.int64), width)
    windows = [
        tuple(note[i : i + width]) for note in notes if note for i in range(max(len(note) - width, 0) + 1)
    ]  # fmt: skip
    assert count.sum() == len(hashes) == len(windows)
    by_window = dict(zip(windows, hashes.tolist(), strict=True))
    assert [by_window[window] for window in windows] == hashes.tolist()
    values, sizes = shingles.sets(hashes, count)
    for found, note in zip(
        np.split(values, np.cumsum(sizes))[:-1], np.split(hashes, np.cumsum(count))[:-1], strict=True
    ):
        assert found.tolist() == sorted(set(note.tolist()))


def test_a_token_of_a_million_bytes_is_hashed_whole() -> None:
    long = "a" * 1_000_000
    hashes, count = shingles.token_hashes(pl.Series([long, long + "b", long]))
    assert count.tolist() == [1, 1, 1]
    assert hashes[0] == hashes[2] != hashes[1]
