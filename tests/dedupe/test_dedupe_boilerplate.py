import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dedupe import boilerplate
from dedupe.boilerplate import BoilerplateParams, count, resolve, units

DISCLAIMER = "This document contains confidential health information that is protected by state and federal law."
PARAMS = BoilerplateParams(min_patients=3, min_share=0)


def table(rows: list[tuple[str | None, str]], clusters: list[str] | None = None) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "note_id": [f"n{i}" for i in range(len(rows))],
            "patient_id": [p for p, _ in rows],
            "text": [t for _, t in rows],
        },
        schema={"note_id": pl.String, "patient_id": pl.String, "text": pl.String},
    )
    return frame.with_columns(cluster=pl.Series(clusters, dtype=pl.String)) if clusters else frame


def found(notes: pl.DataFrame, params: BoilerplateParams = PARAMS) -> list[str]:
    at = units(notes["text"], params).join(resolve([count(notes, params)], params), on="unit")
    return sorted({notes["text"][row][start:end] for row, start, end in at.select("row", "start", "end").iter_rows()})


def test_a_sentence_of_many_patients_is_found_whatever_its_case_and_wrapping() -> None:
    wrapped = DISCLAIMER.replace("information that", "information\nthat")
    notes = table(
        [("a", f"Cough. {DISCLAIMER}"), ("b", f"Fever.\n{DISCLAIMER.upper()}"), ("c", f"Pain.\n\n{wrapped}\nBye.")]
    )
    assert found(notes) == sorted([DISCLAIMER, DISCLAIMER.upper(), wrapped])


def test_a_patient_counts_once_however_many_notes_repeat_a_sentence() -> None:
    assert found(table([("a", DISCLAIMER)] * 9 + [("b", DISCLAIMER)])) == []


def test_without_patients_a_cluster_of_near_duplicates_counts_once() -> None:
    assert found(table([(None, DISCLAIMER)] * 4, ["c1", "c1", "c2", "c2"])) == []
    assert found(table([(None, DISCLAIMER)] * 4, ["c1", "c1", "c2", "c3"])) == [DISCLAIMER]


def test_a_short_sentence_is_a_finding_and_never_boilerplate() -> None:
    assert found(table([(p, "Lungs are clear. No effusion.") for p in "abcdef"])) == []


def test_other_numbers_make_other_sentences() -> None:
    text = "The patient was given {} mg of the drug by mouth this morning."
    assert found(table([(p, text.format(i)) for i, p in enumerate("abcdef")])) == []


def test_a_share_of_all_patients_can_be_asked_for() -> None:
    rows = [(f"p{i}", DISCLAIMER if i < 10 else f"Nothing to say of number {i} today.") for i in range(100)]
    assert found(table(rows), BoilerplateParams(min_patients=3, min_share=0.1)) == [DISCLAIMER]
    assert found(table(rows), BoilerplateParams(min_patients=3, min_share=0.11)) == []


def test_a_spared_phrase_is_never_boilerplate() -> None:
    notes = table([(p, DISCLAIMER) for p in "abcd"])
    assert found(notes, PARAMS.model_copy(update={"spare": ("Confidential  HEALTH-information",)})) == []


def test_a_heading_before_a_sentence_and_a_list_sign_hide_nothing() -> None:
    def headings(text: str) -> list[tuple[int, int, str]]:
        return [(0, 5, "note")] if text.startswith("NOTE:") else []

    notes = table([("a", f"NOTE: {DISCLAIMER}"), ("b", DISCLAIMER), ("c", f"Fever.\n- {DISCLAIMER}")])
    assert resolve([count(notes, PARAMS, headings)], PARAMS)["patients"].to_list() == [3]


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_counts_are_those_of_plain_sets_for_any_shards_of_patients(seed: int) -> None:
    rng = random.Random(seed)
    sentences = [f"Sentence number {i} has at least eight words in it, always." for i in range(12)]
    patients = [None if rng.random() < 0.3 else f"p{rng.randint(0, 8)}" for _ in range(40)]
    notes = table(
        [(p, " ".join(rng.choices(sentences, k=rng.randint(0, 4)))) for p in patients],
        [f"c{rng.randint(0, 9)}" for _ in patients],
    )
    whose: dict[str, set[str]] = {}
    for patient, cluster, text in notes.select("patient_id", "cluster", "text").iter_rows():
        for sentence in sentences:
            if sentence in text:
                whose.setdefault(sentence, set()).add(patient or cluster)
    assert found(notes) == sorted(s for s, people in whose.items() if len(people) >= 3)
    # A patient's notes are in one shard; a cluster's may be in several.
    shard = [int(p[1:]) % 3 if p else rng.randint(0, 2) for p in patients]
    parts = [count(notes.filter(pl.Series(shard) == i)[::-1], PARAMS) for i in range(3)]
    assert_frame_equal(resolve(parts, PARAMS), resolve([count(notes, PARAMS)], PARAMS))
    assert_frame_equal(resolve(parts[::-1], PARAMS), resolve(parts, PARAMS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boilerplate, "ROWS_AT_A_TIME", 7)
        assert_frame_equal(resolve(parts, PARAMS), resolve([count(notes, PARAMS)], PARAMS))


@pytest.mark.parametrize("texts", [[], [""], ["  \n ", "..."], ["x" * 100_000], ["a " * 50_000]])
def test_text_without_sentences_is_no_trouble(texts: list[str]) -> None:
    assert found(table([(str(i), text) for i, text in enumerate(texts)])) == []
