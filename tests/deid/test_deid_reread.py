"""Words by which the notes call somebody, read once more by what stands around them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.detect import Detector, DetectParams, load_detector
from deid.evidence import Entity
from deid.linking import link
from deid.reread import could_mean_somebody, mean_somebody, short_forms
from deid.spans import Span
from deid.words import Words


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector()


@pytest.mark.parametrize(
    ("word", "text", "worth"),
    [
        ("grace", "grace weekly for weights", True),
        ("walker", "WALKER USED A ROLLATOR", True),
        ("too", "too nights, Hector mornings", True),
        ("may", "May was with her", True),
        ("may", "she may come", False),
        ("will", "Ms. Frost will come", False),
        ("pastor", "pastor Koval came", False),
        ("son", "his son came", False),
        ("graves", "Graves disease", False),
        ("foley", "Foley catheter", False),
        ("k", "k 4.2", False),
        ("xxxx", "XXXX stable", False),
    ],
)
def test_words_that_are_never_a_name_are_not_read_again(word: str, text: str, worth: bool) -> None:
    words = Words(text)
    assert could_mean_somebody(words, words.low.index(word), called=True) is worth


@pytest.mark.parametrize(
    ("text", "worth"),
    [("Then Yaz called.", True), ("a note: yaz called", True), ("She was told that yaz is a drug, by Dr. Lee.", False)],
)
def test_a_short_form_has_a_capital_where_the_text_has_any(text: str, worth: bool) -> None:
    words = Words(text)
    assert could_mean_somebody(words, words.low.index("yaz"), called=False) is worth


def test_names_are_shortened_from_three_letters_on_but_to_no_part_of_the_body() -> None:
    assert short_forms({"yazmin": "NAME"}) == {"yaz": "NAME", "yazm": "NAME"}
    assert set(short_forms({"chester": "NAME"})) == {"che", "ches"}
    assert short_forms({"lee": "NAME", "o'neil": "NAME"}) == {}


@given(st.text(max_size=200), st.sampled_from(["grace", "Grace", "GRACE"]), st.text(max_size=200))
def test_the_stranger_stands_where_the_word_stood_in_its_case(before: str, word: str, after: str) -> None:
    words = Words(f"{before} {word} {after}")
    i = words.raw.index(word)
    seen: list[str] = []

    def read(texts: Sequence[str]) -> list[list[Entity]]:
        seen.extend(texts)
        at = texts[0].lower().index("tarvonik")
        return [[Entity("NAME", at, at + 8, 0.9, 0.9)]]

    assert mean_somebody(read, [(words, i, i)]) == [True]
    stranger = seen[0][seen[0].lower().index("tarvonik") :][:8]
    assert (stranger.islower(), stranger.isupper()) == (word.islower(), word.isupper())
    assert seen[0].replace(stranger, word) in words.text


@pytest.mark.parametrize(
    ("label", "probability", "meant"), [("NAME", 0.9, True), ("NAME", 0.1, False), ("CITY", 0.9, False)]
)
def test_only_a_person_counts(label: str, probability: float, meant: bool) -> None:
    words = Words("gave it to Grace today")
    entity = Entity(label, 11, 19, probability, probability)
    assert mean_somebody(lambda texts: [[entity]], [(words, 3, 3)]) == [meant]


def test_what_the_context_says_is_linked_and_only_of_words_that_call_somebody() -> None:
    texts = ["Our patient, Grace, came.", "pray weekly; grace weekly; joy weekly"]
    spans = [[Span(13, 18, "NAME", 0.7, "test")], []]

    def read(texts: Sequence[str]) -> list[list[Entity]]:
        return [[Entity("NAME", 0, len(text), 0.9, 0.9)] for text in texts]

    assert link(texts, spans, ["p", "p"])[1] == []
    found = link(texts, spans, ["p", "p"], read)[1]
    assert [(texts[1][s.start : s.end], s.recognizer, s.entity) for s in found] == [
        ("grace", "linking.context", "NAME:1")
    ]
    assert link(texts, spans, ["p", "q"], read)[1] == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("guilty, and SL feels she owes her", ["SL"]),
        ("red shirt is a vet too", ["red shirt"]),
        ("a RED SHIRT", ["RED SHIRT"]),
        ("the red", ["red"]),  # the text ends within the phrase
        ("sl 1 tab", []),
        ("NOTHING BY MOUTH, ST AND SL TODAY", []),
        ("seen by ST and XY", []),  # what staff are called, and nobody's initials
    ],
)
def test_initials_and_names_of_two_words_are_read_once_more(text: str, wanted: list[str]) -> None:
    texts = ["Vernal Red Shirt and Sunita Lal, Sam Tran", text]
    spans = [
        [Span(7, 16, "NAME", 0.7, "test"), Span(21, 31, "NAME", 0.7, "test"), Span(33, 41, "NAME", 0.7, "test")],
        [],
    ]

    def read(texts: Sequence[str]) -> list[list[Entity]]:
        return [[Entity("NAME", 0, len(text), 0.9, 0.9)] for text in texts]

    assert [text[s.start : s.end] for s in link(texts, spans, ["p", "p"], read)[1]] == wanted
    assert link(texts, spans, ["p", "p"], lambda texts: [[] for _ in texts])[1] == []


CHART = [
    "Patient: Grace Walker   72 F\nDaughter Joy Walker, son Than Walker.",
    "ms walker seen w/ joy. the parents will bring grace weekly for weights. she uses a walker at home, walker with seat.",
    "Walked 40 feet with a walker. Grace asked can Than give the noon pill. He ate more than half.",
    "6MWD 262 M. WALKER USED A ROLLATOR, GIVEN TO THAN. NO WALKER AT HOME.",
]


def test_a_chart_of_people_called_like_things(detector: Detector) -> None:
    said = [
        [text[s.start : s.end] for s in found if s.identifier in ("NAME", "CLINICIAN")]
        for text, found in zip(CHART, detector.detect(CHART, patients=["p"] * 4), strict=True)
    ]
    assert "grace" in said[1]
    assert said[1].count("walker") == 1  # Ms. Walker, not what she walks with
    assert said[2:] == [["Grace", "Than"], ["WALKER", "THAN"]]


def test_a_short_form_of_a_patient_s_name_is_found_where_it_is_a_drug_too(detector: Detector) -> None:
    texts = ["Patient: Yazmin Cantu   16 F", "No driving. Yaz has signed it. A friend takes Yaz 3 mg daily."]
    found = detector.detect(texts, patients=["p", "p"])[1]
    assert [s.start for s in found if s.identifier == "NAME"] == [12]


def test_the_patterns_alone_read_nothing_again() -> None:
    detector = load_detector(DetectParams(ner="none"))
    assert not any(s.recognizer == "linking.context" for row in detector.detect(CHART, patients=["p"] * 4) for s in row)
