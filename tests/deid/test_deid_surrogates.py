"""Surrogates and shifted dates: form kept, original gone, the same for the same person, never a number that is real."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid import checksums
from deid.identifiers import IDENTIFIERS
from deid.policy import load_policy
from deid.shift import MONTHS, anchors, patient_days, shifted
from deid.spans import Span
from deid.surrogates import bare, surrogates

KEY = b"k" * 32
RULE = load_policy("expert_shifted_v1").shift
assert RULE is not None
ANCHOR = date(2019, 3, 14)


def note(marked: str) -> tuple[str, list[Span]]:
    """ "{NAME=NAME:1:Maria}" becomes a span over Maria with the entity NAME:1; "{CITY:Bly}" has none."""
    text, spans = "", []
    for m in re.finditer(r"\{([A-Z_]+)(?:=(\w+:\d+))?:([^}]*)\}|[^{]+", marked):
        piece = m[3] if m[1] else m[0]
        if m[1]:
            spans.append(Span(len(text), len(text) + len(piece), m[1], 0.9, "t", m[2] or ""))
        text += piece
    return text, spans


def made(*marked: str, patient: str = "p", key: bytes = KEY) -> list[list[str | None]]:
    return surrogates(patient, [note(m) for m in marked], key, IDENTIFIERS)


def one(identifier: str, text: str, key: bytes = KEY, patient: str = "p") -> str | None:
    return made(f"{{{identifier}:{text}}}", key=key, patient=patient)[0][0]


def all_of(marked: str) -> list[str]:
    values = made(marked)[0]
    assert all(values)
    return [str(v) for v in values]


# --- persons -------------------------------------------------------------------------------------------------


def test_one_person_has_one_name_in_every_form_and_note() -> None:
    first, second = made(
        "{NAME=NAME:1:Maria Gonzalez} {NAME=NAME:1:Gonzalez, M.} {NAME=NAME:1:GONZALEZ, MARIA} {NAME=NAME:1:maria}",
        "Ms. {NAME=NAME:1:Gonzalez} {NAME=NAME:1:Gonzales} {NAME=NAME:1:Maria's} {NAME=NAME:1:M.G.}",
    )
    full, comma, capitals, lower = map(str, first)
    given, surname = full.split()
    assert comma == f"{surname}, {given[0]}."
    assert capitals == f"{surname}, {given}".upper()
    assert lower == given.lower()
    assert second == [surname, surname, f"{given}'s", f"{given[0]}.{surname[0]}."]


def test_without_labels_the_same_word_is_the_same_surrogate() -> None:
    full, surname, given, initial = all_of("{NAME:Maria Gonzalez} {NAME:Gonzalez} {NAME:MARIA} {NAME:Gonzalez, M.}")
    assert full == f"{given.title()} {surname}"
    assert initial == f"{surname}, {given[0]}."


def test_order_of_the_notes_does_not_matter() -> None:
    a, b = "{NAME:Maria Gonzalez} {CLINICIAN:Grey}", "{NAME:Gonzalez} {NAME:Jose} {CLINICIAN:Meredith Grey}"
    assert made(a, b) == list(reversed(made(b, a)))


def test_a_title_in_the_text_decides_for_a_womans_or_a_mans_name() -> None:
    from deid import lexicon

    women = {name.lower() for name, _ in lexicon.given_names("f", "us")}
    for i in range(20):
        name = str(made("Ms. {NAME=NAME:1:Dana Kim}", patient=f"p{i}")[0][0])
        assert name.split()[0].lower() in women


@pytest.mark.parametrize(
    ("original", "shape"),
    [
        ("Maria Gonzalez", r"[A-Z][A-Za-z]+ [A-Z][A-Za-z]+"),
        ("GONZALEZ, M.", r"[A-Z]{2,}, [A-Z]\."),
        ("Gonzalez, Maria E.", r"[A-Z][A-Za-z]+, [A-Z][A-Za-z]+ [A-Z]\."),
        ("J. R. Smith", r"[A-Z]\. [A-Z]\. [A-Z][A-Za-z]+"),
        ("Garcia-Lopez", r"[A-Z][A-Za-z]+-[A-Z][A-Za-z]+"),
        ("maria de la cruz", r"[a-z]+( [a-z]+)+"),
        ("Jan van der Berg Jr.", r"[A-Z][A-Za-z]+ [A-Z][A-Za-z]+"),
        ("Anna and Bob Lowe", r"[A-Z][a-z]+ and [A-Z][A-Za-z]+ [A-Z][A-Za-z]+"),
        ("Mr. Lowe", r"Mr\. [A-Z][A-Za-z]+"),
        ("O'Connell's", r"[A-Z][A-Za-z]+'s"),
        ("李明", r"[A-Z][A-Za-z]+"),
        ("नरेंद्र मोदी", r"[A-Z][A-Za-z]+ [A-Z][A-Za-z]+"),
    ],
)
def test_the_form_of_a_name_stays(original: str, shape: str) -> None:
    assert re.fullmatch(shape, str(one("NAME", original)))


@given(st.integers(0, 10_000))
def test_a_name_of_the_patients_notes_is_never_drawn_for_that_patient(seed: int) -> None:
    # The most common surnames and given names, so that a draw would hit them often.
    own = "Smith Johnson Williams Brown Jones Davis Miller Wilson James John Robert Michael William Mary Linda".split()
    marked = " ".join(f"{{NAME=NAME:{i}:{name}}}" for i, name in enumerate(own))
    values = [str(v) for v in made(marked, patient=str(seed))[0]]
    assert not {v.lower() for v in values} & {name.lower() for name in own}
    assert len(set(values)) == len(values)


# --- places and numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identifier", "original", "shape"),
    [
        ("PHONE", "(202) 341-9987", r"\([2-9]9\d\) 555-01\d\d"),
        ("PHONE", "341-9987", r"555-01\d\d"),
        ("PHONE", "1-202-341-9987", r"1-[2-9]9\d-555-01\d\d"),
        ("PHONE", "202.341.9987 ext 41", r"[2-9]9\d\.555\.01\d\d ext \d\d"),
        ("PHONE", "+44 20 7946 0958", r"\+99 9\d \d{4} \d{4}"),
        ("PHONE", "x4412", r"x0\d{3}"),
        ("FAX", "2023419987", r"[2-9]9\d55501\d\d"),
        ("SSN", "123-45-6789", r"(000|666)-\d\d-\d{4}"),
        ("SSN", "xxx-xx-6789", r"xxx-xx-0000"),
        ("SSN", "6789", r"0000"),
        ("EMAIL", "m.gonzalez@mercy.org", r"[a-z]+\.[a-z]+\d{3}@example\.(com|org|net)"),
        ("URL", "https://www.mercy.org/x?id=4", r"https://www\.example\.(com|org|net)/[0-9a-f]{8}"),
        ("IP", "10.20.30.40", r"(192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}"),
        ("IP", "fe80::1ff:fe23:4567", r"2001:db8::[0-9a-f:]+"),
        ("IP", "00:1A:2B:3C:4D:5E", r"00:00:5E:00:53:[0-9A-F]{2}"),
        ("MRN", "MRN-0048291", r"MRN-\d{7}"),
        ("ACCOUNT", "S19-12345", r"[A-Z]\d\d-\d{5}"),
        ("UNIT", "Room 412B", r"Room \d{3}[A-Z]"),
        ("USERNAME", "jsmith12", r"[a-z]{6}\d\d"),
        ("STREET", "12 Elm St", r"\d{3} [A-Z][a-z]+ St"),
        ("STREET", "P.O. Box 77", r"PO Box \d{4}"),
        ("FACILITY", "Mercy General Hospital", r"[A-Z][a-z]+ General Hospital"),
        ("FACILITY", "MGH", r"[A-Z]{3}"),
        ("CITY", "SPRINGFIELD", r"[A-Z]+"),
        ("COUNTY", "Orleans Parish", r"[A-Z][a-z]+ Parish"),
    ],
)
def test_the_form_of_a_number_or_place_stays_and_it_is_nobodys(identifier: str, original: str, shape: str) -> None:
    for patient in "abcdefgh":
        value = str(one(identifier, original, patient=patient))
        assert re.fullmatch(shape, value), value
        assert value.casefold() != original.casefold()


@given(st.integers(0, 5_000))
def test_no_check_digit_fits(seed: int) -> None:
    patient = str(seed)
    assert not checksums.npi(str(one("LICENSE", "1234567893", patient=patient)))
    assert not checksums.dea(str(one("LICENSE", "AB1234563", patient=patient)))
    assert not checksums.vin(str(one("VEHICLE", "1HGCM82633A004352", patient=patient)))
    assert not checksums.luhn(re.sub(r"\D", "", str(one("ACCOUNT", "4111 1111 1111 1111", patient=patient))))
    assert not checksums.gtin14(str(one("DEVICE", "00889842139457", patient=patient)))


@given(st.sampled_from([i for i in IDENTIFIERS if i not in ("DATE", "AGE", "ZIP")]), st.text(min_size=1, max_size=24))
def test_a_surrogate_never_equals_what_it_stands_for(identifier: str, original: str) -> None:
    span = Span(0, len(original), identifier, 0.9, "t")
    value = surrogates("p", [(original, [span])], KEY, [identifier])[0][0]
    assert value is None or (bare(value) != bare(original) and value.casefold() != original.casefold())


@pytest.mark.parametrize(
    ("identifier", "original"), [("NAME", "Maria Gonzalez"), ("MRN", "0048291"), ("CITY", "Boston")]
)
def test_same_key_same_value_and_other_keys_patients_others(identifier: str, original: str) -> None:
    values = {one(identifier, original, key=bytes([k]) * 32, patient=p) for k in range(1, 5) for p in "abc"}
    assert len(values) > 9
    assert one(identifier, original) == one(identifier, original)


def test_running_words_and_placeholders_get_no_surrogate() -> None:
    assert one("OTHER_ID", "the mayor of this town") is None
    assert made("{NAME:[NAME]} {SSN:ends in 1234}") == [[None, None]]


# --- dates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("original", "value"),
    [
        ("2019-03-04", "2019-06-12"),
        ("2019-03-04T10:11:12Z", "2019-06-12T10:11:12Z"),
        ("20190304", "20190612"),
        ("03/04/2019", "06/12/2019"),
        ("3/4/2019", "6/12/2019"),
        ("3-4-19", "6-12-19"),
        ("14.3.2019", "22.6.2019"),
        ("3/14", "6/22"),
        ("3/14-16", "6/22-24"),
        ("3/30-4/2/2019", "7/8-7/11/2019"),
        ("9/20-24/2019", "12/29/2019-1/2/2020"),
        ("12/30/2019 - 1/2/2020", "4/8/2020 - 4/11/2020"),
        ("March 4, 2019", "June 12, 2019"),
        ("MARCH 4TH", "JUNE 12TH"),
        ("Mon, Mar. 4, 2019", "Wed, Jun. 12, 2019"),
        ("March 4-6, 2019", "June 12-14, 2019"),
        ("March 20-25, 2019", "June 28-July 3, 2019"),
        ("4th of March", "12th of June"),
        ("04-MAR-2019", "12-JUN-2019"),
        ("March the fourth, 2019", "June the twelfth, 2019"),
        ("the fourth of October nineteen ninety-eight", "the twelfth of January nineteen ninety-nine"),
        ("October 4, two thousand nineteen", "January 12, two thousand twenty"),
        ("March 2019", "June 2019"),
        ("Oct '19", "Jan '20"),
        ("10/2019", "01/2020"),
        ("March", "June"),
        ("Tuesday", "Thursday"),
        ("Tuesday the 5th", "Thursday the 13th"),
        ("the 4th", "the 12th"),
        ("Christmas 2018", "April 4, 2019"),
        ("Thanksgiving", "March 2"),
        ("winter of 2018", "spring of 2018"),
        ("３/４/２０１９", "6/12/2019"),
        ("March\u00a04,\n2019", "June 12, 2019"),
    ],
)
def test_a_date_moves_and_keeps_its_form(original: str, value: str) -> None:
    # "10/2019" has no leading zero to go by.
    assert shifted(original, 100, anchor=ANCHOR) in (value, value.replace("01/2020", "1/2020"))


@pytest.mark.parametrize(
    "original", ["13/45/19", "2/30/2019", "Easter", "the day", "", "  ", "0/0", "9999", "March 99", "3/4/2019x"]
)
def test_what_cannot_be_read_is_not_shown(original: str) -> None:
    assert shifted(original, 100, anchor=ANCHOR) is None


def test_day_first_where_a_hospital_writes_so() -> None:
    assert shifted("04/03/2019", 100, day_first=True) == "12/06/2019"


FORMS = (
    "{d:%Y-%m-%d}", "{d:%m/%d/%Y}", "{d.month}/{d.day}/{d.year}", "{d:%Y%m%d}", "{d:%B} {d.day}, {d.year}",
    "{d.day} {d:%b} {d.year}", "{d:%d-%b-%Y}", "{d:%a} {d:%b} {d.day}, {d.year}", "{d:%m%d%Y}", "{d.month}-{d.day}-{d.year}",
)  # fmt: skip


@given(
    st.dates(date(1900, 6, 1), date(2090, 1, 1)), st.integers(-900, 900), st.sampled_from(FORMS), st.dates(date(1990, 1, 1), date(2030, 1, 1))
)  # fmt: skip
def test_every_full_date_moves_by_exactly_its_days(day: date, days: int, form: str, anchor: date) -> None:
    def read(text: str) -> list[int]:
        return [int(n) for n in re.findall(r"\d+", text)]

    value = shifted(form.format(d=day), days, anchor=anchor)
    assert value is not None
    wanted = form.format(d=day + timedelta(days))
    assert read(value) == read(wanted)
    assert [w[:3] for w in re.findall("[A-Z][a-z]+", value)] == [w[:3] for w in re.findall("[A-Z][a-z]+", wanted)]


@given(st.text(max_size=30), st.integers(-400, 400))
def test_any_text_moves_or_is_refused(text: str, days: int) -> None:
    value = shifted(text, days, anchor=ANCHOR)
    assert value is None or isinstance(value, str)


@given(st.text(max_size=12))
def test_days_of_a_patient_are_in_the_rule_and_stay(patient: str) -> None:
    days = patient_days(KEY, patient, RULE)
    assert RULE.least <= abs(days) <= RULE.most
    assert days % 7
    assert days == patient_days(KEY, patient, RULE)


@given(st.dates(date(1950, 1, 1), date(2030, 1, 1)), st.sampled_from(RULE.days()))
def test_no_shift_of_the_rule_leaves_a_date_a_month_or_a_weekday_as_it_was(day: date, days: int) -> None:
    for form in ("{d.month}/{d.day}", "{d:%B} {d.day}", "{d:%B} {d.year}", "{d:%B}", "{d:%A}", "{d:%m/%d/%y}"):
        original = form.format(d=day)
        value = shifted(original, days, anchor=day)
        assert value is not None
        assert value != original


def test_every_shift_of_the_rule_changes_every_season_and_month() -> None:
    for days in RULE.days():
        for name in ("winter", "Spring", "SUMMER", "fall", *MONTHS):
            assert str(shifted(name, days)).lower() != name.lower()


def test_years_seasons_holidays_and_events_are_found_beside_the_dates() -> None:
    text = "CABG 1999, moved in the fall of 2012; since 2015, last winter, at christmas, after Hurricane Ada. Fall in 3/2019."
    spans = [Span(text.index("3/2019"), text.index("3/2019") + 6, "DATE", 0.9, "t")]
    found = anchors(text, spans)
    assert [text[s.start : s.end] for s in found] == [
        "1999", "fall of 2012", "2015", "winter", "christmas", "Hurricane Ada", "3/2019",
    ]  # fmt: skip


def test_numbers_that_only_look_like_years_are_left() -> None:
    text = "2000 mg of 1999 units, WBC 2010, given 2000 mL in 2000 mL bags; his last fall was 2 days ago; spring-loaded"
    assert anchors(text, []) == []


def test_what_is_longer_than_any_name_or_date_is_a_placeholder() -> None:
    assert one("NAME", "mr " * 5000) is None
    assert one("MRN", "8" * 5000) is None
    assert shifted("3/4/2019 and " * 1000, 100) is None
