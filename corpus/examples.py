"""A page of examples for the people who may see notes: before, after, and what was dropped for what. PHI zone only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from jinja2 import Environment

from corpus.runner import ShardState

TEMPLATE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Examples (PHI zone)</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}
pre{white-space:pre-wrap;background:#f6f6f4;padding:1em;border-radius:6px;font-size:13px;overflow-wrap:anywhere}
mark{background:#ffe08a}.pair{display:grid;grid-template-columns:1fr 1fr;gap:1em}
.warn{background:#8b1a1a;color:#fff;padding:.6em 1em;border-radius:6px}</style>
<p class="warn">This page shows notes as they came. It stays in work/ and never leaves this machine.</p>
<h1>{{ examples|length }} notes before and after</h1>
{% for e in examples %}<h2>{{ e.note_type or "note" }} · {{ e.record[:12] }}</h2><div class="pair">
<pre>{% for part, label in e.before %}{% if label %}<mark title="{{ label }}">{{ part }}</mark>{% else %}{{ part }}{% endif %}{% endfor %}</pre>
<pre>{{ e.after }}</pre></div>{% endfor %}</html>
"""


def _marked(text: str, spans: list[dict[str, object]]) -> list[tuple[str, str]]:
    parts, at = [], 0
    for span in spans:
        start, end = int(str(span["start"])), int(str(span["end"]))
        parts += [(text[at:start], ""), (text[start:end], f"{span['identifier']} · {span['recognizer']}")]
        at = end
    return [*parts, (text[at:], "")]


def write_examples(path: Path, states: Sequence[ShardState], count: int = 24) -> None:
    """Write `count` notes, spread over types by record key, with their identifiers marked and their released text."""
    before = [f / "data.parquet" for s in states for f in s.folders if f.parent.name == "deid.detect"]
    after = pl.concat([pl.scan_parquet(s.data).select("record", after="text") for s in states])
    notes = pl.concat([pl.scan_parquet(p) for p in before], how="diagonal")
    if "note_type" not in notes.collect_schema().names():
        notes = notes.with_columns(note_type=pl.lit(None, dtype=pl.String))
    rows = (
        notes.select("record", "note_type", "text", "spans")
        .join(after, on="record")
        .sort("record")
        .with_columns(turn=pl.int_range(pl.len()).over("note_type"))
        .sort("turn", "record")
        .head(count)
        .collect()
    )
    examples = [{**row, "before": _marked(row["text"], row["spans"])} for row in rows.iter_rows(named=True)]
    html = Environment(autoescape=True).from_string(TEMPLATE).render(examples=examples)
    path.write_text(html, encoding="utf-8")
