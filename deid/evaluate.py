"""Measures detection against gold spans. Results are numbers only: no text, no note ids."""

from __future__ import annotations

import bisect
import gzip
import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import polars as pl

from clinicorpus_errors import UserError
from deid.identifiers import DIRECT, IDENTIFIERS, SAFE_HARBOR, identifier_of
from deid.vocabulary import NATIONS, STATES

GOLD_SCHEMA: dict[str, type[pl.DataType]] = {
    "note_id": pl.Utf8,
    "start": pl.Int64,
    "end": pl.Int64,
    "identifier": pl.Utf8,
}


def clopper_pearson(hits: int, total: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a proportion (Clopper and Pearson 1934); (0, 1) for no trials.

    Bisection on the binomial tail, summed in logarithms: scipy is not among the base dependencies.
    """
    tail = (1 - confidence) / 2
    lower = 0.0 if hits == 0 else _solve(lambda p: _at_least(hits, total, p) < tail)
    upper = 1.0 if hits == total else _solve(lambda p: 1 - _at_least(hits + 1, total, p) > tail)
    return lower, upper


def upper_bound(hits: int, total: int, *, confidence: float = 0.95) -> float:
    """Exact one-sided upper bound of a proportion; the rule of three when `hits` is 0."""
    return 1.0 if hits >= total else _solve(lambda p: 1 - _at_least(hits + 1, total, p) > 1 - confidence)


def _solve(below: Any) -> float:
    """The point in 0..1 where `below` turns from true to false."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def _at_least(k: int, n: int, p: float) -> float:
    """P(X >= k) of a binomial, from the shorter tail."""
    if k <= 0 or p >= 1.0:
        return 1.0
    if p <= 0.0 or k > n:
        return 0.0
    if k > n * p:
        return _sum_terms(k, n, n, p)
    return 1.0 - _sum_terms(0, k - 1, n, p)


def _sum_terms(first: int, last: int, n: int, p: float) -> float:
    # Terms fall off on both sides of the mode; 40 nepers below the largest they do not count in a double.
    log_p, log_q, top = math.log(p), math.log1p(-p), math.lgamma(n + 1)

    def term(i: int) -> float:
        return top - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * log_p + (n - i) * log_q

    mode = min(max(int((n + 1) * p), first), last)
    largest = term(mode)
    total = 0.0
    for i in range(mode, last + 1):
        if (value := term(i)) < largest - 40:
            break
        total += math.exp(value)
    for i in range(mode - 1, first - 1, -1):
        if (value := term(i)) < largest - 40:
            break
        total += math.exp(value)
    return min(1.0, total)


def load_gold(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read JSONL or JSONL.gz rows {id | note_id, text, spans: [[start, end, label], ...]}.

    Returns notes (note_id, text, and patient_id where rows have it) and gold (note_id, start, end, identifier).
    Left out: labels that name no Safe Harbor identifier, ages under 90, bare years, whole states and countries. Raises UserError with the line number.
    """
    notes: list[dict[str, str | None]] = []
    gold: list[tuple[str, int, int, str]] = []
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                note_id, text = str(row["note_id"] if "note_id" in row else row["id"]), row["text"]
                spans = [(int(s[0]), int(s[1]), str(s[2])) for s in row["spans"]]
                fits = isinstance(text, str) and all(0 <= a < b <= len(text) for a, b, _ in spans)
            except (KeyError, TypeError, ValueError, IndexError):
                fits = False
            if not fits:
                raise UserError(
                    "a gold line does not fit",
                    value=f"line {number}",
                    cause="expected {id or note_id, text, spans: [[start, end, label], ...]} with spans inside the text",
                    next="correct the line",
                ) from None
            notes.append({"note_id": note_id, "text": text, "patient_id": row.get("patient_id")})
            for start, end, label in spans:
                identifier = identifier_of(label)
                if identifier is None or _may_stay(identifier, text[start:end]):
                    continue
                gold.append((note_id, start, end, identifier))
    frame = pl.DataFrame(notes, schema={"note_id": pl.Utf8, "text": pl.Utf8, "patient_id": pl.Utf8})
    if frame["patient_id"].null_count() == frame.height:
        frame = frame.drop("patient_id")
    return frame, pl.DataFrame(gold, schema=GOLD_SCHEMA, orient="row")


def _may_stay(identifier: str, text: str) -> bool:
    """What gold sets mark and Safe Harbor leaves: ages under 90, bare years, whole states and countries."""
    digits = "".join(c for c in text if c.isdecimal())
    if identifier == "AGE":
        return bool(digits) and len(digits) < 4 and int(digits) < 90
    if identifier == "DATE":
        return len(digits) == 4 and not any(c.isalpha() for c in text) and digits == text.strip()
    if identifier == "CITY":
        return text in STATES or text in STATES.values() or all(w in NATIONS for w in text.lower().split())
    return False


def evaluate(notes: pl.DataFrame, gold: pl.DataFrame, predicted: pl.DataFrame) -> dict[str, Any]:
    """Compare predicted with gold spans.

    `notes`: note_id, text, patient_id if known. `gold`: note_id, start, end, identifier. `predicted`: note_id, spans.
    A gold span is fully covered when each of its letters and digits lies in some predicted span of any class; any
    cover is one letter or digit. A predicted span is precise when it shares one with a gold span. A note leaks when a
    gold span in it is not fully covered. Over-masking is the share of letters and digits outside gold that are masked.
    Intervals are exact, 95%; bounds are one-sided, 95%. Notes without a row in `predicted` count as empty predictions.
    """
    wanted = _spans_by_note(gold.select("note_id", "start", "end", "identifier").iter_rows())
    got: dict[str, list[tuple[int, int, str]]] = {
        note_id: sorted((s["start"], s["end"], s["identifier"]) for s in spans or [])
        for note_id, spans in predicted.select("note_id", "spans").iter_rows()
    }
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    has_patients = "patient_id" in notes.columns
    patients: set[str] = set()
    leaking: dict[str, set[str]] = {"any": set(), "direct": set()}
    leaking_patients: dict[str, set[str]] = {"any": set(), "direct": set()}
    outside = masked_outside = 0
    notes_with_gold = 0
    columns = ["note_id", "text", *(["patient_id"] if has_patients else [])]
    for note_id, text, *rest in notes.select(columns).iter_rows():
        text = text or ""
        truth, found = wanted.get(note_id, []), got.get(note_id, [])
        solid = _prefix_counts(text)
        masked, true = _union(found), _union(truth)
        patient = rest[0] if rest else None
        if patient is not None:
            patients.add(patient)
        notes_with_gold += bool(truth)
        for start, end, identifier in truth:
            size, covered = solid[end] - solid[start], _shared(solid, masked, start, end)
            counts[identifier]["gold"] += 1
            counts[identifier]["full"] += covered == size
            counts[identifier]["any"] += covered > 0 or size == 0
            if covered < size:
                for kind in ("any", "direct") if identifier in DIRECT else ("any",):
                    leaking[kind].add(note_id)
                    if patient is not None:
                        leaking_patients[kind].add(patient)
        for start, end, identifier in found:
            counts[identifier]["predicted"] += 1
            counts[identifier]["precise"] += _shared(solid, true, start, end) > 0
        in_gold = sum(solid[b] - solid[a] for a, b in true)
        both = sum(_shared(solid, masked, a, b) for a, b in true)
        outside += solid[-1] - in_gold
        masked_outside += sum(solid[b] - solid[a] for a, b in masked) - both
    total: Counter[str] = sum(counts.values(), Counter())
    leaks: dict[str, Any] = {
        f"notes_with_{kind}_leak": _rate(len(leaking[kind]), notes.height, "leaking", "notes") for kind in leaking
    }
    if has_patients:
        leaks |= {
            f"patients_with_{kind}_leak": _rate(len(leaking_patients[kind]), len(patients), "leaking", "patients")
            for kind in leaking
        }
    return {
        "notes": notes.height,
        "notes_with_gold": notes_with_gold,
        "overall": _scores(total),
        "identifiers": {i: {"safe_harbor": SAFE_HARBOR[i], **_scores(counts[i])} for i in IDENTIFIERS if i in counts},
        "leaks": leaks,
        "over_masking": {
            "characters_outside_gold": outside,
            "masked": masked_outside,
            "share": masked_outside / outside if outside else 0.0,
        },
    }


def _scores(c: Counter[str]) -> dict[str, Any]:
    gold, predicted = c["gold"], c["predicted"]
    return {
        "gold": gold,
        "predicted": predicted,
        "full_cover": c["full"],
        "full_cover_recall": c["full"] / gold if gold else None,
        "full_cover_recall_95": list(clopper_pearson(c["full"], gold)),
        "any_cover": c["any"],
        "any_cover_recall": c["any"] / gold if gold else None,
        "precision": c["precise"] / predicted if predicted else None,
    }


def _rate(hits: int, total: int, numerator: str, denominator: str) -> dict[str, Any]:
    return {
        numerator: hits,
        denominator: total,
        "share": hits / total if total else None,
        "upper_95": upper_bound(hits, total),
    }


def _spans_by_note(rows: Any) -> dict[str, list[tuple[int, int, str]]]:
    out: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for note_id, start, end, identifier in rows:
        out[note_id].append((start, end, identifier))
    return {note_id: sorted(spans) for note_id, spans in out.items()}


def _prefix_counts(text: str) -> list[int]:
    """How many letters and digits stand before each offset."""
    counts = [0] * (len(text) + 1)
    n = 0
    for i, char in enumerate(text):
        n += char.isalnum()
        counts[i + 1] = n
    return counts


def _union(spans: list[tuple[int, int, str]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for start, end, _ in spans:
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def _shared(solid: list[int], ranges: list[tuple[int, int]], start: int, end: int) -> int:
    """Letters and digits of start..end that lie in the sorted, disjoint ranges."""
    at = max(0, bisect.bisect_left(ranges, (start, start)) - 1)
    shared = 0
    while at < len(ranges) and ranges[at][0] < end:
        a, b = max(start, ranges[at][0]), min(end, ranges[at][1])
        if a < b:
            shared += solid[b] - solid[a]
        at += 1
    return shared
