"""A note cut into the pieces that are copied, or stay, as a whole: sentences, list items, headings.

A line break ends a piece unless the line was only wrapped: the next line goes on in small letters, or its first word
would not have fitted. Abbreviations and initials end no sentence. A cut too many or too few costs little: whether a
piece was copied is decided on words, and a piece counts only where its source begins and ends with it
(`dedupe.alignment`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple


class Piece(NamedTuple):
    """A sentence, a list item or a heading: offsets in the text without white space around, and its section."""

    start: int
    end: int
    section: str
    heading: bool = False


Headings = Callable[[str], Sequence[tuple[int, int, str]]]
"""Where the sections of a text begin: offsets of their headings, in order, and their titles ("" for one not known)."""

WRAPPED_FROM = 30
"""A line shorter than this was not wrapped; list items and labels are."""
_LINE = re.compile(r"[^\S\n]*(\S(?:[^\n]*\S)?)")
_ITEM = re.compile(r"[-*•·◦▪>#\[]|\(?(?:\d{1,3}|[A-Za-z])[.)](?=[ \t]+\S)|[=_~]{3}")
_OPEN = re.compile(
    r"\b(?:a|an|and|are|at|by|every|for|from|had|has|in|is|of|on|or|than|that|the|to|until|was|were|with)$",
    re.IGNORECASE,
)
_STOP = re.compile(r"[.!?](?:\s|$)")
_END = re.compile(r"[.!?]+[\"')\]]*(?=\s+[\"'(\[]?[A-Z0-9\[])|[.!?]+[\"')]*(?=\n)")
_NO_END = re.compile(
    r"(?:\b(?:Dr|Drs|Mr|Mrs|Ms|St|vs|approx|No|Fig|e\.g|i\.e|a\.m|p\.m|Jr|Sr|Prof|Inc|Ph|Pt|pt)|(?<![A-Za-z])[A-Z])\.$"
)


def no_headings(text: str) -> list[tuple[int, int, str]]:
    """For notes whose sections nobody knows."""
    return []


def cut(text: str, headings: Headings = no_headings) -> list[Piece]:
    """The pieces of a note in order. What lies between them is white space."""
    pieces: list[Piece] = []
    section, at = "", 0
    for start, end, title in headings(text):
        pieces += [Piece(*place, section) for place in _sentences(text, at, start)]
        solid, section = text[start:end], title
        at = start + len(solid.rstrip())
        pieces.append(Piece(start + len(solid) - len(solid.lstrip()), at, section, heading=True))
    pieces += [Piece(*place, section) for place in _sentences(text, at, len(text))]
    return pieces


def _sentences(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    for first, last in _paragraphs(text, start, stop):
        at = first
        for match in _END.finditer(text, first, last):
            if match.group() == "." and _NO_END.search(text, max(first, match.end() - 8), match.end()):
                continue
            if text[at : match.start()].strip("( ").isdigit():  # the number of a list item
                continue
            yield at, match.end()
            at = match.end()
            while at < last and text[at].isspace():
                at += 1
        if at < last:
            yield at, last


def _paragraphs(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Lines, joined where they were only wrapped."""
    block: list[tuple[int, int]] = []
    for match in _LINE.finditer(text, start, stop):
        line = match.span(1)
        if block and text.count("\n", block[-1][1], line[0]) != 1:
            yield from _joined(text, block)
            block = []
        block.append(line)
    yield from _joined(text, block)


def _joined(text: str, lines: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    if not lines:
        return
    width = max(end - start for start, end in lines)
    # Where no line goes on in small letters, the lines are a list, unless they are sentences in capitals.
    block = text[lines[0][0] : lines[-1][1]]
    prose = any(text[start].islower() for start, _ in lines[1:]) or (
        block.isupper() and _STOP.search(block) is not None
    )
    at, last = lines[0]
    for start, end in lines[1:]:
        length = last - text.rfind("\n", 0, last) - 1
        if _wrapped(text, length, last, start, end, width, prose):
            last = end
        else:
            yield at, last
            at, last = start, end
    yield at, last


def _wrapped(text: str, length: int, last: int, start: int, end: int, width: int, prose: bool) -> bool:
    """Whether the line from `start` to `end` goes on with the one of `length` that ends at `last`."""
    if length < WRAPPED_FROM:
        return False
    if _OPEN.search(text, max(last - 12, 0), last):
        return True
    if _ITEM.match(text, start, end):
        return False
    if text[start].islower():
        return True
    if not (prose or text[start].isdigit() or text[last - 1] == ","):
        return False
    space = text.find(" ", start, end)
    word = (space if space > 0 else end) - start
    return width >= 1.5 * WRAPPED_FROM and length + 1 + word > width
