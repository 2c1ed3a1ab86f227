"""Annotated notes as training text: what was marked is drawn anew, word by word, so that its form stays.

The text is that of `annotated/*.txt`, with marks as `deid.gold` reads them: `[[NAME:Gonzalez, M.]]` stays a surname, a
comma and an initial; a name has the same new spelling all through its note; numbers keep their shape.
"""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

from synthetic.training import values
from synthetic.training.values import Vocabulary, someone
from synthetic.writer import Piece

FOLDER = Path(__file__).parent / "annotated"
MARK = re.compile(r"\[\[([A-Z_]+)(?:#[\w.-]+)?:(.*?)\]\]", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_PARTICLES = frozenset("van von der del the jr iii los las".split())
_KINDS = {
    "FACILITY": ("hospital", "clinic", "nursing_home", "pharmacy"), "EMPLOYER": ("employer", "employer", "school", "church"),
}  # fmt: skip
_AS_WRITTEN = ("DATE", "AGE", "EMAIL", "URL", "USERNAME", "COUNTY")


@cache
def annotated() -> tuple[list[str], list[str]]:
    """The annotated notes, and the annotated snippets of one to three lines (`*_slices.txt`)."""
    notes: list[str] = []
    snippets: list[str] = []
    for path in sorted(FOLDER.glob("*.txt")):
        for part in ("\n" + path.read_text(encoding="utf-8")).split("\n====="):
            text = "\n".join(line for line in part.strip("\n").split("\n") if not line.startswith("#@")).strip("\n")
            if text:
                (snippets if path.stem.endswith("_slices") else notes).append(text)
    return notes, snippets


def refill(marked: str, rng: random.Random, vocabulary: Vocabulary) -> list[Piece]:
    """The pieces of one note with other people, places and numbers; one note in four stays as it was written, of short ones
    every other: a "Lasick" is drawn as no lists would draw it.
    """
    note = _Note(rng, vocabulary)
    keep = rng.random() < (0.25 if len(marked) > 400 else 0.5)
    parts: list[Piece] = []
    at = 0
    for match in MARK.finditer(marked):
        parts.append(Piece(marked[at : match.start()]))
        parts.append(Piece(match[2] if keep else note.anew(match[1], match[2]), match[1]))
        at = match.end()
    return [*parts, Piece(marked[at:])]


class _Note:
    """The new names of one note."""

    def __init__(self, rng: random.Random, vocabulary: Vocabulary) -> None:
        self.rng, self.vocabulary = rng, vocabulary
        self.names: dict[str, str] = {}

    def anew(self, identifier: str, text: str) -> str:
        rng, vocabulary = self.rng, self.vocabulary
        if identifier in _AS_WRITTEN:
            return text
        if identifier in ("NAME", "CLINICIAN"):
            return _WORD.sub(lambda match: self._name(match[0]), text)
        if identifier == "CITY":
            return _cased(text, values.city(rng, vocabulary)[0]) if rng.random() < 0.7 else text
        if identifier == "STREET":
            return _cased(text, values.street(rng, vocabulary)) if text[0].isdigit() and rng.random() < 0.5 else text
        if kinds := _KINDS.get(identifier):
            kind = "hospital.short" if identifier == "FACILITY" and " " not in text else rng.choice(kinds)
            return _cased(text, values.organisation(rng, vocabulary, kind)) if rng.random() < 0.5 else text
        return re.sub(r"\d", lambda _: str(rng.randrange(10)), text)

    def _name(self, word: str) -> str:
        """Another word of the same kind: a given name, a surname, an ordinary word, an eponym."""
        low, rng, vocabulary = word.lower(), self.rng, self.vocabulary
        if len(word) < 3 or low in _PARTICLES:
            return word
        if low not in self.names:
            draw = rng.random()
            if low in vocabulary.known_words and draw < 0.7:
                new = rng.choice(vocabulary.word_given if rng.random() < 0.5 else vocabulary.word_surnames)
            elif low in vocabulary.known_eponyms and draw < 0.7:
                new = rng.choice(vocabulary.eponym_surnames)
            else:
                who = someone(rng, vocabulary)
                new = who.given if low in vocabulary.known_given else who.family
            self.names[low] = new if draw < 0.9 else word
        return _cased(word, self.names[low])


def _cased(old: str, new: str) -> str:
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new.lower() if old.islower() else new
