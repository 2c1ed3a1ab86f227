import gzip
import json
import random
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from clinicorpus_errors import UserError
from dedupe.near import NearParams, Resolution, resolve, signatures
from dedupe.stars import Sets

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "notes"
PARAMS = NearParams()
WORDS = [f"w{i}" for i in range(3000)]


def table(texts: list[str], **columns: list) -> pl.DataFrame:
    ids = [f"n{i:05d}" for i in range(len(texts))]
    return pl.DataFrame({"note_id": ids, "text": pl.Series(texts, dtype=pl.String), **columns})


def near(notes: pl.DataFrame, params: NearParams = PARAMS) -> Resolution:
    return resolve(signatures(notes, params), params)


def dropped(notes: pl.DataFrame, params: NearParams = PARAMS) -> dict[str, str]:
    return dict(near(notes, params).decisions.select("note_id", "kept_id").iter_rows())


def jaccard(a: str, b: str, width: int = 5) -> float:
    """Computed in another way than the code under test: sets of tuples of strings."""
    first, second = (
        {tuple(words[i : i + width]) for i in range(max(len(words) - width, 0) + 1)}
        for words in (re.findall(r"\[[a-z][a-z0-9_]*\]|[^\W_]+", text.lower()) for text in (a, b))
    )
    return len(first & second) / len(first | second)


def families(seed: int, *, notes: int = 120, length: int = 60) -> list[str]:
    """Texts of which many are edited copies, of copies too, at every distance."""
    rng = random.Random(seed)
    texts: list[list[str]] = []
    for _ in range(notes):
        if texts and rng.random() < 0.6:
            rate = rng.choice([0, 0.005, 0.02, 0.05, 0.1])
            again = rng.choice([1, 1, 1, 2])  # a text that says everything twice has each shingle once
            texts.append(
                [rng.choice(WORDS) if rng.random() < rate else word for word in rng.choice(texts)[:200]] * again
            )
        else:
            texts.append(rng.choices(WORDS, k=rng.randint(1, length)))
    return [" ".join(text) for text in texts]


def in_parts(notes: pl.DataFrame, parts: int) -> Resolution:
    return resolve(pl.concat(signatures(notes[i::parts], PARAMS) for i in range(parts)), PARAMS)


def assert_same(a: Resolution, b: Resolution) -> None:
    assert_frame_equal(a.decisions, b.decisions, check_exact=True)
    assert_frame_equal(a.clusters, b.clusters, check_exact=True)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_every_dropped_note_passes_the_check_against_the_note_kept_for_it(seed: int) -> None:
    texts = families(seed)
    notes = table(texts)
    text = dict(zip(notes["note_id"], texts, strict=True))
    decisions = near(notes).decisions
    gone = set(decisions["note_id"])
    for note, kept, similarity in decisions.iter_rows():
        assert similarity == jaccard(text[note], text[kept])
        assert similarity >= PARAMS.threshold
        assert kept not in gone


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_at_95_percent_alike_nothing_is_left(seed: int) -> None:
    # A pair at 0.95 misses all 20 bands with probability 2e-12.
    notes = table(families(seed))
    kept = notes.filter(~pl.col("note_id").is_in(list(dropped(notes))))["text"].to_list()
    assert not [(a, b) for i, a in enumerate(kept) for b in kept[:i] if jaccard(a, b) >= 0.95]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 7))
def test_order_and_partition_do_not_matter(seed: int, parts: int) -> None:
    rng = random.Random(seed)
    texts = families(seed)
    notes = table(
        texts,
        patient_id=[rng.choice(["p", "q", None]) for _ in texts],
        charted_at=[rng.choice(["2020-01-01T08:00:00", "2020-01-02", None]) for _ in texts],
        signed_at=[rng.choice(["2020-01-01", "2020-01-03", None]) for _ in texts],
        amends=[rng.choice([None, None, "n00001", "n00007", "gone"]) for _ in texts],
    )
    assert_same(near(notes), in_parts(notes.sample(fraction=1, shuffle=True, seed=seed % 1000), parts))


def test_processes_give_the_same_as_one() -> None:
    notes = table(families(5))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(signatures, [notes[i::3] for i in range(3)], [PARAMS] * 3))
    assert_same(near(notes), resolve(pl.concat(reversed(parts)), PARAMS))


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5))
def test_tables_read_as_needed_give_the_same_as_one_in_memory(tmp_path_factory, seed: int, parts: int) -> None:
    folder = tmp_path_factory.mktemp("tables")
    notes = table(families(seed))
    for i in range(parts):
        signatures(notes[i::parts], PARAMS).write_parquet(folder / f"{i}.parquet")
    assert_same(near(notes), resolve([pl.scan_parquet(folder / f"{i}.parquet") for i in range(parts)], PARAMS))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_removing_a_note_changes_nothing_outside_its_cluster(seed: int) -> None:
    notes = table(families(seed))
    decisions, clusters = near(notes)
    gone = random.Random(seed).choice(notes["note_id"].to_list())
    its = clusters.filter(pl.col("note_id") == gone)["cluster"][0]
    elsewhere = clusters.filter(pl.col("cluster") != its)
    left = near(notes.filter(pl.col("note_id") != gone))
    outside = pl.col("note_id").is_in(elsewhere["note_id"].implode())
    assert_frame_equal(left.decisions.filter(outside), decisions.filter(outside))
    assert_frame_equal(left.clusters.filter(outside), elsewhere)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 60))
def test_of_notes_all_alike_exactly_one_stays_the_best(seed: int, count: int) -> None:
    rng = random.Random(seed)
    texts = [" ".join([*WORDS[:120], f"x{rng.randrange(9)}"]) for _ in range(count)]
    sizes = [rng.randrange(100) for _ in range(count)]
    gone = dropped(table(texts, n_chars=sizes))
    best = f"n{max(range(count), key=lambda i: (sizes[i], -i)):05d}"
    assert set(gone.values()) == {best}
    assert len(gone) == count - 1
    assert best not in gone


def test_a_note_like_a_dropped_one_but_not_like_the_kept_one_stays() -> None:
    words = WORDS[:200]
    a, b, c = words[:], words[:], words[:]
    b[3] = b[50] = "x"  # 10 of 196 shingles: like a
    c[3] = c[50] = c[100] = c[150] = "x"  # like b, less like a
    texts = [" ".join(text) for text in (a, b, c)]
    params = NearParams(threshold=0.88)
    assert [jaccard(texts[0], texts[1]) >= 0.88, jaccard(texts[1], texts[2]) >= 0.88] == [True, True]
    assert jaccard(texts[0], texts[2]) < 0.88
    found = near(table(texts, n_chars=[3, 2, 1]), params)
    assert found.decisions.select("note_id", "kept_id").rows() == [("n00001", "n00000")]
    assert found.clusters["cluster"].to_list() == ["n00000"] * 3


def day(number: int, vitals: int) -> str:
    return " ".join([*WORDS[:80], "BP", str(vitals), *WORDS[80:160], "day", str(number)])


def test_notes_of_one_patient_on_different_days_stay() -> None:
    days = [f"2020-01-{i:02d}T08:00:00" for i in range(1, 21)]
    hours = [f"2020-01-01T{i:02d}:30:00" for i in range(20)]
    texts = [day(i, 100 + i) for i in range(20)]
    assert len(dropped(table(texts))) == 19
    assert dropped(table(texts, patient_id=["p"] * 20, charted_at=days)) == {}
    assert dropped(table(texts, patient_id=["p"] * 20)) == {}
    assert len(dropped(table(texts, patient_id=["p"] * 20, charted_at=hours))) == 19


def test_notes_of_other_patients_are_dropped_whatever_the_day() -> None:
    days = [f"2020-01-{i:02d}" for i in range(1, 5)]
    texts = [day(0, 100 + i) for i in range(4)]
    assert len(dropped(table(texts, patient_id=["p", "q", None, None], charted_at=days))) == 3


def test_another_patients_copy_does_not_join_the_days_of_one() -> None:
    days = ["2020-01-01", "2020-01-02", "2020-01-01"]
    texts = [day(0, 100 + i) for i in range(3)]
    assert dropped(table(texts, patient_id=["p", "p", "q"], charted_at=days)) == {"n00002": "n00000"}


def test_a_version_of_a_note_is_dropped_for_the_last_one_whatever_the_day() -> None:
    texts = [day(0, 100 + i) for i in range(4)]
    columns = {"patient_id": ["p"] * 4, "charted_at": [f"2020-01-{i:02d}" for i in range(1, 5)]}
    amends = [None, "n00000", None, "n00001"]
    assert dropped(table(texts, amends=amends, **columns)) == {"n00000": "n00003", "n00001": "n00003"}


def test_a_long_stay_does_not_hide_the_notes_saved_twice() -> None:
    # 300 days alike, each saved twice: far more notes in a bucket than leaders.
    texts = [day(i // 2, 100) for i in range(600)]
    days = [f"{2000 + i // 2}-01-01" for i in range(600)]
    gone = dropped(table(texts, patient_id=["p"] * 600, charted_at=days))
    assert gone == {f"n{i + 1:05d}": f"n{i:05d}" for i in range(0, 600, 2)}


def test_numbers_are_tokens_like_words() -> None:
    vitals = ["T 37 HR 80 RR 16 BP 120 over 80 SpO2 98", "T 39 HR 120 RR 28 BP 90 over 50 SpO2 88"]
    assert jaccard(*vitals) < 0.8
    assert dropped(table(vitals)) == {}


def test_notes_that_differ_in_their_vitals_only_stay_where_numbers_keep_them_apart() -> None:
    texts = [" ".join([*WORDS[:1500], "BP", str(100 + i // 2)]) for i in range(100)]  # each saved twice
    assert len(dropped(table(texts))) == 99
    apart = NearParams(numbers_apart=True)
    assert dropped(table(texts), apart) == {f"n{i + 1:05d}": f"n{i:05d}" for i in range(0, 100, 2)}
    assert near(table(texts), apart).clusters["cluster"].n_unique() == 1
    swapped = [f"{' '.join(WORDS[:80])} HR {a} RR {b}" for a, b in [(80, 16), (16, 80), (80, 16)]]
    assert len(dropped(table(swapped))) == 2
    assert dropped(table(swapped), apart) == {"n00002": "n00000"}


def test_notes_whose_numbers_differ_stay_on_demand_and_are_still_of_one_cluster() -> None:
    words = " ".join(WORDS[:150])
    texts = [f"{words} potassium 4.8", f"{words} potassium 4.8 today", f"{words} potassium 5.8", f"{words} dose .5 mg"]
    params = NearParams(numbers_apart=True)
    assert len(dropped(table(texts))) == 3
    found = near(table(texts), params)
    assert found.decisions.select("note_id", "kept_id").rows() == [("n00000", "n00001")]
    assert found.clusters["cluster"].n_unique() == 1


def test_other_numbers_in_thousands_do_not_hide_a_note_saved_twice() -> None:
    words = " ".join(WORDS[:100])
    texts = [f"{words} potassium {i // 2} {'signed' if i % 2 else ''}" for i in range(400)]
    gone = dropped(table(texts), NearParams(numbers_apart=True))
    assert gone == {f"n{i:05d}": f"n{i + 1:05d}" for i in range(0, 400, 2)}


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32))
def test_with_distinct_numbers_no_note_goes_for_one_with_others(seed: int) -> None:
    texts = [re.sub("w", "w " if i % 3 else "w", text) for i, text in enumerate(families(seed))]
    notes = table(texts)
    text = dict(zip(notes["note_id"], texts, strict=True))
    for note, kept in dropped(notes, NearParams(numbers_apart=True)).items():
        assert re.findall(r"\d+", text[note]) == re.findall(r"\d+", text[kept])


def test_a_placeholder_is_one_token() -> None:
    found = signatures(table(["Seen by [NAME] at [HEALTH_PLAN]", "[ ] no [see the note]", "x_y"]), PARAMS)
    assert found["n_tokens"].to_list() == [5, 4, 2]


def test_notes_shorter_than_a_shingle_are_compared_whole() -> None:
    texts = [
        "No change.",
        "no CHANGE",
        "No",
        "No change today",
        "change no",
        "one two three four",
        "One, two, three, four!",
    ]
    assert dropped(table(texts)) == {"n00001": "n00000", "n00005": "n00006"}


def test_notes_without_tokens_are_like_nothing() -> None:
    notes = table(["", " ", "...", "", "a"]).with_columns(pl.col("text").replace(" ", None))
    assert dropped(notes) == {}
    assert near(notes).clusters["cluster"].to_list() == notes["note_id"].to_list()
    assert near(table([])).clusters.height == 0


def test_spelling_of_accents_and_case_do_not_matter() -> None:
    assert len(dropped(table(["na\u00efve caf\u00e9", "NAI\u0308VE CAFE\u0301"]))) == 1


def test_clusters_join_what_is_too_far_apart_to_be_dropped() -> None:
    base = WORDS[:300]
    other = base[:]
    for i in range(0, 300, 37):
        other[i] = "x"
    texts = [" ".join(base), " ".join(other), " ".join(WORDS[1000:1300])]
    assert 0.65 < jaccard(texts[0], texts[1]) < 0.8
    found = near(table(texts))
    assert found.decisions.height == 0
    assert found.clusters["cluster"].to_list() == ["n00000", "n00000", "n00002"]


@pytest.mark.parametrize("changed", [0, 2, 6], ids=["the same", "nearly all the same", "most just apart"])
def test_a_form_filled_in_thousands_of_times_is_not_compared_with_itself_each_time(
    changed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(1)
    compared = 0
    exact = Sets.jaccard

    def counted(sets, a, b):
        nonlocal compared
        compared += len(a)
        return exact(sets, a, b)

    monkeypatch.setattr(Sets, "jaccard", counted)
    count = 2000
    forms = []
    for _ in range(count):
        text = WORDS[:200]
        for place in rng.sample(range(100), changed):
            text[place] = rng.choice(WORDS)
        forms.append(" ".join(text))
    found = near(table(forms))
    # All pairs are two million, and without leaders nearly all would be compared. A bucket costs its notes times its leaders.
    assert compared <= count * PARAMS.bands * PARAMS.leaders / 2
    if changed == 0:
        assert compared <= 2 * count
    if changed < 6:
        assert found.decisions.height == count - 1


def test_a_note_of_ten_megabytes_is_a_note_like_others() -> None:
    rng = random.Random(3)
    long = " ".join(f"{rng.choice(WORDS)}{rng.randrange(50)}" for _ in range(1_400_000))
    assert len(long) > 10_000_000
    other = long[:5000] + "changed" + long[5000:]
    assert dropped(table(["short note", long, other, "a" * 10_000_000, "[" * 1_000_000])) == {"n00001": "n00002"}


def test_medec_pairs_are_near_duplicates_until_the_recipe_says_otherwise() -> None:
    # Two vignettes that differ by one sentence, the error: what the difference is worth is the user's choice.
    pairs = [row for row in shared("medec") if row["error_flag"] == "1"]
    notes = pl.DataFrame(
        {
            "note_id": [f"{i:04d}{which}" for i in range(len(pairs)) for which in "ab"],
            "text": [text for row in pairs for text in (row["text"], row["corrected_text"])],
        }
    )
    alike = {f"{i:04d}" for i, row in enumerate(pairs) if jaccard(row["text"], row["corrected_text"]) >= 0.8}
    assert len(alike) > 0.9 * len(pairs)
    lost = {note[:4] for note in dropped(notes)}
    assert lost >= alike
    assert dropped(notes, NearParams(threshold=1)) == {}


def test_openi_templates_leave_one_of_each_wording() -> None:
    reports = shared("openi")
    text = {row["note_id"]: row["text"] for row in reports}
    gone = dropped(pl.DataFrame({"note_id": list(text), "text": list(text.values())}))
    assert 200 < len(gone) < 400
    assert not set(gone.values()) & set(gone)
    for note, kept in gone.items():
        assert jaccard(text[note], text[kept]) >= PARAMS.threshold
    normal = [note for note, words in text.items() if "Normal chest" in words]
    assert len(set(normal) - set(gone)) > 0.5 * len(normal)


def shared(name: str) -> list[dict]:
    path = SHARED / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_signatures_never_change() -> None:
    # Stored signatures of an earlier corpus must still be comparable.
    found = signatures(table(["Chest pain for 3 days, seen by [NAME]."]), PARAMS)
    assert found["scheme"][0] == "tokens2-w5-rminhash2-20x6-s1"
    assert found["shingles"].list.first()[0] == 7013066784091166283
    assert found["bands"].to_list()[0][:2] == [9193403197219846074, 1063918158731437953]


def test_signatures_of_other_parameters_are_refused() -> None:
    mixed = pl.concat([signatures(table(["a"]), PARAMS), signatures(table(["b"]), NearParams(seed=2))[:0]])
    assert resolve(mixed, PARAMS).clusters.height == 1
    with pytest.raises(UserError, match="another way"):
        resolve(signatures(table(["a"]), NearParams(shingle=4)), PARAMS)


def test_link_threshold_is_never_the_stricter() -> None:
    with pytest.raises(ValueError, match="link_threshold"):
        NearParams(threshold=0.5, link_threshold=0.6)
    with pytest.raises(ValueError, match="extra"):
        NearParams(treshold=0.5)  # type: ignore[call-arg]
