"""Takes out passages that already stand in an earlier note of the same patient; drops notes that say nothing new.

Works on the text with placeholders, like `dedupe.near`, so that a name or date in another form hides no copy. Runs
after it: a note that is nearly another one goes whole, and nothing may be taken out for standing in a note that is
gone. Runs before the rest, so that what is split and asked about is the text that is released. All notes of a patient
are in one batch, so the result depends on nothing else in the corpus.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import polars as pl
from pydantic import Field, field_validator

from corpus.sections import TITLES, headings
from corpus.stage import PLACES, Json, Outcome, StageParams
from corpus.stages._as_notes import as_notes
from corpus.stages._cuts import changed, cuts
from dedupe import copy_forward
from deid.lexicon import CLINICAL, WORD, WORD_RARE, flags

NAME = "dedupe.copy_forward"
SCOPE = "patient"
READS = ("text", "spans", "group", "charted_at", "signed_at", "amends", "note_type", "author_role")
WRITES = ("text", "spans", "copied")
LIBRARIES = ()
KEEP = False

NOTHING_NEW = "dedupe.no_new_information"
GROUPS = ("note_type", "author_role", "year")
FEWEST_PATIENTS = 11
FEW = f"(fewer than {FEWEST_PATIENTS} patients)"
MOST_VALUES = 200
"""More distinct types or roles than that are none: they may hold anything."""


class Params(StageParams):
    policy: Literal["remove", "collapse", "annotate", "off"] = "remove"
    """What becomes of a copied passage: taken out; `marker` in its place; left, with its place in the released column
    `copied`; or nothing is looked for. Under the first two a note with nothing new in it goes."""
    min_words: int = Field(default=8, ge=2, le=1000)
    """Words that a passage must share with an earlier note; shorter statements are typed anew each day."""
    exempt: tuple[str, ...] = ("medications", "allergies", "problems")
    """Sections that stay in a note with anything new, copied or not; titles as in corpus/sections.py."""
    identifiers: Literal["shown", "any"] = "shown"
    """Whether a passage with another date or name is a copy: `shown`, if the release shows the same of both (a year, a
    placeholder); `any`, always."""
    marker: str = Field(default="[COPIED]", min_length=1, max_length=40, pattern=r"^\S(.*\S)?$")
    """What stands for a passage under `collapse`."""

    @field_validator("exempt")
    @classmethod
    def _titles(cls, exempt: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(exempt) - TITLES):
            raise ValueError(f"no such section: {', '.join(unknown)}; allowed: {', '.join(sorted(TITLES))}")
        return exempt


def is_word(word: str) -> bool:
    """Whether it stands in the lists of English and clinical words."""
    return bool(flags(word) & (WORD | WORD_RARE | CLINICAL))


def apply(batch: pl.DataFrame, params: Params, resources: None) -> Outcome:
    """Find what was copied, treat it as the policy says, and count it."""
    if params.policy == "off":
        return Outcome(batch)
    notes = as_notes(batch)
    if params.identifiers == "shown" and "spans" in batch.columns:
        notes = notes.with_columns(shown=_shown(batch))
    found = copy_forward.find(
        notes, copy_forward.CopyForwardParams(min_words=params.min_words, exempt=params.exempt), headings, is_word
    )
    details = _counted(batch, found.notes)
    if params.policy == "annotate":
        return Outcome(_annotated(batch, found.passages), details=details)
    drops = _nothing_new(found)
    kept = batch.join(drops, on="record", how="anti", maintain_order="left")
    places = _by_note(found.passages.filter(~pl.col("exempt")))
    changes = cuts(kept, places, params.marker if params.policy == "collapse" else "")
    after, account = changed(kept, changes, NAME)
    return Outcome(after, drops, account, details=details)


def _shown(batch: pl.DataFrame) -> pl.Series:
    """For each note the placeholders of which the release shows something, with that as one word."""
    rows = [
        [
            {"start": s["out_start"], "end": s["out_end"], "value": _as_word(s["identifier"], s["value"])}
            for s in spans or []
            if s["value"] != f"[{s['identifier']}]"
        ]
        for spans in batch["spans"].to_list()
    ]
    return pl.Series(rows, dtype=pl.List(pl.Struct({"start": pl.Int64, "end": pl.Int64, "value": pl.String})))


def _as_word(identifier: str, value: str) -> str:
    return f"[{identifier.lower()}_{re.sub(r'[^a-z0-9]+', '_', value.lower())[:60]}]"


def _nothing_new(found: copy_forward.CopyForward) -> pl.DataFrame:
    """record, reason, kept: notes without news, with the note that holds most of their words."""
    stale = found.notes.filter(~pl.col("new")).select("note_id")
    most = (
        found.passages.join(stale, on="note_id", how="semi")
        .group_by("note_id", "from_id")
        .agg(pl.sum("n_words"))
        .sort("note_id", "n_words", "from_id", descending=[False, True, False])
        .unique("note_id", keep="first", maintain_order=True)
    )
    return most.select(record="note_id", reason=pl.lit(NOTHING_NEW), kept="from_id").sort("record")


def _by_note(passages: pl.DataFrame) -> dict[str, list[tuple[int, int]]]:
    places: dict[str, list[tuple[int, int]]] = {}
    for record, start, end in passages.select("note_id", "start", "end").iter_rows():
        places.setdefault(record, []).append((start, end))
    return places


def _annotated(batch: pl.DataFrame, passages: pl.DataFrame) -> pl.DataFrame:
    places = _by_note(passages)
    rows = [
        [{"start": start, "end": end} for start, end in places.get(record, [])] for record in batch["record"].to_list()
    ]
    return batch.with_columns(copied=pl.Series(rows, dtype=PLACES))


# --- redundancy ----------------------------------------------------------------------------------------------


def _counted(batch: pl.DataFrame, notes: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Words read and copied, in all and by type of note, role of the author and year; added up over shards."""
    present = [name for name in ("note_type", "author_role", "charted_at") if name in batch.columns]
    rows = notes.join(batch.select("record", "group", *present), left_on="note_id", right_on="record", how="left")
    if "charted_at" in present:
        years = [(copy_forward.moment(value) or "")[:4] or None for value in rows["charted_at"].to_list()]
        rows = rows.with_columns(year=pl.Series(years, dtype=pl.String))
    sums = [
        pl.len().alias("notes"),
        pl.sum("n_words").alias("words"),
        *(pl.sum(c) for c in ("copied", "exempt", "changed")),
    ]
    out: dict[str, dict[str, Any]] = {
        "all": rows.select(pl.col("group").n_unique().alias("patients"), *sums).row(0, named=True)
    }
    for name in GROUPS:
        if name in rows.columns:
            by = rows.with_columns(pl.col(name).cast(pl.String).fill_null("(none)"))
            by = by.group_by(name).agg(pl.col("group").n_unique().alias("patients"), *sums).sort(name)
            out[name] = {row.pop(name): row for row in by.iter_rows(named=True)}
    return {"redundancy": out}


def disclose(details: Mapping[str, Any]) -> dict[str, Any]:
    """The counts as the manifest shows them: shares of words, and nothing of a group of few patients by itself."""
    counts = details.get("redundancy")
    if not counts:
        return dict(details)
    shown: dict[str, Any] = {"all": _shares(counts["all"])} if counts["all"]["patients"] >= FEWEST_PATIENTS else {}
    for name in GROUPS:
        table = counts.get(name, {})
        if not table or len(table) > MOST_VALUES:
            continue
        pooled: Counter[str] = Counter()
        rows = {}
        for value, row in sorted(table.items()):
            if row["patients"] >= FEWEST_PATIENTS:
                rows[value] = _shares(row)
            else:
                pooled.update(row)
        if pooled["patients"] >= FEWEST_PATIENTS:
            rows[FEW] = _shares(pooled)
        shown[name] = rows
    return {**details, "redundancy": shown}


def _shares(row: Mapping[str, int]) -> Json:
    """Words to the hundred, and the shares of them that were copied."""
    words = row["words"]
    return {
        "words": round(words, -2),
        **{name: round(row[name] / words, 3) if words else None for name in ("copied", "exempt", "changed")},
    }
