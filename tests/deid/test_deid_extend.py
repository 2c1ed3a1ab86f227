"""A name that was found in part is carried to its end, and no further."""

from __future__ import annotations

import pytest

from deid.detect import DetectParams, load_detector
from deid.extend import extended
from deid.spans import Span


def _grown(text: str, found: str, identifier: str = "NAME") -> list[str]:
    start = text.index(found)
    spans = extended(text, [Span(start, start + len(found), identifier, 0.7, "test")])
    return [text[s.start : s.end] for s in spans]


@pytest.mark.parametrize(
    ("text", "found", "whole"),
    [
        ("a shaman, Nhia Pao Her, came", "Nhia Pao", "Nhia Pao Her"),
        ('Patient is Rosalinda "Baby" Macapagal, 58', "Rosalinda", 'Rosalinda "Baby" Macapagal'),
        ("seen by Thurman Oakes III today", "Thurman Oakes", "Thurman Oakes III"),
        ("María de los Ángeles Ríos has", "María", "María de los Ángeles Ríos"),
        ("Eun-bi notices that", "Eun", "Eun-bi"),
        ("Port accessed by Kirubel B., brisk", "Kirubel", "Kirubel B."),
        ("Results of Kaplan-Meier, Ruth: none", "Meier, Ruth", "Kaplan-Meier, Ruth"),
        ("Bed 5  Siobhan O'D   D2", "Siobhan", "Siobhan O'D"),
        ("told him dr w young wants an ecg", "young", "w young"),
        ("visit LONG-WALKER, Wanda J., MRN", "WALKER, Wanda J.", "LONG-WALKER, Wanda J."),
    ],
)
def test_a_name_found_in_part_is_taken_whole(text: str, found: str, whole: str) -> None:
    assert _grown(text, found) == [whole]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Dr. Smith Cardiology", "Smith"), ("Smith reports pain", "Smith"), ("JOHN SMITH DENIES PAIN", "JOHN SMITH"), ("Patel: Lasix 40", "Patel"),
        ("seen by Okafor. Labs drawn", "Okafor"), ("an ex-Marine", "Marine"),
    ],
)  # fmt: skip
def test_what_is_no_part_of_the_name_is_left(text: str, found: str) -> None:
    assert _grown(text, found) == [found]


def test_an_organisation_is_taken_to_its_last_word() -> None:
    assert _grown("Appeals Unit, Sunfield Health Plan", "Sunfield Health", "EMPLOYER") == ["Sunfield Health Plan"]
    assert _grown("at Mercy Hospital She was", "Mercy Hospital", "FACILITY") == ["Mercy Hospital"]


def test_a_zip_code_behind_its_city_goes_with_it() -> None:
    assert _grown("Gresham, Oregon 97080", "Gresham", "CITY") == ["97080", "Gresham"]


@pytest.mark.parametrize(
    "text", ["Grace tolerated the transfusion well.", "Kaposi told the nurse no.", "I told Will that he may go."]
)
def test_a_word_that_does_what_people_do_is_a_name(text: str) -> None:
    word = next(w for w in ("Grace", "Kaposi", "Will") if w in text)
    spans = load_detector(DetectParams(ner="none")).detect([text])[0]
    assert [text[s.start : s.end] for s in spans] == [word]
