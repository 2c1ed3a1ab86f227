"""Well-known hospitals, houses and employers by the short names that clinicians write (Safe Harbor A and B)."""

from __future__ import annotations

from collections.abc import Iterator

from deid import phrases
from deid.note import Note
from deid.recognizers.common import ClinicalRecognizer
from deid.spans import Span

_IDENTIFIER = {"facilities": "FACILITY", "employers": "EMPLOYER"}


def find(note: Note) -> Iterator[Span]:
    """Organisations of the lists in folded text."""
    for start, end, name in phrases.find(note.text, phrases.phrases(*_IDENTIFIER)):
        yield Span(start, end, _IDENTIFIER[name], 0.72, f"organisations.{name}")


def recognizer() -> ClinicalRecognizer:
    """The recognizer of well-known organisations."""
    return ClinicalRecognizer("organisations", ["FACILITY", "EMPLOYER"], find)
