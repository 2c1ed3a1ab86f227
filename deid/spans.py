"""Spans: what they are, how overlaps are settled, and their columns in polars.

A span is half-open, in Unicode code points of the original text. A list of spans is sorted and does not overlap.

**The merge rule.** Spans are taken in the order: higher score, then longer, then further left, then name of the
identifier, then name of the recognizer. A span taken keeps its whole extent. Of a later span only what sticks out on
either side is kept, under its own identifier, if a letter or digit is in it. So the class of every character is
decided by the best span over it, and no character that some recognizer wanted masked is given up. Last, spans are
trimmed of white space and of punctuation at their ends.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import NamedTuple

import polars as pl


class Span(NamedTuple):
    """start and end in code points, half-open; score in 0..1; recognizer as "module.rule".

    `entity` names the person or thing within one patient's notes, as "NAME:3": the same label, the same entity; "" where
    it is not known.
    """

    start: int
    end: int
    identifier: str
    score: float
    recognizer: str
    entity: str = ""


class OutSpan(NamedTuple):
    """A span and what became of it: its place in the new text, the action, and the string the policy shows."""

    start: int
    end: int
    identifier: str
    score: float
    recognizer: str
    entity: str
    out_start: int
    out_end: int
    action: str
    value: str


_SPAN_FIELDS: dict[str, type[pl.DataType]] = {
    "start": pl.Int64,
    "end": pl.Int64,
    "identifier": pl.Utf8,
    "score": pl.Float64,
    "recognizer": pl.Utf8,
    "entity": pl.Utf8,
}
SPANS_DTYPE = pl.List(pl.Struct(_SPAN_FIELDS))
OUT_SPANS_DTYPE = pl.List(
    pl.Struct({**_SPAN_FIELDS, "out_start": pl.Int64, "out_end": pl.Int64, "action": pl.Utf8, "value": pl.Utf8})
)

_TRIM_LEFT = " \t\r\n\f\v.,;:!?*|\"'<>-–—=/\\])}"
_TRIM_RIGHT = " \t\r\n\f\v.,;:!?*|\"'<>-–—=/\\[({"


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    if start < end and text[start].isalnum() and text[end - 1].isalnum():
        return start, end
    while start < end and (text[start] in _TRIM_LEFT or text[start].isspace()):
        start += 1
    while end > start and (text[end - 1] in _TRIM_RIGHT or text[end - 1].isspace()):
        end -= 1
    # A bracket stays only with its partner: "(202) 555-0182" keeps it, "(John" does not.
    if end > start and text[start] in "([{" and not any(c in ")]}" for c in text[start:end]):
        return _trim(text, start + 1, end)
    if end > start and text[end - 1] in ")]}" and not any(c in "([{" for c in text[start:end]):
        return _trim(text, start, end - 1)
    return start, end


def merge(text: str, spans: Iterable[Span]) -> list[Span]:
    """Settle overlaps by the rule above; return sorted, non-overlapping, trimmed spans inside the text."""
    taken: list[tuple[int, int]] = []  # sorted, disjoint
    out: list[Span] = []
    last = len(text)
    for span in sorted(set(spans), key=_rank):
        start, end = max(0, span.start), min(last, span.end)
        at = bisect.bisect_left(taken, (start, start))
        before = taken[at - 1][1] if at else 0
        if before >= end:
            continue  # most patterns' spans are another's as well
        free: list[tuple[int, int]] = []
        if before > start:
            start = before
        while at < len(taken) and taken[at][0] < end:
            if taken[at][0] > start:
                free.append((start, taken[at][0]))
            start = max(start, taken[at][1])
            at += 1
        if start < end:
            free.append((start, end))
        whole = free == [(span.start, span.end)]
        for a, b in free:
            a, b = _trim(text, a, b)
            if a < b and (whole or any(map(str.isalnum, text[a:b]))):
                bisect.insort(taken, (a, b))
                out.append(span if (a, b) == span[:2] else Span(a, b, *span[2:]))
    return sorted(out)


def _rank(span: Span) -> tuple[float, int, int, str, str, str]:
    start, end, identifier, score, recognizer, entity = span
    return -score, start - end, start, identifier, recognizer, entity
