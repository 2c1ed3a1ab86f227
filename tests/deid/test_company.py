"""What the identifiers found in a note say of the rest of it."""

import pytest

from deid import company
from deid.note import Note
from deid.recognizers import dates
from deid.spans import Span


def spans_of(text: str, *found: tuple[str, str]) -> list[Span]:
    return [Span(text.index(said), text.index(said) + len(said), identifier, 0.9, "test") for said, identifier in found]


def said(text: str, *found: tuple[str, str]) -> set[tuple[str, str]]:
    return {(text[s.start : s.end], s.identifier) for s in company.in_company(text, spans_of(text, *found))}


@pytest.mark.parametrize(
    ("text", "name", "initials"),
    [
        ("Georgia Lyle, MD, pediatrics (GL/ER)", "Georgia Lyle", "GL"),
        ("Scored by Quentin Abara 6/17 (QA).", "Quentin Abara", "QA"),
        ("Gonzalez, Maria L. seen.\nMLG 0815", "Gonzalez, Maria L", "MLG"),
        ("augustin ngoma rrt\nplan as above  an\n", "augustin ngoma", "an"),
        ("Dictated by Judith Osgood-Hale\n  joh/sb\n", "Judith Osgood-Hale", "joh/sb"),
    ],
)
def test_initials_that_sign_are_those_of_a_person_named_in_the_note(text: str, name: str, initials: str) -> None:
    assert (initials, "OTHER_ID") in said(text, (name, "NAME"))


@pytest.mark.parametrize("text", ["Peter Tran walked with (PT).", "Robert Nash, seen by RN.", "Mary Drake: MD 0900"])
def test_letters_of_a_role_stay_whoever_has_them_for_initials(text: str) -> None:
    name = " ".join(text.split()[:2]).strip(",:")
    assert said(text, (name, "NAME")) == set()


def test_initials_of_nobody_named_are_not_looked_for() -> None:
    assert said("Follow up (GL) 0815", ("Follow up", "DATE")) == set()


@pytest.mark.parametrize("user", ["glyle", "lyleg", "georgia.lyle", "georgia_lyle", "glyle2"])
def test_user_names_made_of_a_person_s_name_are_found(user: str) -> None:
    text = f"Georgia Lyle saw him.\nentered {user} today"
    assert (user, "USERNAME") in said(text, ("Georgia Lyle", "CLINICIAN"))


def dates_of(text: str) -> set[str]:
    return {text[s.start : s.end] for s in dates.find(Note(text))}


def test_more_than_its_whole_is_a_date_where_there_are_others() -> None:
    text = "Seen 10/29/2024, cycle 1 11/5, pain 4/5, strength 3/5, film 8/2 mg"
    assert dates_of(text) == {"10/29/2024", "11/5"}


def test_a_day_of_a_month_that_another_date_names_is_a_date() -> None:
    assert "10/30" in dates_of("Seen 10/29/2024, lactate 10/30 neg")
    assert "10/30" not in dates_of("Seen 3/29/2024, MoCA 10/30")


def test_without_any_date_a_fraction_stays_one() -> None:
    assert dates_of("cycle 1 11/5, Maria") == set()
