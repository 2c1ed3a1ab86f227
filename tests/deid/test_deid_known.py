"""What the patient table knows is found in every usual spelling, and nothing else is."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from deid import lexicon
from deid.folding import fold
from deid.known import KnownPatients, known_patients, load_patient_table
from deid.known.names import Names, parse_name, people_of
from deid.known.table import KINDS, read_rows
from deid.spans import Span
from deid.words import Words, distance, unknown

ROWS = {
    "p1": [
        ("first_name", "Maria"), ("middle_name", "Elena"), ("last_name", "Gonzalez-Reyes"), ("birth_date", "1948-06-27"),
        ("relative_name", "Tomasz Gonzalez-Reyes"), ("clinician", "Okonkwo, Adaeze"), ("employer", "Three Pines Bakery, Inc."),
        ("facility", "St. Brigid Medical Center"), ("street", "4417 North Magnolia Street Apt 4B"), ("city", "New Bedford"),
        ("city", "Hialeah"), ("county", "Bristol"), ("zip", "02740-5037"), ("phone", "(508) 781-2522"), ("ssn", "265-26-9805"),
        ("mrn", "00482913"), ("email", "m.gonzalez48@example.org"), ("insurance_id", "1EG4-TE5-MK73"),
        ("account", "700959895"), ("plate", "7KLM 482"), ("vin", "1HGCM82633A004352"), ("device", "PMX-0044718-B"),
        ("username", "mgr1948"), ("url", "https://www.example.org/mgr-care"),
    ],
    "p2": [("first_name", "May"), ("last_name", "Pain"), ("mrn", "916-811-1038"), ("phone", "617-555-0182")],
    "p3": [("first_name", "Rose"), ("last_name", "Parkinson"), ("city", "Reading"), ("employer", "Target")],
    "p4": [("name", "O'Connell, Séamus Patrick"), ("ssn", "078051120"), ("relative_name", "Bo O'Connell")],
    "p5": [("first_name", "Robert"), ("last_name", "White"), ("facility", "Home Health Care")],
}  # fmt: skip


@pytest.fixture(scope="module")
def known() -> KnownPatients:
    return known_patients(ROWS)


def found(known: KnownPatients, patient: str | None, text: str) -> list[str]:
    text = fold(text)[0]
    return [text[s.start : s.end] for s in known.matcher(patient).find(text)]


def uncovered(spans: list[Span], text: str, value: str) -> str:
    """Letters and digits of a planted value that no span holds."""
    start = text.index(value)
    held = {i for s in spans for i in range(s.start, s.end)}
    return "".join(text[i] for i in range(start, start + len(value)) if text[i].isalnum() and i not in held)


# --- every spelling ------------------------------------------------------------------------------------------

SPELLINGS = {
    "name": (
        "Maria Gonzalez-Reyes", "GONZALEZ-REYES, MARIA", "Gonzalez-Reyes, Maria E.", "Maria E. Gonzalez-Reyes",
        "Maria Q. Gonzalez-Reyes", "maria gonzalez-reyes", "M. Gonzalez-Reyes", "M.E. Gonzalez-Reyes", "Gonzalez-Reyes, M.",
        "Maria G.", "María González-Reyes", "Gonzalez", "Reyes", "Gonzalez Reyes", "GonzalezReyes", "Gonzales-Reyes",
        "Gonzlaez", "Gonzalezz", "Maria Elena", "gonzalez", "GONZALEZ", "Mariah Gonzalez", "mgonzalez", "Elena",
    ),
    "relative": ("Tomasz", "Tomasz Gonzalez", "TOMASZ", "Thomasz Gonzalez-Reyes"),
    "clinician": ("Adaeze Okonkwo", "Okonkwo", "OKONKWO, ADAEZE", "Okonkwoo", "A. Okonkwo"),
    "street": (
        "4417 North Magnolia Street Apt 4B", "4417 N Magnolia St, Apartment 4B", "4417 N. Magnolia St.", "4417 Magnolia",
        "4417 magnolia street", "Magnolia Street", "4417 NORTH MAGNOLIA ST APT 4B", "apt 4b",
    ),
    "place": ("New Bedford", "NEW BEDFORD, MA", "Hialeah", "hialeah", "02740", "02740-5037", "Bristol County"),
    "work": ("Three Pines Bakery", "three pines bakery", "Three Pines Bakery Inc", "St. Brigid Medical Center", "ST BRIGID MEDICAL CENTER"),
    "birth": (
        "06/27/1948", "6/27/48", "6-27-1948", "06.27.48", "27/06/1948", "1948-06-27", "19480627", "06271948", "June 27, 1948",
        "Jun 27 1948", "27 June 1948", "27-Jun-1948", "27JUN1948", "27 Jun 48", "the 27th of June 1948", "June 27th, 1948",
        "June twenty-seventh, nineteen forty-eight", "June 27, nineteen forty eight", "06/1948", "June 1948", "Jun. 27, '48",
        "1948/06/27", "1948-06-27T00:00",
    ),
    "phone": (
        "(508) 781-2522", "508-781-2522", "508.781.2522", "5087812522", "1-508-781-2522", "+1 508 781 2522", "781-2522",
        "508 - 781 - 2522", "(508)7812522", "7812522",
    ),
    "ssn": ("265-26-9805", "265269805", "265 26 9805", "SSN265269805"),
    "mrn": ("00482913", "482913", "0482913", "MRN00482913", "004-829-13", "48-29-13", "#482913", "000482913"),
    "numbers": (
        "1EG4-TE5-MK73", "1EG4TE5MK73", "1eg4 te5 mk73", "700959895", "700-959-895", "7KLM 482", "7KLM482", "1HGCM82633A004352",
        "PMX-0044718-B", "PMX0044718B", "mgr1948", "m.gonzalez48@example.org", "M.Gonzalez48@Example.org",
        "m.gonzalez48 at example dot org", "m gonzalez48", "example.org/mgr-care",
    ),
}  # fmt: skip


@pytest.mark.parametrize("group", SPELLINGS)
@pytest.mark.parametrize(
    "frame", ["He was told that {} is it.", "{}", "Chart note\n{}\nSeen today.", "noted: {}; stable"]
)
def test_no_letter_of_a_known_value_is_left_in_any_spelling(known: KnownPatients, group: str, frame: str) -> None:
    matcher = known.matcher("p1")
    left = {}
    for spelling in SPELLINGS[group]:
        text, offsets = fold(frame.format(spelling))
        assert offsets is None
        value = fold(spelling)[0]
        if rest := uncovered(matcher.find(text), text, value).replace("T0000", ""):
            # A time behind a birth date is no identifier; so are the words between the parts of an address.
            left[spelling] = rest
    left = {k: v for k, v in left.items() if v not in ("MA", "00", "ofthe", "the", "MRN", "SSN", "T0000", "T00")}
    assert left == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Last four of SSN: 9805.", "9805"),
        ("SSN xxx-xx-9805", "9805"),
        ("phone ending in 2522", "2522"),
        ("DOB 6/27", "6/27"),
        ("Her birthday is June 27.", "June 27"),
        ("born 062748", "062748"),
        ("Pt M.G. was seen", "M.G."),
        ("Initials: MER", "MER"),
    ],
)
def test_what_needs_a_cue_is_found_with_it_only(known: KnownPatients, text: str, value: str) -> None:
    assert uncovered(known.matcher("p1").find(text), text, value) == ""
    assert found(known, "p1", f"Platelets were {value} today.") == []


def test_kind_and_person_are_told(known: KnownPatients) -> None:
    text = "Maria Gonzalez-Reyes, son Tomasz, Dr. Okonkwo, MRN 482913"
    spans = known.matcher("p1").find(text)
    assert [(text[s.start : s.end], s.identifier, s.score, s.recognizer, s.entity) for s in spans] == [
        ("Maria Gonzalez-Reyes", "NAME", 1.0, "known.name", "@patient"),
        ("Tomasz", "NAME", 1.0, "known.relative_name", "@relative:0"),
        ("Okonkwo", "CLINICIAN", 1.0, "known.clinician", "@clinician:0"),
        ("482913", "MRN", 1.0, "known.mrn", ""),
    ]


def test_possessive_and_title_stay_outside(known: KnownPatients) -> None:
    assert found(known, "p1", "Mrs. Gonzalez's wound") == ["Gonzalez"]
    assert found(known, "p4", "Séamus O'Connell's wound, Mr. OConnell, Mr. O’Connell") == [
        "Séamus O'Connell",
        "OConnell",
        "O'Connell",
    ]


# --- names that are words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patient", "text"),
    [
        ("p2", "Pain is 7/10. The pain may worsen. May repeat in May 2019, on May 3. CHEST PAIN. Chief complaint: Pain"),
        ("p2", "Chest Pain Protocol and Pain Clinic; may pain persist, call. MAY PAIN PERSIST, CALL."),
        ("p3", "His temperature rose. Parkinson's disease, parkinson disease. Wolff-Parkinson-White syndrome"),
        ("p3", "reading glasses; Reading is hard for her. target heart rate, Target INR 2-3"),
        ("p5", "home health care was set up; Rob. ROB. bill"),
        ("p5", "White blood cells 12. white count. WHITE BLOOD CELLS. White male. The White Blood Cell Count. DOB: unknown. The bill."),
        ("p1", "She walked three miles to the pines and a bakery on the street. 4417 cells. 27 June lemons. 1948 was long ago."),
        ("p1", "Na 138, K 4.2, WBC 265.26, HR 98, BP 120/80, plt 482,913, cost $700,959,895"),
    ],
)  # fmt: skip
def test_ordinary_words_and_numbers_are_left(known: KnownPatients, patient: str, text: str) -> None:
    assert found(known, patient, text) == []


@pytest.mark.parametrize(
    ("patient", "text", "wanted"),
    [
        ("p2", "Ms. Pain has no pain.", ["Pain"]),
        ("p2", "May Pain was seen in May.", ["May Pain"]),
        ("p2", "PAIN, MAY\nReason: pain", ["PAIN, MAY"]),
        ("p2", "Today May reports less pain", ["May"]),
        ("p3", "Rose denies chills; Rose was well.", ["Rose", "Rose"]),
        ("p3", "Ms. Parkinson has Parkinson's disease.", ["Parkinson"]),
        ("p3", "She lives in Reading and works at Target now.", ["Reading", "Target"]),
        ("p5", "Mr. White's white count; Bob White", ["White", "Bob White"]),
        ("p5", "her son Robert, Rob and Bobby", ["Robert", "Rob", "Bobby"]),
        ("p4", "her husband Bo called", ["Bo"]),
        ("p5", "Seen by Home Health Care.", ["Home Health Care"]),
    ],
)  # fmt: skip
def test_names_that_are_words_are_found_where_a_person_is_meant(
    known: KnownPatients, patient: str, text: str, wanted: list[str]
) -> None:
    assert found(known, patient, text) == wanted


@pytest.mark.parametrize(
    ("rows", "text", "wanted"),
    [
        ([("first_name", "Hale"), ("last_name", "Nurse")], "Hale Nurse came. Nurse Ratchet spoke to the Nurse. Mr. Nurse", ["Hale Nurse", "Nurse"]),
        ([("name", "Nurse Hale")], "the Nurse; Hale came", ["Hale"]),
        ([("first_name", "Fang"), ("last_name", "He")], "re fang he, fax 1. the dog's fang he saw", ["fang he"]),
        ([("first_name", "An"), ("last_name", "My")], "Ms. An was seen an hour ago; Mr. My, her. Back to An. In my view, An tolerated it.", ["An", "My", "An", "An"]),
    ],
)  # fmt: skip
def test_titles_and_little_words_that_are_surnames(rows: list[tuple[str, str]], text: str, wanted: list[str]) -> None:
    assert [text[s.start : s.end] for s in Names(people_of(rows)).find(Words(text))] == wanted


def _random_patients(count: int, seed: int) -> dict[str, list[tuple[str, str]]]:
    rng = random.Random(seed)
    names, weights = zip(*lexicon.surnames("us"), strict=True)
    given, given_weights = zip(*lexicon.given_names(None, "us"), strict=True)
    family = rng.choices(names, weights=weights, k=count * 3)
    first = rng.choices(given, weights=given_weights, k=count * 3)
    words = "Pain May Rose White Young Long Bone Hope Stone Little Day Gross Sharp Burns Ward Cross Foot Head Hand Will Joy".split()
    patients = {}
    for n in range(count):
        last = rng.choice(words) if n % 10 == 0 else family[n]
        patients[f"r{n:05}"] = [
            ("first_name", first[n]), ("last_name", last), ("relative_name", f"{first[n + count]} {last}"),
            ("clinician", f"{first[n + 2 * count]} {family[n + count]}"),
            ("birth_date", f"{rng.randrange(1925, 2016)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"),
            ("phone", f"{rng.randrange(200, 999)}{rng.randrange(200, 999)}{rng.randrange(10_000):04}"),
            ("ssn", f"{rng.randrange(100, 899):03}-{rng.randrange(10, 99):02}-{rng.randrange(1000, 9999):04}"),
            ("mrn", f"{rng.randrange(10**8):08}"), ("street", f"{rng.randrange(1, 9999)} {rng.choice(['Oak', 'Main', 'Park'])} Street"),
            ("zip", f"{rng.randrange(10_000, 99_999)}"),
        ]  # fmt: skip
    return patients


@pytest.mark.slow
def test_text_of_common_words_holds_nothing_for_2000_patients() -> None:
    rng = random.Random(3)
    index = [line.split("\t")[0] for line in lexicon._text("words").decode().splitlines() if not line.startswith("# ")]
    safe = [w for w in index if w.isalpha() and w.islower() and len(w) > 2 and lexicon.is_safe(w)]
    sentences = [" ".join(rng.sample(safe, 9)).capitalize() + "." for _ in range(120)]
    text = (
        " ".join(sentences) + " The white count rose to 12.4 and pain may be worse. Young man, long history, no burns."
    )
    known = known_patients(_random_patients(2000, 11))
    hits = {p: spans for p in known._ids if (spans := known.matcher(p).find(text))}
    assert hits == {}


def test_random_patients_are_found_as_they_are_usually_written() -> None:
    table = _random_patients(300, 5)
    known = known_patients(table)
    missed = []
    for patient, rows in table.items():
        first, last = rows[0][1], rows[1][1]
        matcher = known.matcher(patient)
        for form in (
            f"{first} {last}",
            f"{last.upper()}, {first.upper()}",
            f"{last}, {first} Q.",
            f"{first[0]}. {last}",
        ):
            text = f"Seen today: {form}, in good spirits."
            if uncovered(matcher.find(text), text, form):
                missed.append(form)
    # Left are names that are words of a note and stand in capitals without a sign, such as "WARD, JOY".
    assert len(missed) <= 4, missed


# --- everybody's numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["916-811-1038", "9168111038", "(617) 555-0182", "6175550182", "265-26-9805", "265269805", "m.gonzalez48@example.org",
     "1EG4-TE5-MK73", "1EG4TE5MK73", "1HGCM82633A004352", "PMX-0044718-B", "MRN916-811-1038"],
)  # fmt: skip
@pytest.mark.parametrize("patient", [None, "p3", "stranger"])
def test_numbers_of_others_are_found_in_any_note(known: KnownPatients, patient: str | None, text: str) -> None:
    note = f"Wrong chart: {text} was scanned."
    assert uncovered(known.matcher(patient).find(note), note, text.removeprefix("MRN")) == ""


def test_names_and_short_numbers_of_others_are_not(known: KnownPatients) -> None:
    assert found(known, "p3", "Maria Gonzalez-Reyes of Hialeah, 02740, 781-2522, 06/27/1948") == []


def test_a_number_that_chance_makes_needs_a_cue() -> None:
    rng = random.Random(1)
    known = known_patients({f"q{n}": [("mrn", f"{rng.randrange(100_000, 999_999)}")] for n in range(2000)})
    number = known.rows("q7")[0][1]
    assert found(known, "q8", f"Platelets {number} today.") == []
    assert found(known, "q8", f"Platelets today. MRN: {number}.") == [number]


@pytest.mark.parametrize("value", ["000-00-0000", "999999999", "1234567890", "0000000000", "5555555555"])
def test_numbers_that_stand_for_nothing_are_not_looked_for(value: str) -> None:
    known = known_patients({"a": [("phone", value), ("ssn", value), ("mrn", value)], "b": [("city", "Hialeah")]})
    for patient in ("a", "b"):
        assert [f for f in found(known, patient, f"It reads {value} here.") if sum(c.isdigit() for c in f) > 4] == []


@given(
    st.lists(
        st.sampled_from(
            [*"0123456789-./() ", "265", "26", "9805", "MRN", "508", "a@b.org", "Gonzalez", "é", "İ", "\n"]
        ),
        max_size=40,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_text_is_survived_and_spans_are_inside(known: KnownPatients, parts: list[str]) -> None:
    text = fold("".join(parts))[0]
    for patient in ("p1", None):
        for span in known.matcher(patient).find(text):
            assert 0 <= span.start < span.end <= len(text)
            assert span.identifier in KINDS.values()


def _calls(run: Callable[[], object]) -> int:
    """How many functions run calls, of Python and of C: a count of work that no other process disturbs."""
    count = 0

    def on(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(on)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "unit",
    ["Gonzalez ", "M. ", "maria ", "265-26-", "1 ", "June 27 ", "Magnolia ", "apt 4b ", "Gonzalex", "de la ", "508 781 ", "a@b.",
     "Maria M M M M M M ", "1948-", "00", "Gonz alez\n", "the patient was well and slept ", "Gonzalez-"],
)  # fmt: skip
def test_work_grows_in_proportion_to_the_text(known: KnownPatients, unit: str) -> None:
    matcher = known.matcher("p1")
    matcher.find(unit * 50)
    small = _calls(lambda: matcher.find(unit * 400))
    assert _calls(lambda: matcher.find(unit * 1600)) <= 4.5 * small + 500


def test_same_spans_at_every_call_and_order(known: KnownPatients) -> None:
    texts = [" ".join(SPELLINGS["name"]), "Ms. Pain, 617-555-0182", "Rose denies"]
    one = known.find_all(texts, ["p1", "p2", "p3"])
    again = known_patients(dict(reversed(ROWS.items()))).find_all(texts[::-1], ["p3", "p2", "p1"])[::-1]
    assert one == again


# --- the table -----------------------------------------------------------------------------------------------


def _rows(path: Path) -> set[tuple[str, str, str]]:
    return {r for r in read_rows(path).rows() if r[1] != "other_id"}


WIDE = 'Patient ID,First Name,LAST_NAME,DOB,Sex,phone_1,phone_2,Home Address\nA1,Ann,Doe,6/27/1948,F,508-781-2522,,"1 Oak St, Reno, NV 89501"\n'
EXPECTED = {
    ("A1", "first_name", "Ann"), ("A1", "last_name", "Doe"), ("A1", "birth_date", "1948-06-27"),
    ("A1", "phone", "508-781-2522"), ("A1", "address", "1 Oak St, Reno, NV 89501"),
}  # fmt: skip


def test_wide_csv_with_the_headers_of_a_hospital(tmp_path: Path) -> None:
    path = tmp_path / "patients.csv"
    path.write_text(WIDE)
    assert _rows(path) == EXPECTED
    assert found(load_patient_table(path), "A1", "1 Oak Street, Reno 89501") == ["1 Oak Street", "Reno", "89501"]


def test_long_layout_in_every_format(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "patient_id": ["A1"] * 3,
            "kind": ["given_name", "DOB", "tel"],
            "value": ["Ann; Anna", "19480627", "508-781-2522 | n/a"],
        }
    )
    wanted = {
        ("A1", "first_name", "Ann"),
        ("A1", "first_name", "Anna"),
        ("A1", "birth_date", "1948-06-27"),
        ("A1", "phone", "508-781-2522"),
    }
    for name, write in (
        ("t.csv", frame.write_csv),
        ("t.parquet", frame.write_parquet),
        ("t.jsonl", frame.write_ndjson),
    ):
        write(tmp_path / name)
        assert _rows(tmp_path / name) == wanted


def test_lists_and_pairs_in_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    row = {
        "patient_id": 7,
        "phone": ["508-781-2522", "617-555-0182"],
        "identifiers": [{"kind": "mrn", "value": "482913"}],
    }
    path.write_text(json.dumps(row) + "\n")
    assert _rows(path) == {("7", "phone", "508-781-2522"), ("7", "phone", "617-555-0182"), ("7", "mrn", "482913")}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "patient_id,shoe_size\n1,9\n", "columns that are not known"),
        ("t.csv", "patient_id,kind,value\n1,shoe_size,9\n", "kinds that are not known"),
        ("t.csv", "name,mrn\nAnn Doe,482913\n", "no column patient_id"),
        ("t.csv", "patient_id,first_name\n,Ann\n", "no patient_id"),
        ("t.csv", "patient_id,dob\n1,summer of 48\n", "dates of the patient table"),
        ("t.csv", "", "empty"),
        ("t.csv", "patient_id,sex\n1,F\n", "holds no values"),
        ("t.csv", b"patient_id,name\n1,Jos\xe9\n", "not be read|cannot be read"),
        ("t.csv", "patient_id,name\n1,Ann,x,y\n", "cannot be read"),
        ("t.jsonl", "{not json\n", "cannot be read"),
        ("t.parquet", "no parquet", "cannot be read"),
        ("t.csv.gz", b"\x1f\x8b broken", "cannot be read"),
        ("t.xlsx", "x", "not known by its name"),
        ("t.csv", "patient_id,kind,value\n1,,9\n", "without a kind"),
    ],
)  # fmt: skip
def test_bad_tables_are_refused_without_showing_values(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message) as error:
        read_rows(path)
    told = f"{error.value} {error.value.value} {error.value.cause} {error.value.next}"
    for value in ("Ann", "482913", "summer", "José"):
        assert value not in told


def test_a_table_without_header_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("A1,Ann,Doe,508-781-2522\nA2,Bob,Roe,617-555-0182\n")
    with pytest.raises(UserError) as error:
        read_rows(path)
    assert "Ann" not in f"{error.value} {error.value.cause}"


def test_missing_file() -> None:
    with pytest.raises(UserError, match="no such patient table"):
        load_patient_table(Path("/nowhere/patients.csv"))


@pytest.mark.parametrize("value", ["unknown", "N/A", "Retired", "none", "-", "Declined", "self employed"])
def test_what_stands_for_nothing_is_no_value(value: str) -> None:
    assert known_patients({"a": [("employer", value), ("city", "Reno")]}).rows("a") == [("city", "Reno")]


# --- parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "given_names", "family"),
    [
        ("Maria Gonzalez", ["maria"], ["gonzalez"]),
        ("Gonzalez, Maria E.", ["maria", "e"], ["gonzalez"]),
        ("Dr. Jan van der Berg, MD", ["jan"], ["van", "der", "berg"]),
        ("Ana María Peña-Ruiz Jr.", ["ana", "maria"], ["pena", "ruiz"]),
        ("Cher", [], ["cher"]),
    ],
)
def test_names_are_parted(value: str, given_names: list[str], family: list[str]) -> None:
    assert parse_name(value) == (given_names, family)


def test_distance_counts_a_swap_as_one() -> None:
    assert [
        distance(a, b, 2) for a, b in (("maria", "maira"), ("maria", "mara"), ("maria", "moria"), ("maria", "xxxxx"))
    ] == [1, 1, 1, 3]


def test_slips_are_no_words() -> None:
    assert not any(map(unknown, ("heart", "hearts", "metformin", "smith", "gonzalez", "walked")))
    assert unknown("gonzlaez")


def test_words_keep_offsets_of_letters_that_grow_in_lower_case() -> None:
    text = "İstanbul Nuñez's Ōe"
    words = Words(text)
    assert [text[a:b] for a, b in zip(words.starts, words.ends, strict=True)] == words.raw
    assert words.low[1:] == ["nunez", "oe"]
    assert text[words.starts[1] : words.end(1)] == "Nuñez"


@pytest.mark.parametrize(
    "text",
    ["ATIVAN JR., RICH", "ATIVAN JR.,RICH", "ATIVAN JR., Rich", "ativan jr., rich", "ATIVAN, RICH", "Rich Ativan, Jr."],
)
def test_a_suffix_between_family_and_given_name_of_ordinary_words(text: str) -> None:
    rich = known_patients({"p9": [("first_name", "Rich"), ("last_name", "Ativan")]})
    note = f"Patient: {text}  MRN: 64-32-11"
    note = note.lower() if text.islower() else note
    assert uncovered(rich.matcher("p9").find(note), note, text.rstrip(".").removesuffix(" Jr").rstrip(",")) == ""
