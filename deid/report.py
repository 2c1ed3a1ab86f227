"""What `clinicorpus deid evaluate` writes and prints: figures as JSON and rows, and a page of the misses in context.

The page holds text of notes: it belongs to the PHI zone. It is one file that loads nothing, is readable by its owner
only, and says what it is.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clinicorpus_errors import UserError
from deid.evaluate import Compared
from deid.identifiers import IDENTIFIERS

CONTEXT = 70  # characters shown on either side
MOST_MISSES, MOST_MASKED = 2000, 500
FIGURES, PAGE = "evaluation.json", "misses.html"


class Part(NamedTuple):
    """A stretch of a shown span; `masked`: whether some prediction covers it."""

    text: str
    masked: bool


class Shown(NamedTuple):
    """One span in context."""

    identifier: str
    note_id: str
    kind: str
    told: str
    before: str
    parts: list[Part]
    after: str


def write(folder: Path, compared: Compared, figures: dict[str, Any], gate: dict[str, Any]) -> list[Path]:
    """Write evaluation.json (numbers) and misses.html (note text) into `folder`, for its owner only.

    Raises UserError if the folder cannot be written.
    """
    content = {
        FIGURES: json.dumps({**figures, "gate": gate}, indent=2, ensure_ascii=False) + "\n",
        PAGE: render_page(compared, figures, gate),
        # Whoever names a folder inside of a repository shall not commit notes.
        ".gitignore": "*\n",
    }
    partial = folder / ".partial"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in content.items():
            partial.unlink(missing_ok=True)
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            partial.replace(folder / name)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise UserError(
            "the folder cannot be written", value=f"{folder}: {error.strerror}", next="name another --out"
        ) from None
    return [folder / FIGURES, folder / PAGE]


def render_page(compared: Compared, figures: dict[str, Any], gate: dict[str, Any]) -> str:
    """The page: figures first, then every miss by class, then harmless text that was masked."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.globals |= {"number": number, "interval": interval, "claim": claim}
    missed = compared.gold.filter(~pl.col("full"))
    wrong = compared.predicted.filter(~pl.col("precise"))
    shown = _shown(compared, missed.head(MOST_MISSES), missed=True)
    by_class = {name: [s for s in shown if s.identifier == name] for name in IDENTIFIERS}
    return environment.get_template("evaluation.html.j2").render(
        f=figures, gate=gate, missed=missed.height, wrong=wrong.height,
        misses={name: spans for name, spans in by_class.items() if spans},
        masked=_shown(compared, wrong.head(MOST_MASKED), missed=False), most=(MOST_MISSES, MOST_MASKED),
        leaks=leak_rows(figures), other=other_rows(figures),
    )  # fmt: skip


def _shown(compared: Compared, spans: pl.DataFrame, *, missed: bool) -> list[Shown]:
    notes = compared.notes
    texts = notes["text"].fill_null("")
    ids = notes["note_id"]
    kinds = notes["kind"] if "kind" in notes.columns else None
    wanted = set(spans["note"].unique().to_list())
    over: dict[int, list[tuple[int, int]]] = {}
    for note, start, end in compared.predicted.select("note", "start", "end").iter_rows():
        if note in wanted:
            over.setdefault(note, []).append((start, end))
    out = []
    for row in spans.iter_rows(named=True):
        note, start, end = row["note"], row["start"], row["end"]
        text = texts[note]
        parts = _parts(text, start, end, over.get(note, ())) if missed else [Part(_flat(text[start:end]), True)]
        told = ("in part" if any(p.masked for p in parts) else "not found") if missed else row.get("recognizer") or ""
        out.append(
            Shown(
                row["identifier"], ids[note], (kinds[note] if kinds is not None else "") or "", told,
                _flat(text[max(0, start - CONTEXT) : start]), parts, _flat(text[end : end + CONTEXT]),
            )
        )  # fmt: skip
    return out


def _parts(text: str, start: int, end: int, over: Any) -> list[Part]:
    """The span in stretches that are masked and stretches that are not."""
    edges = sorted({start, end, *(p for a, b in over for p in (a, b) if start < p < end)})
    return [Part(_flat(text[a:b]), any(x <= a and b <= y for x, y in over)) for a, b in pairwise(edges)]


def _flat(text: str) -> str:
    return text.replace("\r", "").replace("\n", " ⏎ ")


# --- figures as rows -----------------------------------------------------------------------------------------


def number(value: float | None) -> str:
    """A share with four digits."""
    return "–" if value is None else f"{value:.4f}"


def interval(value: list[float] | None) -> str:
    """Two bounds."""
    return "–" if not value else f"{value[0]:.4f}–{value[1]:.4f}"


def claim(table: dict[str, Any]) -> str:
    """Whether the claimed recall is shown: yes, no, or how many more examples that takes (insufficient evidence)."""
    judged = table["claim"]
    return {"shown": "yes", "not reached": "no"}.get(judged["verdict"], f"+{judged['missing']:,}")


def leak_rows(figures: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """(what, count, share, upper bound) of notes and patients with something left."""
    rows = []
    for what in ("notes", "patients"):
        for kind, told in (("direct", "a direct identifier"), ("any", "any identifier")):
            if rate := figures["leaks"].get(f"{what}_with_{kind}_leak"):
                rows.append(
                    (f"{what} with {told} left", f"{rate['leaking']:,} of {rate[what]:,}", number(rate["share"]),
                     number(rate["upper_95"]))
                )  # fmt: skip
    return rows


def other_rows(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(what, value, remark) of the other figures."""
    drawn = figures["intervals"]
    rows = [
        (f"fully masked, interval by {drawn['drawn']}", interval(figures["overall"]["full_cover_recall_95_patients"]),
         f"{drawn['count']:,} drawn {drawn['resamples']:,} times"),
    ]  # fmt: skip
    for key, title in (
        ("strict_spans", "strict spans"), ("relaxed_spans", "relaxed spans"),
        ("hipaa_tokens", "tokens of HIPAA classes"),
    ):  # fmt: skip
        part = figures[key]
        rows.append((f"{title}, F1", number(part["f1"]), f"recall {number(part['recall'])}, precision {number(part['precision'])}"))  # fmt: skip
    if entities := figures["entities"]:
        one = entities["overall"]
        rows.append(("entities masked at every mention", number(one["recall"]), f"{interval(one['recall_95'])}, {one['entities']:,} entities"))  # fmt: skip
    over = figures["over_masking"]
    rows.append(("masked outside gold", number(over["share"]), f"{over['masked']:,} of {over['characters_outside_gold']:,} letters and digits"))  # fmt: skip
    if (free := over["notes_without_gold"])["notes"]:
        rows.append(("notes without identifiers, touched", number(free["share"]), f"{free['touched']:,} of {free['notes']:,}, {interval(free['share_95'])}"))  # fmt: skip
    for slices in figures["slices"].values():
        if gap := slices["largest_gap"]:
            rows.append(("largest gap in recall", number(gap["gap"]), f"{gap['lowest']} below {gap['highest']}"))
    if figures["kept_by_policy"]:
        rows.append(("gold that the policy keeps", f"{figures['kept_by_policy']:,}", "counted nowhere"))
    return rows
