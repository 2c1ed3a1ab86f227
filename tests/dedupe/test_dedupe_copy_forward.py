"""Copy-forward: what stands before goes, what is new stays, and nothing is lost."""

import random
import re
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from dedupe.copy_forward import CopyForwardParams, find, misspelt, moment, notes_in_order
from dedupe.edits import Edit, Moves, edits, rewritten
from dedupe.sentences import cut

PARAMS = CopyForwardParams()
FIRST = (
    "He was admitted with pneumonia of the right lower lobe. Chest radiograph on 03/04/2019 showed a dense "
    "infiltrate. Sodium was 131 and potassium 4.2 this morning. He denies chest pain, fever or chills. Afebrile. "
    "Continue ceftriaxone 1 g daily for seven days."
)


def _headings(text):
    """Headings in capitals with a colon."""
    return [(m.start(), m.end(), m[1].lower()) for m in re.finditer(r"^([A-Z ]+):", text, re.MULTILINE)]


def _table(texts, **columns):
    rows = [
        {
            "note_id": f"n{i:03d}",
            "patient_id": "p",
            "charted_at": f"2019-{1 + i // 28:02d}-{1 + i % 28:02d}",
            "text": text,
        }
        for i, text in enumerate(texts)
    ]
    return pl.DataFrame(rows).with_columns(**columns)


def _left(*texts, params=PARAMS, headings=_headings, is_word=None):
    """The last of these notes without what stands in the others, and whether anything in it is new."""
    notes = _table(texts)
    found = find(notes, params, headings, is_word)
    return _without(found, notes.row(-1, named=True)), found.notes["new"][-1]


def _without(found, note):
    rows = found.passages.filter((pl.col("note_id") == note["note_id"]) & ~pl.col("exempt"))
    return rewritten(note["text"], edits(note["text"], list(rows.select("start", "end").iter_rows())))


# --- what counts as a copy -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again",
    [
        FIRST,
        FIRST.upper(),
        FIRST.replace(". ", ".\n"),
        FIRST.replace(" ", "\n  ", 9),
        FIRST.replace("03/04/2019", "April 11, 2019"),
        FIRST.replace("03/04/2019", "2019-04-11"),
        FIRST.replace("the right", "right").replace("a dense", "dense"),
        FIRST.replace("pneumonia", "pnuemonia"),
        FIRST.replace(", fever", "; fever"),
        "\n".join(f"- {sentence}" for sentence in FIRST.split(". ")),
        "\n".join(f"{i}. {sentence}" for i, sentence in enumerate(FIRST.split(". "), 1)),
    ],
)
def test_a_copy_in_another_shape_says_nothing_new(again):
    assert _left(FIRST, again) == ("", False)


@pytest.mark.parametrize(
    ("old", "new", "stays"),
    [
        ("131", "128", "Sodium was 128 and potassium 4.2 this morning."),
        ("4.2", "4.8", "Sodium was 131 and potassium 4.8 this morning."),
        ("1 g", "2 g", "Continue ceftriaxone 2 g daily for seven days."),
        ("denies", "reports", "He reports chest pain, fever or chills."),
        ("showed a", "showed no", "Chest radiograph on 03/04/2019 showed no dense infiltrate."),
        ("right", "left", "He was admitted with pneumonia of the left lower lobe."),
        ("Continue", "Discontinue", "Discontinue ceftriaxone 1 g daily for seven days."),
        (" denies", "", "He chest pain, fever or chills."),
        ("this morning.", "this morning?", "Sodium was 131 and potassium 4.2 this morning?"),
        ("ceftriaxone", "cefotaxime", "Continue cefotaxime 1 g daily for seven days."),
    ],
)
def test_what_changed_inside_a_copied_block_stays_as_a_whole_sentence(old, new, stays):
    assert _left(FIRST, FIRST.replace(old, new)) == (stays, True)


def test_new_sentences_between_copied_ones_stay():
    first, *others = FIRST.split(". ")
    again = ". ".join([first, "Blood cultures grew nothing", *others, "Walked to the door"])
    assert _left(FIRST, again)[0] == "Blood cultures grew nothing. Walked to the door"


def test_the_rest_of_a_sentence_that_lost_its_begin_is_new():
    assert _left("There is no evidence of pulmonary embolism or pneumonia on this study. " + FIRST,
                 FIRST + " Evidence of pulmonary embolism or pneumonia on this study.") == (
        "Evidence of pulmonary embolism or pneumonia on this study.", True,
    )  # fmt: skip


def test_a_short_statement_typed_anew_stays_and_inside_a_copied_passage_goes():
    assert _left(FIRST, "Afebrile.\nAmbulated twice in the hall with his walker.")[0].startswith("Afebrile.")
    assert "Afebrile" not in _left(FIRST, FIRST + " Ambulated twice.")[0]


def test_standard_phrases_in_their_usual_order_are_no_passage():
    phrases = ["Lungs are clear.", "Heart is regular.", "Abdomen is soft.", "No edema."]
    rng = random.Random(3)

    def typed():
        return " ".join(f"{p} {' '.join(f'word{rng.randrange(10**6)}' for _ in range(25))}." for p in phrases)

    again = typed()
    assert _left(typed(), again) == (again, True)


def test_a_list_of_short_items_is_found_by_its_items_together():
    first = "EXAM:\nGen: thin.\nEyes: clear.\nNeck: supple.\nLungs: clear bilaterally.\nHeart: regular."
    again = "S: sleeping well.\nEXAM:\nGen: thin.\nEyes: clear.\nNeck: supple.\nLungs: crackles.\nHeart: regular."
    assert _left(first, again)[0] == "S: sleeping well.\nEXAM:\nLungs: crackles."


def test_a_heading_goes_with_all_under_it_and_stays_with_anything_under_it():
    first = (
        f"HISTORY:\n{FIRST}\nPLAN:\nWalk him three times a day with physical therapy.\nCheck the sodium again tomorrow."
    )
    again = first.replace("three", "four")
    assert _left(first, again)[0] == "PLAN:\nWalk him four times a day with physical therapy."


def test_a_drug_is_no_allergy_and_a_fathers_disease_not_the_patients():
    listed = "penicillin, amoxicillin, sulfa drugs, codeine, latex gloves, iodinated contrast, aspirin, ibuprofen"
    assert _left(f"MEDICATIONS:\n{listed}", f"ALLERGIES:\n{listed}")[1]
    assert not _left(f"MEDICATIONS:\n{listed}", f"HOME DRUGS:\n{listed}", headings=_headings)[1]


def test_exempt_sections_stay_beside_news_but_are_no_news():
    listed = "MEDICATIONS:\nmetoprolol 25 mg by mouth twice daily for heart failure and high blood pressure"
    exempt = CopyForwardParams(exempt=("medications",))
    assert _left(f"{listed}\nPLAN:\n{FIRST}", f"{listed}\nPLAN:\n{FIRST} Home today.", params=exempt) == (
        f"{listed}\nPLAN:\nHome today.", True,
    )  # fmt: skip
    assert not _left(f"{listed}\nPLAN:\n{FIRST}", f"{listed}\nPLAN:\n{FIRST}", params=exempt)[1]


@pytest.mark.parametrize(
    ("one", "other", "slip"),
    [
        ("pneumonia", "pnuemonia", True), ("occurred", "occured", True), ("hematoma", "hemtoma", True),
        ("daughter", "daufhter", True), ("febrile", "afebrile", False), ("symptomatic", "asymptomatic", False),
        ("dysphagia", "dysphasia", False), ("abduction", "adduction", False), ("lesion", "lesions", False),
        ("form", "from", False), ("1234567", "1243567", False), ("pain", "pan", False),
    ],
)  # fmt: skip
def test_a_slip_of_the_pen_is_no_news_and_another_word_is(one, other, slip):
    words = {
        "pneumonia", "occurred", "hematoma", "daughter", "febrile", "afebrile", "symptomatic", "asymptomatic", "dysphagia",
        "dysphasia", "abduction", "adduction", "lesion", "lesions", "form", "from", "pain", "pan",
    }  # fmt: skip
    assert misspelt(one, other, words.__contains__) == misspelt(other, one, words.__contains__) == slip


def test_small_differences_do_not_add_up():
    texts = [FIRST, FIRST.replace("pneumonia", "pnuemonia"), FIRST.replace("pneumonia", "pnuemnoia")]
    assert _left(*texts[:2])[0] == ""
    assert "pnuemnoia" in _left(*texts)[0]


# --- order ---------------------------------------------------------------------------------------------------


def test_notes_come_by_time_then_version_then_signature_then_id():
    notes = pl.DataFrame(
        {
            "note_id": ["a", "b", "c", "d", "e", "f", "g"],
            "patient_id": ["p"] * 6 + [None],
            "text": ["x"] * 7,
            "charted_at": ["2019-03-05T08:00:00", "3/4/2019 11:05 PM", "2019-03-05 08:00", "20190305", None, "2019-03-05T08:00", "2019"],
            "signed_at": [None, None, "2019-03-06", None, None, "2019-03-05T09:00", None],
            "amends": ["c", None, None, None, None, None, None],
        }
    )  # fmt: skip
    found = notes_in_order(notes)["note_id"].to_list()
    assert found[0] == "b"
    assert found[1] == "d"
    assert found.index("c") < found.index("a")
    assert found.index("f") < found.index("a")
    assert found[-1] == "e"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("2019-03-04T08:15:30Z", "20190304081530"), ("2019-03-04", "20190304000000"), ("3/4/2019 8:15 PM", "20190304201500"),
        ("12/31/2019 12:05 AM", "20191231000500"), ("yesterday", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_times_of_common_forms_are_read(value, told):
    assert moment(value) == told


def test_the_first_occurrence_stays_whatever_order_the_rows_have():
    notes = _table([FIRST, FIRST + " Walked today.", FIRST])
    for seed in range(3):
        found = find(notes.sample(fraction=1.0, shuffle=True, seed=seed), PARAMS)
        assert set(found.passages["from_id"]) == {"n000"}
        assert found.notes.filter(~pl.col("new"))["note_id"].to_list() == ["n002"]


# --- properties ----------------------------------------------------------------------------------------------

WORDS = "cardiac renal hepatic stable worse improved lesion drain culture fluid wound reflex 7 12 98 140 no not denies".split()
SENTENCES = [
    " ".join(random.Random(i).choice(WORDS) for _ in range(random.Random(i).choice([1, 2, 5, 9, 14]))).capitalize()
    + "."
    for i in range(14)
]
NOTE = st.lists(st.sampled_from(SENTENCES), max_size=9).map(" ".join)
NOTES = st.lists(NOTE, min_size=1, max_size=6)


def _said(text):
    return {" ".join(text[p.start : p.end].lower().split()) for p in cut(text)}


@settings(max_examples=60, deadline=None)
@given(NOTES)
def test_nothing_that_was_said_is_lost_and_no_note_without_news_is_kept(texts):
    notes = _table(texts)
    found = find(notes, PARAMS)
    new = dict(found.notes.select("note_id", "new").iter_rows())
    left = {row["note_id"]: _without(found, row) for row in notes.iter_rows(named=True) if new[row["note_id"]]}
    assert set().union(*map(_said, left.values()), {""}) == set().union(*map(_said, texts), {""})
    for row in notes.iter_rows(named=True):
        if row["note_id"] not in left:
            assert _without(found, row) == ""
    assert left["n000"] == texts[0]


@settings(max_examples=60, deadline=None)
@given(NOTES)
def test_every_passage_stands_word_for_word_in_an_earlier_note_and_is_kept_where_it_says(texts):
    notes = _table(texts)
    found = find(notes, PARAMS)
    text = dict(notes.select("note_id", "text").iter_rows())
    for note, start, end, origin in found.passages.select("note_id", "start", "end", "from_id").iter_rows():
        assert origin < note
        assert not found.passages.filter(pl.col("note_id") == note).is_empty()
        for sentence in _said(text[note][start:end]):
            assert any(
                sentence in _said(t) or sentence in " ".join(t.lower().split()) for i, t in text.items() if i < note
            )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("pqr"), NOTE), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_other_patients_and_the_order_of_rows_change_nothing(pairs, rng):
    notes = _table([text for _, text in pairs], patient_id=pl.Series([patient for patient, _ in pairs]))
    whole = find(notes, PARAMS)
    order = list(range(len(pairs)))
    rng.shuffle(order)
    shuffled = find(notes[order], PARAMS)
    assert whole.passages.equals(shuffled.passages)
    assert whole.notes.equals(shuffled.notes)
    alone = [
        find(part, PARAMS).passages for part in notes.sort("patient_id").partition_by("patient_id", maintain_order=True)
    ]
    assert whole.passages.equals(pl.concat(alone))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(max_size=200), min_size=1, max_size=5))
def test_any_text_is_cut_and_compared_without_losing_a_letter(texts):
    for text in texts:
        pieces = cut(text)
        assert "".join("".join(text[p.start : p.end].split()) for p in pieces) == "".join(text.split())
    found = find(_table([*texts, *texts]), CopyForwardParams(min_words=2))
    for note, start, end in found.passages.select("note_id", "start", "end").iter_rows():
        assert 0 <= start < end <= len([*texts, *texts][int(note[1:])])


@given(st.text(alphabet="ab .\n", max_size=60), st.data())
def test_places_move_with_the_text(text, data):
    bounds = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    pairs = list(zip(bounds[::2], bounds[1::2], strict=False))
    marker = data.draw(st.sampled_from(["", "[COPIED]"]))
    changes = edits(text, [(a, b) for a, b in pairs if text[a:b].strip()], marker)
    after, moves = rewritten(text, changes), Moves(changes)
    inside = {k for change in changes for k in range(change.start, change.end)}
    assert [text[k] for k in range(len(text)) if k not in inside] == [
        after[moves(k)] for k in range(len(text)) if k not in inside
    ]


# --- faults and extremes --------------------------------------------------------------------------------------


def test_notes_without_text_patient_or_time_are_no_trouble():
    notes = pl.DataFrame(
        {
            "note_id": ["a", "b", "c", "d", "e", "f"],
            "patient_id": ["p", "p", None, "p", "p", "p"],
            "text": [None, "", FIRST, FIRST, "...", " \n "],
            "charted_at": [None, "soon", "2019", None, None, None],
            "amends": ["b", "a", None, None, None, "gone"],
        }
    )
    found = find(notes, PARAMS)
    assert found.passages.is_empty()
    assert found.notes["new"].all()
    assert "c" not in found.notes["note_id"]


def test_no_notes_give_no_passages():
    assert find(_table(["x"]).head(0), PARAMS).notes.is_empty()


def test_missing_and_repeated_columns_are_told():
    with pytest.raises(UserError, match="columns are missing"):
        find(pl.DataFrame({"note_id": ["a"], "text": ["x"]}), PARAMS)
    with pytest.raises(UserError, match="repeated"):
        find(pl.DataFrame({"note_id": ["a", "a"], "text": ["x", "y"], "patient_id": ["p", "p"]}), PARAMS)


def test_integer_ids_stay_integers():
    notes = _table([FIRST, FIRST]).with_columns(note_id=pl.Series([7, 9]))
    assert find(notes, PARAMS).passages.select("note_id", "from_id").rows() == [(9, 7)]


@pytest.mark.parametrize("kind", ["boilerplate", "one word", "one line", "new"])
def test_the_cost_is_linear(kind):
    rng = random.Random(5)
    line = " ".join(rng.choice(WORDS) for _ in range(9)) + ". "

    def texts(size):
        if kind == "boilerplate":
            return [line * 12] * size
        if kind == "one word":
            return ["pain " * 12 * size] * 8
        if kind == "one line":
            return [" ".join(rng.choice(WORDS) for _ in range(12 * size))] * 8
        return [" ".join(f"w{rng.randrange(9**6)}" for _ in range(90)) for _ in range(size)]

    def seconds(size):
        notes = _table(texts(size)).with_columns(charted_at=pl.lit("2019-01-01"))
        started = time.process_time()
        find(notes, PARAMS)
        return time.process_time() - started

    seconds(20)
    few = min(seconds(100) for _ in range(2))
    assert seconds(800) < 8 * few * 3 + 0.2


def test_a_marker_stands_once_for_neighbouring_passages():
    assert edits("A b.\n\nC d. E f.", [(0, 4), (6, 10)], "[X]") == [Edit(0, 10, "[X]")]
