"""Takes passages out of a note whose identifiers already have their places in its text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl


class Cut(NamedTuple):
    """What is left of a note, and how many characters went and came."""

    text: str
    spans: list[dict[str, Any]] | None
    removed: int
    inserted: int
    moves: list[tuple[int, int, int]]
    """Of each cut: start, end, and how far what follows has moved."""

    def follow(self, places: list[dict[str, int]] | None) -> list[dict[str, int]] | None:
        """Other places of the text (`start`, `end`) where they stand now; what was cut out of them is gone."""
        if places is None:
            return None
        found = [{edge: self._now(place[edge]) for edge in ("start", "end")} for place in places]
        return [place for place in found if place["start"] < place["end"]]

    def _now(self, at: int) -> int:
        before = bisect_right(self.moves, at, key=lambda move: move[1])
        shift = self.moves[before - 1][2] if before else 0
        inside = before < len(self.moves) and self.moves[before][0] <= at
        return (self.moves[before][0] if inside else at) + shift


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
    removed = sum(end - start for start, end in runs)
    return Cut("".join([*parts, text[at:]]), kept, removed, len(marker) * len(runs), moves)


def followed(batch: pl.DataFrame, cuts: dict[str, Cut]) -> pl.DataFrame:
    """`batch` with the places in its column `copied`, where it has one, moved by the cuts, by record."""
    if "copied" not in batch.columns or not cuts:
        return batch
    rows = zip(batch["record"], batch["copied"].to_list(), strict=True)
    moved = [cuts[record].follow(places) if record in cuts else places for record, places in rows]
    return batch.with_columns(copied=pl.Series(moved, dtype=batch.schema["copied"]))


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
