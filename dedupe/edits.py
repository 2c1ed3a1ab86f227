"""Passages taken out of a text, and where what is left stands afterwards."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple


class Edit(NamedTuple):
    """A stretch of a text, and what stands in its place afterwards."""

    start: int
    end: int
    put: str


def edits(text: str, passages: Sequence[tuple[int, int]], marker: str = "") -> list[Edit]:
    """What to take out for these passages, in order, and a marker to put in their place.

    Passages with only white space between them are one. Without a marker the white space after a passage goes with
    it, so that no empty lines are left; between what stays on one line a blank is left.
    """
    joined: list[tuple[int, int]] = []
    for start, end in passages:
        if joined and not text[joined[-1][1] : start].strip():
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    out = []
    for start, end in joined:
        if not marker:
            start, end = _with_space(text, start, end)
        out.append(Edit(start, end, marker))
    return out


def _with_space(text: str, start: int, end: int) -> tuple[int, int]:
    """The passage with the white space that would stand twice without it."""
    head = start
    while head and text[head - 1] in " \t":
        head -= 1
    tail = end
    while tail < len(text) and text[tail].isspace():
        tail += 1
    if tail == len(text):
        while head and text[head - 1].isspace():
            head -= 1
        return head, tail
    if head == 0 or text[head - 1] == "\n":
        # From the begin of a line: all lines up to the next that holds something, but not its indent.
        line = text.rfind("\n", end, tail) + 1
        return (head, line) if line else (start, tail)
    # Inside a line: up to the end of the line, or to what follows on it.
    line = text.find("\n", end, tail)
    return (head, line) if line >= 0 else (start, tail)


def rewritten(text: str, changes: Sequence[Edit]) -> str:
    """The text with the changes made."""
    parts, at = [], 0
    for change in changes:
        parts += [text[at : change.start], change.put]
        at = change.end
    return "".join([*parts, text[at:]])


class Moves:
    """Where places of a text stand after changes to it."""

    def __init__(self, changes: Sequence[Edit]) -> None:
        self.changes = changes
        self._starts = [change.start for change in changes]
        grown = (len(change.put) - (change.end - change.start) for change in changes)
        self._shifts = [0, *accumulate(grown)]

    def __call__(self, place: int) -> int:
        """Where `place` is afterwards; one inside a change is at its end."""
        k = bisect_left(self._starts, place)  # changes that begin before it
        if k and self.changes[k - 1].end > place:
            return self.changes[k - 1].end + self._shifts[k]
        return place + self._shifts[k]

    def around(self, start: int, end: int) -> Edit | None:
        """The change that takes out or cuts the stretch, or None."""
        k = bisect_left(self._starts, end)
        return self.changes[k - 1] if k and self.changes[k - 1].end > start else None
