"""Measuring: full and any cover, intervals, leaks, over-masking; and what the gold reader refuses."""

from __future__ import annotations

import gzip
import json
import math
import random
import re
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from deid.checksums import dea, gtin14, luhn, npi, vin
from deid.evaluate import EVIDENCE, GOLD_SCHEMA, clopper_pearson, compare, evaluate, figures, load_gold, upper_bound
from deid.gold import load_predictions
from deid.identifiers import IDENTIFIERS, identifier_of
from deid.report import render_page, write
from deid.spans import SPANS_DTYPE
from deid.statistics import (
    bootstrap_shares,
    clustered_upper_bound,
    design_effect,
    examples_needed,
    judge,
    lower_bound,
)
from tests.command import run_command

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "deid"


Gold = list[tuple[int, int, int, str] | tuple[int, int, int, str, str | None]]


def frames(
    texts: list[str], gold: Gold, found: list[tuple[int, int, int, str]], **columns: object
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    notes = pl.DataFrame({"note_id": [str(i) for i in range(len(texts))], "text": texts, **columns})
    schema = {**GOLD_SCHEMA, "entity": pl.Utf8} if gold and len(gold[0]) == 5 else GOLD_SCHEMA
    rows = [(str(n), *rest) for n, *rest in gold]
    spans = [
        [{"start": a, "end": b, "identifier": i, "score": 1.0, "recognizer": "t"} for n, a, b, i in found if n == note]
        for note in range(len(texts))
    ]
    predicted = pl.DataFrame({"note_id": notes["note_id"], "spans": pl.Series("spans", spans, dtype=SPANS_DTYPE)})
    return notes, pl.DataFrame(rows, schema=schema, orient="row"), predicted


def run(texts: list[str], gold: Gold, found: list[tuple[int, int, int, str]], **columns: object):
    return evaluate(*frames(texts, gold, found, **columns))


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
    over = result["over_masking"]
    assert (over["characters_outside_gold"], over["masked"], over["share"]) == (12, 5, 5 / 12)
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


# --- what else is measured -------------------------------------------------------------------------------------


def test_notes_without_identifiers_that_are_touched_are_counted() -> None:
    texts = ["Lewy body", "Foley placed", "Doe came"]
    free = run(texts, [(2, 0, 3, "NAME")], [(0, 0, 4, "NAME"), (1, 5, 5 + 1, "NAME"), (2, 0, 8, "NAME")])
    # A predicted blank touches nothing.
    counted = free["over_masking"]["notes_without_gold"]
    assert (counted["notes"], counted["touched"], counted["share"]) == (2, 1, 0.5)


def test_strict_wants_exact_offsets_and_class_and_relaxed_forgives_the_end() -> None:
    gold: Gold = [(0, 0, 8, "NAME"), (0, 9, 13, "CITY"), (0, 14, 18, "DATE")]
    found = [(0, 0, 6, "NAME"), (0, 9, 13, "NAME"), (0, 14, 18, "DATE")]
    result = run(["Jane Doe Rome 3/14 seen"], gold, found)
    assert (result["strict_spans"]["found"], result["relaxed_spans"]["found"]) == (1, 2)
    assert result["relaxed_spans"]["f1"] == pytest.approx(2 / 3)
    too_far = run(["Jane Doe Rome"], [(0, 0, 8, "NAME")], [(0, 0, 5, "NAME")])
    assert too_far["relaxed_spans"]["found"] == 0


def test_tokens_leave_clinicians_and_facilities_out_and_are_parted_where_gold_ends() -> None:
    text = "Jane Doe 95yo Mercy Smith chest"
    gold: Gold = [(0, 0, 8, "NAME"), (0, 9, 11, "AGE"), (0, 14, 19, "FACILITY"), (0, 20, 25, "CLINICIAN")]
    found = [(0, 0, 4, "NAME"), (0, 9, 13, "AGE"), (0, 14, 19, "FACILITY"), (0, 26, 28, "NAME")]
    tokens = run([text], gold, found)["hipaa_tokens"]
    # Jane and 95 are found, Doe is missed; yo and ch(est) are masked outside gold.
    assert (tokens["gold"], tokens["found"], tokens["masked_outside_gold"]) == (3, 2, 2)
    assert (tokens["recall"], tokens["precision"]) == (pytest.approx(2 / 3), 0.5)


def test_an_entity_is_recalled_when_every_mention_in_the_patients_notes_is() -> None:
    gold: Gold = [(0, 0, 3, "NAME", "e"), (1, 0, 3, "NAME", "e"), (2, 0, 3, "NAME", "e"), (2, 4, 7, "NAME", "f")]
    found = [(0, 0, 3, "NAME"), (2, 0, 3, "NAME"), (2, 4, 7, "NAME")]
    result = run(["Doe", "Doe", "Doe Roe"], gold, found, patient_id=["p", "p", "q"])
    entities = result["entities"]
    assert (entities["overall"]["entities"], entities["overall"]["fully_masked"]) == (3, 2)
    assert (entities["in_more_than_one_note"]["entities"], entities["in_more_than_one_note"]["recall"]) == (1, 0.0)
    assert run(["Doe"], [(0, 0, 3, "NAME")], [])["entities"] is None


def test_kinds_are_told_apart_with_the_largest_gap() -> None:
    texts = ["Doe " * 40, "Roe " * 40, "Poe " * 5]
    gold: Gold = [(n, 4 * i, 4 * i + 3, "NAME") for n, count in ((0, 40), (1, 40), (2, 5)) for i in range(count)]
    found = [(n, a, b, "NAME") for n, a, b, *_ in gold if n == 0 or (n == 1 and a < 80)]
    kinds = run(texts, gold, found, kind=["upper", "lower", "few"])["slices"]["kind"]
    assert {name: part["full_cover_recall"] for name, part in kinds["each"].items()} == {
        "upper": 1.0, "lower": 0.5, "few": 0.0
    }  # fmt: skip
    # Five spans are too few to be told as a gap.
    assert kinds["largest_gap"] == {"gap": 0.5, "lowest": "lower", "highest": "upper"}


def test_what_the_policy_keeps_is_no_miss_and_masks_nothing() -> None:
    notes, gold, predicted = frames(
        ["Doe of Rome"], [(0, 0, 3, "NAME"), (0, 7, 11, "CITY")], [(0, 0, 3, "CITY"), (0, 7, 11, "CITY")]
    )
    result = evaluate(notes, gold, predicted, kept=["CITY"])
    assert result["kept_by_policy"] == 1
    assert set(result["identifiers"]) == {"NAME"}
    # The name was taken for a city, which the policy leaves in the text: a leak.
    assert result["leaks"]["notes_with_direct_leak"]["leaking"] == 1
    assert result["over_masking"]["characters_outside_gold"] == 2


def test_a_class_left_is_counted_by_note_and_patient_with_the_notes_that_hold_it() -> None:
    gold: Gold = [(0, 0, 3, "NAME"), (1, 0, 3, "NAME"), (2, 0, 3, "SSN")]
    result = run(["Doe", "Doe", "123", ""], gold, [(1, 0, 3, "NAME")], patient_id=["p", "p", "q", "r"])
    name = result["leaks"]["by_identifier"]["NAME"]
    assert (name["notes_holding"], name["notes_leaking"]) == (2, 1)
    assert (name["patients_holding"], name["patients_leaking"]) == (1, 1)
    direct = result["leaks"]["direct"]
    assert (direct["notes_holding"], direct["patients_holding"], direct["patients_leaking"]) == (3, 2, 2)


@pytest.mark.parametrize("origin", EVIDENCE)
def test_every_result_says_where_its_gold_comes_from(origin: str) -> None:
    result = evaluate(*frames(["Doe"], [(0, 0, 3, "NAME")], []), origin=origin)
    assert (result["origin"], result["evidence"]) == (origin, EVIDENCE[origin])


def test_on_synthetic_notes_the_result_says_that_it_is_no_evidence() -> None:
    assert EVIDENCE["synthetic"] == "figures on synthetic notes are a smoke test, not evidence"


@pytest.mark.parametrize(
    ("gold", "found", "said"),
    [
        ([(0, 0, 9, "NAME")], [], "gold spans lie outside"),
        ([], [(0, 2, 2, "NAME")], "predicted spans lie outside"),
        ([], [(0, -1, 2, "NAME")], "predicted spans lie outside"),
        ([(0, 0, 3, "SHOE")], [], "not in the closed list"),
    ],
)
def test_spans_that_cannot_be_are_refused(gold: Gold, found: list[tuple[int, int, int, str]], said: str) -> None:
    with pytest.raises(UserError, match=said):
        run(["Zyx"], gold, found)


def test_a_note_that_stands_twice_is_refused() -> None:
    notes, gold, predicted = frames(["Doe"], [], [])
    with pytest.raises(UserError, match="stands twice"):
        evaluate(pl.concat([notes, notes]), gold, predicted)


# --- against a plain count -------------------------------------------------------------------------------------

ALPHABET = "ab1é中̈ .\n🙂"


@st.composite
def marked_notes(draw: st.DrawFn) -> tuple[list[str], Gold, list[tuple[int, int, int, str]], list[str | None]]:
    texts = draw(st.lists(st.text(ALPHABET, max_size=14), min_size=1, max_size=4))
    spans: list[list[tuple[int, int, int, str]]] = []
    for side in range(2):
        rows = []
        for n, text in enumerate(texts):
            at = 0
            while at < len(text) and draw(st.booleans()):
                start = draw(st.integers(at, len(text) - 1))
                end = draw(st.integers(start + 1, len(text)))
                rows.append((n, start, end, draw(st.sampled_from(["NAME", "CITY", "CLINICIAN", "SSN"]))))
                at = end if side else start + 1  # gold may overlap, predictions do not
        spans.append(rows)
    patients = draw(st.lists(st.sampled_from(["p", "q", None]), min_size=len(texts), max_size=len(texts)))
    return texts, list(spans[0]), spans[1], patients


@settings(max_examples=150)
@given(marked_notes())
def test_counts_are_those_of_a_plain_loop(case: tuple) -> None:
    texts, gold, found, patients = case
    result = run(texts, gold, found, patient_id=pl.Series(patients, dtype=pl.Utf8))
    masked = [{i for n, a, b, _ in found if n == k for i in range(a, b)} for k in range(len(texts))]
    true = [{i for n, a, b, *_ in gold if n == k for i in range(a, b)} for k in range(len(texts))]
    full = some = 0
    leaking = set()
    for n, a, b, *_ in gold:
        solid = [i for i in range(a, b) if texts[n][i].isalnum()]
        full += all(i in masked[n] for i in solid)
        some += not solid or any(i in masked[n] for i in solid)
        if not all(i in masked[n] for i in solid):
            leaking.add(n)
    precise = sum(any(texts[n][i].isalnum() and i in true[n] for i in range(a, b)) for n, a, b, _ in found)
    outside = sum(c.isalnum() and i not in true[n] for n, t in enumerate(texts) for i, c in enumerate(t))
    wrong = sum(texts[n][i].isalnum() and i not in true[n] for n in range(len(texts)) for i in masked[n])
    overall = result["overall"]
    assert (overall["gold"], overall["full_cover"], overall["any_cover"]) == (len(gold), full, some)
    assert (overall["predicted"], overall["precise"]) == (len(found), precise)
    over = result["over_masking"]
    assert (over["characters_outside_gold"], over["masked"]) == (outside, wrong)
    assert result["leaks"]["notes_with_any_leak"]["leaking"] == len(leaking)
    assert result["leaks"]["patients_with_any_leak"]["leaking"] == len({patients[n] for n in leaking} - {None})
    for table in (overall, *result["identifiers"].values()):
        assert table["full_cover"] <= table["any_cover"] <= table["gold"]
        assert table["strict"] <= table["relaxed"]
        low, high = table["full_cover_recall_95"]
        assert low <= (table["full_cover_recall"] or 0) <= high or not table["gold"]


def test_blocks_of_notes_are_counted_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    case = _ward(60, 4)
    whole = evaluate(*case)
    monkeypatch.setattr("deid.evaluate._BLOCK", 300)
    assert evaluate(*case) == whole


def _ward(notes: int, spans: int, *, missed: float = 0.03) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Notes of 30 characters a span, twelve of one patient."""
    draw = random.Random(3)
    texts = ["chest pain daily 12 mg review " * spans] * notes
    gold: Gold = [(n, 30 * i, 30 * i + 10, draw.choice(IDENTIFIERS), f"e{i % 3}") for n in range(notes) for i in range(spans)]  # fmt: skip
    rows = [(n, a, b, i) for n, a, b, i, *_ in gold if draw.random() >= missed]
    table = pl.DataFrame({"note_id": [str(n) for n, *_ in rows], "span": [
        {"start": a, "end": b, "identifier": i, "score": 1.0, "recognizer": "t"} for _, a, b, i in rows]})  # fmt: skip
    predicted = table.group_by("note_id", maintain_order=True).agg(spans=pl.col("span"))
    return (*frames(texts, gold, [], patient_id=[f"p{n // 12}" for n in range(notes)])[:2], predicted)


def test_4000_notes_with_48000_spans_take_under_six_seconds() -> None:
    notes, gold, predicted = _ward(4000, 12)
    started = time.process_time()
    result = evaluate(notes, gold, predicted)
    assert time.process_time() - started < 6  # about 1.2 s
    assert result["overall"]["gold"] == 48_000


# --- evidence --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("claim", "needed"), [(0.9, 29), (0.95, 59), (0.99, 299), (0.995, 598), (0.999, 2995)])
def test_so_many_examples_without_a_miss_show_a_claim(claim: float, needed: int) -> None:
    assert examples_needed(claim) == needed
    assert judge(needed, needed, claim)["verdict"] == "shown"
    assert judge(needed - 1, needed - 1, claim) == {
        "claim": claim, "verdict": "insufficient evidence", "needed": needed, "missing": 1
    }  # fmt: skip


@given(st.floats(0.6, 0.999), st.integers(0, 40))
def test_the_examples_needed_are_the_fewest_whose_bound_reaches_the_claim(claim: float, misses: int) -> None:
    needed = examples_needed(claim, misses=misses)
    assert lower_bound(needed - misses, needed) >= claim - 1e-9
    assert needed - 1 == misses or lower_bound(needed - 1 - misses, needed - 1) < claim + 1e-9


def test_a_claim_that_the_misses_rule_out_is_not_reached() -> None:
    assert judge(90, 100, 0.99)["verdict"] == "not reached"
    assert judge(99, 100, 0.99)["verdict"] == "insufficient evidence"
    assert judge(0, 0, 0.99)["verdict"] == "insufficient evidence"


def test_intervals_by_patient_are_seeded_and_wider_where_misses_gather_in_few_patients() -> None:
    spread = np.array([9, 10] * 50)
    gathered = np.array([0] * 5 + [10] * 95)
    trials = np.full(100, 10)
    both = np.column_stack([spread, gathered]), np.column_stack([trials, trials])
    once, twice, other = (bootstrap_shares(*both, seed=seed) for seed in (7, 7, 8))
    assert once == twice != other
    (a, b), (c, d) = (pair for pair in once if pair)
    assert a <= 0.95 <= b
    assert d - c > 3 * (b - a)
    low, high = clopper_pearson(950, 1000)
    assert d - c > high - low > b - a


def test_the_bootstrap_says_nothing_of_few_patients_and_of_all_or_nothing() -> None:
    few = np.full((19, 1), 9)
    assert bootstrap_shares(few, few + 1) == [None]
    many = np.full((40, 2), 10)
    assert bootstrap_shares(many * [0, 1], many) == [None, None]


def test_a_thousand_draws_over_50000_patients_take_moments() -> None:
    trials = np.ones((50_000, 2), dtype=np.int64)
    hits = (np.random.default_rng(1).random((50_000, 2)) < 0.97).astype(np.int64)
    started = time.process_time()
    interval = bootstrap_shares(hits, trials)[0]
    assert time.process_time() - started < 3  # about 0.9 s
    assert interval is not None
    assert clopper_pearson(int(hits[:, 0].sum()), 50_000) == pytest.approx(interval, abs=5e-4)


def test_the_bound_is_wider_where_leaks_gather_in_few_patients() -> None:
    trials = np.full(100, 10)
    spread, gathered = np.array([1] * 10 + [0] * 90), np.array([10] + [0] * 99)
    assert design_effect(spread, trials) == 1.0
    effect = design_effect(gathered, trials)
    assert effect == pytest.approx(10, rel=0.05)
    assert clustered_upper_bound(10, 1000, effect) == pytest.approx(upper_bound(1, 100), rel=0.05)
    assert clustered_upper_bound(10, 1000, 1.0) == upper_bound(10, 1000)


# --- gold as marked text ---------------------------------------------------------------------------------------

MARKED = """\
#@ patient=p1
#@ kind=discharge
[[NAME#m:Maria Roe]] ([[AGE:93]], of [[CITY:Texas]])
came [[DATE:3/4/2019]].
=====

#@ patient=p1
#@ kind=H&P

[[name:roe, m]] again 🙂 [[PHONE:617-555-0188]]
=====
Lewy body [sic]
=====

"""


def test_marked_text_is_read_with_offsets_kinds_patients_and_entities(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(MARKED, encoding="utf-8")
    notes, gold = load_gold(path)
    texts = dict(notes.select("note_id", "text").iter_rows())
    assert texts["a.txt:1"] == "Maria Roe (93, of Texas)\ncame 3/4/2019."
    assert texts["a.txt:2"] == "\nroe, m again 🙂 617-555-0188"
    assert notes["kind"].to_list() == ["discharge", "H&P", None]
    assert notes["patient_id"].to_list() == ["a.txt:p1", "a.txt:p1", None]
    found = [(texts[n][a:b], i, e) for n, a, b, i, e in gold.iter_rows()]
    assert found == [
        ("Maria Roe", "NAME", "a.txt:m"), ("93", "AGE", None), ("3/4/2019", "DATE", None), ("roe, m", "NAME", None),
        ("617-555-0188", "PHONE", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("fine\n[[NAME:Zyx", 2),
        ("Zyx]] came", 1),
        ("=====\n\n[[SHOE:Zyx]]", 3),
        ("[[NAME:[[NAME:Zyx]]]]", 1),
        ("[[NAME: ]]", 1),
        ("#@ patent=Zyx\ntext", 1),
        ("#@ Zyx\ntext", 1),
        ("#@ kind=a<Zyx>\ntext", 1),
        ("[[Zyx Roe: came]]", 1),
        ("#@ note=1\na\n=====\n#@ note=1\nb", 4),
    ],
)
def test_malformed_marked_text_names_its_line_and_no_text(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"a\.txt, line {line}$") as caught:
        load_gold(path)
    assert "Zyx" not in f"{caught.value!r} {caught.value.cause}"


PIECE = st.text("abé 1.\n🙂", min_size=1, max_size=8).filter(lambda t: t.strip())


@given(st.lists(st.tuples(st.text("abé 1.🙂", max_size=8), PIECE), max_size=5))
def test_marking_and_reading_give_the_text_back(tmp_path_factory: pytest.TempPathFactory, pieces: list) -> None:
    path = tmp_path_factory.getbasetemp() / "round.txt"
    text, raw, spans = "x", "x", []
    for before, inner in pieces:
        spans.append((len(text + before), len(text + before + inner), inner))
        text, raw = text + before + inner, raw + before + f"[[MRN:{inner}]]"
    path.write_text(raw, encoding="utf-8", newline="")
    notes, gold = load_gold(path)
    assert notes["text"].to_list() == [text]
    assert [(a, b, text[a:b]) for _, a, b, *_ in gold.iter_rows()] == spans


def test_a_folder_of_gold_is_read_in_one_and_told_apart_by_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_text(MARKED, encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"id": 1, "text": "Roe", "patient_id": "p1", "spans": [[0, 3, "NAME", 7]]}\n')
    (tmp_path / "README.md").write_text("no gold")
    notes, gold = load_gold(tmp_path)
    assert notes["file"].to_list() == ["a.jsonl", *["sub/b.txt"] * 3]
    assert notes["patient_id"].to_list() == ["p1", "sub/b.txt:p1", "sub/b.txt:p1", None]
    assert gold["entity"].to_list()[0] == "7"
    result = evaluate(notes, gold, pl.DataFrame(schema={"note_id": pl.Utf8, "spans": SPANS_DTYPE}))
    assert set(result["slices"]["file"]["each"]) == {"a.jsonl", "sub/b.txt"}


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no such gold"), (b"\xff\xfe", "line 1"), (b"\x1f\x8bbroken", "to its end")]
)
def test_gold_that_cannot_be_read_is_explained(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "g.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        load_gold(path)


# --- predictions, the page and the command ---------------------------------------------------------------------

NAMES = ["Zebulon Quartermaine", "Ottoline Vance"]
WARD = [
    {"note_id": f"n{i}", "patient_id": f"p{i // 2}", "kind": "call", "text": f"Called {NAMES[i % 2]} <b>back</b> today",
     "spans": [[7, 7 + len(NAMES[i % 2]), "NAME", f"p{i // 2}"]]}
    for i in range(40)
]  # fmt: skip


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in WARD))
    rows = [
        {"note_id": row["note_id"], "spans": [{"start": 7, "end": 15 if i % 2 else row["spans"][0][1], "label": "PERSON"}]}
        for i, row in enumerate(WARD[:39])
    ]  # fmt: skip
    rows[0]["spans"].append({"start": 36, "end": 42, "identifier": "DATE", "score": 0.5, "recognizer": "dates.odd"})
    (tmp_path / "found.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_the_command_prints_figures_of_given_predictions(ward: Path) -> None:
    done = run_command(
        ward, "deid", "evaluate", "gold.jsonl", "--predictions", "found.jsonl", "--json", "--origin", "public"
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 40 gold notes have no prediction" in done.stderr
    found = json.loads(done.stdout)
    assert (found["overall"]["gold"], found["overall"]["full_cover"], found["overall"]["any_cover"]) == (40, 20, 39)
    assert found["overall"]["full_cover_recall_95_patients"] is None or found["intervals"]["drawn"] == "patients"
    assert found["entities"]["overall"]["recall"] == 0.0
    assert (found["origin"], found["gate"]["verdict"]) == ("public", "insufficient evidence")
    assert not any(name.split()[0] in done.stdout + done.stderr for name in NAMES)
    again = run_command(
        ward, "deid", "evaluate", "gold.jsonl", "--predictions", "found.jsonl", "--json", "--origin", "public"
    )
    assert again.stdout == done.stdout


def test_the_table_says_the_same_and_that_synthetic_gold_is_no_evidence(ward: Path) -> None:
    done = run_command(ward, "deid", "evaluate", "gold.jsonl", "--predictions", "found.jsonl", "--origin", "synthetic")
    assert done.returncode == 0, done.stderr
    assert re.search(r"NAME +40 +0.5000 +0.3380–0.6620", done.stdout)
    assert "a smoke test, not evidence" in done.stdout
    assert "…" not in done.stdout
    assert not list(ward.glob("*.html"))


def test_the_page_of_misses_is_shut_and_loads_nothing(ward: Path) -> None:
    out = ward / "work" / "evaluation"
    done = run_command(ward, "deid", "evaluate", "gold.jsonl", "--predictions", "found.jsonl", "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.stat().st_mode & 0o077 == 0
    for path in out.iterdir():
        assert path.stat().st_mode & 0o077 == 0
    assert not any(name.split()[0] in (out / "evaluation.json").read_text() for name in NAMES)
    page = (out / "misses.html").read_text()
    assert "This page holds text of notes" in page
    assert '<mark class="masked">Ottoline</mark><mark class="left"> Vance</mark>' in page
    assert "&lt;b&gt;back" in page
    assert "<b>back" not in page
    assert "dates.odd" in page
    assert not re.search(r"""(src|href|url)\s*[=(]|<script|https?:""", page)
    assert (out / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["nothing.jsonl"], "no such gold"),
        (["gold.jsonl", "--predictions", "nothing.jsonl"], "no such file of predictions"),
        (["gold.jsonl", "--predictions", "other.jsonl"], "other notes than the gold"),
        (["gold.jsonl", "--predictions", "broken.jsonl"], "broken.jsonl, line 2"),
        (["gold.jsonl", "--predictions", "twice.jsonl"], "twice.jsonl, line 2"),
        (["gold.jsonl", "--predictions", "outside.jsonl"], "predicted spans lie outside their note: 1 of 1"),
        (["gold.jsonl", "--predictions", "label.jsonl"], "unknown identifier label"),
        (["gold.jsonl", "--predictions", "no.parquet"], "cannot be read"),
        (["gold.jsonl", "--predictions", "found.jsonl", "--ner", "none"], "do not go together"),
        (["gold.jsonl", "--ner", "huge"], "unknown --ner"),
        (["gold.jsonl", "--origin", "mine"], "known: synthetic, public, in-domain"),
        (["gold.jsonl", "--claim", "1.0"], "--claim must lie between"),
        (["gold.jsonl", "--policy", "mine"], "no such policy"),
        (["gold.jsonl", "--predictions", "found.jsonl", "--out", "corpora/x"], "cannot stand there"),
        (["gold.jsonl", "--predictions", "found.jsonl", "--out", "manifests"], "cannot stand there"),
        (["gold.jsonl", "--predictions", "found.jsonl", "--out", "gold.jsonl"], "--out is a file"),
        (["gold.jsonl", "--predictions", "found.jsonl", "--out", "gold.jsonl/x"], "cannot be written"),
        (["empty.jsonl", "--predictions", "found.jsonl"], "holds no note"),
    ],
)
def test_a_mistake_is_explained_and_nothing_is_written(ward: Path, args: list[str], said: str) -> None:
    (ward / "other.jsonl").write_text('{"note_id": "Zyx", "spans": []}\n')
    (ward / "broken.jsonl").write_text('{"note_id": "n0", "spans": []}\n{"Zyx\n')
    (ward / "twice.jsonl").write_text('{"note_id": "n0", "spans": []}\n' * 2)
    (ward / "outside.jsonl").write_text('{"note_id": "n0", "spans": [{"start": 7, "end": 999, "label": "NAME"}]}\n')
    (ward / "label.jsonl").write_text('{"note_id": "n0", "spans": [{"start": 7, "end": 9, "label": "SHOE"}]}\n')
    (ward / "no.parquet").write_text("Zyx")
    (ward / "empty.jsonl").write_text("")
    before = {p for p in ward.rglob("*") if p.is_file()}
    done = run_command(ward, "deid", "evaluate", *args)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Zyx" not in done.stderr
    assert "Traceback" not in done.stderr
    assert {p for p in ward.rglob("*") if p.is_file()} == before


def test_what_detect_writes_is_what_evaluate_reads(ward: Path) -> None:
    rows = pl.read_ndjson(ward / "found.jsonl")
    spans = [[{"start": 7, "end": 15, "identifier": "NAME", "score": 1.0, "recognizer": "t"}]] * rows.height
    table = pl.DataFrame({"note_id": rows["note_id"], "spans": pl.Series(spans, dtype=SPANS_DTYPE)})
    table.write_parquet(ward / "p.parquet")
    (ward / "p.jsonl.gz").write_bytes(gzip.compress(table.write_ndjson().encode()))
    ids = {row["note_id"] for row in WARD}
    assert load_predictions(ward / "p.parquet", ids).equals(load_predictions(ward / "p.jsonl.gz", ids))
    assert load_predictions(ward / "p.parquet", ids).equals(table)


def test_a_full_disk_leaves_no_half_page(ward: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = compare(*load_gold(ward / "gold.jsonl"), pl.DataFrame(schema={"note_id": pl.Utf8, "spans": SPANS_DTYPE}))
    result = figures(compared)
    gate = {"verdict": "failed", "reasons": []}

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UserError, match="No space left"):
        write(ward / "out", compared, result, gate)
    assert list((ward / "out").iterdir()) == []
    assert "What was left: 40 spans" in render_page(compared, result, gate)


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
