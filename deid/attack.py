"""A red team on what is released: what can somebody who has only the released text find out?

No attack sees the key or the originals. What is known in the PHI zone, the patient table and the originals, only
**scores** them.

**Left**: values of the patient table that still stand in the released notes of their patient. This is what somebody who
knows the patient reads, and the truth for what follows.

**Parrot** (after Carrell et al. 2019, doi:10.1093/jamia/ocz114): where identifiers were replaced by surrogates, a name
that was missed hides among them. Their attacker marked everything that looks like an identifier in half of the corpus,
trained a tagger on it, and took for a leak what looks like an identifier in the other half and is not tagged; 211 of 310
leaks were found so, with 191 false alarms. Here the tagger is a naive Bayes model of the words around (`untagged`),
trained on one half of the patients and run on the other, both ways. Four more signs are counted:

- `once`: the name stands in one note of its patient only, while a surrogate recurs;
- `odd`: it stands once behind words ("Patient:") behind which another name of the patient's notes recurs;
- `spread`: more patients have it than draws from the public list of surrogates explain, as with a leaked clinician's;
- `unlisted`: it is not on that list.

A sign **finds leaks** only if its precision is above the base rate, the share of real names among all names of the text,
by an exact bound that is Bonferroni-corrected over the signs. A stronger attacker than this one exists: a reader.

**Dates**: what fixes the number of days by which a patient's dates were moved. A holiday or a public event beside a date
that it does not fall on gives it; a weekday that does not fit its date gives it modulo seven, and so on.

**Rare names** that remain, carried by fewer than 10 of a million people, or by nobody on the lists.

**Linking**: is the note nearest to a note, by the rare words that they share, of the same patient? Rank-1 accuracy, with
the chance of a random guess beside it. Where names are consistent surrogates some linking is by design; with the
originals the names and numbers that came from them unchanged are scored alone.

Names are found in one pass a note, pairs of notes through an index of words that stand in 2 to 20 notes, so time grows
with the text: 25 CPU-seconds for 9,400 notes of 1,200 characters. What was capped is in `limits`.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from clinicorpus_errors import UserError
from deid import lexicon
from deid.evaluate import clopper_pearson, upper_bound
from deid.identifiers import DIRECT, IDENTIFIERS
from deid.selfcheck import find_places
from deid.shift import MONTHS, anchors
from deid.statistics import bootstrap_shares, lower_bound

RARE_PER_MILLION = 10
MOST_NOTES_OF_A_WORD = 20
MOST_PAIRS = 10_000_000
MOST_QUERIES = 20_000
_PLACEHOLDER = r"\[[A-Z_]{2,}\]"


# --- reading -------------------------------------------------------------------------------------------------


def read_released(path: Path, *, text: str = "text", patient: str = "patient", record: str = "record") -> pl.DataFrame:
    """record, patient, text (and year, where there is one) of a released corpus folder or of any table of notes.

    Of a corpus the products `pretrain` and `sealed` are read. Without a column of records rows are numbered; without one
    of patients, `patient` is null. `patient_id` and `note_id` are taken where the released names are absent. Raises
    UserError for a missing file or column of text.
    """
    if path.is_dir():
        files = sorted(p for product in ("pretrain", "sealed") for p in (path / product).glob("*.parquet"))
        files = files or sorted(path.glob("*.parquet"))
        if not files:
            raise UserError(
                "no released notes in the folder", value=path, cause="neither pretrain/*.parquet nor *.parquet",
                next="name the folder of one version: corpora/<name>/<version>",
            )  # fmt: skip
        table = pl.concat([read_frame(file, "released table") for file in files], how="diagonal_relaxed")
    else:
        table = read_frame(path, "released table")
    for wanted, option in ((text, "--text"), (patient, "--patient"), (record, "--record")):
        standard = wanted in ("patient", "record")
        if wanted not in table.columns and not standard:
            raise UserError(
                "the released table has no such column", value=wanted, cause=f"it has {', '.join(sorted(table.columns)[:20])}",
                next=f"name it with {option}",
            )  # fmt: skip

    def named(wanted: str, other: str) -> pl.Expr | None:
        found = next((c for c in (wanted, other) if c in table.columns), None)
        return pl.col(found).cast(pl.String) if found else None

    patients, records = named(patient, "patient_id"), named(record, "note_id")
    numbered = pl.int_range(pl.len()).cast(pl.String)
    out = table.select(
        (records if records is not None else numbered).alias("record"),
        (patients if patients is not None else pl.lit(None, dtype=pl.String)).alias("patient"),
        pl.col(text).cast(pl.String).fill_null("").alias("text"),
        *([pl.col("year").cast(pl.Int64, strict=False)] if "year" in table.columns else []),
    )
    if not out.height:
        raise UserError("the released table holds no notes", value=path.name)
    return out


def with_ids(released: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """The released notes under the ids of the PHI zone, by ids.parquet of the build: record, note_id, patient_id."""
    if missing := [c for c in ("record", "note_id", "patient_id") if c not in ids.columns]:
        raise UserError("columns are missing in the table of ids", value=", ".join(missing))
    joined = released.join(ids.select("record", "note_id", "patient_id"), on="record", maintain_order="left")
    if not joined.height:
        raise UserError("no released record stands in the table of ids", cause="it is of another build")
    rest = [c for c in released.columns if c not in ("record", "patient")]
    return joined.select(pl.col("note_id").alias("record"), pl.col("patient_id").alias("patient"), *rest)


def read_frame(path: Path, what: str = "released table") -> pl.DataFrame:
    """A table from CSV, Parquet or JSON lines, by the file's name; every column of a CSV is text."""
    name = path.name.lower()
    if not path.is_file():
        raise UserError(f"no such {what}", value=path, next="check the path")
    try:
        if name.endswith((".parquet", ".pq")):
            return pl.read_parquet(path)
        if name.endswith((".jsonl", ".ndjson", ".json")):
            return pl.read_ndjson(path, infer_schema_length=None)
        if name.endswith((".csv", ".tsv")):
            return pl.read_csv(path, infer_schema=False, separator="\t" if name.endswith(".tsv") else ",")
    except (pl.exceptions.PolarsError, OSError) as error:
        # The message of a parser quotes the line that it could not read.
        raise UserError(f"the {what} cannot be read", value=f"{path.name}: {type(error).__name__}") from None
    raise UserError(
        f"format of the {what} not known by its name", value=path.name, cause="known: .csv, .tsv, .jsonl, .parquet"
    )


# --- the whole -----------------------------------------------------------------------------------------------


def attack(
    released: pl.DataFrame, *, known: pl.DataFrame | None = None, originals: pl.DataFrame | None = None, seed: int = 0,
    most_pairs: int = MOST_PAIRS, most_queries: int = MOST_QUERIES,
) -> dict[str, Any]:  # fmt: skip
    """Figures of all attacks, as JSON: numbers only.

    `released`: record, patient, text; year if there is one. `known`: patient_id, kind, value, with the ids of
    `released`. `originals`: record, text. Intervals `_95` are exact and two-sided, `upper_95` one-sided. Raises UserError
    for missing columns and for truth that fits none of the notes.
    """
    for frame, columns, what in (
        (released, ("record", "patient", "text"), "released notes"),
        (known, ("patient_id", "kind", "value"), "patient table"),
        (originals, ("record", "text"), "originals"),
    ):
        if frame is not None and (missing := [c for c in columns if c not in frame.columns]):
            raise UserError(f"columns are missing in the {what}", value=", ".join(missing), next="add or rename them")
    released = released.with_columns(pl.col("record", "patient").cast(pl.String), pl.col("text").fill_null(""))
    has_patients = released["patient"].null_count() < released.height
    # A note whose patient is not known is a patient of its own.
    released = released.with_columns(pl.coalesce("patient", pl.concat_str(pl.lit("note "), "record")))
    if known is not None and not released.join(known, left_on="patient", right_on="patient_id", how="semi").height:
        raise UserError(
            "no patient of the table is among the released notes", cause="released patients have codes of their own",
            next="give --ids work/<name>/ingest/*/ids.parquet",
        )  # fmt: skip
    before = _originals(released, originals)
    names = _names(released["text"].to_list(), released["patient"].to_list())
    left = _left(released, known, before)
    return {
        "notes": released.height,
        "patients": released["patient"].n_unique() if has_patients else None,
        "scored_against": [
            name for name, given in (("patient table", known), ("originals", originals)) if given is not None
        ],
        "left": left.figures if left else None,
        "parrot": _parrot(names, left.names if left else None, seed),
        "dates": _dates(released, before),
        "rare_names": _rare_names(names, left.names if left else None, released),
        "linking": _linking(released, before, most_pairs, most_queries, seed) if has_patients else None,
        "limits": {
            "notes_of_a_word": MOST_NOTES_OF_A_WORD, "pairs": most_pairs, "queries": most_queries,
            "rare_name_per_million": RARE_PER_MILLION, "seed": seed,
        },
    }  # fmt: skip


def _originals(released: pl.DataFrame, originals: pl.DataFrame | None) -> list[str | None] | None:
    """The original of each released note, in the same order."""
    if originals is None:
        return None
    rows = originals.select(pl.col("record").cast(pl.String), before=pl.col("text").cast(pl.String)).unique("record")
    found = released.select("record").join(rows, on="record", how="left", maintain_order="left")["before"]
    if found.null_count() == found.len():
        raise UserError(
            "none of the originals belongs to a released note", cause="they are named by other ids",
            next="give --ids work/<name>/ingest/*/ids.parquet",
        )  # fmt: skip
    return found.to_list()


def _share(hits: int, total: int, name: str, of: str) -> dict[str, Any]:
    return {
        name: hits, of: total, "share": hits / total if total else None,
        "share_95": list(clopper_pearson(hits, total)), "upper_95": upper_bound(hits, total),
    }  # fmt: skip


# --- what is left --------------------------------------------------------------------------------------------


class _Left(NamedTuple):
    """figures; and by patient the real words of names that are left."""

    figures: dict[str, Any]
    names: dict[str, set[str]]


def _left(released: pl.DataFrame, known: pl.DataFrame | None, before: list[str | None] | None) -> _Left | None:
    """Known values that stand in the released text; a word that the original lacks came by chance as a surrogate."""
    if known is None:
        return None
    empty = pl.Series("spans", [[]] * released.height, dtype=pl.List(pl.Struct({"start": pl.Int64, "end": pl.Int64})))
    notes = released.select(note_id="record", patient_id="patient", text="text").with_columns(empty)
    found = find_places(notes, known).filter(~pl.col("ambiguous"))
    if before is not None:
        folded = {r: _bare(text) for r, text in zip(released["record"], before, strict=True) if text is not None}
        stood = [
            n not in folded or all(word in folded[n] for word in value.split())
            for n, value in found.select("note_id", "value").iter_rows()
        ]
        found = found.filter(pl.Series(stood, dtype=pl.Boolean))
    names: dict[str, set[str]] = {}
    persons = found.filter(pl.col("identifier").is_in(["NAME", "CLINICIAN"]))
    for patient, value in persons.select("patient_id", "value").iter_rows():
        names.setdefault(patient, set()).update(value.split())
    patients = released["patient"].n_unique()

    def row(part: pl.DataFrame) -> dict[str, Any]:
        return {
            "places": part.height,
            "notes": _share(part["note_id"].n_unique(), released.height, "leaking", "notes"),
            "patients": _share(part["patient_id"].n_unique(), patients, "leaking", "patients"),
        }  # fmt: skip

    by_class = {n: p.height for n in IDENTIFIERS if (p := found.filter(pl.col("identifier") == n)).height}
    direct = found.filter(pl.col("identifier").is_in(sorted(DIRECT)))
    return _Left({"any": row(found), "direct": row(direct), "places_by_identifier": by_class}, names)


@cache
def _word_pattern() -> re.Pattern[str]:
    return re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+")


def _bare(text: str) -> str:
    """Folded words, one space between, for a search that asks only whether they occur at all."""
    return text.casefold() + " " + " ".join(lexicon.fold(m.group()) for m in _word_pattern().finditer(text))


# --- names of the released text ------------------------------------------------------------------------------

_TOKEN = re.compile(rf"{_PLACEHOLDER}|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|\n|[^\s\w]")
_TITLES = frozenset("mr mrs ms miss mx dr prof doctor mister".split())
_NO = lexicon.MONTHDAY | lexicon.STATE | lexicon.NATION
_NOTHING, _OTHER, _UNLISTED, _NAME = range(4)


@cache
def _people() -> dict[str, float]:
    """How many of a million people in the US carry each listed spelling: what surrogates are drawn from."""
    out: dict[str, float] = defaultdict(float)
    for name, weight in lexicon.surnames("us"):
        out[lexicon.fold(name)] += weight
    for name, weight in lexicon.given_names(None, "us"):
        out[lexicon.fold(name)] += weight / 2
    return dict(out)


def _looks(word: str) -> int:
    """What a spelling looks like to somebody who reads the text: a name, a capitalised word of no list, a word."""
    if len(word) < 2:
        return _NOTHING
    folded = lexicon.fold(word)
    bits = lexicon.flags(word)
    capital = word[0].isupper()
    if folded in lexicon.CLOSED or bits & _NO:
        return _OTHER
    if bits & lexicon.ANY_NAME:
        share = lexicon.name_share(word)
        if capital and share >= 0.5 and not bits & lexicon.CLINICAL:
            return _NAME
        # In lower case only what can hardly be a word.
        return _NAME if not capital and share >= 0.95 and not bits & (lexicon.WORD | lexicon.CLINICAL) else _OTHER
    return _UNLISTED if capital and not bits and len(word) > 2 and not word.isupper() else _OTHER


class _Names(NamedTuple):
    """Every name of the released text. One row a patient and spelling in the first four columns.

    patient, word: of each row. notes: in how many notes of the patient. rows: numbers of those notes. untagged: whether
    the tagger passes over all its mentions. odd: whether it stands once behind words ("Patient:") behind which another
    name of the patient's notes recurs. patient_notes: notes of each patient.
    """

    patient: list[str]
    word: list[str]
    notes: list[int]
    rows: list[list[int]]
    untagged: list[bool]
    odd: list[bool]
    patient_notes: dict[str, int]


def _names(texts: Sequence[str], patients: Sequence[str]) -> _Names:
    """Names of all notes, and what a tagger trained on the other half of the patients says of them."""
    half = {patient: i % 2 for i, patient in enumerate(sorted(set(patients)))}
    counts: list[dict[bool, Counter[str]]] = [{True: Counter(), False: Counter()} for _ in range(2)]
    totals = [{True: 0, False: 0} for _ in range(2)]
    mentions: list[tuple[int, str, tuple[str, ...]]] = []
    looks: dict[str, int] = {}
    for row, (text, patient) in enumerate(zip(texts, patients, strict=True)):
        side = half[patient]
        for word, is_name, features in _mentions(text, looks):
            counts[side][is_name].update(features)
            totals[side][is_name] += 1
            if is_name:
                mentions.append((row, word, features))
    # Log odds of each feature, from the other half.
    odds: list[dict[str, float]] = []
    priors: list[float] = []
    for side in (1, 0):
        yes, no = counts[side][True], counts[side][False]
        a, b = totals[side][True] + 2, totals[side][False] + 2
        odds.append({f: math.log((yes[f] + 0.5) / a) - math.log((no[f] + 0.5) / b) for f in {**yes, **no}})
        priors.append(math.log(a / b))
    rows: dict[tuple[str, str], dict[int, None]] = {}
    tagged: set[tuple[str, str]] = set()
    slots: dict[tuple[str, str], dict[str, set[int]]] = {}
    for row, word, features in mentions:
        patient = patients[row]
        pair = (patient, word)
        rows.setdefault(pair, {})[row] = None
        slots.setdefault((patient, features[1] + features[0]), {}).setdefault(word, set()).add(row)
        known = odds[half[patient]]
        if priors[half[patient]] + sum(known.get(f, 0.0) for f in features) > 0:
            tagged.add(pair)
    odd = {
        (patient, word)
        for (patient, _), held in slots.items()
        if len(held) > 1 and max(map(len, held.values())) >= 3
        for word, where in held.items()
        if len(where) == 1
    }
    pairs = list(rows)
    return _Names(
        [p for p, _ in pairs], [w for _, w in pairs], [len(rows[pair]) for pair in pairs],
        [list(rows[pair]) for pair in pairs], [pair not in tagged for pair in pairs], [pair in odd for pair in pairs], dict(Counter(patients)),
    )  # fmt: skip


def _mentions(text: str, looks: dict[str, int]) -> Iterator[tuple[str, bool, tuple[str, ...]]]:
    """Names and other capitalised words of a note, folded, with the words around them as a tagger's features."""
    tokens = _TOKEN.findall(text)
    kinds = []
    for token in tokens:
        kind = looks.get(token)
        if kind is None:
            kind = looks[token] = _looks(token) if token[0].isalpha() else _NOTHING
        kinds.append(kind)
    last = len(tokens) - 1
    for i, kind in enumerate(kinds):
        if kind == _NOTHING:
            continue
        token = tokens[i]
        if kind == _OTHER and not token[0].isupper():
            continue
        left = tokens[i - 1] if i else "\n"
        right = tokens[i + 1] if i < last else "\n"
        if kind == _UNLISTED:
            # A spelling of no list is a name where a name stands: behind a title, beside another name.
            over = tokens[i - 2] if left in ".," and i > 1 else left
            beside = (i > 0 and kinds[i - 1] == _NAME) or (i < last and kinds[i + 1] == _NAME)
            kind = _NAME if beside or over.lower() in _TITLES else _OTHER
        far = tokens[i - 2] if i > 1 else "\n"
        shape = "u" if token.isupper() else "c" if token[0].isupper() else "l"
        features = (
            f"l {_context(left, kinds[i - 1] if i else 0)}", f"f {_context(far, kinds[i - 2] if i > 1 else 0)}",
            f"r {_context(right, kinds[i + 1] if i < last else 0)}", f"s {shape}",
        )  # fmt: skip
        yield lexicon.fold(token), kind == _NAME, features


def _context(token: str, kind: int) -> str:
    """A neighbour as a feature; names are all one, for the tagger must not learn the surrogates by heart."""
    if kind == _NAME:
        return "<name>"
    return "<number>" if token.isdecimal() else token.lower()


# --- parrot --------------------------------------------------------------------------------------------------


def _parrot(names: _Names, truth: Mapping[str, set[str]] | None, seed: int) -> dict[str, Any]:
    pairs = list(zip(names.patient, names.word, strict=True))
    people = _people()
    mass = sum(people.values())
    spread = Counter(names.word)
    draws = len(pairs)
    signs: dict[str, list[bool]] = {
        "untagged": names.untagged,
        "odd": names.odd,
        "once": [n == 1 and names.patient_notes[p] >= 3 for n, p in zip(names.notes, names.patient, strict=True)],
        "spread": [_too_common(spread[w], draws * people.get(w, 0.0) / mass) for w in names.word],
        "unlisted": [w not in people for w in names.word],
    }
    # Who recurs over patients does not stand alone: spread is no vote beside the others.
    votes = [sum(flags) for flags in zip(*(f for n, f in signs.items() if n != "spread"), strict=True)]
    signs["two_or_more"] = [v >= 2 for v in votes]
    real = None if truth is None else [w in truth.get(p, ()) for p, w in pairs]
    left = None if truth is None else sum(map(len, truth.values()))
    out: dict[str, Any] = {"names": draws, "real": sum(real) if real is not None else None, "real_left": left}
    base = sum(real) / draws if real and draws else 0.0
    if real is not None:
        out["base_rate"] = base if draws else None
    table: dict[str, Any] = {}
    confidence = 1 - 0.05 / len(signs)
    for name, flags in signs.items():
        flagged = sum(flags)
        row: dict[str, Any] = {"flagged": flagged}
        if real is not None and left is not None:
            right = sum(f and r for f, r in zip(flags, real, strict=True))
            verdict = "no leak to find" if not left else "no better than chance"
            if left and flagged and lower_bound(right, flagged, confidence=confidence) > base:
                verdict = "finds leaks"
            row |= {
                "right": right, "precision": right / flagged if flagged else None,
                "precision_95": list(clopper_pearson(right, flagged)), "recall": right / left if left else None,
                "recall_95": list(clopper_pearson(right, left)), "verdict": verdict,
                "precision_95_patients": _by_patient(names.patient, flags, real, seed),
            }  # fmt: skip
        table[name] = row
    out["signs"] = table
    return out


def _too_common(seen: int, expected: float) -> bool:
    """Whether so many patients with a name are rarer than 1 in 1,000 under independent draws (Poisson)."""
    if seen < 2:
        return False
    term = below = math.exp(-expected)
    for k in range(1, seen):
        term *= expected / k
        below += term
    return 1 - below < 0.001


def _by_patient(patients: Sequence[str], flags: Sequence[bool], real: Sequence[bool], seed: int) -> list[float] | None:
    number = {patient: i for i, patient in enumerate(sorted(set(patients)))}
    sums = np.zeros((len(number), 2), dtype=np.int64)
    for patient, flag, truth in zip(patients, flags, real, strict=True):
        if flag:
            sums[number[patient]] += (int(truth), 1)
    found = bootstrap_shares(sums[:, :1], sums[:, 1:], seed=seed)[0]
    return list(found) if found else None


def _rare_names(names: _Names, truth: Mapping[str, set[str]] | None, released: pl.DataFrame) -> dict[str, Any]:
    people = _people()
    rare = [i for i, w in enumerate(names.word) if people.get(w, 0.0) < RARE_PER_MILLION]
    notes = {row for i in rare for row in names.rows[i]}
    patients = released["patient"].n_unique()
    out: dict[str, Any] = {
        "names": len(rare),
        "notes": _share(len(notes), released.height, "holding", "notes"),
        "patients": _share(len({names.patient[i] for i in rare}), patients, "holding", "patients"),
        "real": None,
    }
    if truth is not None:
        real = [i for i in rare if names.word[i] in truth.get(names.patient[i], ())]
        out["real"] = len(real)
        out["patients_real"] = _share(len({names.patient[i] for i in real}), patients, "holding", "patients")
    return out


# --- dates ---------------------------------------------------------------------------------------------------

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY = (
    r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
)
# Patterns that begin with a class of characters, and no look-behind, are ten times as fast; what stands before is seen to
# in `_days`.
_NUMERIC = re.compile(
    r"\d(?:\d{3}[-/](?P<m1>\d\d?)[-/](?P<d1>\d\d?)|\d?[/-](?P<d2>\d\d?)[/-](?P<y2>(?:19|20)\d\d|\d\d)"
    r"|\d?[ -](?P<m4>[JFMASONDjfmasond][A-Za-z]{2,8})\.?,?[ -](?P<y4>(?:19|20)\d\d))(?![\d/]|-\d)"
)
_WRITTEN = re.compile(
    r"[JFMASONDjfmasond][A-Za-z]{2,8}\.?\s{1,3}(?P<d3>\d\d?)(?:st|nd|rd|th)?,?\s{1,3}(?P<y3>(?:19|20)\d\d)(?!\d)"
)
_WEEKDAY_BEFORE = re.compile(rf"\b({_WEEKDAY})\.?,?\s+(?:the\s+)?$", re.IGNORECASE)
_WEEKDAY_AFTER = re.compile(rf"^\s*[,(]\s*({_WEEKDAY})\b", re.IGNORECASE)
_NEAR = 24
"""Characters between a holiday and the date that it is said to be."""

# (month, day), or (month, weekday, n-th; -1 the last).
_HOLIDAYS: dict[str, tuple[int, ...]] = {
    "christmas eve": (12, 24), "christmas": (12, 25), "new year's eve": (12, 31), "new year's day": (1, 1),
    "halloween": (10, 31), "independence day": (7, 4), "fourth of july": (7, 4), "4th of july": (7, 4),
    "valentine's day": (2, 14), "veterans day": (11, 11), "st. patrick's day": (3, 17), "juneteenth": (6, 19),
    "thanksgiving": (11, 3, 4), "memorial day": (5, 0, -1), "labor day": (9, 0, 1), "mother's day": (5, 6, 2),
    "father's day": (6, 6, 3), "mlk day": (1, 0, 3),
}  # fmt: skip
_EVENTS = {
    "september 11 attacks": date(2001, 9, 11), "hurricane katrina": date(2005, 8, 29),
    "hurricane sandy": date(2012, 10, 29), "hurricane harvey": date(2017, 8, 25),
    "hurricane irma": date(2017, 9, 10), "hurricane ian": date(2022, 9, 28),
    "boston marathon bombing": date(2013, 4, 15),
}  # fmt: skip
_NAMED = re.compile(
    r"\b(" + "|".join(re.escape(n) for n in sorted((*_HOLIDAYS, *_EVENTS), key=lambda n: (-len(n), n))) + r")\b",
    re.IGNORECASE,
)


# `shift.anchors` takes 3 ms a note; it is asked only where one of these stands.
_TELLING = (
    "christmas", "thanksgiving", "new year", "easter", "halloween", "memorial day", "labor day", "independence", "july",
    "valentine", "veterans", "mother", "father", "patrick", "passover", "hanukkah", "juneteenth", "kippur", "hashanah",
    "diwali", "ramadan", "mardi gras", "good friday", "ash wednesday", "the holidays", "winter", "spring", "summer",
    "autumn", "this fall", "past fall", "hurricane", "storm", "typhoon", "super bowl", "world series", "world cup",
    "olympics", "marathon", "september 11", "9/11", "election", "inauguration", "shutdown", "lockdown", "quarantine",
    "pandemic", "eclipse", "y2k", "madness", "recession", "brexit",
)  # fmt: skip
_YEAR_ALONE = re.compile(r"[Ii]n (?:19|20)\d\d\b(?![/-]\d)|[Ss]ince (?:19|20)\d\d\b(?![/-]\d)")


class _Day(NamedTuple):
    start: int
    end: int
    day: date


def _days(text: str) -> list[_Day]:
    """Dates in full, in order. Month first, unless it cannot be; a year of two digits lies before 2050."""
    out = []
    for match in (*_NUMERIC.finditer(text), *_WRITTEN.finditer(text)):
        start = match.start()
        before = text[start - 1] if start else " "
        if before.isalnum() or before in "/.-":
            continue
        got = match.groupdict()
        head = match.group()
        if got.get("m1"):
            month, day, year = int(got["m1"]), int(got["d1"]), int(head[:4])
        elif got.get("y2"):
            month, day, year = int(re.split("[/-]", head)[0]), int(got["d2"]), int(got["y2"])
            if month > 12 >= day:
                month, day = day, month
        elif got.get("y4"):
            month, day, year = _month(got["m4"]), int(re.split("[ -]", head)[0]), int(got["y4"])
        else:
            month, day, year = _month(re.split(r"[.\s]", head)[0]), int(got["d3"]), int(got["y3"])
        year += 0 if year > 99 else 2000 if year < 50 else 1900
        try:
            out.append(_Day(start, match.end(), date(year, month, day)))
        except ValueError:
            continue
    return sorted(out)


def _month(name: str) -> int:
    """The number of a month by its name, 0 for any other word."""
    low = name.lower()
    return next(
        (i for i, full in enumerate(MONTHS, 1) if len(low) > 2 and full.lower().startswith(low)), 9 * (low == "sept")
    )


def _holiday(name: str, year: int) -> date:
    rule = _HOLIDAYS[name]
    if len(rule) == 2:
        return date(year, rule[0], rule[1])
    first = date(year, rule[0], 1)
    days = [d for k in range(31) if (d := first + timedelta(k)).month == rule[0] and d.weekday() == rule[1]]
    return days[rule[2] if rule[2] < 0 else rule[2] - 1]


class _Anchors(NamedTuple):
    """What one note gives away. exact: shifts that fit a holiday or event beside a date. weekdays: remainders modulo
    seven. kinds: what stands in it. dated: whether a date in full does."""

    exact: list[frozenset[int]]
    weekdays: list[int]
    kinds: set[str]
    dated: bool


def _note_anchors(text: str, year: int | None) -> _Anchors:
    days = _days(text)
    exact: list[frozenset[int]] = []
    weekdays: list[int] = []
    kinds: set[str] = set()
    for found in days:
        before = _WEEKDAY_BEFORE.search(text[max(0, found.start - 16) : found.start])
        after = _WEEKDAY_AFTER.search(text[found.end : found.end + 14])
        if said := before or after:
            gap = (found.day.weekday() - _WEEKDAYS.index(said[1][:3].lower())) % 7
            if gap:
                weekdays.append(gap)
                kinds.add("weekday")
    starts = [d.start for d in days]
    for match in _NAMED.finditer(text) if days else ():
        at = bisect_right(starts, match.start())
        near = [d for d in days[max(0, at - 1) : at + 1] if _beside(text, match.span(), d)]
        for found in near:
            name = match[1].lower()
            if name in _EVENTS:
                shifts = {(found.day - _EVENTS[name]).days}
            else:
                shifts = {(found.day - _holiday(name, found.day.year + k)).days for k in (-1, 0, 1)}
            if 0 not in shifts:
                exact.append(frozenset(shifts))
                kinds.add("event" if name in _EVENTS else "holiday")
    lowered = text.lower()
    if any(word in lowered for word in _TELLING):
        kinds |= {f"{s.recognizer.removeprefix('shift.').removesuffix('s')} alone" for s in anchors(text, [])}
    elif _YEAR_ALONE.search(text):
        kinds.add("year alone")
    if year is not None and len(days) > 1 and all(d.day.year != year for d in days):
        kinds.add("year column")
    return _Anchors(exact, weekdays, kinds, bool(days))


def _beside(text: str, name: tuple[int, int], found: _Day) -> bool:
    """Whether a holiday and a date are said to be the same day: side by side within one clause."""
    between = text[name[1] : found.start] if found.start >= name[1] else text[found.end : name[0]]
    return len(between) <= _NEAR and re.fullmatch(r"\s*(?:[,(:-]|on|was|is|day|of|\s)*\s*", between) is not None


_FIXING = ("holiday", "event", "date not moved")
_NARROWING = ("weekday", "holiday alone", "event alone", "season alone", "year column")


def _dates(released: pl.DataFrame, before: list[str | None] | None) -> dict[str, Any]:
    """By patient: whether the shift is fixed, or at least narrowed, and with the originals whether rightly so."""
    years = released["year"].to_list() if "year" in released.columns else [None] * released.height
    kinds: dict[str, set[str]] = defaultdict(set)
    exact: dict[str, list[frozenset[int]]] = defaultdict(list)
    remainders: dict[str, list[int]] = defaultdict(list)
    moved: dict[str, Counter[int]] = defaultdict(Counter)
    dated: set[str] = set()
    for i, (patient, text) in enumerate(released.select("patient", "text").iter_rows()):
        found = _note_anchors(text, years[i])
        kinds[patient] |= found.kinds
        exact[patient] += found.exact
        remainders[patient] += found.weekdays
        if found.dated:
            dated.add(patient)
        if before is not None and (original := before[i]) is not None:
            old, new = _days(original), _days(text)
            if len(old) == len(new):
                moved[patient].update((b.day - a.day).days for a, b in zip(old, new, strict=True))
    true = {p: shift for p, counts in moved.items() if (shift := _usual(counts)) is not None}
    shifted = {p for p, shift in true.items() if shift}
    for patient in shifted:
        if moved[patient][0]:
            kinds[patient].add("date not moved")
    patients = sorted(kinds)
    # Where nothing is dated in full there is no shift to be found.
    fixed = {p for p in patients if p in dated and kinds[p].intersection(_FIXING)}
    narrowed = {p for p in patients if p in dated and kinds[p].intersection((*_FIXING, *_NARROWING))}
    out: dict[str, Any] = {
        "patients_with_dates_in_full": len(dated),
        "shift_inferred": _share(len(fixed), len(patients), "inferred", "patients"),
        "shift_narrowed": _share(len(narrowed), len(patients), "narrowed", "patients"),
        "patients_by_kind": dict(sorted(Counter(k for found in kinds.values() for k in found).items())),
        "scored": None,
    }  # fmt: skip
    if before is not None:
        named = [p for p in sorted(fixed) if exact[p] and p in true]
        right = sum(bool(true[p]) and any(true[p] in shifts for shifts in exact[p]) for p in named)
        weekday = [p for p in patients if remainders[p] and p in true]
        fits = sum(true[p] % 7 == Counter(remainders[p]).most_common(1)[0][0] for p in weekday)
        out["scored"] = {
            "patients_shifted": len(shifted),
            "patients_with_a_date_not_moved": _share(
                sum("date not moved" in kinds[p] for p in shifted), len(shifted), "holding", "patients"
            ),
            "holiday_or_event": _share(right, len(named), "right", "patients"),
            "weekday": _share(fits, len(weekday), "right", "patients"),
        }
    return out


def _usual(counts: Counter[int]) -> int | None:
    """The number of days that most dates of a patient moved by; 0 only if none moved."""
    others = [(n, shift) for shift, n in counts.items() if shift]
    if others:
        return max(others, key=lambda o: (o[0], -abs(o[1]), o[1]))[1] if max(others)[0] > 1 else None
    return 0 if counts else None


# --- linking -------------------------------------------------------------------------------------------------


def _linking(
    released: pl.DataFrame, before: list[str | None] | None, most_pairs: int, most_queries: int, seed: int
) -> dict[str, Any]:
    """Rank-1 accuracy of the nearest note by shared rare words: of all, of names and numbers, of what was kept."""
    notes = released.select(
        pl.col("patient").rank("dense").cast(pl.UInt32).alias("patient"),
        pl.col("text").rank("dense").cast(pl.UInt32).alias("copy"),
        text=pl.col("text").str.replace_all(_PLACEHOLDER, " "),
    ).with_row_index("note")
    words = _postings(notes, "text")
    truth = notes.select("note", "patient", "copy")
    chosen = words.select("word").unique(maintain_order=True)
    marks = pl.Series([_points_to_someone(w) for w in chosen["word"].to_list()], dtype=pl.Boolean)
    identifying = words.join(chosen.filter(marks), on="word", how="semi", maintain_order="left")
    sets = {"all_rare_words": words, "names_and_numbers": identifying}
    if before is not None:
        old = notes.select("note").with_columns(pl.Series("text", [t or "" for t in before]))
        kept = words.join(_words(old, "text"), on=("note", "word"), how="semi", maintain_order="left")
        sets["names_and_numbers_of_the_original"] = kept.join(
            chosen.filter(marks), on="word", how="semi", maintain_order="left"
        )
    out: dict[str, Any] = {}
    for name, postings in sets.items():
        out[name] = _rank1(postings, truth, most_pairs, most_queries, seed)
    return out


def _words(notes: pl.DataFrame, column: str) -> pl.DataFrame:
    """note, word: each spelling once a note; a name counts only in capitals, so case is kept for the first letter."""
    return (
        notes.select("note", word=pl.col(column).str.extract_all(r"\p{L}[\p{L}']{2,}|\d[\d-]{3,}\d"))
        .explode("word", empty_as_null=True)
        .drop_nulls("word")
        .unique(maintain_order=True)
    )


def _postings(notes: pl.DataFrame, column: str) -> pl.DataFrame:
    """note, word, count of the words that stand in 2 to 20 notes."""
    # In blocks, so that words of one block only never pile up: 100,000 notes hold some 15 million.
    parts = [_words(block, column) for block in notes.iter_slices(20_000)]
    words = pl.concat(parts)
    counts = words.group_by("word").agg(count=pl.len()).filter(pl.col("count").is_between(2, MOST_NOTES_OF_A_WORD))
    return words.join(counts, on="word", maintain_order="left")


def _points_to_someone(word: str) -> bool:
    """A number, a name, or a spelling of no list, as an attacker would look for."""
    if word[0].isdecimal():
        return True
    bits = lexicon.flags(word)
    ordinary = (
        bits & (lexicon.WORD | lexicon.WORD_RARE | lexicon.CLINICAL | _NO) or lexicon.fold(word) in lexicon.CLOSED
    )
    return not ordinary or (word[0].isupper() and lexicon.name_share(word) >= 0.5)


def _rank1(
    postings: pl.DataFrame, truth: pl.DataFrame, most_pairs: int, most_queries: int, seed: int
) -> dict[str, Any]:
    total = truth.height
    # Notes that have a partner: another note of the patient that is not the same text.
    sizes = truth.group_by("patient").agg(notes=pl.len(), texts=pl.col("copy").n_unique())
    able = truth.join(sizes.filter(pl.col("texts") > 1), on="patient", maintain_order="left")
    random = np.random.default_rng(seed)
    if able.height > most_queries:
        able = able[np.sort(random.choice(able.height, size=most_queries, replace=False))]
    queries = postings.join(able.select("note"), on="note", how="semi", maintain_order="left")
    # Pairs by how many notes hold the word; the commonest words go first where there are too many.
    by_count = queries.group_by("count").agg(pairs=(pl.col("count") - 1).sum()).sort("count")
    fits = by_count.filter(pl.col("pairs").cum_sum() <= most_pairs)
    most = int(fits["count"].max() or 0) if by_count.height else 0  # type: ignore[arg-type]
    rare = pl.col("count") <= most
    weight = (total / pl.col("count")).log().alias("weight")
    left, right = (
        queries.filter(rare).select("note", "word", weight),
        postings.filter(rare).select("note", "word", weight),
    )
    norms = right.group_by("note").agg(norm=(pl.col("weight") ** 2).sum().sqrt())
    # Equal scores are settled by lot, not by order: rows of one patient often stand together.
    lots = truth.select("note").with_columns(lot=pl.Series(random.permutation(total)))
    best = (
        left.join(right.select("note", "word"), on="word", suffix="_other")
        .filter(pl.col("note") != pl.col("note_other"))
        .group_by("note", "note_other")
        .agg(score=(pl.col("weight") ** 2).sum().round(9))
        .join(truth, on="note")
        .join(truth, left_on="note_other", right_on="note", suffix="_other")
        .filter(pl.col("copy") != pl.col("copy_other"))
        .join(norms, left_on="note_other", right_on="note")
        .join(lots, left_on="note_other", right_on="note")
        .with_columns((pl.col("score") / pl.col("norm")).round(9))
        .sort(["note", "score", "lot"], descending=[False, True, False])
        .unique("note", keep="first", maintain_order=True)
        .with_columns(hit=(pl.col("patient") == pl.col("patient_other")).cast(pl.Int64))
    )
    hits, asked, answered = int(best["hit"].sum()), able.height, best.height
    chance = float((able["notes"] - 1).sum()) / asked / (total - 1) if asked else None
    by_patient = (
        able.join(best.select("note", "hit"), on="note", how="left").group_by("patient")
        .agg(pl.col("hit").fill_null(0).sum(), n=pl.len()).sort("patient")
    )  # fmt: skip
    sums = [by_patient[c].cast(pl.Int64).to_numpy()[:, None] for c in ("hit", "n")]
    drawn = bootstrap_shares(sums[0], sums[1], seed=seed)[0] if asked else None
    return {
        "queries": asked, "answered": answered, "right": hits, "rank1": hits / asked if asked else None,
        "rank1_95": list(clopper_pearson(hits, asked)), "rank1_95_patients": list(drawn) if drawn else None,
        "right_of_answered": hits / answered if answered else None, "chance": chance,
        "times_chance": hits / asked / chance if asked and chance else None, "notes_of_a_word": most,
    }  # fmt: skip


# --- showing -------------------------------------------------------------------------------------------------


def summary(figures: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Rows for a table on the terminal: attack, figure, value."""
    rows: list[tuple[str, str, str]] = []
    if left := figures["left"]:
        for kind in ("any", "direct"):
            rows.append(("left", f"patients with {kind} known value left", _told(left[kind]["patients"], "leaking")))
    parrot = figures["parrot"]
    for sign, row in parrot["signs"].items():
        told = f"{row['flagged']:,} of {parrot['names']:,} names flagged"
        if "right" in row:
            told += f", {row['right']:,} right, of {parrot['real_left']:,} left: {row['verdict']}"
        rows.append(("parrot", sign, told))
    dates = figures["dates"]
    rows.append(("dates", "patients whose shift is given away", _told(dates["shift_inferred"], "inferred")))
    rows.append(("dates", "or at least narrowed", _told(dates["shift_narrowed"], "narrowed")))
    rows.append(("rare names", "patients with one left", _told(figures["rare_names"]["patients"], "holding")))
    for name, row in (figures["linking"] or {}).items():
        if row["rank1"] is not None:
            low, high = row["rank1_95"]
            told = f"{row['rank1']:.3f} ({low:.3f}-{high:.3f}), chance {row['chance']:.4f}"
            rows.append(("linking", name.replace("_", " "), told))
    return rows


def _told(row: Mapping[str, Any], name: str) -> str:
    of = next(key for key in row if key not in (name, "share", "share_95", "upper_95"))
    return f"{row[name]:,} of {row[of]:,}, upper bound {row['upper_95']:.3f}"


def releasable(figures: Mapping[str, Any], *, fewest: int = 11) -> dict[str, Any]:
    """The figures as a manifest may hold them: places by identifier under `fewest` are hidden."""
    out = dict(figures)
    if figures["left"]:
        places: Collection[tuple[str, int]] = figures["left"]["places_by_identifier"].items()
        out["left"] = {
            **figures["left"],
            "places_by_identifier": {name: count if count >= fewest else f"<{fewest}" for name, count in places},
        }
    return out
