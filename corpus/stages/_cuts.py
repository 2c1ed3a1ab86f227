"""Takes passages out of notes; the places that a note carries beside its text move with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from corpus.stage import Json
from dedupe.edits import Edit, Moves, edits, rewritten

CHANGED = {"record": pl.String, "reason": pl.String, "removed": pl.Int64, "inserted": pl.Int64}


def cuts(
    batch: pl.DataFrame, places: Mapping[str, Sequence[tuple[int, int]]], marker: str = ""
) -> dict[str, list[Edit]]:
    """The changes that take out these places (half-open, sorted, apart), by record; none cuts a placeholder in two."""
    spans = batch["spans"].to_list() if "spans" in batch.columns else [None] * batch.height
    return {
        record: _whole(edits(text, places[record], marker), own or [])
        for record, text, own in zip(batch["record"], batch["text"], spans, strict=True)
        if record in places
    }


def changed(
    batch: pl.DataFrame, changes: Mapping[str, Sequence[Edit]], reason: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The batch with the changes made, by record, and the account of them: record, reason, removed, inserted.

    `spans` and `copied`, where the batch has them, stand where they stand in the new text; those that went are gone.
    """
    if not changes:
        return batch, pl.DataFrame(schema=CHANGED)
    columns = [name for name in ("text", "spans", "copied") if name in batch.columns]
    values = {name: batch[name].to_list() for name in columns}
    lines = []
    for row, record in enumerate(batch["record"].to_list()):
        if not (ours := changes.get(record)):
            continue
        moves = Moves(ours)
        values["text"][row] = rewritten(values["text"][row], ours)
        if "spans" in values:
            values["spans"][row] = _moved(values["spans"][row] or [], moves)
        if "copied" in values and values["copied"][row] is not None:
            values["copied"][row] = follow(values["copied"][row], moves)
        out, put = sum(c.end - c.start for c in ours), sum(len(c.put) for c in ours)
        lines.append({"record": record, "reason": reason, "removed": out, "inserted": put})
    after = batch.with_columns(pl.Series(name, values[name], dtype=batch.schema[name]) for name in columns)
    return after, pl.DataFrame(lines, schema=CHANGED)


def follow(places: Sequence[Json], moves: Moves) -> list[Json]:
    """Places of a text (`start`, `end`) where they stand after changes to it; what was cut out of them is gone."""
    now = ({edge: moves(place[edge]) for edge in ("start", "end")} for place in places)
    return [place for place in now if place["start"] < place["end"]]


def _whole(changes: Sequence[Edit], spans: Sequence[Json]) -> list[Edit]:
    """The changes that cut no placeholder in two."""
    moves = Moves(changes)
    cut = {
        change
        for s in spans
        if (change := moves.around(s["out_start"], s["out_end"]))
        and not change.start <= s["out_start"] <= s["out_end"] <= change.end
    }
    return [change for change in changes if change not in cut]


def _moved(spans: Sequence[Json], moves: Moves) -> list[Json]:
    """Spans where they stand after the changes, without those that went with them."""
    return [
        {**s, "out_start": moves(s["out_start"]), "out_end": moves(s["out_end"])}
        for s in spans
        if not moves.around(s["out_start"], s["out_end"])
    ]
