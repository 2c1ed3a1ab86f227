"""Alternations gathered by their first letter match what they matched before."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid import note
from deid.recognizers import codes, names, places
from deid.recognizers.common import by_initial, one_of, opening

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


CASED = [names._CLINICIAN_TITLE, names._RELATIVE_ONE, names._RELATIVE_HEAD, names._OBJECT_OF]
NOT_CASED = [
    *LISTS[:-2],
    names._PERSON_HEADER,
    codes._PAYER,
    codes._SIGNED_WITH,
    places._UNIT,
    places._PLACE,
    places._BED,
]
FIRST = [re.sub(r"\W", "", word) for words in (*CASED, *NOT_CASED) for word in words.split("|")]
TEXTS = st.lists(st.one_of(PIECES, st.sampled_from(sorted({*FIRST, *WORDS}))), max_size=12).map(" ".join)


@given(TEXTS, st.sampled_from(["", "x", "_", "#", "9"]))
def test_one_of_them_is_found_where_a_look_behind_and_the_list_find_it(text: str, glue: str) -> None:
    text = text.replace(" ", glue or " ", 3)
    for words, cased in [*((words, True) for words in CASED), *((words, False) for words in NOT_CASED)]:
        flags = 0 if cased else re.IGNORECASE
        for behind in ("[A-Za-z]", r"\w"):
            if behind == r"\w" and "#" in words:
                plain = rf"(?<!\w)(?:{words})"
                found = one_of(words, not_after="[\\w]", cased=cased)
            else:
                plain = rf"(?<!{behind})(?:{words})"
                found = one_of(words, not_after=behind, cased=cased)
            theirs = [m.span() for m in re.finditer(plain, text, flags)]
            assert [m.span() for m in re.finditer(found, text, flags)] == theirs


@pytest.mark.parametrize("words", ["[ab]c", "a?b", "(b)", "", r"\d+"])
def test_of_a_list_of_no_certain_beginning_no_set_is_made(words: str) -> None:
    with pytest.raises(ValueError, match="does not begin with one certain character"):
        one_of(words)


@pytest.mark.parametrize(
    ("expression", "read"),
    [
        (r"a(?=b)", r"a(?:b)"),
        (r"a(?=b(?:c|[)])\))", r"a(?:b(?:c|[)])\))"),
        (r"a(?=b)c", r"a(?=b)c"),
        (r"a(?!b)", r"a(?!b)"),
        (r"(?=b)a\)", r"(?=b)a\)"),
        (r"(?:a(?=b))", r"(?:a(?=b))"),
        (r"a(?=b)(?!c)", r"a(?=b)(?!c)"),
    ],
)
def test_what_is_looked_ahead_for_at_the_end_is_read_in_the_pass(expression: str, read: str) -> None:
    assert note._expression(re.compile(expression)) == read


@given(st.text("aA-' 1", max_size=12))
def test_an_opening_matches_where_a_look_behind_would(text: str) -> None:
    plain = re.finditer(r"(?<![\w'])(?<!\w-)[A-Z]a", text)
    assert [m.span() for m in re.finditer(opening("[A-Z]", r"[\w']", r"\w-") + "a", text)] == [m.span() for m in plain]
