"""Takes passages out of a note whose identifiers already have their places in its text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple


class Cut(NamedTuple):
    """What is left of a note, and how many characters went and came."""

    text: str
    spans: list[dict[str, Any]] | None
    removed: int
    inserted: int


def cut(
    text: str, places: Sequence[tuple[int, int]], spans: list[dict[str, Any]] | None = None, marker: str = ""
) -> Cut:
    """`text` without `places` (half-open, sorted, apart), each run of them replaced by `marker`.

    White space before a passage goes with it (after it, at the start of a text), so that no empty lines are left; with a
    marker only the white space between two passages goes. Spans (`out_start`, `out_end`) move with the text; those that
    touch a passage go.
    """
    runs = _runs(text, places, keep_space=bool(marker))
    parts: list[str] = []
    moves: list[tuple[int, int, int]] = []
    at = out = 0
    for start, end in runs:
        parts += [text[at:start], marker]
        out += start - at + len(marker)
        moves.append((start, end, out - end))
        at = end
    kept = None if spans is None else [moved for span in spans if (moved := _moved(span, moves)) is not None]
    return Cut("".join([*parts, text[at:]]), kept, sum(end - start for start, end in runs), len(marker) * len(runs))


def _runs(text: str, places: Sequence[tuple[int, int]], *, keep_space: bool) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for start, end in places:
        if runs and not text[runs[-1][1] : start].strip():
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    if keep_space:
        return runs
    grown = []
    for start, end in runs:
        while start and text[start - 1].isspace():
            start -= 1
        while not start and end < len(text) and text[end].isspace():
            end += 1
        grown.append((start, end))
    return grown


def _moved(span: dict[str, Any], moves: Sequence[tuple[int, int, int]]) -> dict[str, Any] | None:
    before = bisect_right(moves, span["out_start"], key=lambda move: move[1])  # cuts that end at or before it
    if before < len(moves) and moves[before][0] < span["out_end"]:
        return None
    shift = moves[before - 1][2] if before else 0
    return {**span, "out_start": span["out_start"] + shift, "out_end": span["out_end"] + shift}
