"""Takes passages out of a note whose identifiers already have their places in its text."""

from __future__ import annotations

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
        first = len(text[:start].rstrip())
        grown.append((first, end) if first else (0, len(text) - len(text[end:].lstrip())))
    return grown


def _moved(span: dict[str, Any], moves: Sequence[tuple[int, int, int]]) -> dict[str, Any] | None:
    shift = 0
    for start, end, by in moves:
        if span["out_start"] < end and start < span["out_end"]:
            return None
        if end <= span["out_start"]:
            shift = by
    return {**span, "out_start": span["out_start"] + shift, "out_end": span["out_end"] + shift}
