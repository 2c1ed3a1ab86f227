import gzip
import re
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from dedupe.exact import ExactParams, keys, normalized, resolve, scheme
from dedupe.numbers import hashed, numbers
from dedupe.survivor import mended

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def table(*texts: str | None, **columns: list) -> pl.DataFrame:
    return pl.DataFrame(
        {"note_id": [f"n{i}" for i in range(len(texts))], "text": pl.Series(texts, dtype=pl.String), **columns}
    )


def dropped(notes: pl.DataFrame, params: ExactParams = ExactParams()) -> dict[str, str]:
    return dict(resolve(keys(notes, params)).iter_rows())


@settings(deadline=None)
@given(st.lists(st.text(alphabet="aAbB 12.\n-é", max_size=6), max_size=12))
def test_groups_are_those_of_letters_and_digits_without_case(texts: list[str]) -> None:
    def plain(text: str) -> str:
        return "".join(c for c in text.upper() if c.isalnum())

    gone = dropped(table(*texts))
    groups: dict[str, list[str]] = {}
    for i, text in enumerate(texts):
        if plain(text):
            groups.setdefault(plain(text), []).append(f"n{i}")
    for members in groups.values():
        assert sum(note not in gone for note in members) == 1
    assert len(gone) == sum(len(members) - 1 for members in groups.values())
    by_id = {f"n{i}": plain(text) for i, text in enumerate(texts)}
    assert all(by_id[note] == by_id[kept] and kept not in gone for note, kept in gone.items())


def test_text_without_letters_or_digits_has_no_key() -> None:
    found = keys(table("", None, " .,\n", "-", "7"), ExactParams())
    assert found["key"].is_null().to_list() == [True, True, True, True, False]
    assert dropped(table("", "", None, "...", "...")) == {}


def test_short_texts_are_left_alone_on_demand() -> None:
    notes = table("See above.", "see above", "See the note of today.", "see the note of today")
    assert dropped(notes) == {"n1": "n0", "n3": "n2"}
    assert dropped(notes, ExactParams(min_chars=10)) == {"n3": "n2"}


@pytest.mark.parametrize(
    ("one", "other"), [("straße", "STRASSE"), ("ΟΔΟΣ", "οδοσ"), ("naïve", "nai\u0308ve"), ("5 mg", "5mg")]
)
def test_spellings_of_the_same_letters_meet(one: str, other: str) -> None:
    assert len(dropped(table(one, other))) == 1


# Characters newer than this Python are unknown to its tables.
@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cn"])))
def test_normalized_is_letters_and_digits_only(text: str) -> None:
    out = normalized(pl.Series([text]))[0]
    assert all(unicodedata.category(c)[0] in "LN" for c in out)


def test_accents_and_numbers_make_notes_distinct() -> None:
    assert dropped(table("resumé", "resume")) == {}
    assert dropped(table("BP 120/80", "BP 120/81")) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.5 mg", "15 mg"), (".5 mg", "5 mg"), ("<5", ">5"), ("BE -2", "BE 2"), ("120/80", "12/080"), ("7.35", "73.5")],
)
def test_numbers_that_differ_by_a_sign_or_a_point_are_told_apart_on_demand(one: str, other: str) -> None:
    notes = table(f"Given {one} today.", f"given {other} today")
    distinct = ExactParams(numbers_apart=True)
    assert len(dropped(notes)) == 1
    assert dropped(notes, distinct) == {}
    assert scheme(ExactParams()) != scheme(distinct)


@settings(deadline=None)
@given(st.text(alphabet="ab 15.<-\n,", max_size=20), st.sampled_from([" ", "\n", "\t  "]))
def test_case_and_white_space_never_change_the_numbers(text: str, space: str) -> None:
    again = re.sub(r"\s", lambda _: space, text).upper()
    assert numbers(pl.Series([text]))[0] == numbers(pl.Series([again]))[0]
    assert hashed(pl.Series([text]))[0] == hashed(pl.Series([again]))[0]


def chains(dropped: dict[str, str], patients: list[str | None] | None = None, **amends: str) -> dict[str, str | None]:
    names = sorted({*amends, *amends.values(), *dropped, *dropped.values()})
    frame = pl.DataFrame({"note_id": names, "amends": [amends.get(name) for name in names]})
    if patients:
        frame = frame.with_columns(patient_id=pl.Series(patients))
    gone = pl.DataFrame({"note_id": list(dropped), "kept_id": list(dropped.values())})
    return dict(mended(frame, gone).iter_rows())


def test_a_chain_of_versions_goes_round_a_dropped_copy() -> None:
    assert chains({"b": "c"}, a="b") == {"a": "c"}
    assert chains({"b": "c"}, ["p", "p", "p"], a="b") == {"a": "c"}
    # What a copy of another patient's note amended is nobody else's.
    assert chains({"b": "c"}, ["p", "p", "q", "p"], a="b", b="d") == {"a": "d"}
    assert chains({"b": "c"}, ["p", "p", "q"], a="b") == {"a": None}
    # Signed again without a change: the later one is kept, and follows what the earlier one followed.
    assert chains({"b": "a"}, a="b", b="c") == {"a": "c"}
    # Kept is a later version of the note itself.
    assert chains({"b": "c"}, a="b", c="a", b="d") == {"a": "d"}
    assert chains({"b": "c", "c": "d"}, a="b") == {"a": "d"}
    assert chains({"b": "c"}, a="x") == {}


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("abcdefx")),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from("def")),
)
def test_nothing_that_stays_amends_what_is_dropped(amends: dict[str, str], gone: dict[str, str]) -> None:
    found = chains(gone, **amends)
    assert set(found) == {note for note, target in amends.items() if note not in gone and target in gone}
    assert not set(found.values()) & set(gone)
    assert all(note != target for note, target in found.items())


def test_keys_never_change() -> None:
    # A stored key of an earlier corpus must still meet the same text.
    assert keys(table("Chest pain, 3 days."), ExactParams())["key"][0].hex() == "f3eea4795f4d0da081c86390cab42ff5"


@pytest.mark.parametrize(
    ("columns", "kept"),
    [
        ({}, 2),
        ({"status": ["final", "final", "preliminary"]}, 0),
        ({"status": ["preliminary", None, "preliminary"]}, 1),
        ({"signed_at": ["2020-01-02", None, "2019-12-31"]}, 0),
        ({"amends": [None, "n0", "n1"]}, 2),
        ({"amends": ["n2", None, "n1"]}, 0),
        ({"amends": [None, "n0", "n1"], "status": ["final", "amended", "preliminary"]}, 1),
        ({"amends": ["n1", "n0", None]}, 2),
        ({"n_chars": [5, 9, 9]}, 1),
    ],
    ids=[
        "longest",
        "signed",
        "no status is signed",
        "latest",
        "last version",
        "chain",
        "signed version",
        "cycle",
        "id",
    ],
)
def test_survivor_is_the_last_signed_version_then_the_longest_then_the_lowest_id(columns: dict, kept: int) -> None:
    notes = table("No change.", "no change", "NO  CHANGE!!!", **columns)
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        assert set(dropped(notes[order]).values()) == {f"n{kept}"}


def test_a_copy_that_was_amended_since_is_not_the_one_kept() -> None:
    notes = table("No change, stable.", "no change, stable", "Worse.", amends=[None, None, "n0"])
    assert dropped(notes) == {"n0": "n1"}


def test_a_chain_of_thousands_of_versions_and_a_cycle_end() -> None:
    n = 5000
    chain = [None, *(f"n{i}" for i in range(n - 1))]
    assert set(dropped(table(*["same"] * n, amends=chain)).values()) == {f"n{n - 1}"}
    cycle = [f"n{n - 1}", *(f"n{i}" for i in range(n - 1))]
    assert set(dropped(table(*["same"] * n, amends=cycle)).values()) == {"n0"}


def test_integer_ids_stay_integers() -> None:
    notes = pl.DataFrame({"note_id": pl.Series([2**63 + 1, 3], dtype=pl.UInt64), "text": ["a", "A"]})
    assert resolve(keys(notes, ExactParams())).rows() == [(2**63 + 1, 3)]


def test_repeated_or_missing_ids_and_columns_are_told_without_text() -> None:
    with pytest.raises(UserError) as repeated:
        keys(pl.DataFrame({"note_id": ["a", "a", None], "text": ["secret"] * 3}), ExactParams())
    assert repeated.value.value == 2
    assert "secret" not in str(repeated.value)
    with pytest.raises(UserError, match="columns are missing: text"):
        keys(pl.DataFrame({"note_id": ["a"]}), ExactParams())
    with pytest.raises(UserError, match="amends"):
        keys(table("a", "b", amends=[1, None]), ExactParams())


def test_no_notes_give_no_decisions() -> None:
    assert resolve(keys(table(), ExactParams())).height == 0


def test_mtsamples_repeat_2611_notes() -> None:
    file = SHARED / "notes" / "mtsamples.jsonl.gz"
    if not file.exists():
        pytest.skip("shared data not here")
    notes = pl.read_ndjson(gzip.decompress(file.read_bytes())).select("note_id", "text")
    assert (len(notes), len(dropped(notes))) == (4966, 2611)
