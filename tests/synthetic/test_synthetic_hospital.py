"""The synthetic hospital keeps its promises: the same bytes from a seed, and gold that is true and complete."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl
import pytest

import synthetic
from clinicorpus_errors import UserError
from synthetic import people
from synthetic.tables import load

ROOT = Path(__file__).parents[2]
PATIENTS = 120  # holds a mother (33) and her newborn (34)
FILES = ("notes", "patients", "gold_spans", "gold_copies", "gold_junk")
IDENTIFIERS = {
    "NAME", "CLINICIAN", "EMPLOYER", "FACILITY", "STREET", "CITY", "COUNTY", "ZIP", "UNIT", "DATE", "AGE", "PHONE", "FAX",
    "EMAIL", "SSN", "MRN", "HEALTH_PLAN", "ACCOUNT", "LICENSE", "VEHICLE", "DEVICE", "URL", "IP", "BIOMETRIC", "USERNAME",
    "OTHER_ID",
}  # fmt: skip


class Built:
    """One built hospital, with its gold by note."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in FILES}
        self.notes = {row["note_id"]: row for row in self.tables["notes"].iter_rows(named=True)}
        self.gold: dict[str, list[dict[str, object]]] = defaultdict(list)
        for row in self.tables["gold_spans"].iter_rows(named=True):
            self.gold[row["note_id"]].append(row)

    def values(self, identifier: str) -> list[str]:
        rows = self.tables["gold_spans"].filter(pl.col("identifier") == identifier).iter_rows(named=True)
        return [self.notes[row["note_id"]]["text"][row["start"] : row["end"]] for row in rows]

    def without_gold(self, note_id: str) -> str:
        """The note with a space for every character of a planted identifier."""
        chars = list(self.notes[note_id]["text"])
        for span in self.gold[note_id]:
            for at in range(span["start"], span["end"]):  # type: ignore[call-overload]
                chars[at] = "\x00"
        return "".join(chars)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("hospital")
    synthetic.build(folder, seed=11, patients=PATIENTS)
    return Built(folder)


def _digests(folder: Path) -> list[str]:
    return [hashlib.sha256((folder / f"{name}.parquet").read_bytes()).hexdigest() for name in FILES]


def test_another_process_with_another_hash_seed_and_locale_writes_the_same_bytes(tmp_path: Path) -> None:
    synthetic.build(tmp_path / "here", seed=3, patients=6)
    code = "import sys, pathlib, synthetic; synthetic.build(pathlib.Path(sys.argv[1]), seed=3, patients=6)"
    for hash_seed in ("1", "77"):
        env = os.environ | {"PYTHONHASHSEED": hash_seed, "LC_ALL": "C", "TZ": "Asia/Tokyo", "POLARS_MAX_THREADS": "1"}
        there = tmp_path / hash_seed
        subprocess.run([sys.executable, "-c", code, str(there)], check=True, cwd=ROOT, env=env)
        assert _digests(there) == _digests(tmp_path / "here")


def test_another_seed_is_another_hospital(tmp_path: Path, built: Built) -> None:
    synthetic.build(tmp_path, seed=12, patients=3)
    other = pl.read_parquet(tmp_path / "notes.parquet")["text"].to_list()
    assert not set(filter(str.strip, other)) & set(built.tables["notes"]["text"].to_list())


def test_a_patient_does_not_depend_on_how_many_there_are(tmp_path: Path, built: Built) -> None:
    synthetic.build(tmp_path, seed=11, patients=35)
    few = Built(tmp_path)
    for name in FILES:
        rows = few.tables[name]
        assert built.tables[name].head(rows.height).equals(rows), name


def test_note_ids_are_unique_and_every_patient_has_notes(built: Built) -> None:
    notes = built.tables["notes"]
    assert notes["note_id"].n_unique() == notes.height
    assert notes["patient_id"].n_unique() == PATIENTS == built.tables["patients"].height
    assert 10 <= notes.height / PATIENTS <= 15
    assert 900 < notes["text"].str.len_chars().mean() < 1500  # type: ignore[operator]


def test_note_table_has_the_agreed_columns_and_values(built: Built) -> None:
    notes = built.tables["notes"]
    assert set(notes.columns) == {
        "note_id", "patient_id", "encounter_id", "note_type", "charted_at", "signed_at", "status", "amends", "author_role",
        "service", "site", "text", "source",
    }  # fmt: skip
    assert set(notes.dtypes) == {pl.Utf8}
    assert set(notes["status"].unique()) <= {"preliminary", "final", "amended"}
    charted = notes["charted_at"].str.to_datetime()
    assert charted.dt.year().is_between(2012, 2024).all()
    signed = notes["signed_at"].str.to_datetime()
    assert (signed >= charted).drop_nulls().all()


def test_at_least_ten_note_types_occur(built: Built) -> None:
    assert built.tables["notes"]["note_type"].n_unique() >= 13


def test_gold_spans_are_inside_the_note_ordered_and_trimmed(built: Built) -> None:
    for note_id, spans in built.gold.items():
        text, last = built.notes[note_id]["text"], 0
        for span in spans:
            start, end = span["start"], span["end"]
            assert last <= start < end <= len(text)  # type: ignore[operator]
            value = text[start:end]  # type: ignore[misc]
            assert value == value.strip()
            assert not re.match(r"(?i)(mr|mrs|ms|dr)\.? ", value)
            last = end


def test_every_identifier_of_the_closed_list_occurs_and_no_other(built: Built) -> None:
    counts = Counter(built.tables["gold_spans"]["identifier"].to_list())
    assert set(counts) == IDENTIFIERS
    assert min(counts.values()) >= 10


def test_persons_carry_an_entity(built: Built) -> None:
    persons = built.tables["gold_spans"].filter(pl.col("identifier").is_in(["NAME", "CLINICIAN"]))
    assert persons["entity_id"].null_count() == 0
    assert persons["entity_id"].str.contains(r"^(P\d{6}(-R\d+)?|C\d{3})$").all()
    by_entity = Counter(persons["entity_id"].to_list())
    assert sum(count > 1 for count in by_entity.values()) > PATIENTS


def test_ages_over_89_occur_in_digits_and_words_and_younger_ones_are_no_gold(built: Built) -> None:
    ages = built.values("AGE")
    digits = [int(age) for age in ages if age.isdigit()]
    assert digits
    assert min(digits) >= 90
    assert any(age.lower().startswith(("ninety", "one hundred")) for age in ages)
    assert len(digits) < len(ages)


def test_some_patients_pass_89_while_in_care(built: Built) -> None:
    spans = built.tables["gold_spans"]
    old = set(
        spans.filter(pl.col("entity_id").str.ends_with("-age") & ~pl.col("entity_id").str.contains("kin"))["entity_id"]
    )
    first = (
        built.tables["notes"]
        .group_by("patient_id")
        .agg(pl.col("charted_at").min(), pl.col("charted_at").max().alias("last"))
    )
    births = built.tables["patients"].select("patient_id", "birth_date")
    joined = first.join(births, on="patient_id").with_columns(
        (
            (pl.col(name).str.slice(0, 10).str.to_date() - pl.col("birth_date").str.to_date()).dt.total_days() / 365.25
        ).alias(name)
        for name in ("charted_at", "last")
    )
    passing = joined.filter((pl.col("charted_at") < 90) & (pl.col("last") >= 90))["patient_id"].to_list()
    assert passing
    assert any(f"{patient}-age" in old for patient in passing)


@pytest.mark.parametrize("kind", ["mrn", "ssn", "phone", "email"])
def test_numbers_of_any_patient_never_stand_outside_gold(built: Built, kind: str) -> None:
    values = [
        one["value"] for row in built.tables["patients"]["identifiers"].to_list() for one in row if one["kind"] == kind
    ]
    assert len(values) >= PATIENTS
    rest = "\n".join(built.without_gold(note_id) for note_id in built.notes).lower()
    digits = re.sub(r"[\s().+/-]", "", rest)
    for value in values:
        assert value.lower() not in rest
        if kind in ("ssn", "phone"):
            assert re.sub(r"\D", "", value) not in digits


def test_family_names_never_stand_outside_gold_unless_they_are_words(built: Built) -> None:
    vocabulary = {
        word.lower()
        for table in ("problems", "phrases")
        for record in load(table).values()
        for lines in record.values()
        for line in lines
        for word in re.findall(r"[^\W\d_]+", line)
    }
    # Headings and glue of the note layouts are words, too.
    vocabulary |= set("dated history physical long young head good day best hand small early".split())
    families = dict(built.tables["patients"].select("patient_id", "family_name").iter_rows())
    checked = 0
    for note_id, note in built.notes.items():
        family = families[note["patient_id"]].lower()
        if family in vocabulary:
            continue
        checked += 1
        assert not re.search(rf"(?<!\w){re.escape(family)}(?!\w)", built.without_gold(note_id).lower()), note_id
    assert checked > len(built.notes) * 0.7


def test_nothing_that_looks_like_an_identifier_is_left_outside_gold(built: Built) -> None:
    junk = set(built.tables["gold_junk"]["note_id"])
    months = "January|February|April|June|July|August|September|October|November|December"
    shapes = {
        "date": r"\b\d{1,2}/\d{1,2}/\d{2,4}\b|\b\d{4}-\d\d-\d\d\b",
        "month": rf"(?i)\b({months})\b",
        "phone": r"\d{3}[-.)] ?\d{3}[-.]\d{4}",
        "clinician": r"\bDr\. (?!\x00)[A-Z]",
        "e-mail": r"\w@\w",
        "link": r"(?i)https?://|www\.",
        "age": r"(?i)\b(9\d|1[01]\d|ninety\S*)[ -]?(year|yo\b|y/o|y\.o\.)",
        "slot": r"[\ue000-\ue002]|;;|\{|\}|\]\||\|\]",
    }
    for note_id in built.notes:
        if note_id not in junk:
            rest = built.without_gold(note_id)
            for kind, shape in shapes.items():
                assert not re.search(shape, rest), (note_id, kind)


def test_exact_copies_and_resaves_are_true_of_the_text(built: Built) -> None:
    copies = built.tables["gold_copies"]
    seen = Counter(copies["kind"].to_list())
    assert set(seen) == {"copy_forward", "resave", "exact", "template"}
    for row in copies.filter(pl.col("kind").is_in(["resave", "exact"])).iter_rows(named=True):
        note, of = built.notes[row["note_id"]], built.notes[row["of_note_id"]]
        assert (row["start"], row["end"]) == (0, len(note["text"]))
        assert note["patient_id"] == of["patient_id"]
        if row["kind"] == "exact":
            assert note["text"] == of["text"]
            assert [(s["start"], s["end"]) for s in built.gold[row["note_id"]]] == [
                (s["start"], s["end"]) for s in built.gold[row["of_note_id"]]
            ]
        else:
            assert note["amends"] == row["of_note_id"]
            assert note["status"] in ("amended", "final")
            assert note["charted_at"] > of["charted_at"]
            ours, theirs = set(note["text"].split()), set(of["text"].split())
            assert len(ours & theirs) >= 0.8 * len(theirs)


def test_copied_passages_stand_in_the_earlier_note(built: Built) -> None:
    rows = built.tables["gold_copies"].filter(pl.col("kind") == "copy_forward")
    same = 0
    for row in rows.iter_rows(named=True):
        note, of = built.notes[row["note_id"]], built.notes[row["of_note_id"]]
        assert note["patient_id"] == of["patient_id"]
        assert row["of_note_id"] < row["note_id"]
        passage = note["text"][row["start"] : row["end"]]
        same += passage in of["text"]
        words = passage.split()
        assert sum(word in of["text"] for word in words) >= 0.6 * len(words)
    assert 0.4 < same / rows.height < 1


def test_templates_recur_across_patients_and_name_no_source(built: Built) -> None:
    patients: dict[str, set[str]] = defaultdict(set)
    for row in built.tables["gold_copies"].filter(pl.col("kind") == "template").iter_rows(named=True):
        assert row["of_note_id"] is None
        note = built.notes[row["note_id"]]
        patients[note["text"][row["start"] : row["end"]]].add(note["patient_id"])
    assert len(patients) <= 10
    assert sum(len(found) > 2 for found in patients.values()) >= 6


def test_notes_of_different_patients_are_not_near_duplicates(built: Built) -> None:
    templates: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in built.tables["gold_copies"].filter(pl.col("kind") == "template").iter_rows(named=True):
        templates[row["note_id"]].append((row["start"], row["end"]))
    junk = set(built.tables["gold_junk"]["note_id"])
    shingles: dict[str, set[tuple[str, ...]]] = {}
    where: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for note_id, note in built.notes.items():
        text = note["text"]
        for start, end in reversed(templates[note_id]):
            text = text[:start] + text[end:]
        words = re.findall(r"\w+", text.lower())
        if note_id not in junk and len(words) > 30:
            shingles[note_id] = {tuple(words[at : at + 5]) for at in range(len(words) - 4)}
            for shingle in shingles[note_id]:
                where[shingle].append(note_id)
    common: Counter[tuple[str, str]] = Counter()
    for holders in where.values():
        for at, one in enumerate(holders[:40]):
            for other in holders[at + 1 : 40]:
                if built.notes[one]["patient_id"] != built.notes[other]["patient_id"]:
                    common[one, other] += 1
    close = [pair for pair, count in common.items() if count / len(shingles[pair[0]] | shingles[pair[1]]) > 0.5]
    assert len(close) <= 1


def test_junk_of_every_kind_occurs_and_is_what_it_says(built: Built) -> None:
    junk = dict(built.tables["gold_junk"].iter_rows())
    assert set(junk.values()) == {"empty", "garbled", "base64", "language"}
    assert 0.005 < len(junk) / len(built.notes) < 0.03
    for note_id, note in built.notes.items():
        assert (not note["text"].strip()) == (junk.get(note_id) == "empty")
        if junk.get(note_id) == "base64":
            assert re.search(r"[A-Za-z0-9+/]{70,}", note["text"])


def test_a_newborn_and_the_mother_mention_each_other(built: Built) -> None:
    spans = built.tables["gold_spans"].join(built.tables["notes"].select("note_id", "patient_id"), on="note_id")
    found = set(spans.select("patient_id", "entity_id", "identifier").iter_rows())
    assert ("P000033", "P000034", "NAME") in found
    assert ("P000034", "P000033", "NAME") in found
    assert ("P000034", "P000033-mrn", "MRN") in found


def test_patient_table_knows_what_is_planted(built: Built) -> None:
    kinds = {"mrn", "ssn", "phone", "email", "street", "city", "county", "zip", "health_plan", "account", "relative_name",
             "employer", "nickname", "clinician"}  # fmt: skip
    for row in built.tables["patients"].iter_rows(named=True):
        assert {one["kind"] for one in row["identifiers"]} == kinds
        assert all(one["value"] == one["value"].strip() != "" for one in row["identifiers"])
    mrns = [
        one["value"] for row in built.tables["patients"]["identifiers"].to_list() for one in row if one["kind"] == "mrn"
    ]
    planted = set(built.values("MRN"))
    assert sum(value in planted or value.lower() in planted for value in mrns) > 0.95 * len(mrns)


def _luhn(number: str) -> bool:
    total = 0
    for place, char in enumerate(reversed(number)):
        value = int(char) * (2 if place % 2 else 1)
        total += value // 10 + value % 10
    return total % 10 == 0


def test_check_digits_of_planted_numbers_hold(built: Built) -> None:
    licenses = [value.upper() for value in built.values("LICENSE")]
    numbers = {who.npi for who in people.staff(11)}
    npis = [value for value in licenses if value in numbers]
    assert npis
    assert all(_luhn("80840" + value) for value in npis)
    deas = [value for value in licenses if re.fullmatch(r"[ABFM][A-Z]\d{7}", value)]
    assert deas
    for value in deas:
        figures = [int(char) for char in value[2:]]
        assert (figures[0] + figures[2] + figures[4] + 2 * (figures[1] + figures[3] + figures[5])) % 10 == figures[6]
    vins = [value.upper() for value in built.values("VEHICLE") if len(value) == 17]
    assert vins
    for value in vins:
        assert not set("IOQ") & set(value)
        assert value[8] == people.vin_check(value[:8] + "0" + value[9:])
    udis = [value for value in built.values("DEVICE") if value.startswith("(01)")]
    assert udis
    for value in udis:
        item = value[4:18]
        assert sum(int(char) * (3 if place % 2 == 0 else 1) for place, char in enumerate(item)) % 10 == 0


def test_a_known_vehicle_number_has_its_known_check_digit() -> None:
    assert people.vin_check("1M8GDM9A0KP042788") == "X"
    assert people.vin_check("11111111011111111") == "1"


def test_social_security_numbers_are_ones_that_could_be_issued() -> None:
    for patient in (people.make_patient(5, number) for number in range(300)):
        area, group, serial = patient.ssn.split("-")
        assert area not in ("000", "666")
        assert int(area) < 900
        assert group != "00"
        assert serial != "0000"


def test_too_few_patients_and_a_file_in_the_way_are_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        synthetic.build(tmp_path, seed=1, patients=0)
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError):
        synthetic.build(tmp_path / "taken", seed=1, patients=1)
