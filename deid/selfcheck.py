"""Measures detection on the user's own notes without annotation: against what the patient table knows.

Detection runs **blind**, without the table. Then the table says where identifiers stand: a name, phone number, record
number or birth date of a patient that is written in the same patient's notes is a **place**, and a place is masked when
each of its letters and digits lies in some span. So recall is measured in-domain, on thousands of places, at no cost.

What it does not see: people and numbers that the table does not know, misspelt or wrapped names, dates other than those
of the table. Recall of what a table knows is therefore an upper estimate of the recall of everything of that kind.

**Places.** Case, accents and punctuation do not matter; words are whole words, and a number may be written in any
grouping. Words of names that stand side by side are one place. A place that consists of one ordinary word (`Rose`,
`Will`: `lexicon.name_share` under 0.3), of a name before "disease" or behind a hyphen ("Kellgren-Lawrence"), is
**ambiguous**, since it may be no mention; such places are counted apart and decide nothing.

One pass a note, with a dictionary of the patient's words: about 1 ms a note of 1,250 characters, however much the table
holds.
"""

from __future__ import annotations

import bisect
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from clinicorpus_errors import UserError
from deid import lexicon
from deid.evaluate import EVIDENCE, clopper_pearson, upper_bound
from deid.folding import fold
from deid.identifiers import DIRECT, IDENTIFIERS, SAFE_HARBOR
from deid.known.table import KINDS, kind_of
from deid.statistics import bootstrap_shares, clustered_upper_bound, design_effect, judge

CLAIM = 0.99
ENOUGH = 299
"""Places without a miss that show a recall of 0.99; under this many there is insufficient evidence for it."""
AMBIGUOUS = 0.3
FEWEST = 11
"""Figures of a class that fewer notes or patients hold are pooled in what may leave the PHI zone."""

MISSES_SCHEMA = {
    "note_id": pl.String, "patient_id": pl.String, "identifier": pl.String, "start": pl.Int64, "end": pl.Int64,
    "masked": pl.Boolean, "ambiguous": pl.Boolean,
}  # fmt: skip


# --- what to look for ----------------------------------------------------------------------------------------

_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+")
_NAMES = ("NAME", "CLINICIAN")
_NO_NAME = frozenset(
    "jr sr ii iii iv md do rn np pa phd dr mr mrs ms miss de la las los del der den di da du van von el al bin ibn y and of".split()
)
_EPONYM = frozenset(
    "disease syndrome sign test score scale criteria palsy body bodies lymphoma catheter fracture".split()
)
_MONTHS = "january february march april may june july august september october november december".split()
_LONGEST = 40  # letters and digits of a number in all its groups
_FEWEST_DIGITS = 5


def identifier_of_kind(kind: str) -> str | None:
    """The identifier of a kind of value of a patient table; None for one that `deid.known.table` does not know."""
    found = kind_of(kind)
    return KINDS[found] if found else None


class Known(NamedTuple):
    """What is looked for in the notes of one patient.

    words: single words of names, with their identifier. phrases: first word to (all words, identifier, literal text or
    "", separators between). numbers: letters and digits together, to identifier and value. starts: first two
    characters of those that begin with a letter.
    """

    words: dict[str, str]
    phrases: dict[str, list[tuple[tuple[str, ...], str, str, str]]]
    numbers: dict[str, str]
    starts: frozenset[str]


class Place(NamedTuple):
    """Half-open, in code points of the note. `value` is what stands there, folded, to tell values of a patient apart."""

    start: int
    end: int
    identifier: str
    ambiguous: bool
    value: str


@lru_cache(maxsize=1 << 17)
def _plain(token: str) -> str:
    return token if token.isdecimal() else lexicon.fold(token)


def _words(value: str) -> list[str]:
    return [_plain(m.group()) for m in _TOKEN.finditer(fold(value)[0])]


@lru_cache(maxsize=1 << 16)
def is_ordinary(word: str) -> bool:
    """Whether a word of a name is so often none that a place of it alone proves nothing. Unlisted spellings are names."""
    known = lexicon.flags(word) & (lexicon.WORD | lexicon.WORD_RARE | lexicon.CLINICAL | lexicon.MONTHDAY)
    return bool(known or word in lexicon.CLOSED) and lexicon.name_share(word) < AMBIGUOUS


def _ordinary_place(word: str) -> bool:
    """The same for a place, an employer or a facility of one word: "Mobile", "Reading"."""
    bits = lexicon.flags(word)
    return word in lexicon.CLOSED or bool(bits & lexicon.CLINICAL) or (bool(bits & lexicon.WORD) and is_ordinary(word))


def compile_known(rows: Iterable[tuple[str, str]]) -> Known:
    """(identifier, value) of one patient as a dictionary for `places`."""
    words: dict[str, str] = {}
    phrases: dict[str, dict[tuple[tuple[str, ...], str], tuple[str, str]]] = {}
    numbers: dict[str, str] = {}

    def phrase(tokens: Sequence[str], identifier: str, literal: str = "", between: str = "") -> None:
        if tokens:
            phrases.setdefault(tokens[0], {}).setdefault((tuple(tokens), identifier), (literal, between))

    for identifier, value in rows:
        tokens = _words(value)
        if identifier == "DATE":
            for written, between in _date_forms(value):
                phrase(written, "DATE", "", between)
        elif identifier in _NAMES:
            for token in tokens:
                if len(token) > 1 and token not in _NO_NAME and not token.isdecimal() and words.get(token) != "NAME":
                    words[token] = identifier
        elif identifier in ("EMAIL", "URL"):
            phrase(tokens, identifier, fold(value)[0].strip().casefold())
        elif identifier in ("STREET", "CITY", "COUNTY", "EMPLOYER", "FACILITY"):
            if identifier == "COUNTY" and tokens[-1:] in (["county"], ["parish"]):
                tokens = tokens[:-1]
            if sum(map(len, tokens)) > 2:
                phrase(tokens, identifier)
            # An address in one piece is known by its street, too.
            if identifier == "STREET" and "," in value and len(street := _words(value.split(",")[0])) > 1:
                phrase(street, identifier)
        else:
            whole = "".join(tokens)
            digits = sum(c.isdecimal() for c in whole)
            forms = {whole}
            if identifier in ("PHONE", "FAX"):
                whole = whole[1:] if len(whole) == 11 and whole[0] == "1" else whole
                # Written without its area code, the local number still is one.
                forms = {whole, "1" + whole, whole[3:]} if len(whole) == 10 and whole.isdecimal() else forms
            if identifier == "ZIP" and len(whole) == 9 and whole.isdecimal():
                forms.add(whole[:5])
            if digits >= _FEWEST_DIGITS:
                for form in forms:
                    numbers.setdefault(form, identifier)
            elif len(whole) > 4:
                phrase(tokens, identifier)
    flat = {
        first: [
            (tokens, identifier, *how)
            for (tokens, identifier), how in sorted(group.items(), key=lambda g: -len(g[0][0]))
        ]
        for first, group in phrases.items()
    }
    starts = frozenset(number[:2] for number in numbers if not number[0].isdecimal())
    return Known(words, flat, numbers, starts)


def _date_forms(value: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The ways to write a date in full, as words, with the separators that must stand between them ("": any)."""
    day = _date(value)
    if day is None:
        return
    month = _MONTHS[day.month - 1]
    numbers = [{str(n), f"{n:02d}"} for n in (day.month, day.day)]
    suffix = "th" if 10 <= day.day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    year = str(day.year)
    for m in sorted(numbers[0]):
        for d in sorted(numbers[1]):
            for y in (year, year[2:]):
                yield (m, d, y), "/-."
                yield (d, m, y), "/-."
            yield (year, m, d), "/-."
    for name in (month, month[:3], *(["sept"] if month == "september" else [])):
        for d in sorted(numbers[1]):
            for y in (year, year[2:]):
                yield (name, d, y), ""
                yield (d, name, y), ""
            yield (name, d, suffix, year), ""
            yield (d, suffix, name, year), ""
            yield (d, suffix, "of", name, year), ""


def _date(value: str) -> date | None:
    head = re.split(r"[T ](?=\d\d:)", value.strip())[0]
    for form in (
        "%Y-%m-%d",
        "%m/%d/%Y",
        "%Y%m%d",
        "%m-%d-%Y",
        "%d.%m.%Y",
        "%B %d, %Y",
        "%d %B %Y",
        "%d %b %Y",
        "%d-%b-%Y",
    ):
        try:
            found = datetime.strptime(head, form).date()
        except ValueError:
            continue
        return found if 1850 < found.year < 2100 else None
    return None


# --- where it stands -----------------------------------------------------------------------------------------

_NAME_GAP = re.compile(r"[ \t,.'-]{1,3}")
_WORD_GAP = re.compile(r"[\s,.'#&/-]{0,4}")
_NUMBER_GAP = re.compile(r"[\s./()+#:_-]{0,3}")


class _Token(NamedTuple):
    text: str
    start: int
    end: int


def _tokens(text: str) -> list[_Token]:
    out = []
    for match in _TOKEN.finditer(text):
        raw = match.group()
        start, end = match.span()
        if "'" in raw and raw[-2:] in ("'s", "'S"):
            end -= 2  # a possessive is no part of the name
        out.append(_Token(_plain(raw), start, end))
    return out


def places(text: str, known: Known) -> list[Place]:
    """Where the values stand in a note: sorted, not overlapping, the longer first."""
    folded, offsets = fold(text)
    tokens = _tokens(folded)
    words, phrases, numbers, starts = known
    found: list[tuple[int, int, str, bool, str]] = []  # first token, last token + 1
    names: list[int] = []
    for i, token in enumerate(tokens):
        plain = token.text
        if plain in words and not _in_a_code(tokens, i):
            names.append(i)
        if plain in phrases:
            for wanted, identifier, literal, between in phrases[plain]:
                if _stands(folded, tokens, i, wanted, literal, between):
                    alone = len(wanted) == 1 and identifier != "DATE" and _ordinary_place(plain)
                    found.append((i, i + len(wanted), identifier, alone, " ".join(wanted)))
                    break
        if numbers and (plain.isdecimal() or plain[:2] in starts):
            last, number = _number(folded, tokens, i, numbers)
            if last:
                found.append((i, last, numbers[number], False, number))
    found += _runs(folded, tokens, names, words)
    out: list[Place] = []
    taken: list[tuple[int, int]] = []
    for first, last, identifier, ambiguous, value in sorted(found, key=lambda f: (f[0] - f[1], f[0], f[2])):
        at = bisect.bisect_left(taken, (last, 0))
        if at and taken[at - 1][1] > first:
            continue
        bisect.insort(taken, (first, last))
        start, end = tokens[first].start, tokens[last - 1].end
        if offsets is not None:
            start, end = offsets[start], offsets[end]
        out.append(Place(start, end, identifier, ambiguous, value))
    return sorted(out)


def _in_a_code(tokens: list[_Token], at: int) -> bool:
    """Whether digits hang on a word: `sanchez9` is no name but a user name."""
    token = tokens[at]
    before = at > 0 and tokens[at - 1].end == token.start
    return before or (at + 1 < len(tokens) and tokens[at + 1].start == token.end)


def _stands(text: str, tokens: list[_Token], at: int, wanted: tuple[str, ...], literal: str, between: str) -> bool:
    if at + len(wanted) > len(tokens):
        return False
    for offset in range(1, len(wanted)):
        token = tokens[at + offset]
        if token.text != wanted[offset]:
            return False
        if literal:
            continue
        gap = text[tokens[at + offset - 1].end : token.start]
        if (gap.strip() not in tuple(between)) if between else not _WORD_GAP.fullmatch(gap):
            return False
    if literal:
        return text[tokens[at].start : tokens[at + len(wanted) - 1].end].casefold() == literal
    return True


def _number(text: str, tokens: list[_Token], at: int, numbers: Mapping[str, str]) -> tuple[int, str]:
    """The longest known number that begins at a token: where it ends, and the number; 0 where none does."""
    joined, last, number = "", 0, ""
    for i in range(at, min(len(tokens), at + 12)):
        if i > at and not _NUMBER_GAP.fullmatch(text[tokens[i - 1].end : tokens[i].start]):
            break
        joined += tokens[i].text
        if len(joined) > _LONGEST:
            break
        if joined in numbers:
            last, number = i + 1, joined
    return last, number


def _runs(
    text: str, tokens: list[_Token], names: list[int], words: Mapping[str, str]
) -> Iterator[tuple[int, int, str, bool, str]]:
    """Words of names side by side as one place."""
    i = 0
    while i < len(names):
        first = last = names[i]
        i += 1
        while (
            i < len(names)
            and names[i] == last + 1
            and _NAME_GAP.fullmatch(text[tokens[last].end : tokens[names[i]].start])
        ):
            last = names[i]
            i += 1
        held = [token.text for token in tokens[first : last + 1]]
        identifier = "NAME" if any(words[word] == "NAME" for word in held) else "CLINICIAN"
        follows = tokens[last + 1].text if last + 1 < len(tokens) else ""
        # "Kellgren-Lawrence grade", "Parkinson disease"
        joined = first > 0 and text[tokens[first - 1].end : tokens[first].start] == "-"
        alone = len(held) == 1 and (is_ordinary(held[0]) or follows in _EPONYM or joined)
        yield first, last + 1, identifier, alone, " ".join(held)


def is_masked(text: str, place: Place, starts: Sequence[int], ends: Sequence[int]) -> bool:
    """Whether each letter and digit of a place lies in some span; `starts` and `ends` are those of the sorted spans."""
    at = place.start
    while at < place.end:
        i = bisect.bisect_right(starts, at) - 1
        if i >= 0 and ends[i] > at:
            at = ends[i]
        elif text[at].isalnum():
            return False
        else:
            at += 1
    return True


def find_places(notes: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Every place of the table's values in the notes of their own patients, and whether it is masked.

    `notes`: note_id, patient_id, text, spans (of a blind detection). `known`: patient_id, kind, value, as
    `deid.known.table.read_rows` gives them. Returns note_id, patient_id, identifier, start, end, masked, ambiguous, value; the last stays in the PHI zone.
    """
    by_patient: dict[str, list[tuple[str, str]]] = {}
    kinds = {kind: identifier_of_kind(kind) for kind in known["kind"].unique().to_list()}
    for patient, kind, value in known.select("patient_id", "kind", "value").iter_rows():
        if identifier := kinds[kind]:
            by_patient.setdefault(patient, []).append((identifier, value))
    compiled: dict[str, Known] = {}
    rows: list[tuple[Any, ...]] = []
    for note, patient, text, spans in notes.select("note_id", "patient_id", "text", "spans").iter_rows():
        if patient not in by_patient or not text:
            continue
        if patient not in compiled:
            compiled[patient] = compile_known(by_patient[patient])
        found = places(text, compiled[patient])
        if not found:
            continue
        sorted_spans = sorted((s["start"], s["end"]) for s in spans or [])
        starts, ends = [a for a, _ in sorted_spans], [b for _, b in sorted_spans]
        for p in found:
            masked = is_masked(text, p, starts, ends)
            rows.append((note, patient, p.identifier, p.start, p.end, masked, p.ambiguous, p.value))
    return pl.DataFrame(rows, schema={**MISSES_SCHEMA, "value": pl.String}, orient="row")


# --- figures -------------------------------------------------------------------------------------------------


def selfcheck(
    notes: pl.DataFrame, known: pl.DataFrame, *, origin: str = "in-domain", claim: float = CLAIM, resamples: int = 1000,
    seed: int = 0,
) -> tuple[dict[str, Any], pl.DataFrame]:  # fmt: skip
    """Figures of a blind detection against the patient table, and the places that were missed (PHI zone).

    `notes`: note_id, patient_id, text, spans. `known`: patient_id, kind, value. Raises UserError where columns are
    missing or no patient of the table has a note.
    """
    _need(notes, ("note_id", "patient_id", "text", "spans"), "notes")
    _need(known, ("patient_id", "kind", "value"), "patient table")
    notes = notes.with_columns(pl.col("patient_id").cast(pl.String))
    known = known.select(pl.col("patient_id", "kind", "value").cast(pl.String)).drop_nulls()
    scored = notes.join(known.select("patient_id").unique(), on="patient_id", how="semi", maintain_order="left")
    if not scored.height:
        raise UserError(
            "no patient of the table has a note",
            value=f"{known['patient_id'].n_unique():,} patients, {notes['patient_id'].n_unique():,} in the notes",
            cause="the two files name patients by different ids", next="give the table the patient_id of the notes",
        )  # fmt: skip
    found = find_places(scored, known)
    sure = found.filter(~pl.col("ambiguous"))
    kinds = sorted(known["kind"].unique().to_list())
    values = known.filter(pl.col("kind").is_in([k for k in kinds if identifier_of_kind(k)]))
    result: dict[str, Any] = {
        "origin": origin,
        "evidence": EVIDENCE[origin],
        "detection": "blind: without the patient table",
        "notes": notes.height,
        "notes_scored": scored.height,
        "notes_without_a_patient_in_the_table": notes.height - scored.height,
        "patients_in_table": known["patient_id"].n_unique(),
        "patients_scored": scored["patient_id"].n_unique(),
        "values": values.height,
        "kinds_not_known": [k for k in kinds if not identifier_of_kind(k)],
        "enough": ENOUGH,
        "overall": _scores(sure, claim, resamples, seed),
        "direct": _scores(sure.filter(pl.col("identifier").is_in(sorted(DIRECT))), claim, resamples, seed),
        "identifiers": {
            name: {"safe_harbor": SAFE_HARBOR[name], **_scores(part, claim, resamples, seed)}
            for name in IDENTIFIERS
            if (part := sure.filter(pl.col("identifier") == name)).height
        },
        "ambiguous": _counted(found.filter(pl.col("ambiguous"))),
        "every_mention": _every_mention(sure),
        "leaks": _leaks(scored, sure),
    }
    return result, found.filter(~pl.col("masked")).select(*MISSES_SCHEMA)


def _need(frame: pl.DataFrame, columns: Sequence[str], what: str) -> None:
    if missing := [c for c in columns if c not in frame.columns]:
        raise UserError(f"columns are missing in the {what}", value=", ".join(missing), next="add or rename them")


def _counted(part: pl.DataFrame) -> dict[str, Any]:
    masked, total = int(part["masked"].sum()), part.height
    return {
        "places": total, "masked": masked, "recall": masked / total if total else None,
        "recall_95": list(clopper_pearson(masked, total)),
    }  # fmt: skip


def _scores(part: pl.DataFrame, claim: float, resamples: int, seed: int) -> dict[str, Any]:
    """Recall of places, with what evidence they are, and the notes and patients that hold one and that leak one."""
    counted = _counted(part)
    judged = judge(counted["masked"], counted["places"], claim)
    if counted["places"] < ENOUGH:
        judged["verdict"] = "insufficient evidence"
    by_note, by_patient = _held(part, "note_id"), _held(part, "patient_id")
    # Places of one patient are alike: what a draw of whole patients says is the wider, and the fairer, interval.
    drawn = None
    if part.height:
        sums = part.group_by("patient_id").agg(pl.col("masked").sum(), n=pl.len()).sort("patient_id")
        both = (sums["masked"].cast(pl.Int64).to_numpy(), sums["n"].cast(pl.Int64).to_numpy())
        drawn = bootstrap_shares(both[0][:, None], both[1][:, None], resamples=resamples, seed=seed)[0]
    return {
        **counted,
        "recall_95_patients": list(drawn) if drawn else None,
        "missed_upper_95": upper_bound(counted["places"] - counted["masked"], counted["places"]),
        "claim": judged,
        "notes_holding": by_note[0], "notes_leaking": by_note[1],
        "patients_holding": by_patient[0], "patients_leaking": by_patient[1],
    }  # fmt: skip


def _held(part: pl.DataFrame, unit: str) -> tuple[int, int]:
    return part[unit].n_unique(), part.filter(~pl.col("masked"))[unit].n_unique()


def _every_mention(sure: pl.DataFrame) -> dict[str, Any]:
    """Values of a patient that are masked wherever they stand in the patient's notes."""
    each = sure.group_by("patient_id", "identifier", "value").agg(pl.col("masked").all())

    def row(part: pl.DataFrame) -> dict[str, Any]:
        whole = int(part["masked"].sum())
        return {
            "values": part.height, "fully_masked": whole, "recall": whole / part.height if part.height else None,
            "recall_95": list(clopper_pearson(whole, part.height)),
        }  # fmt: skip

    by_class = {n: row(p) for n in IDENTIFIERS if (p := each.filter(pl.col("identifier") == n)).height}
    return {"overall": row(each), "identifiers": by_class}


def _leaks(scored: pl.DataFrame, sure: pl.DataFrame) -> dict[str, Any]:
    """Shares of all scored notes and patients in which something known is left, with exact upper bounds.

    Of notes also the bound over their effective number, since those of one patient are alike.
    """
    totals = scored.group_by("patient_id").agg(n=pl.len())
    out: dict[str, Any] = {}
    for name, part in (("any", sure), ("direct", sure.filter(pl.col("identifier").is_in(sorted(DIRECT))))):
        left = part.filter(~pl.col("masked"))
        by_patient = left.group_by("patient_id").agg(hits=pl.col("note_id").n_unique())
        joined = totals.join(by_patient, on="patient_id", how="left").fill_null(0).sort("patient_id")
        hits, all_notes = (joined[c].cast(pl.Int64).to_numpy() for c in ("hits", "n"))
        effect = design_effect(hits, all_notes)
        for unit, leaking, total in (
            ("notes", int(hits.sum()), scored.height),
            ("patients", int(np.count_nonzero(hits)), totals.height),
        ):
            out[f"{unit}_with_{name}_leak"] = {
                "leaking": leaking, unit: total, "share": leaking / total, "upper_95": upper_bound(leaking, total),
            }  # fmt: skip
        out[f"notes_with_{name}_leak"]["upper_95_patients"] = clustered_upper_bound(
            int(hits.sum()), scored.height, effect
        )
    return out


# --- what may leave, and what may not ------------------------------------------------------------------------


def releasable(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures as a manifest may hold them: classes held by fewer than 11 notes or patients are pooled."""
    named, small = dict[str, Any](), dict[str, Any]()
    for name, row in figures["identifiers"].items():
        few = min(row["notes_holding"], row["patients_holding"]) < FEWEST
        (small if few else named)[name] = row
    # One hidden class alone could be had by subtraction: the next smallest goes with it.
    if small and named and sum(row["patients_holding"] for row in small.values()) < FEWEST:
        least = min(named, key=lambda name: (named[name]["places"], name))
        small[least] = named.pop(least)
    out = {**figures, "identifiers": named}
    if small:
        total, masked = (sum(row[key] for row in small.values()) for key in ("places", "masked"))
        shown = total >= FEWEST
        out["identifiers_pooled"] = {
            "of": sorted(small), "places": total if shown else f"<{FEWEST}", "masked": masked if shown else None,
            "recall": masked / total if shown else None,
        }  # fmt: skip
    kept = {name: row for name, row in figures["every_mention"]["identifiers"].items() if name in named}
    out["every_mention"] = {**figures["every_mention"], "identifiers": kept}
    out["kinds_not_known"] = len(figures["kinds_not_known"])
    for name in ("patients_in_table", "patients_scored", "notes_without_a_patient_in_the_table"):
        out[name] = figures[name] if figures[name] >= FEWEST or not figures[name] else f"<{FEWEST}"
    return out


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Missed places (PHI zone)</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em}}
td{{padding:.2em .8em .2em 0;vertical-align:top}}mark{{background:#ffb3a0}}
.warn{{background:#8b1a1a;color:#fff;padding:.6em 1em;border-radius:6px}}</style>
<p class="warn">This page shows identifiers of patients. It stays in the PHI zone.</p>
<h1>{count} places that detection missed</h1><table>{rows}</table></html>
"""
_ON_PAGE = 2000
_AROUND = 60


def check_out(folder: Path, shared: Sequence[Path]) -> None:
    """Refuse, before any work, a folder for misses that is a file or lies where what is there may be shared."""
    if folder.exists() and not folder.is_dir():
        raise UserError("--out is a file", value=folder, next="name a folder")
    if any(folder.resolve().is_relative_to(one) for one in shared):
        raise UserError(
            "the page holds note text and cannot stand there", value=folder, cause="what is there may be shared",
            next="name a folder in work/, or one of your own",
        )  # fmt: skip


def write_misses(folder: Path, notes: pl.DataFrame, missed: pl.DataFrame) -> tuple[Path, Path]:
    """Write misses.jsonl (offsets only) and misses.html (with the words around) for nobody but the user. PHI zone."""
    before = os.umask(0o077)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines, page = folder / "misses.jsonl", folder / "misses.html"
        for old in (lines, page):
            old.unlink(missing_ok=True)
        missed.write_ndjson(lines)
        texts = dict(
            notes.join(missed.select("note_id").unique(), on="note_id", how="semi")
            .select("note_id", "text")
            .iter_rows()
        )
        rows = []
        for row in missed.head(_ON_PAGE).iter_rows(named=True):
            text, a, b = texts[row["note_id"]], row["start"], row["end"]
            left, right = text[max(0, a - _AROUND) : a], text[b : b + _AROUND]
            what = row["identifier"] + (" (ambiguous)" if row["ambiguous"] else "")
            rows.append(
                f"<tr><td>{escape(row['note_id'])}<td>{what}<td>{escape(left)}<mark>{escape(text[a:b])}</mark>{escape(right)}"
            )
        page.write_text(_PAGE.format(count=f"{missed.height:,}", rows="\n".join(rows)), encoding="utf-8")
    except OSError as error:
        raise UserError(
            "the folder cannot be written", value=f"{folder}: {error.strerror}", next="name another --out"
        ) from None
    finally:
        os.umask(before)
    return lines, page


def _verdict(claim: Mapping[str, Any]) -> str:
    """ "+120": as many more places are needed to tell."""
    short = {"shown": "shown", "not reached": "not reached"}.get(claim["verdict"])
    return short or f"+{claim['missing']:,}"


def summary(figures: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Rows for a table on the terminal: identifier, places, masked, recall, interval, notes and patients that leak, verdict."""
    rows: list[tuple[str, ...]] = []
    kinds = Counter({name: row["places"] for name, row in figures["identifiers"].items()})
    for name in ["overall", "direct", *(n for n in IDENTIFIERS if n in kinds)]:
        row = figures["identifiers"].get(name) or figures[name]
        low, high = row["recall_95"]
        rows.append(
            (
                name, f"{row['places']:,}", f"{row['masked']:,}", "" if row["recall"] is None else f"{row['recall']:.4f}",
                f"{low:.4f}-{high:.4f}", f"{row['notes_leaking']:,}", f"{row['patients_leaking']:,}", _verdict(row["claim"]),
            )
        )  # fmt: skip
    return rows
