"""Well-known hospitals, houses and employers by the short names that clinicians write (Safe Harbor A and B)."""

from __future__ import annotations

from collections.abc import Iterator

from deid import phrases
from deid.note import Note
from deid.recognizers.common import ClinicalRecognizer
from deid.spans import Span


def find(note: Note) -> Iterator[Span]:
    """Organisations of the lists in folded text."""
    for name, identifier in (("facilities", "FACILITY"), ("employers", "EMPLOYER")):
        for start, end in phrases.find(note.text, phrases.phrases(name)):
            yield Span(start, end, identifier, 0.72, f"organisations.{name}")


def recognizer() -> ClinicalRecognizer:
    """The recognizer of well-known organisations."""
    return ClinicalRecognizer("organisations", ["FACILITY", "EMPLOYER"], find)
