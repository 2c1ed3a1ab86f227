"""What was kept before stays, and what repeats it goes, whatever the cut into files."""

import random
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from clinicorpus_errors import UserError
from dedupe import past
from dedupe.exact import ExactParams, keys
from dedupe.near import NearParams, signatures
from dedupe.past import Store
from dedupe.run import Deduplicated, run
from tests.dedupe.test_dedupe_near import WORDS, day, families, jaccard

EXACT, NEAR = ExactParams(), NearParams()


def table(texts: list[str], first: int = 0, **columns: list) -> pl.DataFrame:
    ids = [f"n{i:05d}" for i in range(first, first + len(texts))]
    return pl.DataFrame({"note_id": ids, "text": pl.Series(texts, dtype=pl.String), **columns})


def stored(path: Path, notes: pl.DataFrame, parts: int = 1, near: NearParams = NEAR) -> tuple[Path, ...]:
    """Signatures of all `notes`, whether or not they repeat each other, in `parts` files."""
    made = signatures(notes, near).join(keys(notes, EXACT).select("note_id", "key"), on="note_id")
    made = made.with_columns(group=pl.concat_str(pl.lit("of "), "note_id"))
    files = []
    for i in range(parts):
        files.append(path / f"{parts}-{i}.parquet")
        past.write(files[-1], made[i::parts], EXACT, near)
    return tuple(files)


def against(notes: pl.DataFrame, *stores: Store, near: NearParams = NEAR) -> Deduplicated:
    return run(notes, EXACT, near, against=stores)


def assert_same(a: Deduplicated, b: Deduplicated) -> None:
    for one, other in zip(a, b, strict=True):
        assert_frame_equal(one, other, check_exact=True)


@settings(max_examples=6)
@given(seed=st.integers(0, 2**32))
def test_what_goes_for_the_past_passes_the_check_against_the_very_note_it_names(seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("past")
    texts = families(seed)
    old, new = table(texts[:60]), table(texts[60:], 60)
    kept, ledger = against(new, Store("old", stored(folder, old)))
    text = dict(pl.concat([old, new]).iter_rows())
    assert sorted([*kept["note_id"], *ledger["note_id"]]) == new["note_id"].to_list()
    gone = ledger.filter(pl.col("past").is_not_null())
    assert set(gone["kept_id"]) <= set(old["note_id"])
    assert set(gone["reason"]) <= {"dedupe.past_exact", "dedupe.past_near"}
    for note, kept_id, similarity in gone.select("note_id", "kept_id", "similarity").iter_rows():
        assert similarity == jaccard(text[note], text[kept_id])
        assert similarity >= NEAR.threshold
    among = ledger.filter(pl.col("past").is_null())
    assert set(among["kept_id"]) <= set(kept["note_id"])
    # A pair at 0.95 misses all bands with probability 2e-12.
    left = [text[note] for note in kept["note_id"][:20]]
    assert not [a for a in left if any(jaccard(a, b) >= 0.95 for b in texts[:60])]


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), parts=st.integers(2, 5))
def test_neither_files_nor_order_of_old_or_new_matter(seed, parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("past")
    rng = random.Random(seed)
    texts = families(seed)
    notes = table(
        texts,
        patient_id=[rng.choice(["p", "q", None]) for _ in texts],
        charted_at=[rng.choice(["2020-01-01T08:00:00", "2020-01-02", None]) for _ in texts],
        amends=[rng.choice([None, None, "n00001", "n00007", "gone"]) for _ in texts],
    )
    one, other, new = notes[:30], notes[30:60], notes[60:]
    few = NearParams(leaders=1)  # which ones lead a bucket must not hang on the files
    first = against(new, Store("a", stored(folder, one)), Store("b", stored(folder / "..", other)), near=few)
    shuffled = new.sample(fraction=1, shuffle=True, seed=1)
    again = against(
        shuffled,
        Store("b", stored(folder / "..", other[::-1], parts)),
        Store("a", tuple(reversed(stored(folder, one, parts)))),
        near=few,
    )
    assert_same(first, again)


def test_row_groups_and_portions_do_not_matter(tmp_path, monkeypatch):
    texts = families(11)
    old, new = table(texts[:60]), table(texts[60:], 60)
    first = against(new, Store("old", stored(tmp_path, old)))
    monkeypatch.setattr(past, "ROWS_AT_A_TIME", 7)
    monkeypatch.setattr(past, "NOTES_AT_A_TIME", 11)
    assert_same(first, against(new, Store("old", stored(tmp_path, old))))
    assert pq.read_metadata(tmp_path / "1-0.parquet").num_row_groups > 5


def test_unrelated_notes_do_not_change_what_the_past_takes(tmp_path):
    texts = families(3)
    old, new = table(texts[:60]), table(texts[60:], 60)
    store = Store("old", stored(tmp_path, old))
    ledger = against(new, store).ledger.filter(pl.col("past").is_not_null())
    alone = against(new.join(ledger, on="note_id", how="semi"), store).ledger
    assert_frame_equal(alone, ledger)


def test_without_a_past_nothing_changes():
    notes = table(families(5))
    assert_same(run(notes, EXACT, NEAR), run(notes, EXACT, NEAR, against=[]))


def test_the_whole_table_again_goes_against_its_own_signatures(tmp_path):
    notes = table(families(9))
    first = run(notes, EXACT, NEAR, save=tmp_path / "kept.signatures")
    says = past.schemes(tmp_path / "kept.signatures")
    assert int(says["notes"]) == first.kept.height
    _kept, ledger = against(notes, Store("kept", (tmp_path / "kept.signatures",)))
    # What went for its keeper before goes for it again; what was kept is found as itself.
    assert set(first.kept["note_id"]) <= set(ledger.filter(pl.col("reason") == "dedupe.past_exact")["note_id"])
    assert set(first.ledger["note_id"]) <= set(ledger["note_id"])


def test_serial_notes_of_one_patient_stay_and_their_versions_go(tmp_path):
    old = table([day(i, 100 + i) for i in range(300)], patient_id=["p"] * 300)
    old = old.with_columns(charted_at=pl.Series([f"{1700 + i}-01-01T08:00:00" for i in range(300)]))
    store = Store("old", stored(tmp_path, old))
    new = pl.DataFrame(
        {
            "note_id": ["later", "resaved", "amended", "n00042", "other"],
            "text": [f"{day(250, 351)} x{i}" for i in range(5)],
            "patient_id": ["p", "p", "p", "p", "q"],
            "charted_at": ["2021-01-01", "1950-01-01T09:00:00", "2021-01-02", "2021-01-03", "2021-01-04"],
            "amends": [None, None, "n00007", None, None],
        }
    )
    gone = dict(against(new, store).ledger.select("note_id", "kept_id").iter_rows())
    assert gone.keys() == {"resaved", "amended", "n00042", "other"}
    assert gone["resaved"] == "n00250"
    assert gone["amended"] == "n00007"
    assert gone["n00042"] == "n00042"


def test_a_long_stay_does_not_hide_another_patients_note(tmp_path):
    texts = [day(0, 100)] * 300
    old = table(texts, patient_id=["p"] * 299 + ["q"], charted_at=[f"{1700 + i}-01-01" for i in range(300)])
    new = pl.DataFrame({"note_id": ["new"], "text": [day(0, 101)], "patient_id": ["p"], "charted_at": ["2021-01-01"]})
    assert against(new, Store("old", stored(tmp_path, old))).ledger["kept_id"].to_list() == ["n00299"]


def test_a_linked_note_takes_the_group_of_the_old_one_that_ranks_first(tmp_path):
    base = WORDS[:300]

    def changed(start: int, words: list[str] = base) -> list[str]:
        return ["x" if i % 37 == start else word for i, word in enumerate(words)]

    old = table([" ".join(changed(0)), " ".join(changed(11))])
    new = table([" ".join(base), " ".join(changed(20)), "something else altogether, of another kind"], 2)
    found = past.resolve_near(
        signatures(new, NEAR), NEAR, [Store("old", stored(tmp_path, old))],
        pl.DataFrame({"group": ["of n00000", "of n00001"], "rank": [3, 1]}),
    )  # fmt: skip
    assert found.decisions.height == 0
    assert dict(found.clusters.iter_rows()) == {"n00002": "of n00001", "n00003": "of n00001", "n00004": "n00004"}
    assert sorted(found.linked) == ["n00002", "n00003"]


def test_codes_of_another_corpus_are_those_of_the_same_patients(tmp_path):
    old = table([day(0, 100)], patient_id=["theirs"], charted_at=["2020-01-01"])
    new = table([day(0, 101)], 1, patient_id=["ours"], charted_at=["2020-01-02"])
    files = stored(tmp_path, old)
    assert against(new, Store("old", files)).ledger.height == 1
    codes = pl.DataFrame({"old": ["theirs"], "new": ["ours"]})
    assert against(new, Store("old", files, codes)).ledger.height == 0
    past.hand(tmp_path / "past.json", [Store("old", files, codes)], pl.DataFrame({"group": ["g"], "rank": [1]}))
    read = past.read(tmp_path / "past.json")
    assert against(new, *read.stores).ledger.height == 0
    assert read.ranks is not None


def test_distinct_numbers_are_compared_with_distinct_numbers(tmp_path):
    near = NearParams(numbers_apart=True)
    exact = ExactParams(numbers_apart=True)
    words = " ".join(WORDS[:100])
    new = table([f"{words} dose 15 mg", f"{words} dose 1.5 mg, signed", f"{words} dose 2 mg"], 1)
    run(table([f"{words} dose 1.5 mg"]), exact, near, save=tmp_path / "s")
    store = Store("old", (tmp_path / "s",))
    ledger = run(new, exact, near, against=[store]).ledger
    assert ledger.select("note_id", "reason").rows() == [("n00002", "dedupe.past_near")]
    with pytest.raises(UserError, match="another way"):
        against(new, store)


@pytest.mark.parametrize("near", [NearParams(shingle=4), NearParams(bands=19), NearParams(seed=2)])
def test_signatures_of_another_scheme_are_refused_with_what_to_do(tmp_path, near):
    store = Store("old", stored(tmp_path, table(["one"]), near=near))
    with pytest.raises(UserError, match="another way") as error:
        against(table(["two"]), store)
    assert "--signatures" in str(error.value.next)


@pytest.mark.parametrize("damage", ["cut", "other", "gone"])
def test_a_damaged_file_is_told(tmp_path, damage):
    (path,) = stored(tmp_path, table(["one"]))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    elif damage == "other":
        table(["one"]).write_parquet(path)
    else:
        path.unlink()
    with pytest.raises(UserError, match="no file of signatures"):
        against(table(["two"]), Store("old", (path,)))


def test_ids_of_another_type_are_told(tmp_path):
    store = Store("old", stored(tmp_path, table(["one"])))
    with pytest.raises(UserError, match="another type"):
        against(pl.DataFrame({"note_id": [1], "text": ["two"]}), store)


def test_integer_ids_and_arrow_tables_work(tmp_path):
    notes = pl.DataFrame({"note_id": [1, 2, 3], "text": ["no change...", "No change.", "worse"]})
    kept, _ledger = run(notes.to_arrow(), EXACT, NEAR, save=tmp_path / "s")
    assert kept["note_id"].to_list() == [1, 3]
    later = pl.DataFrame({"note_id": [3, 4], "text": ["NO CHANGE", "better"]}).to_arrow()
    kept, ledger = run(later, EXACT, NEAR, against=[Store("s", (tmp_path / "s",))])
    assert (kept["note_id"].to_list(), ledger["note_id"].to_list(), ledger["kept_id"].to_list()) == ([4], [3], [1])


def test_notes_without_tokens_and_empty_tables_are_like_nothing(tmp_path):
    store = Store("old", stored(tmp_path, table(["", "...", "a b"])))
    assert against(table(["", "-"], 5), store).kept.height == 2
    assert against(table([]), store).kept.height == 0
    nothing = Store("nothing", stored(tmp_path, table([]), 2))
    assert against(table(["a b"], 5), nothing).kept.height == 1


def test_a_form_filled_in_thousands_of_times_is_compared_with_a_few_of_them(tmp_path, monkeypatch):
    rng = random.Random(1)

    def filled() -> str:
        return " ".join(rng.choice(WORDS) if i % 2 and i < 60 else word for i, word in enumerate(WORDS[:240]))

    texts = [filled() for _ in range(800)]
    compared = []
    jaccard_of = past.stars.Sets.jaccard
    store = Store("old", stored(tmp_path, table(texts[:400])))
    monkeypatch.setattr(
        past.stars.Sets, "jaccard", lambda sets, a, b: compared.append(len(a)) or jaccard_of(sets, a, b)
    )
    past.matches([signatures(table(texts[400:], 400), NEAR).lazy()], NEAR, [store])
    assert 0 < sum(compared) < 400 * 400 / 4
