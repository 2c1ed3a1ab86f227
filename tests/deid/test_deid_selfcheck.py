"""Selfcheck: the table's values are found however they are written, and what was not masked is counted."""

from __future__ import annotations

import json
import stat

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from deid.selfcheck import (
    ENOUGH,
    compile_known,
    find_places,
    is_masked,
    places,
    releasable,
    selfcheck,
    write_misses,
)
from deid.spans import SPANS_DTYPE
from tests.command import run_command

KNOWN = compile_known(
    [
        ("NAME", "Rosalind"), ("NAME", "Okonkwo-Hale"), ("NAME", "Will"), ("CLINICIAN", "Tobias Vandermeer"),
        ("PHONE", "617-555-0188"), ("SSN", "912-45-6789"), ("MRN", "MR-073080"), ("STREET", "12 Juniper Street"),
        ("CITY", "Lake Charles"), ("EMAIL", "r.okonkwo7@example.org"), ("DATE", "1964-10-09"), ("ZIP", "70601"),
    ]
)  # fmt: skip


def _notes(texts, spans=None, patients=None):
    rows = [
        [{"start": a, "end": b, "identifier": "NAME", "score": 1.0, "recognizer": "t", "entity": ""} for a, b in found]
        for found in spans or [[] for _ in texts]
    ]
    return pl.DataFrame(
        {
            "note_id": [str(i) for i in range(len(texts))], "patient_id": patients or ["p"] * len(texts), "text": texts,
            "spans": pl.Series("spans", rows, dtype=SPANS_DTYPE),
        }
    )  # fmt: skip


def _table(*rows):
    return pl.DataFrame(rows, schema=["patient_id", "kind", "value"], orient="row")


@pytest.mark.parametrize(
    ("text", "identifier", "held"),
    [
        ("seen: rosalind today", "NAME", "rosalind"),
        ("OKONKWO-HALE, ROSALIND came", "NAME", "OKONKWO-HALE, ROSALIND"),
        ("Rosalind's pain", "NAME", "Rosalind"),
        ("Rosalínd came", "NAME", "Rosalínd"),
        ("Dr. Vandermeer agrees", "CLINICIAN", "Vandermeer"),
        ("call (617) 555 0188 now", "PHONE", "617) 555 0188"),
        ("call 6175550188 now", "PHONE", "6175550188"),
        ("call +1 617.555.0188 now", "PHONE", "1 617.555.0188"),
        ("ext: 555-0188 now", "PHONE", "555-0188"),
        ("ssn 912 45 6789.", "SSN", "912 45 6789"),
        ("mrn mr073080", "MRN", "mr073080"),
        ("lives at 12  juniper street, there", "STREET", "12  juniper street"),
        ("from LAKE CHARLES today", "CITY", "LAKE CHARLES"),
        ("mail R.Okonkwo7@Example.org", "EMAIL", "R.Okonkwo7@Example.org"),
        ("born 10/09/1964 in", "DATE", "10/09/1964"),
        ("born 10-9-64 in", "DATE", "10-9-64"),
        ("born October 9th, 1964 in", "DATE", "October 9th, 1964"),
        ("born 9 Oct 1964 in", "DATE", "9 Oct 1964"),
        ("zip 70601-1234", "ZIP", "70601"),
    ],
)
def test_a_value_is_found_however_it_is_written(text, identifier, held):
    found = [p for p in places(text, KNOWN) if not p.ambiguous]
    assert [(p.identifier, text[p.start : p.end]) for p in found] == [(identifier, held)]


@pytest.mark.parametrize(
    "text", ["rosalinda came", "sanchez9 and rosalind9", "5617555018822", "912456789012", "Charles at the lake", "on 10/09/1965"]
)  # fmt: skip
def test_only_whole_values_are_found(text):
    assert places(text, KNOWN) == []


def test_a_number_in_the_middle_of_a_longer_one_is_none():
    assert not [p for p in places("id 45617555018899", KNOWN) if p.identifier == "PHONE"]


@pytest.mark.parametrize(
    ("text", "ambiguous"),
    [("He will come", True), ("Will Okonkwo came", False), ("Kellgren-Vandermeer grade 3", True), ("Vandermeer disease", True)],
)  # fmt: skip
def test_an_ordinary_word_alone_is_ambiguous(text, ambiguous):
    found = places(text, compile_known([("NAME", "Will"), ("NAME", "Okonkwo"), ("CLINICIAN", "Vandermeer")]))
    assert [p.ambiguous for p in found] == [ambiguous]


def test_a_place_is_masked_only_when_each_letter_is():
    text = "Okonkwo-Hale, Rosalind"
    (place,) = places(text, KNOWN)
    assert is_masked(text, place, [0], [len(text)])
    assert is_masked(text, place, [0, 8, 14], [7, 12, 22])
    assert not is_masked(text, place, [0, 8, 15], [7, 12, 22])


def test_offsets_point_into_the_stored_text():
    text = "Mrs. Rosa\u00adlind\u200b came"
    (place,) = places(text, KNOWN)
    assert text[place.start : place.end].replace("\u00ad", "").rstrip("\u200b") == "Rosalind"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["chest", "pain", "5.5", "mg", "\n", "bid", "BP", "120/80", "é", "\u200b"]), max_size=30),
    st.integers(0, 30),
    st.sampled_from(["Rosalind Okonkwo-Hale", "617 555-0188", "MR073080", "Oct 9, 1964"]),
)
def test_a_planted_value_is_found_and_counts_as_missed_unless_masked(words, at, planted):
    before, after = " ".join(words[:at]), " ".join(words[at:])
    text = f"{before} ; {planted} ; {after}"
    start = len(before) + 3
    table = _table(*[("p", k, v) for k, v in (
        ("first_name", "Rosalind"), ("last_name", "Okonkwo-Hale"), ("phone", "6175550188"), ("mrn", "MR-073080"),
        ("birth_date", "1964-10-09"),
    )])  # fmt: skip
    assert find_places(_notes([text]), table)["masked"].to_list() == [False]
    masked = find_places(_notes([text], [[(start, start + len(planted))]]), table)
    assert masked["masked"].to_list() == [True]


def test_figures_by_class_note_and_patient():
    texts = ["Rosalind came", "Rosalind left", "chest pain", "Aurelio here"]
    table = _table(("p", "first_name", "Rosalind"), ("q", "first_name", "Aurelio"), ("r", "first_name", "Xanthe"))
    figures, missed = selfcheck(_notes(texts, [[(0, 8)], [], [], [(0, 7)]], ["p", "p", "p", "q"]), table)
    overall = figures["overall"]
    assert (overall["places"], overall["masked"], overall["notes_leaking"], overall["patients_leaking"]) == (3, 2, 1, 1)
    assert overall["claim"]["verdict"] == "insufficient evidence"
    assert figures["leaks"]["notes_with_direct_leak"]["notes"] == 4
    assert figures["leaks"]["patients_with_direct_leak"]["leaking"] == 1
    assert figures["every_mention"]["overall"]["values"] == 2
    assert missed["note_id"].to_list() == ["1"]
    assert "text" not in missed.columns
    assert "value" not in missed.columns


@pytest.mark.parametrize(("count", "verdict"), [(ENOUGH - 1, "insufficient evidence"), (ENOUGH, "shown")])
def test_299_places_without_a_miss_show_a_recall_of_099(count, verdict):
    figures, _ = selfcheck(_notes(["Rosalind"] * count, [[(0, 8)]] * count), _table(("p", "first_name", "Rosalind")))
    assert figures["overall"]["claim"]["verdict"] == verdict


def test_figures_hold_no_text():
    text = "Rosalind Quizzaciously 617-555-0188"
    figures, _ = selfcheck(_notes([text]), _table(("p", "first_name", "Rosalind"), ("p", "phone", "6175550188")))
    told = json.dumps([figures, releasable(figures)]).lower()
    assert "rosalind" not in told
    assert "0188" not in told


def test_small_classes_are_pooled_for_the_manifest():
    texts = [f"Rosalind {'617-555-0188' if i == 0 else ''}" for i in range(30)]
    patients = [str(i) for i in range(30)]
    rows = [(p, "first_name", "Rosalind") for p in patients] + [("0", "phone", "6175550188")]
    figures, _ = selfcheck(_notes(texts, patients=patients), _table(*rows))
    shown = releasable(figures)
    assert set(figures["identifiers"]) == {"NAME", "PHONE"}
    # One class alone could be had by subtraction from the whole.
    assert shown["identifiers"] == {}
    assert shown["identifiers_pooled"]["places"] == 31


@pytest.mark.parametrize("column", ["patient_id", "text", "spans"])
def test_a_missing_column_is_explained(column):
    with pytest.raises(UserError, match=column):
        selfcheck(_notes(["Rosalind"]).drop(column), _table(("p", "first_name", "Rosalind")))


def test_tables_that_share_no_patient_are_explained():
    with pytest.raises(UserError, match="no patient of the table"):
        selfcheck(_notes(["Rosalind"]), _table(("other", "first_name", "Rosalind")))


def test_misses_are_for_nobody_else(tmp_path):
    notes = _notes(["<b>Rosalind"])
    _, missed = selfcheck(notes, _table(("p", "first_name", "Rosalind")))
    for path in write_misses(tmp_path / "out", notes, missed):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "&lt;b&gt;<mark>Rosalind</mark>" in (tmp_path / "out" / "misses.html").read_text()
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700


def test_the_command_measures_and_explains_mistakes(tmp_path):
    (tmp_path / "notes.jsonl").write_text(
        json.dumps({"note_id": "a", "patient_id": "p", "text": "Mrs. Rosalind Hale, MRN 4471920, came."}) + "\n"
    )
    (tmp_path / "bare.jsonl").write_text(json.dumps({"note_id": "a", "text": "came"}) + "\n")
    (tmp_path / "patients.csv").write_text("patient_id,first_name,mrn\np,Rosalind,4471920\n")
    done = run_command(
        tmp_path, "deid", "selfcheck", "notes.jsonl", "--patients", "patients.csv", "--json", "--out", "misses",
        "--workers", 1,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["overall"]["places"] == 2
    assert (tmp_path / "misses" / "misses.jsonl").is_file()
    for args, said in (
        (("bare.jsonl", "--patients", "patients.csv"), "patient_id"),
        (("notes.jsonl", "--patients", "none.csv"), "none.csv"),
        (("notes.jsonl", "--patients", "patients.csv", "--out", "corpora/x"), "may be shared"),
        (("notes.jsonl", "--patients", "patients.csv", "--origin", "mine"), "--origin"),
    ):
        failed = run_command(tmp_path, "deid", "selfcheck", *args)
        assert failed.returncode == 2
        assert said in failed.stderr
