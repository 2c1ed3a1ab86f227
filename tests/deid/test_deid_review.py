"""Characteristics that may point to one person are flagged; ordinary clinical text is not. Everything here is made up."""

from __future__ import annotations

import gzip
import json
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid import review
from deid.folding import fold
from deid.review import AROUND, KINDS, Characteristic, characteristics, excerpt, flagged
from deid.spans import Span

NOTES = Path(__file__).parents[3] / "shared" / "data" / "notes" / "mtsamples.jsonl.gz"
FLAGGED = {
    "public_office": [
        "She is the mayor of a small town.", "He is a retired federal judge.", "Former state senator with COPD.",
        "She anchors the evening news.", "He is a meteorologist on Channel 5.", "Our patient is the police chief.",
        "He works as a professional basketball player.", "She played in the WNBA.", "Former Olympic swimmer.",
        "He was elected sheriff of the county.", "She is a local celebrity.", "He is a best-selling author.",
        "Her father is a Grammy-winning singer.", "he is an nfl quarterback", "RETIRED TV ANCHORMAN",
    ],
    "news_event": [
        "He is a survivor of the school shooting.", "Injured in the shooting at a nightclub.",
        "The only one alive after a plane crash.", "She was rescued by boat during Hurricane Katherine.",
        "He lost his home in the Marble Fire.", "Her case was in the local news.", "Lottery winner, now well off.",
        "He won the state lottery.", "9/11 survivor with PTSD.", "He was interviewed on national television about it.",
        "Sole survivor of the avalanche.", "The incident was widely publicized.",
    ],
    "tribe": [
        "She is an enrolled member of the Cherokee Nation.", "Member of the Hopi Tribe.", "He is a Navajo elder.",
        "She lives on the Blue Mesa reservation.", "Tribal member of the Pueblo of Cedar.", "He is of Lakota descent.",
        "Citizen of the Red Lake Band of Ojibwe.",
    ],
    "prison": [
        "He is an inmate at the state prison.", "She was incarcerated for two years.",
        "Seen at the county correctional facility.", "He has been incarcerated at Stone Hill.",
        "Brought from the county jail.", "History of incarceration.", "He is on parole.",
    ],
    "school": [
        "She is the principal of the middle school.", "He teaches at Pine Hollow Elementary School.",
        "A junior at Lakeview High School.", "Student at Marlow College.", "She is the superintendent of the school district.",
        "A teacher at the local high school.", "He attends the University of Eastmark.",
        "SHE TEACHES AT PINE HOLLOW ELEMENTARY SCHOOL",
    ],
    "military_unit": [
        "He served with the 82nd Airborne.", "Marine of the 3rd Battalion.", "He served aboard the USS Merriweather.",
        "Stationed at Fort Example.", "Member of a Navy SEAL team.", "He was in Bravo Company.", "2nd Infantry Division.",
    ],
    "rare_occupation_or_record": [
        "She is the only female welder in the county.", "He was the first man to run across it.",
        "She holds the state record in pole vault.", "He is an astronaut.", "World champion in judo.",
        "The oldest living woman in the state.", "The first Black woman to be elected there.", "He is a circus performer.",
    ],
    "rare_birth": ["One of quadruplets.", "She is a conjoined twin, separated.", "Born on an airplane."],
}  # fmt: skip
ORDINARY = [
    "Shooting pain down the left leg.", "An incarcerated umbilical hernia was reduced; incarceration of bowel.",
    "Denies ever being in jail.", "USS Abdomen: normal.", "The 2nd division of the trigeminal nerve.",
    "He watches the evening news.", "The judge ordered an evaluation.", "She graduated from high school and attends college.",
    "Judge her pain as 4 of 10.", "She is the only child in the family.", "The only lesion in the area.",
    "She was brought in by the sheriff.", "House fire, smoke inhalation.", "The first person to notice was his wife.",
    "The medical record was reviewed; state records were requested.", "A train of four.", "The bowels were evacuated.",
    "A professional interpreter was used.", "No history of incarceration.", "He lost his keys in the fire.",
    "Seen by the school nurse.", "A band of tissue; members of the care team.", "Injured his wrist on September 11, 2007.",
    "The fragment was found incarcerated in the joint.", "He was reading the newspaper when it began.",
    "Kindergarten physical, up to date.", "Native American male.", "Veteran, served in the Army.", "Twins, both well.",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in FLAGGED.items() for text in texts])
def test_what_may_point_to_one_person_is_flagged(kind: str, text: str) -> None:
    assert kind in {one.kind for one in characteristics(text)}


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_notes_are_not(text: str) -> None:
    assert characteristics(text) == []


def test_every_kind_has_a_rule_and_an_example() -> None:
    assert {rule.kind for rule in review.RULES} == set(KINDS) == set(FLAGGED)


def test_the_words_of_a_rule_hide_none_of_its_matches() -> None:
    """A rule is tried only where a note holds one of its words."""
    texts = [text for group in FLAGGED.values() for text in group] + ORDINARY
    if NOTES.exists():
        with gzip.open(NOTES) as lines:
            texts += [fold(json.loads(line)["text"])[0] for line in list(lines)[:300]]
    for text in texts:
        held = set(review._WORD.findall(text.lower()))
        for rule in review.RULES:
            assert not (rule.words.isdisjoint(held) and rule.pattern.search(text)), (rule.kind, sorted(rule.words)[:3])


@pytest.mark.skipif(not NOTES.exists(), reason="needs ../shared/data/notes")
def test_few_dictated_reports_are_flagged() -> None:
    with gzip.open(NOTES) as lines:
        texts = [json.loads(line)["text"] for line in list(lines)[::5]]
    count = sum(bool(flagged(text, [])) for text in texts)
    assert 0 < count < 0.03 * len(texts)


def test_what_is_masked_anyway_is_not_flagged_and_half_of_it_is() -> None:
    text = "He teaches at Pine Hollow Elementary School."
    (found,) = flagged(text, [])
    assert text[found.start : found.end] == "Pine Hollow Elementary School"
    assert flagged(text, [Span(found.start, found.end, "EMPLOYER", 0.9, "t.t")]) == []
    assert flagged(text, [Span(found.start, found.start + 11, "EMPLOYER", 0.9, "t.t")]) == [found]


def test_offsets_are_those_of_the_note_as_it_came() -> None:
    # Full width, zero width and a decomposed letter before it: folding changes the length.
    text = "Cafe\u0301\u200b\u00ad, ６ years. She is the may\u200bor of it."
    (found,) = flagged(text, [])
    assert text[found.start : found.end] == "may\u200bor"


def test_the_excerpt_is_one_sentence_with_the_other_identifiers_replaced() -> None:
    text = "Seen with Ann Roe. Ms. Roe is the mayor of Eastmark and feels well. She leaves."
    spans = [
        Span(10, 17, "NAME", 0.9, "t.t"), Span(23, 26, "NAME", 0.9, "t.t"), Span(43, 51, "CITY", 0.9, "t.t"),
    ]  # fmt: skip
    (found,) = flagged(text, spans)
    # The sentence ends at "Ms.": too short is better than a name too many.
    assert excerpt(text, spans, found) == ("[NAME] is the ", "mayor", " of [CITY] and feels well.")
    long = "word " * 1000 + "the mayor " + "word " * 1000
    (found,) = flagged(long, [])
    assert sum(map(len, excerpt(long, [], found))) <= 2 * AROUND + 10


def test_found_is_sorted_and_does_not_overlap() -> None:
    text = " ".join(text for group in FLAGGED.values() for text in group)
    found = characteristics(text)
    assert found == sorted(found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert {one.kind for one in found} == set(KINDS)


@given(st.text(max_size=300))
def test_nothing_crashes_it(text: str) -> None:
    for one in flagged(text, []):
        assert isinstance(one, Characteristic)
        assert 0 <= one.start < one.end <= len(text)


def test_time_grows_with_the_text() -> None:
    def seconds(times: int) -> float:
        text = (
            "the only state record of the first High School in the county jail was the Nation of a professional "
            * times
        )
        started = time.process_time()
        characteristics(text)
        return time.process_time() - started

    assert seconds(8000) < 14 * seconds(1000) + 0.5
