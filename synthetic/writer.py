"""Text with known identifiers: marked strings, pieces, and the offsets that become gold.

Templates are plain strings, and a planted identifier travels inside them as
``START identifier SEP entity SEP value END`` (private-use code points, which no note holds). ``pieces`` takes the
marks out; every later change (case, abbreviations, typing errors, wrapping, copying) works on pieces, so the
offsets, which ``assemble`` counts last, are right by construction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

START, SEP, END = "\ue000", "\ue001", "\ue002"
_MARK = re.compile(f"{START}([^{SEP}]*){SEP}([^{SEP}]*){SEP}([^{END}]*){END}")


class Piece(NamedTuple):
    """A stretch of text; ``identifier`` is empty where nothing is planted."""

    text: str
    identifier: str = ""
    entity: str = ""


class Gold(NamedTuple):
    """One planted identifier: half-open code point offsets into the note."""

    start: int
    end: int
    identifier: str
    entity: str


def mark(identifier: str, value: str, entity: str = "") -> str:
    """``value`` marked as a planted identifier; surrounding white space must not be part of it."""
    return f"{START}{identifier}{SEP}{entity}{SEP}{value}{END}"


def plain(marked: str) -> str:
    """The text that a reader sees."""
    return _MARK.sub(r"\3", marked)


def pieces(marked: str) -> list[Piece]:
    """A marked string as pieces, in order."""
    out, at = [], 0
    for match in _MARK.finditer(marked):
        if match.start() > at:
            out.append(Piece(marked[at : match.start()]))
        out.append(Piece(match[3], match[1], match[2]))
        at = match.end()
    if at < len(marked):
        out.append(Piece(marked[at:]))
    return out


def assemble(parts: Iterable[Piece], offset: int = 0) -> tuple[str, list[Gold]]:
    """Text and gold of pieces; ``offset`` is where the first piece starts in the note."""
    texts, gold, at = [], [], offset
    for part in parts:
        if part.identifier and part.text:
            gold.append(Gold(at, at + len(part.text), part.identifier, part.entity))
        texts.append(part.text)
        at += len(part.text)
    return "".join(texts), gold


def cut(text: str, gold: list[Gold], start: int, end: int) -> list[Piece]:
    """The pieces of ``text[start:end]``; no gold span may cross its borders."""
    out, at = [], start
    for span in gold:
        if span.end <= start or span.start >= end:
            continue
        if span.start > at:
            out.append(Piece(text[at : span.start]))
        out.append(Piece(text[span.start : span.end], span.identifier, span.entity))
        at = span.end
    if at < end:
        out.append(Piece(text[at:end]))
    return out


def retext(parts: list[Piece], text: str) -> list[Piece]:
    """The same pieces over a text of the same length."""
    out, at = [], 0
    for part in parts:
        out.append(part._replace(text=text[at : at + len(part.text)]))
        at += len(part.text)
    return out


def wrap(parts: list[Piece], width: int, column: int = 0) -> list[Piece]:
    """Break lines at ``width`` by turning single spaces into line breaks: no offset moves.

    ``column`` is where the first line starts.
    """
    text, _ = assemble(parts)
    chars, line, space = list(text), -column, -1
    for at, char in enumerate(text):
        if char == "\n":
            line, space = at + 1, -1
        elif char == " ":
            if at - line > width and space > max(line, -1):
                chars[space] = "\n"
                line = space + 1
            space = at if at and text[at - 1] not in " \n" else space
    return retext(parts, "".join(chars))
