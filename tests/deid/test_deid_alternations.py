"""Alternations gathered by their first letter match what they matched before."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.recognizers import codes, names
from deid.recognizers.common import by_initial, opening

LISTS = [codes._MRN, codes._PLAN, codes._ACCOUNT, codes._LICENSE, codes._DEVICE, codes._OTHER, codes._IN_WORDS]
LISTS += [names._CLINICIAN_HEADER, names._PERSON_HEADER]
WORDS = sorted({word for words in LISTS for word in re.findall(r"[a-z]{2,}", words)})
PIECES = st.sampled_from([*WORDS, *"mMnN#:./ \n", " by", " no", " 12", "'s", "S/N"])


def spans(alternation: str, text: str) -> list[tuple[int, int]]:
    return [m.span() for m in re.finditer(rf"\b(?:{alternation})|#", text, re.IGNORECASE)]


@given(st.lists(st.tuples(PIECES, st.booleans()), max_size=12))
def test_gathered_alternations_match_the_same(pieces: list[tuple[str, bool]]) -> None:
    text = " ".join(piece.upper() if capitals else piece for piece, capitals in pieces)
    for words in LISTS:
        assert spans(by_initial(words), text) == spans(words, text)


@given(st.text("abxyz ", max_size=12))
def test_the_order_of_alternatives_is_kept(text: str) -> None:
    words = "(?:a|ab)?x|(?:(?:b|ba)y|a)z|ab|a(?:[|)]|\\)|b)"
    assert spans(by_initial(words), text) == spans(words, text)


@pytest.mark.parametrize("words", ["a|b?c", "[ab]c", "a|(b)", "a||b", r"\d+"])
def test_an_alternative_of_no_certain_beginning_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match="does not begin with one certain character"):
        by_initial(words)


@given(st.text("aA-' 1", max_size=12))
def test_an_opening_matches_where_a_look_behind_would(text: str) -> None:
    plain = re.finditer(r"(?<![\w'])(?<!\w-)[A-Z]a", text)
    assert [m.span() for m in re.finditer(opening("[A-Z]", r"[\w']", r"\w-") + "a", text)] == [m.span() for m in plain]
