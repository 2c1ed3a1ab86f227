"""The judge of the model's finds: the trees that numpy reads are those that scikit-learn grew, and others are refused."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from deid import calibrate, judge
from deid.detect import load_detector
from deid.evidence import FEATURES, Entity, doubts, features, is_given_name
from deid.judge import Judge, load_judge, save_judge
from deid.recognizers.ner import MODELS, NerRecognizer
from deid.spans import Span


def _rows(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = np.round(rng.normal(size=(n, len(FEATURES))), 1).astype(np.float32)
    truth = rows[:, 0] + rows[:, 5] * rows[:, 9] + rng.normal(size=n) > 0
    return rows, truth, np.where(truth, 1.0, 0.3).astype(np.float32)


@pytest.fixture(scope="module")
def grown() -> Judge:
    return calibrate.grow(*_rows(1), seed=1)


def test_numpy_reads_the_trees_as_scikit_learn_does(grown: Judge) -> None:
    from sklearn.ensemble import GradientBoostingClassifier

    rows, truth, weights = _rows(1)
    theirs = GradientBoostingClassifier(**calibrate.SETTINGS, random_state=1).fit(rows, truth, sample_weight=weights)
    unseen = _rows(2, 1500)[0]
    assert np.allclose(grown.probabilities(unseen), theirs.predict_proba(unseen)[:, 1], atol=1e-5)


def test_the_same_rows_and_seed_give_the_same_file(grown: Judge, tmp_path: Path) -> None:
    for name, trees in (("a", grown), ("b", calibrate.grow(*_rows(1), seed=1))):
        (tmp_path / name).mkdir()
        save_judge(trees, tmp_path / name)
    assert (tmp_path / "a" / judge.FILE).read_bytes() == (tmp_path / "b" / judge.FILE).read_bytes()
    read = load_judge(tmp_path / "a")
    assert all(np.array_equal(x, y) for x, y in zip(astuple(read), astuple(grown), strict=True))


@given(st.integers(0, 500), st.integers(0, 9))
def test_of_too_many_finds_as_many_as_are_taken_are_drawn_by_lot_in_their_order(finds: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate, "MOST", 100)
        kept = calibrate.drawn(finds, seed=seed)
        assert np.array_equal(kept, calibrate.drawn(finds, seed=seed))
    assert len(kept) == min(finds, 100)
    assert kept.tolist() == sorted(set(kept.tolist()) & set(range(finds)))


def test_gold_without_anything_to_tell_apart_is_refused() -> None:
    rows, truth, weights = _rows(1)
    with pytest.raises(UserError, match="nothing to tell apart"):
        calibrate.grow(rows, np.ones_like(truth), weights, seed=1)


def test_trees_of_other_features_and_damaged_ones_are_refused(
    grown: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="no judge"):
        load_judge(tmp_path)
    save_judge(grown, tmp_path)
    whole = (tmp_path / judge.FILE).read_bytes()
    middle = len(whole) // 3
    for keep, rest in (
        (0, b""),
        (10, b""),
        (middle, b""),
        (middle, b"\0" * 9 + whole[middle + 9 :]),
        (len(whole) - 30, b""),
    ):
        (tmp_path / f"cut{keep}{len(rest)}").mkdir()
        (tmp_path / f"cut{keep}{len(rest)}" / judge.FILE).write_bytes(whole[:keep] + rest)
        with pytest.raises(UserError, match="no judge that can be read"):
            load_judge(tmp_path / f"cut{keep}{len(rest)}")
    monkeypatch.setattr(judge, "FEATURES", (*FEATURES, "another"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / judge.FILE).write_bytes(whole)
    with pytest.raises(UserError, match="another version"):
        load_judge(tmp_path / "other")


def test_the_shipped_trees_can_be_read() -> None:
    assert load_judge(MODELS["clinical_v1"]).feature.max() < len(FEATURES)


_TEXT = st.text(st.sampled_from("Maria Roe, 3/4 FOLEY\n.:()-é89"), min_size=1, max_size=80)


@given(_TEXT, st.data())
def test_every_find_has_one_finite_row_of_its_own(text: str, data: st.DataObject) -> None:
    def piece() -> tuple[int, int]:
        start = data.draw(st.integers(0, len(text) - 1))
        return start, data.draw(st.integers(start + 1, len(text)))

    entities = [Entity("NAME", *piece(), 0.4, 0.1) for _ in range(data.draw(st.integers(0, 4)))]
    found = [Span(*piece(), "DATE", 0.8, "dates.full") for _ in range(data.draw(st.integers(0, 4)))]
    rows = features(text, entities, entities, found)
    assert rows.shape == (len(entities), len(FEATURES))
    assert np.isfinite(rows).all()
    assert np.array_equal(rows, features(text, entities, entities, found[::-1]))


def test_what_stands_around_a_find_is_in_its_row() -> None:
    text = "Dr. Foley, RN\nFoley catheter 16 Fr"
    finds = [Entity("NAME", 4, 9, 0.6, 0.6), Entity("NAME", 14, 19, 0.3, 0.3)]
    person, device = features(text, finds, finds)
    value = {name: (float(person[i]), float(device[i])) for i, name in enumerate(FEATURES)}
    assert value["before_cue"] == (1, 0)
    assert value["some_eponym"] == (1, 1)
    assert value["eponym_next"] == (0, 1)
    assert value["same"] == (1, 1)
    assert value["same_best"] == (pytest.approx(0.3), pytest.approx(0.6))
    assert value["left_of_'\\n'"] == (0, 1)


def _never(grown: Judge) -> Judge:
    return replace(grown, base=np.array([-1000], np.float32))


def test_a_number_under_its_heading_stands_whatever_the_judge_says(grown: Judge) -> None:
    detector = load_detector()
    (reader,) = detector._readers
    text = "MRN: 4711882\nShe said Okonkwo called"
    patterns = detector.by_patterns(text)
    assert {"MRN", "NAME"} <= {span.identifier for span in patterns}
    (read,), (stand,) = NerRecognizer(reader.model, _never(grown), 0.25).weigh([text], [patterns])
    assert read == []
    assert {text[span.start : span.end] for span in stand} == {"4711882"}
    assert "MRN" in {span.identifier for span in stand}


@pytest.mark.parametrize("text", ["F/u with Dr. Fieldstone.", "Asked Ms. Fieldstone.", "Ann Fieldstone, RN, was told."])
def test_a_name_behind_its_title_stands_whatever_the_judge_says(grown: Judge, text: str) -> None:
    detector = load_detector()
    (reader,) = detector._readers
    _, (stand,) = NerRecognizer(reader.model, _never(grown), 0.25).weigh([text], [detector.by_patterns(text)])
    assert any("Fieldstone" in text[span.start : span.end] for span in stand)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("HPI\n\nRuth Alvarez is a pleasant 61-year-old with gout.", "Alvarez"),
        ("He coached a team in 04/2022, he says.", "04/2022"),
        ("It loosened by Monday morning.", "Monday"),
    ],
)
def test_what_long_prose_says_once_stands_whatever_the_judge_says(grown: Judge, text: str, said: str) -> None:
    detector = load_detector()
    (reader,) = detector._readers
    _, (stand,) = NerRecognizer(reader.model, _never(grown), 0.25).weigh([text], [detector.by_patterns(text)])
    assert any(said in text[span.start : span.end] for span in stand)


def test_a_row_tells_how_else_the_word_stands_in_the_text() -> None:
    text = "Foley's wife asks.\nFoley catheter out, Ms. Foley voided; foley 16 Fr in the sink"
    (row,) = features(text, [Entity("NAME", 0, 5, 0.6, 0.6)], [])
    value = dict(zip(FEATURES, row.tolist(), strict=True))
    assert value["possessive"] == 1
    assert value["after_kin"] == 1  # the word behind the possessive
    assert [value[f"elsewhere_{what}"] for what in ("places", "thing", "possessive", "titled", "lower")] == [
        3,
        2,
        0,
        1,
        1,
    ]
    assert value["first_here"] == 1
    (later,) = features(text, [Entity("NAME", 19, 24, 0.6, 0.6)], [])
    value = dict(zip(FEATURES, later.tolist(), strict=True))
    assert (value["elsewhere_possessive"], value["elsewhere_thing"], value["first_here"]) == (1, 1, 0)


def test_a_row_tells_which_drugs_and_words_of_its_spelling_stand_near() -> None:
    text = "Ozempik full stomach, took ozempic and Lasix\nParkinson and digoxin, Ozempik's ride is here"
    first, second = features(text, [Entity("NAME", 0, 7, 0.4, 0.4), Entity("NAME", 27, 34, 0.1, 0.1)], [])
    person, drug = (dict(zip(FEATURES, row.tolist(), strict=True)) for row in (first, second))
    assert (person["twins"], person["drug_twins"]) == (1, 1)
    assert (drug["twins"], drug["drug_twins"]) == (1, 0)  # the other is no drug, and it is not its own twin
    assert (person["drugs_near"], person["drugs_line"], person["eponyms_line"]) == (3, 2, 0)
    assert (drug["drugs_near"], drug["drugs_line"]) == (2, 1)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 20), st.sampled_from([0.1, 0.5, 0.9])), max_size=6))
def test_the_finds_beside_a_find_are_the_nearest(drawn: list[tuple[int, int, float]]) -> None:
    text = "x" * 320
    finds = [Entity("NAME", a, a + n, p, p) for a, n, p in {a: (a, n, p) for a, n, p in drawn}.values()]
    finds = [e for e in finds if not any(o.start < e.end and e.start < o.end for o in finds if o is not e)]
    for entity, row in zip(finds, features(text, finds, finds), strict=True):
        value = dict(zip(FEATURES, row.tolist(), strict=True))
        left = [entity.start - e.end for e in finds if e.end <= entity.start]
        right = [e.start - entity.end for e in finds if e.start >= entity.end]
        assert value["left_gap"] == min([*left, 200])
        assert value["right_gap"] == min([*right, 200])
        near = [
            e.probability for e in finds if e is not entity and e.start - entity.end < 60 and entity.start - e.end < 60
        ]
        assert value["best_near"] == pytest.approx(max(near, default=0))


def test_in_a_text_full_of_identifiers_no_pattern_is_doubted() -> None:
    names = [Span(i, i + 3, "NAME", 0.5, "names.weak") for i in range(0, 40, 4)]
    few, many = doubts("abc " * 10, [], names[:3]), doubts("abc " * 10, [], names)
    assert few[1] == names[:3]
    assert many[1] == []


def test_a_find_that_a_pattern_covers_is_not_judged_again() -> None:
    text = "Dr. Okonkwo and Thandiwe"
    covered, alone = Entity("NAME", 4, 11, 0.9, 0.9), Entity("NAME", 16, 24, 0.4, 0.4)
    judged, weak, rows = doubts(text, [covered, alone], [Span(4, 11, "CLINICIAN", 0.9, "names.title")])
    assert judged == [alone]
    assert [span.recognizer for span in weak] == ["names.title"]
    assert len(rows) == 2
    assert rows[1, FEATURES.index("score")] == pytest.approx(0.9)


def test_a_given_name_of_which_the_model_is_sure_needs_no_judge() -> None:
    def sure(text: str, probability: float = 0.99) -> bool:
        return is_given_name(text, Entity("NAME", 0, len(text), probability, probability))

    assert sure("Karen")
    assert not sure("Karen", 0.97)
    # a surname too, a drug, an eponym, a word, a city, in capitals, two words
    for text in ("Kyle", "Ativan", "Parkinson", "Hope", "Austin", "KAREN", "Karen Oduya", ""):
        assert not sure(text), text


def test_whole_notes_are_learnt_in_other_case_too_where_every_letter_keeps_its_place() -> None:
    note = "Karen came. " * 40
    assert calibrate.in_other_case(note) == [note.lower(), note.upper()]
    assert calibrate.in_other_case("Karen came.") == []
    assert calibrate.in_other_case(note + "ß") == [note.lower() + "ß"]
    assert calibrate.in_other_case(note.lower()) == [note.upper()]
