import random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dedupe.exact import ExactParams
from dedupe.near import NearParams
from dedupe.run import Deduplicated, run

WORDS = [f"w{i}" for i in range(500)]


def table(seed: int) -> pl.DataFrame:
    rng = random.Random(seed)
    texts: list[str] = []
    for _ in range(rng.randint(0, 60)):
        kind = rng.random()
        if texts and kind < 0.3:
            texts.append(rng.choice(texts).upper() + "!")
        elif texts and kind < 0.7:
            words = rng.choice(texts).split(" ")
            texts.append(" ".join(rng.choice(WORDS) if rng.random() < 0.02 else word for word in words))
        else:
            texts.append(" ".join(rng.choices(WORDS, k=rng.choice([0, 1, 3, 40, 80]))))
    return pl.DataFrame({"note_id": range(len(texts)), "text": pl.Series(texts, dtype=pl.String)})


def deduplicated(notes: pl.DataFrame) -> Deduplicated:
    return run(notes, ExactParams(), NearParams())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_every_note_is_kept_or_in_the_ledger_and_points_to_a_kept_one(seed: int) -> None:
    notes = table(seed)
    kept, ledger = deduplicated(notes)
    assert sorted([*kept["note_id"], *ledger["note_id"]]) == notes["note_id"].to_list()
    assert set(ledger["kept_id"]) <= set(kept["note_id"])
    assert set(ledger["reason"]) <= {"dedupe.exact", "dedupe.near"}
    assert ledger["similarity"].is_between(0.8, 1).all()
    cluster = dict(kept.iter_rows())
    assert all(cluster[kept_id] == of for kept_id, of in ledger.select("kept_id", "cluster").iter_rows())


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_order_does_not_matter(seed: int) -> None:
    notes = table(seed)
    for one, other in zip(deduplicated(notes), deduplicated(notes[::-1]), strict=True):
        assert_frame_equal(one, other, check_exact=True)


def test_a_copy_of_a_near_duplicate_names_the_note_kept_for_both() -> None:
    words = " ".join(WORDS[:100])
    notes = pl.DataFrame({"note_id": ["a", "b", "c"], "text": [f"{words} and more", f"{words} and", f"{words} AND"]})
    ledger = deduplicated(notes).ledger
    assert ledger.select("note_id", "reason", "kept_id").rows() == [
        ("b", "dedupe.near", "a"),
        ("c", "dedupe.exact", "a"),
    ]
    assert ledger["similarity"].to_list() == [97 / 98, 97 / 98]


def test_columns_are_those_of_the_files() -> None:
    kept, ledger = deduplicated(pl.DataFrame({"note_id": ["a"], "text": ["one"], "source": ["x"]}))
    assert kept.columns == ["note_id", "cluster"]
    assert ledger.columns == ["note_id", "reason", "kept_id", "similarity", "cluster", "past"]
