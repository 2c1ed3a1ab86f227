"""Pages for the people who may see notes: examples before and after, and what is to be reviewed. PHI zone only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from jinja2 import Environment

from corpus.engine import Engine
from corpus.runner import Progress, ShardState
from deid.review import KINDS, excerpt, flagged
from deid.spans import Span

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


def _marked(text: str, spans: list[dict[str, Any]], actions: dict[int, str]) -> list[tuple[str, str]]:
    """Pieces of a note; an identifier with its class, the rule that found it, its score, and the action of the policy."""
    parts, at = [], 0
    for span in spans:
        start, end = span["start"], span["end"]
        told = (span["identifier"], span["recognizer"], f"{span['score']:.2f}", actions.get(start, ""))
        parts += [(text[at:start], ""), (text[start:end], " · ".join(filter(None, told)))]
        at = end
    return [*parts, (text[at:], "")]


def write_examples(path: Path, states: Sequence[ShardState], count: int = 24) -> None:
    """Write `count` notes, spread over types by record key, with their identifiers marked and their released text."""
    before = _outputs(states)
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
    actions = _actions(states, rows["record"])
    examples = [
        {**row, "before": _marked(row["text"], row["spans"], actions.get(row["record"], {}))}
        for row in rows.iter_rows(named=True)
    ]
    html = Environment(autoescape=True).from_string(TEMPLATE).render(examples=examples)
    path.write_text(html, encoding="utf-8")


def _outputs(states: Sequence[ShardState]) -> list[Path]:
    return [f / "data.parquet" for s in states for f in s.folders if f.parent.name == "deid.detect"]


def _actions(states: Sequence[ShardState], records: pl.Series) -> dict[str, dict[int, str]]:
    """By record: the action of the policy for the span that starts there. It stands in what was kept before rendering."""
    found: dict[str, dict[int, str]] = {}
    for path in (f / "data.parquet" for s in states for f in s.folders):
        spans = pl.read_parquet_schema(path).get("spans")
        if not (isinstance(spans, pl.List) and isinstance(spans.inner, pl.Struct)):
            continue
        if "action" not in [field.name for field in spans.inner.fields]:
            continue
        rows = pl.scan_parquet(path).filter(pl.col("record").is_in(records.implode())).select("record", "spans")
        for record, decided in rows.collect().iter_rows():
            found[record] = {span["start"]: span["action"] for span in decided}
    return found


# --- what people should look at ------------------------------------------------------------------------------

REVIEW = """<!doctype html><html lang="en"><meta charset="utf-8"><title>To be reviewed (PHI zone)</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}
td{padding:.3em .8em .3em 0;vertical-align:top;border-bottom:1px solid #ddd}mark{background:#ffe08a}
code{font-size:12px}.warn{background:#8b1a1a;color:#fff;padding:.6em 1em;border-radius:6px}</style>
<p class="warn">This page shows text of notes. It stays in work/ and never leaves this machine.</p>
<h1>Characteristics that may point to one person</h1>
<p>None of them is on the list of identifiers, and none was masked. Somebody who knows the place decides of each whether it
tells who the patient is. Other identifiers are replaced by their class here; ledger.parquet tells whose note a record is.</p>
{% for kind, found in kinds.items() %}<h2>{{ kind.replace("_", " ") }}: {{ "{:,}".format(found.count) }}{% if found.count > found.rows|length %}, the first {{ "{:,}".format(found.rows|length) }}{% endif %}</h2>
<table>{% for record, part in found.rows %}<tr><td><code>{{ record }}</code><td>{{ part.before }}<mark>{{ part.flagged }}</mark>{{ part.after }}
{% endfor %}</table>{% else %}<p>Nothing was found.</p>{% endfor %}</html>
"""
ON_PAGE = 500
"""Most rows of one kind on the page."""


class ReviewJob(NamedTuple):
    """Where the spans of a shard are, and what of it is released."""

    label: str
    detected: tuple[str, ...]
    released: str


def _review_shard(job: ReviewJob) -> tuple[dict[str, int], list[tuple[str, str, Any]]]:
    """Worker call: how often each kind was flagged in released notes, and the first ON_PAGE places of each, by record."""
    kept = pl.scan_parquet(job.released).select("record")
    counts: dict[str, int] = {}
    rows: list[tuple[str, str, Any]] = []
    for path in job.detected:
        notes = pl.scan_parquet(path).select("record", "text", "spans").join(kept, on="record", how="semi")
        for record, text, row in notes.sort("record").collect().iter_rows():
            spans = [Span(**span) for span in row]
            for one in flagged(text or "", spans):
                counts[one.kind] = counts.get(one.kind, 0) + 1
                if counts[one.kind] <= ON_PAGE:
                    rows.append((one.kind, record, excerpt(text, spans, one)))
    return counts, rows


def write_review(path: Path, states: Sequence[ShardState], engine: Engine, progress: Progress) -> None:
    """Write the page of what is to be reviewed: by kind, the sentence around each place."""
    jobs = [
        ReviewJob(
            f"review shard {i}", tuple(str(f / "data.parquet") for f in s.folders if f.parent.name == "deid.detect"),
            str(s.data),
        )
        for i, s in enumerate(states)
    ]  # fmt: skip
    progress.start("list for review", len(jobs), fresh=len(jobs))
    results = engine.run_shards(_review_shard, jobs, progress.advance)
    kinds: dict[str, Any] = {}
    for kind in KINDS:
        rows = sorted((record, part) for _, found in results for k, record, part in found if k == kind)
        if rows:
            kinds[kind] = {"count": sum(counts.get(kind, 0) for counts, _ in results), "rows": rows[:ON_PAGE]}
    html = Environment(autoescape=True).from_string(REVIEW).render(kinds=kinds)
    path.write_text(html, encoding="utf-8")
