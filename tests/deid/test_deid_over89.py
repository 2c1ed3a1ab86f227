"""Ages over 89 that only several notes, or a year, tell."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.over89 import implied_over_89
from deid.spans import Span


def told(*notes: tuple[str, int | None], births: dict[str, int] | None = None) -> list[list[str]]:
    texts = [text for text, _ in notes]
    found = implied_over_89(texts, [year for _, year in notes], ["p"] * len(notes), births)
    return [list(dict.fromkeys(t[s.start : s.end] for s in spans)) for t, spans in zip(texts, found, strict=True)]


LATER = ("Seen in clinic.", 2021)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("An 87-year-old woman", "87"),
        ("87 y/o with pain", "87"),
        ("87yo M", "87"),
        ("87F with chest pain", "87"),
        ("The patient is an 87 year-old gentleman", "87"),
        ("eighty-seven-year-old man", "eighty-seven"),
        ("EIGHTY SEVEN YEAR OLD MAN", "EIGHTY SEVEN"),
        ("Age: 86 Sex: F", "86"),
        ("aged 88", "88"),
        ("She turned 85 last week.", "85"),
        ("She is 86.", "86"),
        ("Mother is 85 and well.", "85"),
        ("Mother alive at 86", "86"),
        ("a woman in her late 80s", "80s"),
        ("An octogenarian with falls" , ""),
        ("CABG at age 75 in 1999", "75"),
        ("In 2001, at age 78, he fell", "78"),
        ("DOB: 3/4/1929", "3/4/1929"),
        ("DOB 03/04/29", "03/04/29"),
        ("born March 4, 1929 in Ohio", "March 4, 1929"),
        ("born in 1930", "1930"),
        ("Graduated from high school in 1945.", "1945"),
        ("Nursing school, class of 1950", "1950"),
        ("married in 1946", "1946"),
        ("WWII veteran", "WWII"),
        ("He served in the Navy in World War II.", "World War II"),
        ("appendectomy in 1929", "1929"),
        ("seen on Fri Feb 11, 1921", "Fri Feb 11, 1921"),
        ("８７ y/o", "８７"),
    ],
)  # fmt: skip
def test_an_age_over_89_in_a_later_note_is_found_in_the_earlier_one(text: str, value: str) -> None:
    assert told((text, 2016), LATER)[0] == ([value] if value else [])


@pytest.mark.parametrize(
    "text",
    [
        "BP 87/50, HR 88, sats 89%, glucose 187",
        "Lasix 85 mg, insulin 87 units, weight 86 kg",
        "screening is stopped over age 85; for adults aged 85 and older",
        "until age 87 and from the age of 86",
        "risk score for ages 75-89",
        "He is 86 kg. Pulse is 87 bpm. Temp was 89.5. PSA is 88.2",
        "father died at 86, MI at age 87",
        "room 87, unit 88F: temp 88F",
        "Platelets 87, age 14, 87 days old, age 87 days, 88 weeks",
        "87 pack-years, 88-year history of smoking",
        "married in 1980, graduated in 1990, DOB 3/4/1950",
        "1900 mL in, since 1800 hours, dose 1929 mg",
        "an 84-year-old",
        "eighty-seven percent",
    ],
)
def test_what_is_no_age_or_young_enough_is_left(text: str) -> None:
    assert told((text, 2016), LATER)[0] == []


def test_89_with_one_note_only_stays_and_90_never() -> None:
    assert told(("89-year-old man", 2020)) == [[]]
    assert told(("89-year-old man", 2020), ("89-year-old man", 2020)) == [[], []]
    assert told(("89-year-old man", 2020), ("seen", 2021)) == [["89"], []]
    assert told(("90-year-old man", 2020)) == [["90"]]


def test_of_a_note_without_its_year_only_an_age_of_90_counts() -> None:
    assert told(("an 89-year-old and a 93-year-old", None), ("seen", 2021))[0] == ["93"]


def test_a_year_tells_the_age_of_a_patient_over_89_even_if_no_note_has_a_year() -> None:
    assert told(("93 y/o, class of 1945", None), ("born in 1928", None)) == [["93", "1945"], ["1928"]]
    assert told(("63 y/o, class of 1945", None)) == [[]]


def test_another_patients_notes_do_not_count() -> None:
    texts = ["87-year-old", "seen", "87-year-old"]
    found = implied_over_89(texts, [2016, 2021, 2016], ["p", "q", None])
    assert found == [[], [], []]


def test_a_known_birth_year_settles_the_year_that_a_birthday_makes() -> None:
    text = ("83-year-old", 2014)
    assert told(text, ("", 2020))[0] == []
    assert told(text, ("", 2020), births={"p": 1930})[0] == ["83"]
    assert told(text, ("", 2020), births={"p": 1940})[0] == []


def test_the_span_of_a_year_covers_its_day_too() -> None:
    text = "DOB: Fri Feb 11, 1921"
    spans = implied_over_89([text], [2020], ["p"])[0]
    assert all(text[s.start : s.end] == "Fri Feb 11, 1921" for s in spans)
    assert {s.identifier for s in spans} == {"DATE"}


@given(st.integers(60, 89), st.integers(1995, 2024), st.integers(0, 25))
def test_every_combination_of_age_and_years_counts_as_arithmetic_says(age: int, year: int, later: int) -> None:
    found = told((f"{age} y/o woman", year), ("seen", year + later))[0]
    assert found == ([str(age)] if age + later >= 90 else [])


@given(st.lists(st.text(max_size=40), max_size=4), st.data())
def test_any_text_goes_through(texts: list[str], data: st.DataObject) -> None:
    years = data.draw(st.lists(st.none() | st.integers(1990, 2030), min_size=len(texts), max_size=len(texts)))
    found = implied_over_89(texts, years, ["p"] * len(texts))
    for text, spans in zip(texts, found, strict=True):
        assert spans == sorted(spans)
        assert all(isinstance(s, Span) and 0 <= s.start < s.end <= len(text) for s in spans)


def test_a_long_note_takes_no_quadratic_time() -> None:
    part = "an 87-year-old, BP 120/80, married since 1948, aged 85 in 2001, 1 2 3 graduated " * 200
    spent = []
    for text in (part, part * 8):
        start = time.process_time()
        implied_over_89([text, ""], [2016, 2021], ["p", "p"])
        spent.append(time.process_time() - start)
    assert spent[1] < 30 * spent[0] + 0.2


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        implied_over_89(["a"], [], ["p"])
