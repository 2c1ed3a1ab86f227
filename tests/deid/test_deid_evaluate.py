"""Measuring: full and any cover, intervals, leaks, over-masking; and what the gold reader refuses."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from deid.checksums import dea, gtin14, luhn, npi, vin
from deid.evaluate import GOLD_SCHEMA, clopper_pearson, evaluate, load_gold, upper_bound
from deid.identifiers import IDENTIFIERS, identifier_of
from deid.spans import SPANS_DTYPE

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "deid"


def run(
    texts: list[str], gold: list[tuple[int, int, int, str]], found: list[tuple[int, int, int, str]], **columns: object
):
    notes = pl.DataFrame({"note_id": [str(i) for i in range(len(texts))], "text": texts, **columns})
    rows = [(str(n), a, b, i) for n, a, b, i in gold]
    spans = [
        [{"start": a, "end": b, "identifier": i, "score": 1.0, "recognizer": "t"} for n, a, b, i in found if n == note]
        for note in range(len(texts))
    ]
    predicted = pl.DataFrame({"note_id": notes["note_id"], "spans": pl.Series("spans", spans, dtype=SPANS_DTYPE)})
    return evaluate(notes, pl.DataFrame(rows, schema=GOLD_SCHEMA, orient="row"), predicted)


def test_full_cover_needs_letters_and_digits_only_and_any_class() -> None:
    result = run(["Doe, Jane came"], [(0, 0, 9, "NAME")], [(0, 0, 3, "CITY"), (0, 5, 9, "NAME")])
    assert result["identifiers"]["NAME"]["full_cover_recall"] == 1.0


def test_part_of_an_identifier_is_any_cover_and_a_leak() -> None:
    result = run(["Doe, Jane came"], [(0, 0, 9, "NAME")], [(0, 0, 3, "NAME")])
    scores = result["identifiers"]["NAME"]
    assert (scores["full_cover_recall"], scores["any_cover_recall"]) == (0.0, 1.0)
    assert result["leaks"]["notes_with_direct_leak"]["leaking"] == 1


def test_city_leak_is_no_direct_leak() -> None:
    leaks = run(["in Boston"], [(0, 3, 9, "CITY")], [])["leaks"]
    assert (leaks["notes_with_any_leak"]["leaking"], leaks["notes_with_direct_leak"]["leaking"]) == (1, 0)


def test_leaks_count_patients_once() -> None:
    result = run(
        ["Doe", "Doe", "Roe"], [(0, 0, 3, "NAME"), (1, 0, 3, "NAME"), (2, 0, 3, "NAME")], [(2, 0, 3, "NAME")],
        patient_id=["p", "p", "q"],
    )  # fmt: skip
    assert result["leaks"]["notes_with_any_leak"]["leaking"] == 2
    assert result["leaks"]["patients_with_any_leak"] == {
        "leaking": 1, "patients": 2, "share": 0.5, "upper_95": pytest.approx(0.974679, abs=1e-5)
    }  # fmt: skip


def test_over_masking_counts_letters_outside_gold() -> None:
    result = run(["Doe was 12345 fine"], [(0, 0, 3, "NAME")], [(0, 0, 3, "NAME"), (0, 8, 13, "ZIP")])
    assert result["over_masking"] == {"characters_outside_gold": 12, "masked": 5, "share": 5 / 12}
    assert result["identifiers"]["ZIP"]["precision"] == 0.0


def test_note_without_prediction_counts_as_missed() -> None:
    notes = pl.DataFrame({"note_id": ["a"], "text": ["Doe"]})
    gold = pl.DataFrame([("a", 0, 3, "NAME")], schema=GOLD_SCHEMA, orient="row")
    result = evaluate(notes, gold, pl.DataFrame(schema={"note_id": pl.Utf8, "spans": SPANS_DTYPE}))
    assert result["overall"]["full_cover_recall"] == 0.0


def test_result_is_json_and_holds_no_text() -> None:
    text = json.dumps(run(["Zyxwv came"], [(0, 0, 5, "NAME")], []))
    assert "Zyx" not in text


# Closed forms and published table values of the exact interval.
@pytest.mark.parametrize(
    ("hits", "total", "lower", "upper"),
    [
        (0, 10, 0.0, 0.30850),
        (10, 10, 0.69150, 1.0),
        (5, 10, 0.18709, 0.81291),
        (99, 100, 0.94554, 0.99975),
        (299, 299, 0.98774, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_exact_interval(hits: int, total: int, lower: float, upper: float) -> None:
    assert clopper_pearson(hits, total) == pytest.approx((lower, upper), abs=2e-5)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 20_000), st.data())
def test_interval_holds_the_share_and_stays_in_range(total: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, total))
    lower, upper = clopper_pearson(hits, total)
    assert 0 <= lower <= hits / total + 1e-12
    assert hits / total - 1e-12 <= upper <= 1


def test_bound_without_a_hit_is_the_rule_of_three() -> None:
    assert upper_bound(0, 299) == pytest.approx(1 - math.pow(0.05, 1 / 299), abs=1e-9)


@pytest.mark.parametrize("packed", [False, True])
def test_gold_is_read_and_mapped(tmp_path: Path, packed: bool) -> None:
    rows = [
        {"id": 1, "text": "Dr. Grey saw 95 and 40 in 2019, Texas", "spans": [
            [4, 8, "DOCTOR"], [13, 15, "AGE"], [20, 22, "AGE"], [26, 30, "DATE"], [32, 37, "GPE"]]},
        {"note_id": "x", "text": "Roe", "spans": [[0, 3, "PERSON"]], "patient_id": "p"},
    ]  # fmt: skip
    lines = "".join(json.dumps(r) + "\n" for r in rows)
    path = tmp_path / ("g.jsonl.gz" if packed else "g.jsonl")
    if packed:
        path.write_bytes(gzip.compress(lines.encode()))
    else:
        path.write_text(lines)
    notes, gold = load_gold(path)
    assert notes["note_id"].to_list() == ["1", "x"]
    assert notes["patient_id"].to_list() == [None, "p"]
    assert gold.rows() == [("1", 4, 8, "CLINICIAN"), ("1", 13, 15, "AGE"), ("x", 0, 3, "NAME")]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"text": "Zyx", "spans": []}',
        '{"id": 1, "text": "Zyx", "spans": [[0, 9, "NAME"]]}',
        '{"id": 1, "text": 3, "spans": []}',
    ],
)
def test_malformed_gold_names_its_line_and_no_text(tmp_path: Path, line: str) -> None:
    path = tmp_path / "g.jsonl"
    path.write_text('{"id": 0, "text": "", "spans": []}\n' + line + "\n")
    with pytest.raises(UserError, match="line 2") as caught:
        load_gold(path)
    assert "Zyx" not in f"{caught.value!r} {caught.value.cause}"
    assert caught.value.__suppress_context__


def test_unknown_label_is_refused() -> None:
    with pytest.raises(UserError, match="SHOE"):
        identifier_of("SHOE")


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_own_labels_map_onto_themselves(identifier: str) -> None:
    assert identifier_of(identifier.lower()) == identifier


@pytest.mark.skipif(not DATA.is_dir(), reason="shared data is not beside the project")
def test_public_gold_sets_are_read_whole() -> None:
    notes, gold = load_gold(DATA / "clinical_dev.jsonl.gz")
    assert (notes.height, gold.height) == (600, 7075 + 0)
    notes, gold = load_gold(DATA / "presidio_research.jsonl.gz")
    assert notes.height == 1500
    assert 2000 < gold.height < 3000


def change_each_digit(number: str) -> list[str]:
    return [number[:i] + str((int(c) + 1) % 10) + number[i + 1 :] for i, c in enumerate(number) if c.isdigit()]


@pytest.mark.parametrize(
    ("check", "number"),
    [
        (luhn, "4539578763621486"),
        (npi, "1234567893"),
        (dea, "AB1234563"),
        (vin, "1M8GDM9AXKP042788"),
        (gtin14, "00844588003288"),
    ],
)
def test_check_digit_accepts_the_number_and_no_slip_in_one_digit(check: object, number: str) -> None:
    assert callable(check)
    assert check(number)
    assert not any(check(wrong) for wrong in change_each_digit(number))


def test_vin_refuses_letters_it_never_holds() -> None:
    assert not vin("1M8GDM9AXKP04278O")
    assert not vin("1M8")
