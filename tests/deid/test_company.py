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
        ("Scored by Georgia Lyle. To GL for interpretation.", "Georgia Lyle", "GL"),
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


@pytest.mark.parametrize(
    ("text", "name", "age"),
    [
        ("BIRGIT IS 98, DNR, POLST ON CHART", "BIRGIT", "98"),
        ("Colace-Brandt, Ute 90, docusate stopped", "Colace-Brandt, Ute", "90"),
        ("pt olga w-k 92 pps 20%", "olga w-k", "92"),
        ("Gladys Tubbs (101) fell again.", "Gladys Tubbs", "101"),
    ],
)
def test_a_number_over_89_behind_a_name_is_an_age(text: str, name: str, age: str) -> None:
    assert said(text, (name, "NAME")) == {(age, "AGE")}


@pytest.mark.parametrize(
    "rest", [" 98% on RA", " 98.6 oral", " 92/40", ": HR 104", ", 97 kg", " 95 on room air", " 89, home", " 1020 hr"]
)
def test_a_measurement_behind_a_name_is_no_age(rest: str) -> None:
    assert said(f"Gladys Tubbs{rest}", ("Gladys Tubbs", "NAME")) == set()


def test_an_age_is_looked_for_behind_the_patient_and_not_behind_staff() -> None:
    assert said("Gladys Tubbs 93 home", ("Gladys Tubbs", "CLINICIAN")) == set()


@pytest.mark.parametrize(
    ("text", "name", "room"),
    [
        ("empty\n6112  Castellanos 67F hip", "Castellanos", "6112"),
        ('7115 "Bunny" Ferraiolo', "Bunny", "7115"),
        ("415A Mrs. Romberg -- gait", "Romberg", "415A"),
        ("7-22B Pale. Looks pale", "Pale", "7-22B"),
        ("which Haddad is in T2, the tall one", "Haddad", "T2"),
        ("Okonkwo in 6101 wants tea", "Okonkwo", "6101"),
    ],
)
def test_a_room_beside_a_name_points_to_a_person(text: str, name: str, room: str) -> None:
    assert (room, "UNIT") in said(text, (name, "NAME"))


@pytest.mark.parametrize(
    "text", ["0615 Castellanos voided", "Castellanos in 2019 fell", "Castellanos in 12.5 mg", "2021 Castellanos"]
)
def test_hours_years_and_doses_beside_a_name_are_no_rooms(text: str) -> None:
    assert said(text, ("Castellanos", "NAME")) == set()
