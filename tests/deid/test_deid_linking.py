"""Found once, found everywhere in the patient's notes; and who is who."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deid.linking import link
from deid.spans import Span


def spans_of(text: str, *found: tuple[str, str] | tuple[str, str, float]) -> list[Span]:
    """A span for the first place of each value."""
    out = []
    for value, identifier, *rest in found:
        start = text.index(value)
        out.append(Span(start, start + len(value), identifier, rest[0] if rest else 0.9, "test.rule"))
    return sorted(out)


def linked(header: tuple[str, ...], text: str, patients: list[str | None] | None = None) -> list[str]:
    """What linking finds in `text`, when the note before holds spans `header` ("NAME Maria Gonzalez")."""
    found = [(value, identifier) for identifier, value in (h.split(" ", 1) for h in header)]
    first = "; ".join(value for value, _ in found)
    out = link([first, text], [spans_of(first, *found), []], patients or ["p", "p"])
    return [text[s.start : s.end] for s in out[1]]


@pytest.mark.parametrize(
    ("header", "text", "wanted"),
    [
        (("NAME Maria Gonzalez",), "Gonzalez was seen; MARIA slept. maria's wound, gonzalez.", ["Gonzalez", "MARIA", "maria", "gonzalez"]),
        (("NAME Ingrid Tarnholt",), "rn spoke to tarnholt about his wound", ["tarnholt"]),
        (("NAME Ingrid Tarnholt",), "Tarnhotl and Tarnholtt; M. Tarnholt and Tarnholt, I. came", ["Tarnhotl", "Tarnholtt", "Tarnholt", "Tarnholt, I"]),
        (("NAME Rose White",), "the rose; white cells; White count; then Rose slept. ROSE WHITE", ["Rose"]),
        (("NAME May Pain",), "Pain in May. The May visit for Pain. may pain", []),
        (("NAME Mark Bell",), "Mark denies pain. We mark the site; Mark the site. Bell rang", ["Mark"]),
        (("NAME Ann Parkinson",), "Parkinson's disease, Parkinson disease. Then Parkinson left.", ["Parkinson"]),
        (("CLINICIAN Jackson",), "A Jackson-Pratt drain. Then Jackson came.", ["Jackson"]),
        (("FACILITY Three Pines Hospital",), "at three pines hospital; Three Pines Hospital", ["three pines hospital", "Three Pines Hospital"]),
        (("EMPLOYER City Works",), "the city works well; at City Works", ["City Works"]),
        (("CITY Brumavale, OH",), "lives in brumavale; OH study", ["brumavale"]),
        (("CITY Reading",), "reading; Reading is hard; in Reading", []),
        (("MRN 00482913",), "seen with 00482913, 00482913.5 and 100482913", ["00482913"]),
        (("PHONE 508-781-2522",), "at 508.781.2522 or (508) 781-2522", ["508.781.2522", "508) 781-2522"]),
        (("ACCOUNT 4711",), "room 4711", []),
        (("DATE March 4, 2019",), "March 4, 2019", []),
        (("NAME Carolina Ruiz",), "in North Carolina", []),
        (("NAME dmytro kovalenko",), "dmytro k pod 3, dmytro k 4.2", ["dmytro k", "dmytro"]),
        (("NAME Marie-Claire Fontenot",), "M-C Fontenot, type A-B Fontenot", ["M-C Fontenot", "Fontenot"]),
        (("NAME Rose Early",), "when Rose scores 8, and a Rose sign", ["Rose"]),
        (("NAME Will Graves",), "Will fitted levers. will awake at 2. WILL IS HERE. Will he need it? Will bleed.", ["Will", "will", "WILL"]),
        (("NAME Will Graves",), "will opens eyes, tracks. Will always need it, will pass, will focus", ["will"]),
        (("NAME Will Graves",), "Will always says he will. will held on. He will never focus, will often need it", ["Will", "will"]),
        (("NAME Can Yilmaz",), "can has begun wetting. Can can be reached. he can walk. Can he eat?", ["can", "Can"]),
        (("NAME Will Graves",), "loud words w/ will in hall; raised her and will since; she will in time", ["will", "will"]),
        (("NAME May Young",), "May steps over the rim. May be seen. It may hurt. In May she fell.", ["May"]),
        (("NAME Arava Orr",), "Arava 20 mg daily. Arava tolerated. Then Arava herself spoke.", ["Arava"]),
        (("NAME Faith Orr",), "Faith 7 and baby. Faith 7 mg", ["Faith"]),
        (("CLINICIAN Delores Yellow Horse",), "by D. Yellow Horse; a yellow horse", ["D. Yellow Horse"]),
        (("CLINICIAN DELORES YELLOW HORSE RN",), "by D. Yellow Horse; a yellow horse", ["D. Yellow Horse"]),
        (("NAME Kevin Orr",), "Kev sets the alarm", ["Kev"]),
        (("NAME Robert Orr",), "Bob the head, billed for it", []),
    ],
)  # fmt: skip
def test_what_is_found_once_is_found_again(header: tuple[str, ...], text: str, wanted: list[str]) -> None:
    assert linked(header, text) == wanted


@pytest.mark.parametrize(
    ("before", "masked"),
    [
        (["Grandson Kit will sleep in.", "He calls Kit at noon."], True),
        (["Grandson Kit will sleep in.", "He has called."], False),  # once only
        (["Grandson Kit will sleep in.", "He calls Kit at noon.", "A suture kit was used."], False),
    ],
)
def test_a_word_that_is_only_ever_somebody_is_at_the_head_of_a_sentence_too(before: list[str], masked: bool) -> None:
    texts = [*before, "Fed. Kit has set up the calls. A dressing Kit Tray."]
    spans = [spans_of(t, ("Kit", "NAME", 0.7)) if "Kit" in t else [] for t in before]
    out = link(texts, [*spans, []], ["p"] * len(texts))[-1]
    assert [(s.start, s.end) for s in out] == ([(5, 8)] if masked else [])


def called_twice(name: str, text: str, *, score: float = 0.7, times: int = 2) -> list[str]:
    """What linking finds in `text`, when notes before it say `times` that somebody is called so."""
    before = [f"Our patient, {name}, came." for _ in range(times)]
    spans = [spans_of(t, (name, "NAME", score)) for t in before]
    out = link([*before, text], [*spans, []], ["p"] * (times + 1))[-1]
    return [text[s.start : s.end] for s in out]


@pytest.mark.parametrize(
    ("name", "text", "masked"),
    [
        ("An", "An is diabetic. an's film old, back to An. An hour with an aide, an MRI, an ulcer.", ["An", "an", "An"]),
        ("An", "an drives him, then an old man, an lp", ["an"]),
        ("My", "My cried. My notes say it was my fault.", ["My"]),
        ("Nay", "told nay at noon; nay talks too slow; nay, they said", ["nay", "nay"]),
        ("Chase", "chase not to be told. asked chase. they chase it", ["chase", "chase"]),
        ("Long", "VITALS DONE. LONG AWAKE. LONG LINE", ["LONG"]),
        ("Brain", "Brain herself came. Brain scan. brain injury", ["Brain"]),
        ("Day", "plans made\nDAY\nnext\nday two", ["DAY"]),
        ("Day", "plans made\nday 2 %", []),
        ("Day", "plans made\nday %", []),
        ("Too", "asked can Too give it; Too much of it too. Ask Too.", ["Too", "Too"]),
        ("Mu Mu", "no milk. mu mu laughs, mu is short", ["mu mu"]),
        ("My Hanh", "visit to my hanh at 8, in my room", ["my hanh"]),
    ],
)  # fmt: skip
def test_words_by_which_somebody_is_called_twice(name: str, text: str, masked: list[str]) -> None:
    assert called_twice(name, text) == masked


@pytest.mark.parametrize(("name", "times", "masked"), [("Win", 3, True), ("Win", 2, False), ("Lyrica", 3, False)])
def test_three_weak_spans_make_a_sure_one_but_not_of_a_drug(name: str, times: int, masked: bool) -> None:
    text = f"Yellow eyes. {name} notes it."
    assert called_twice(name, text, score=0.6, times=times) == ([name] if masked else [])


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("No headache. Lyrica in background, cheerful.", ["Lyrica"]),
        ("No headache. Lyrica 75 mg at night. Lyrica capsules.", []),
        ("primary care f/u\nlyrica now 28, 16 mo after it", ["lyrica"]),
        ("primary care f/u\nlyrica now at 75, 16 mo after it", []),
    ],
)
def test_a_drug_that_is_only_ever_somebody_is_so_where_no_dose_follows(text: str, masked: list[str]) -> None:
    before = ["Our patient, Lyrica, came.", "I called Lyrica at noon."]
    spans = [spans_of(t, ("Lyrica", "NAME", 0.7)) for t in before]
    out = link([*before, text], [*spans, []], ["p"] * 3)[-1]
    assert [text[s.start : s.end] for s in out] == masked


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("salon so pt LN can rest", ["LN"]),
        ("gone home /LN", ["LN"]),
        ("I asked LN to bring it", ["LN"]),
        ("one LN was enlarged", []),
        ("pt MS can rest", []),
    ],
)
def test_initials_of_those_named_in_other_notes_are_found(text: str, wanted: list[str]) -> None:
    texts = ["Linh Nguyen", text]
    spans = [spans_of(texts[0], ("Linh Nguyen", "NAME")), []]
    assert [text[s.start : s.end] for s in link(texts, spans, ["p", "p"])[1]] == wanted
    assert link(texts, spans, ["p", "q"])[1] == []


@pytest.mark.parametrize(
    ("text", "name", "whole"),
    [
        ("uncle y potts is here", "potts", "y potts"),
        ("phone p. graves", "graves", "p. graves"),
        ("phone p graves", "graves", "graves"),
        ("phone a. potts", "potts", "potts"),
        ("PT GRAVES P 43F", "GRAVES", "GRAVES P"),
        ("hope p can drive her", "hope", "hope p"),
        ("seen, hope p\nnext", "hope", "hope p"),
        ("hope p 4.2", "hope", "hope"),
        ("w potts at her side", "potts", "potts"),
    ],
)
def test_an_initial_beside_a_name_goes_with_it(text: str, name: str, whole: str) -> None:
    texts = ["Yee Potts Graves", text]
    out = link(texts, [spans_of(texts[0], (texts[0], "NAME")), spans_of(text, (name, "NAME", 0.7))], ["p", "p"])[1]
    assert text[out[0].start : out[-1].end] == whole


def test_a_weak_span_is_not_carried_further() -> None:
    texts = ["Tarnholt", "Tarnholt came"]
    assert link(texts, [spans_of(texts[0], ("Tarnholt", "NAME", 0.6)), []], ["p", "p"])[1] == []


@pytest.mark.parametrize("patients", [None, ["p", "q"], ["p", None], [None, None]])
def test_notes_of_others_tell_nothing(patients: list[str | None] | None) -> None:
    texts = ["Ingrid Tarnholt", "Tarnholt came"]
    assert link(texts, [spans_of(texts[0], ("Ingrid Tarnholt", "NAME")), []], patients)[1] == []


def test_spans_found_before_stay() -> None:
    text = "Maria Gonzalez, MRN 482913, on March 4"
    spans = spans_of(text, ("Maria Gonzalez", "NAME"), ("482913", "MRN"), ("March 4", "DATE"))
    assert [s._replace(entity="") for s in link([text], [spans], None)[0]] == spans


# --- who is who ----------------------------------------------------------------------------------------------


def labels(
    texts: list[str], found: list[list[tuple[str, str]]], marks: dict[str, str] | None = None
) -> list[list[str]]:
    spans = []
    for text, row in zip(texts, found, strict=True):
        at, out = 0, []
        for identifier, value in row:
            start = text.index(value, at)
            at = start + len(value)
            out.append(Span(start, at, identifier, 0.9, "test.rule", (marks or {}).get(value, "")))
        spans.append(out)
    return [[s.entity for s in row] for row in link(texts, spans, ["p"] * len(texts))]


def test_forms_of_one_name_are_one_person() -> None:
    forms = [
        "Maria Gonzalez",
        "Gonzalez",
        "Gonzalez, M.",
        "Maria",
        "GONZALEZ, MARIA E.",
        "M. Gonzalez",
        "Maria Gonzales",
    ]
    assert labels(forms, [[("NAME", form)] for form in forms]) == [["NAME:1"]] * len(forms)


def test_nicknames_and_titles() -> None:
    text = "Robert Ames and Karen Ames came. Bob, Mr. Ames and Mrs. Ames; Dr. Alan Grey, Dr. Grey, Grey"
    row = ["Robert Ames", "Karen Ames", "Bob", "Ames", "Ames"]
    found = [("NAME", v) for v in row] + [("CLINICIAN", v) for v in ("Alan Grey", "Grey", "Grey")]
    # "Ames" stands in "Robert Ames" first; values are looked for behind the one before.
    assert labels([text], [found]) == [["NAME:1", "NAME:2", "NAME:1", "NAME:1", "NAME:2", *["CLINICIAN:1"] * 3]]


def test_a_single_name_is_the_labelled_patient() -> None:
    texts = ["Tomas Reyes, Tomas Reyes, Tomas Reyes", "Patient: Lia Reyes", "Reyes slept"]
    found = [[("NAME", "Tomas Reyes")] * 3, [("NAME", "Lia Reyes")], [("NAME", "Reyes")]]
    assert labels(texts, found)[2] == ["NAME:2"]


def test_marks_of_the_patient_table_decide() -> None:
    texts = ["Maria Gonzalez", "Mimi", "Gonzalez"]
    found = [[("NAME", t)] for t in texts]
    assert labels(texts, found, {"Mimi": "@patient", "Maria Gonzalez": "@patient"}) == [["NAME:1"]] * 3


def test_things_are_labelled_by_their_letters_and_digits() -> None:
    text = "508-781-2522, (508) 781-2522, 617-555-0182, Mercy Hospital, MERCY HOSPITAL, on March 4"
    row = [("PHONE", "508-781-2522"), ("PHONE", "(508) 781-2522"), ("PHONE", "617-555-0182"), ("FACILITY", "Mercy Hospital"),
           ("FACILITY", "MERCY HOSPITAL"), ("DATE", "March 4")]  # fmt: skip
    assert labels([text], [row]) == [["PHONE:1", "PHONE:1", "PHONE:2", "FACILITY:1", "FACILITY:1", ""]]


def test_other_patients_in_the_batch_change_nothing() -> None:
    texts = ["Maria Gonzalez", "Jan Berg", "Gonzalez, Maria", "Berg and Gonzalez"]
    spans = [spans_of(t, (t, "NAME")) for t in texts[:3]] + [[]]
    patients = ["p", "q", "p", "q"]
    whole = link(texts, spans, patients)
    for patient in "pq":
        mine = [i for i in range(4) if patients[i] == patient]
        alone = link([texts[i] for i in mine], [spans[i] for i in mine], [patient] * len(mine))
        assert alone == [whole[i] for i in mine]


words = st.sampled_from(
    "Maria Gonzalez Gonzales M. Rose White Dr. Mr. Tarnholt 482913 the and , . \n Pratt May O'Neil".split(" ")
)


@given(st.lists(st.lists(words, max_size=12).map(" ".join), max_size=4), st.integers(0, 1000))
@settings(max_examples=120, deadline=None)
def test_any_spans_give_sorted_labelled_spans_and_again_the_same(texts: list[str], seed: int) -> None:
    rng = random.Random(seed)
    spans = []
    for text in texts:
        row, at = [], 0
        while at < len(text):
            end = min(len(text), at + rng.randrange(1, 16))
            if rng.random() < 0.5 and text[at:end].strip():
                row.append(
                    Span(at, end, rng.choice(["NAME", "CLINICIAN", "MRN", "CITY"]), rng.choice([0.5, 0.9]), "t.r")
                )
            at = end
        spans.append(row)
    out = link(texts, spans, ["p"] * len(texts))
    assert out == link(texts, spans, ["p"] * len(texts))
    for row in out:
        assert row == sorted(row)
        assert all(s.entity.split(":")[0] and not s.entity.startswith("@") for s in row)
        assert all(a.end <= b.start for a, b in pairwise(row))


def _calls(run: Callable[[], object]) -> int:
    count = 0

    def on(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(on)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "unit", ["Gonzalez ", "Maria Gonzalez, M. ", "Gonzalex ", "Three Pines ", "482913 ", "x", "M. M. "]
)
def test_work_grows_in_proportion_to_the_text(unit: str) -> None:
    header = "Maria Gonzalez, Three Pines Hospital, 482913\n"
    spans = spans_of(header, ("Maria Gonzalez", "NAME"), ("Three Pines Hospital", "FACILITY"), ("482913", "MRN"))

    def calls(times: int) -> int:
        return _calls(lambda: link([header + unit * times], [spans], None))

    calls(50)
    assert calls(1600) <= 4.5 * calls(400) + 500


def test_work_grows_in_proportion_to_the_number_of_names() -> None:
    rng = random.Random(4)
    letters = "abcdefghijklmnoprstuvwxyz"
    names = [
        f"{''.join(rng.choices(letters, k=8)).title()} {''.join(rng.choices(letters, k=9)).title()}"
        for _ in range(1200)
    ]

    def calls(count: int) -> int:
        text = "; ".join(names[:count]) + "; " + "; ".join(n.split()[1] for n in names[:count])
        at, spans = 0, []
        for name in names[:count]:
            spans.append(Span(at, at + len(name), "NAME", 0.9, "t.r"))
            at += len(name) + 2
        return _calls(lambda: link([text], [spans], None))

    calls(1200)
    assert calls(1200) <= 4.6 * calls(300) + 1000
