"""Measures detection against gold spans. Results are numbers only: no text, no note ids.

A gold span is **fully covered** when each of its letters and digits lies in some predicted span of any class; **any
cover** is one letter or digit. A predicted span is **precise** when it shares one with a gold span. A note or patient
**leaks** when a gold span of it is not fully covered. **Strict** spans have exact offsets and class, the end of
**relaxed** ones may differ by 2 (i2b2/UTHealth 2014). A **token** is a run of letters and digits, parted where gold
begins or ends; it counts as found when all of it is masked and, outside gold, as masked when any of it is; clinicians
and facilities are out, as in the HIPAA scores of that challenge. An **entity** is recalled when all its mentions in a
patient's notes are fully covered. **Over-masking** is the share of letters and digits outside gold that are masked, and
the share of notes without gold that are touched.

Everything is counted with numpy over the characters of many notes at once: 4,000 notes with 48,000 spans and all
intervals take about 2 s on one core.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clinicorpus_errors import UserError
from deid.gold import GOLD_SCHEMA, load_gold
from deid.identifiers import DIRECT, IDENTIFIERS, SAFE_HARBOR
from deid.statistics import bootstrap_shares, clopper_pearson, design_effect, judge, upper_bound

__all__ = ["GOLD_SCHEMA", "Compared", "clopper_pearson", "compare", "evaluate", "figures", "load_gold", "upper_bound"]

EVIDENCE = {
    "synthetic": "figures on synthetic notes are a smoke test, not evidence",
    "public": "figures on public notes say little about the notes of another hospital",
    "in-domain": "figures on a sample of the notes themselves are evidence about them",
    "not stated": "where the gold comes from was not stated: these figures are no evidence",
}
NOT_HIPAA = frozenset({"CLINICIAN", "FACILITY"})
"""Classes that the HIPAA scores of i2b2/UTHealth 2014 leave out (DOCTOR, HOSPITAL)."""
CLAIM = 0.99
FEWEST_IN_A_SLICE = 30
"""Kinds of notes with fewer gold spans are left out of the gap between kinds."""

_BLOCK = 4_000_000  # characters counted at once: about 120 MB
_ASCII = np.array([chr(c).isalnum() for c in range(128)])

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Compared(NamedTuple):
    """Gold and prediction side by side. `note` is the row of a note in `notes`.

    notes: as given. gold: note, start, end, identifier, entity, full, any, strict, relaxed. predicted: note, start, end,
    identifier, recognizer if known, precise, strict, relaxed. by_note: one row a note with characters outside gold, how many of them are
    masked, tokens found, missed and masked outside gold, and whether anything in it is masked. kept: gold spans of
    identifiers that the policy keeps; they count nowhere.
    """

    notes: pl.DataFrame
    gold: pl.DataFrame
    predicted: pl.DataFrame
    by_note: pl.DataFrame
    kept: int


def evaluate(
    notes: pl.DataFrame, gold: pl.DataFrame, predicted: pl.DataFrame, *, origin: str = "not stated",
    kept: Collection[str] = (), claim: float = CLAIM, resamples: int = 1000, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """All figures of `predicted` against `gold`; see `compare` for the frames and `figures` for the rest."""
    compared = compare(notes, gold, predicted, kept=kept)
    return figures(compared, origin=origin, claim=claim, resamples=resamples, seed=seed)


# --- comparing -----------------------------------------------------------------------------------------------


def compare(
    notes: pl.DataFrame, gold: pl.DataFrame, predicted: pl.DataFrame, *, kept: Collection[str] = ()
) -> Compared:
    """Lay predicted spans over gold spans.

    `notes`: note_id, text; patient_id, kind, file if known. `gold`: note_id, start, end, identifier; entity if known.
    `predicted`: note_id, spans. Notes without a row in `predicted` count as empty predictions. Identifiers that the
    policy keeps (`kept`) are no misses, and a prediction of one masks nothing. Raises UserError for a span outside its
    note or an identifier that is not in the closed list.
    """
    if notes["note_id"].n_unique() < notes.height:
        raise UserError("a note_id stands twice among the notes to measure", next="give every note an id of its own")
    ids = notes.select("note_id", length=pl.col("text").str.len_chars().fill_null(0).cast(pl.Int64)).with_row_index(
        "note"
    )
    wanted = _placed(gold.select(*GOLD_SCHEMA, *(["entity"] if "entity" in gold.columns else [])), ids, "gold")
    if "entity" not in wanted.columns:
        wanted = wanted.with_columns(entity=pl.lit(None, dtype=pl.String))
    spans = predicted.select("note_id", "spans").explode("spans", empty_as_null=True).drop_nulls("spans")
    present = [field.name for field in spans["spans"].dtype.fields] if spans.height else []  # type: ignore[attr-defined]
    names = [name for name in ("start", "end", "identifier", "recognizer") if name in present]
    listed = spans.select("note_id", *(pl.col("spans").struct.field(name) for name in names))
    found = _placed(listed if spans.height else pl.DataFrame(schema=GOLD_SCHEMA), ids, "predicted")
    found = found.filter(~pl.col("identifier").is_in(list(kept)))
    counts = _count(notes["text"].fill_null("").to_list(), ids["length"].to_numpy(), wanted, found, kept)
    wanted = wanted.with_columns(counts.gold)
    found = found.with_columns(precise=counts.precise)
    stays = wanted["identifier"].is_in(list(kept))
    wanted, kept_spans = wanted.filter(~stays), int(stays.sum())
    strict = [*wanted.columns[:4]]
    wanted, found = _matched(wanted, found, strict, "strict", within=0)
    wanted, found = _matched(wanted, found, ["note", "start", "identifier"], "relaxed", within=2)
    return Compared(notes, wanted, found, counts.by_note, kept_spans)


def _placed(spans: pl.DataFrame, ids: pl.DataFrame, what: str) -> pl.DataFrame:
    """Spans with the row of their note, sorted; spans of notes that are not measured are left out."""
    placed = spans.join(ids, on="note_id", how="inner")
    wrong = placed.filter(
        (pl.col("start") < 0) | (pl.col("end") <= pl.col("start")) | (pl.col("end") > pl.col("length"))
    )
    if wrong.height:
        raise UserError(f"{what} spans lie outside their note", value=f"{wrong.height:,} of {placed.height:,}")
    unknown = placed.filter(~pl.col("identifier").is_in(list(IDENTIFIERS)))
    if unknown.height:
        raise UserError(f"{what} spans have an identifier that is not in the closed list", value=f"{unknown.height:,}")
    columns = [c for c in ("note", "start", "end", "identifier", "entity", "recognizer") if c in placed.columns]
    return placed.select(columns).cast({"note": pl.Int64}).sort("note", "start", "end", "identifier")


def _matched(
    gold: pl.DataFrame, found: pl.DataFrame, on: list[str], name: str, *, within: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Flag the spans of either side that have a partner with equal `on` whose end differs by `within` at most."""
    left, right = gold.with_row_index("_g"), found.with_row_index("_p")
    pairs = left.select("_g", *on, _end="end").join(right.select("_p", *on, _stop="end"), on=on)
    pairs = pairs.filter((pl.col("_end") - pl.col("_stop")).abs() <= within)
    return (
        left.with_columns(pl.col("_g").is_in(pairs["_g"].unique().implode()).alias(name)).drop("_g"),
        right.with_columns(pl.col("_p").is_in(pairs["_p"].unique().implode()).alias(name)).drop("_p"),
    )


class _Counts(NamedTuple):
    gold: list[pl.Series]
    precise: pl.Series
    by_note: pl.DataFrame


def _count(texts: list[str], lengths: Ints, gold: pl.DataFrame, found: pl.DataFrame, kept: Collection[str]) -> _Counts:
    """Count letters and digits, block by block."""
    out_of_tokens = gold["identifier"].is_in([*NOT_HIPAA, *kept]).to_numpy()
    truth = tuple(gold[c].to_numpy() for c in ("note", "start", "end"))
    guess = tuple(found[c].to_numpy() for c in ("note", "start", "end"))
    full, some, precise = (np.zeros(n, dtype=bool) for n in (gold.height, gold.height, found.height))
    columns = ("outside", "masked_outside", "tokens_found", "tokens_missed", "tokens_wrong", "touched")
    by_note = np.zeros((len(columns), len(texts)), dtype=np.int64)
    for first, last in _blocks(lengths):
        codes = np.frombuffer("".join(texts[first:last]).encode("utf-32-le"), dtype=np.uint32)
        bases = np.concatenate([[0], np.cumsum(lengths[first:last])])
        g, p = (slice(*np.searchsorted(side[0], (first, last))) for side in (truth, guess))
        g_start, g_end = (side[g] + bases[truth[0][g] - first] for side in truth[1:])
        p_start, p_end = (side[p] + bases[guess[0][p] - first] for side in guess[1:])
        solid = _solid(codes)
        masked, true = solid & _inside(p_start, p_end, len(codes)), solid & _inside(g_start, g_end, len(codes))
        size, covered = (_between(flags, g_start, g_end) for flags in (solid, masked))
        full[g], some[g] = covered == size, (covered > 0) | (size == 0)
        precise[p] = _between(true, p_start, p_end) > 0
        # 0: outside gold, 1: gold that is scored by tokens, 2: gold that is not. A token ends where this changes.
        beside = out_of_tokens[g]
        scored = _inside(g_start[~beside], g_end[~beside], len(codes))
        label = np.where(scored, 1, np.where(true, 2, 0)).astype(np.int8)
        starts, ends = _tokens(solid, label, bases)
        size, covered = (_between(flags, starts, ends) for flags in (solid, masked))
        kind = label[starts] if len(starts) else np.zeros(0, dtype=np.int8)
        note = np.searchsorted(bases, starts, side="right") - 1
        per_token = ((kind == 1) & (covered == size), (kind == 1) & (covered < size), (kind == 0) & (covered > 0))
        rows = [_between(flags, bases[:-1], bases[1:]) for flags in (solid & ~true, masked & ~true)]
        rows += [np.bincount(note[flags], minlength=last - first) for flags in per_token]
        by_note[:, first:last] = [*rows, _between(masked, bases[:-1], bases[1:]) > 0]
    return _Counts(
        [pl.Series("full", full), pl.Series("any", some)], pl.Series("precise", precise),
        pl.DataFrame(dict(zip(columns, by_note, strict=True))),
    )  # fmt: skip


def _blocks(lengths: Ints) -> Iterator[tuple[int, int]]:
    """Ranges of notes of about _BLOCK characters."""
    first = characters = 0
    for i, length in enumerate(lengths.tolist()):
        if i > first and characters + length > _BLOCK:
            yield first, i
            first, characters = i, 0
        characters += length
    if first < len(lengths):
        yield first, len(lengths)


def _solid(codes: NDArray[np.uint32]) -> Flags:
    """Which code points are letters or digits."""
    flags = np.asarray(_ASCII[np.minimum(codes, 127)])
    high = codes > 127
    if high.any():
        values, places = np.unique(codes[high], return_inverse=True)
        flags[high] = np.array([chr(c).isalnum() for c in values.tolist()])[places]
    return flags


def _inside(starts: Ints, ends: Ints, length: int) -> Flags:
    """Which places lie in any of the ranges."""
    edges = np.bincount(starts, minlength=length + 1) - np.bincount(ends, minlength=length + 1)
    return np.cumsum(edges[:length]) > 0


def _between(flags: Flags, starts: Ints, ends: Ints) -> Ints:
    """How many flags are set in each range."""
    sums = np.concatenate([[0], np.cumsum(flags, dtype=np.int64)])
    return np.asarray(sums[ends] - sums[starts])


def _tokens(solid: Flags, label: NDArray[np.int8], bases: Ints) -> tuple[Ints, Ints]:
    """Starts and ends of the runs of letters and digits under one label in one note."""
    parted = np.ones(len(solid) + 1, dtype=bool)
    parted[1:-1] = (label[1:] != label[:-1]) | (solid[1:] != solid[:-1])
    parted[bases] = True
    edges = np.flatnonzero(parted)
    starts, ends = edges[:-1], edges[1:]
    held = solid[starts] if len(starts) else np.zeros(0, dtype=bool)
    return starts[held], ends[held]


# --- figures -------------------------------------------------------------------------------------------------


def figures(
    compared: Compared, *, origin: str = "not stated", claim: float = CLAIM, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """All figures of a comparison, as JSON.

    Intervals named `_95` are exact and two-sided, `upper_95` exact and one-sided; `_95_patients` come from drawing
    whole patients (notes, where none are named) `resamples` times from `seed`, and are null where that says nothing.
    `origin` says where the texts of the gold come from: synthetic, public, in-domain.
    """
    notes, gold, predicted, by_note, kept = compared
    has_patients = "patient_id" in notes.columns
    clusters = _clusters(notes)
    drawn = _Drawn(clusters, resamples, seed)
    at_gold, at_found = clusters[gold["note"].to_numpy()], clusters[predicted["note"].to_numpy()]
    one = np.ones(gold.height, dtype=bool)
    scores = {"overall": (one, np.ones(predicted.height, dtype=bool))} | {
        name: ((gold["identifier"] == name).to_numpy(), (predicted["identifier"] == name).to_numpy())
        for name in IDENTIFIERS
    }
    flags = {name: gold[name].to_numpy() for name in ("full", "any", "strict", "relaxed")}
    marks = {name: predicted[name].to_numpy() for name in ("precise", "strict", "relaxed")}
    tables: dict[str, dict[str, Any]] = {}
    for name, (true, found) in scores.items():
        if name != "overall" and not true.any() and not found.any():
            continue
        table: dict[str, Any] = {} if name == "overall" else {"safe_harbor": SAFE_HARBOR[name]}
        table |= _scores(flags, marks, true, found, claim)
        drawn.add(table, "full_cover_recall_95_patients", at_gold[true & flags["full"]], at_gold[true])
        drawn.add(table, "precision_95_patients", at_found[found & marks["precise"]], at_found[found])
        tables[name] = table
    result: dict[str, Any] = {
        "origin": origin,
        "evidence": EVIDENCE[origin],
        "notes": notes.height,
        "notes_with_gold": gold["note"].n_unique(),
        "patients": int(notes["patient_id"].n_unique() - bool(notes["patient_id"].null_count())) if has_patients else None,
        "intervals": {
            "drawn": "patients" if has_patients else "notes", "count": drawn.count, "resamples": resamples, "seed": seed,
        },
        "kept_by_policy": kept,
        "overall": tables.pop("overall"),
        "identifiers": tables,
        "strict_spans": _spans(gold["strict"], predicted["strict"]),
        "relaxed_spans": _spans(gold["relaxed"], predicted["relaxed"]),
        "hipaa_tokens": _token_scores(by_note),
        "entities": _entities(notes, gold),
        "leaks": _leaks(notes, gold, clusters),
        "over_masking": _over_masking(notes, gold, by_note),
        "slices": {
            column: _slices(notes[column], gold, by_note) for column in ("kind", "file") if column in notes.columns
        },
    }  # fmt: skip
    _draw_notes(drawn, result, compared, clusters)
    drawn.finish()
    return result


class _Drawn:
    """Collects shares whose intervals come from drawing clusters, so that all are drawn together."""

    def __init__(self, clusters: Ints, resamples: int, seed: int) -> None:
        self.count = int(clusters.max(initial=-1)) + 1
        self._resamples, self._seed = resamples, seed
        self._wanted: list[tuple[dict[str, Any], str]] = []
        self._top: list[Ints] = []
        self._bottom: list[Ints] = []

    def add(self, table: dict[str, Any], key: str, hits: Ints, trials: Ints) -> None:
        """`hits` and `trials` name the cluster of each."""
        self.add_sums(table, key, *(np.bincount(side, minlength=self.count) for side in (hits, trials)))

    def add_sums(self, table: dict[str, Any], key: str, hits: Ints, trials: Ints) -> None:
        """`hits` and `trials` are sums by cluster."""
        table[key] = None
        self._wanted.append((table, key))
        self._top.append(hits)
        self._bottom.append(trials)

    def finish(self) -> None:
        if not self._wanted:
            return
        found = bootstrap_shares(
            np.column_stack(self._top), np.column_stack(self._bottom), resamples=self._resamples, seed=self._seed
        )
        for (table, key), interval in zip(self._wanted, found, strict=True):
            table[key] = list(interval) if interval else None


def _clusters(notes: pl.DataFrame) -> Ints:
    """A number for the patient of each note; a note without one is its own."""
    if "patient_id" not in notes.columns:
        return np.arange(notes.height)
    own = pl.struct(pl.col("patient_id"), pl.when(pl.col("patient_id").is_null()).then("note_id").alias("note_id"))
    return np.asarray(notes.select(own.rank("dense") - 1).to_series().cast(pl.Int64).to_numpy())


def _scores(
    flags: dict[str, Flags], marks: dict[str, Flags], true: Flags, found: Flags, claim: float
) -> dict[str, Any]:
    gold, predicted = int(true.sum()), int(found.sum())
    full, some = int((true & flags["full"]).sum()), int((true & flags["any"]).sum())
    strict, relaxed = (int((true & flags[name]).sum()) for name in ("strict", "relaxed"))
    precise = int((found & marks["precise"]).sum())
    return {
        "gold": gold,
        "predicted": predicted,
        "full_cover": full,
        "full_cover_recall": _share(full, gold),
        "full_cover_recall_95": list(clopper_pearson(full, gold)),
        "any_cover": some,
        "any_cover_recall": _share(some, gold),
        "any_cover_recall_95": list(clopper_pearson(some, gold)),
        "strict": strict,
        "strict_recall": _share(strict, gold),
        "relaxed": relaxed,
        "relaxed_recall": _share(relaxed, gold),
        "precise": precise,
        "precision": _share(precise, predicted),
        "claim": judge(full, gold, claim),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _f1(found: int, gold: int, right: int, predicted: int) -> float | None:
    """Harmonic mean of found / gold and right / predicted."""
    if not gold or not predicted:
        return None
    recall, precision = found / gold, right / predicted
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def _spans(gold: pl.Series, predicted: pl.Series) -> dict[str, Any]:
    found, right = int(gold.sum()), int(predicted.sum())
    return {
        "gold": gold.len(), "predicted": predicted.len(), "found": found,
        "recall": _share(found, gold.len()), "precision": _share(right, predicted.len()),
        "f1": _f1(found, gold.len(), right, predicted.len()),
    }  # fmt: skip


def _token_scores(by_note: pl.DataFrame) -> dict[str, Any]:
    found, missed, wrong = (int(by_note[f"tokens_{name}"].sum()) for name in ("found", "missed", "wrong"))
    return {
        "gold": found + missed, "found": found, "masked_outside_gold": wrong, "left_out": sorted(NOT_HIPAA),
        "recall": _share(found, found + missed), "precision": _share(found, found + wrong),
        "f1": _f1(found, found + missed, found, found + wrong),
    }  # fmt: skip


def _entities(notes: pl.DataFrame, gold: pl.DataFrame) -> dict[str, Any] | None:
    """All mentions of an entity in the notes of a patient; null where gold names no entities."""
    named = gold.filter(pl.col("entity").is_not_null())
    if not named.height:
        return None
    cluster = pl.Series("cluster", _clusters(notes))
    each = (
        named.with_columns(cluster=cluster.gather(named["note"]))
        .group_by("cluster", "entity", "identifier")
        .agg(pl.col("full").all(), mentions=pl.len(), notes=pl.col("note").n_unique())
    )

    def scored(part: pl.DataFrame) -> dict[str, Any]:
        full = int(part["full"].sum())
        return {
            "entities": part.height, "mentions": int(part["mentions"].sum()), "fully_masked": full,
            "recall": _share(full, part.height), "recall_95": list(clopper_pearson(full, part.height)),
        }  # fmt: skip

    return {
        "overall": scored(each),
        "in_more_than_one_note": scored(each.filter(pl.col("notes") > 1)),
        "identifiers": {
            name: scored(part) for name in IDENTIFIERS if (part := each.filter(pl.col("identifier") == name)).height
        },
    }


def _rate(hits: int, total: int, numerator: str, denominator: str) -> dict[str, Any]:
    return {
        numerator: hits,
        denominator: total,
        "share": hits / total if total else None,
        "upper_95": upper_bound(hits, total),
    }


def _leaks(notes: pl.DataFrame, gold: pl.DataFrame, clusters: Ints) -> dict[str, Any]:
    """Notes and patients with something left; what the release gate needs stands under `direct` and `by_identifier`."""
    has_patients = "patient_id" in notes.columns
    known = notes["patient_id"].is_not_null().to_numpy() if has_patients else np.zeros(notes.height, dtype=bool)
    at = gold["note"].to_numpy()
    missed = ~gold["full"].to_numpy()
    direct = gold["identifier"].is_in(list(DIRECT)).to_numpy()

    def held(chosen: Flags) -> tuple[Ints, Ints]:
        """By note: whether it holds a chosen gold span, and whether one is left in it."""
        return tuple(
            (np.bincount(at[part], minlength=notes.height) > 0).astype(np.int64) for part in (chosen, chosen & missed)
        )  # type: ignore[return-value]

    def counted(chosen: Flags) -> dict[str, Any]:
        holding, leaking = held(chosen)
        by_patient = [np.bincount(clusters, weights=side).astype(np.int64) for side in (holding, leaking)]
        table: dict[str, Any] = {
            "notes_holding": int(holding.sum()), "notes_leaking": int(leaking.sum()),
            "design_effect": design_effect(by_patient[1], by_patient[0]),
        }  # fmt: skip
        if has_patients:
            table |= {
                f"patients_{name}": len(np.unique(clusters[known & (side > 0)]))
                for name, side in (("holding", holding), ("leaking", leaking))
            }
        return table

    everything = np.ones(gold.height, dtype=bool)
    out: dict[str, Any] = {}
    for kind, chosen in (("any", everything), ("direct", direct)):
        leaking = held(chosen)[1] > 0
        out[f"notes_with_{kind}_leak"] = _rate(int(leaking.sum()), notes.height, "leaking", "notes")
        if has_patients:
            total = len(np.unique(clusters[known]))
            count = len(np.unique(clusters[known & leaking]))
            out[f"patients_with_{kind}_leak"] = _rate(count, total, "leaking", "patients")
    present = [name for name in IDENTIFIERS if (gold["identifier"] == name).any()]
    return {
        **out,
        "direct": counted(direct),
        "by_identifier": {name: counted((gold["identifier"] == name).to_numpy()) for name in present},
    }


def _over_masking(notes: pl.DataFrame, gold: pl.DataFrame, by_note: pl.DataFrame) -> dict[str, Any]:
    outside, masked = int(by_note["outside"].sum()), int(by_note["masked_outside"].sum())
    free = np.ones(notes.height, dtype=bool)
    free[gold["note"].to_numpy()] = False
    return {
        "characters_outside_gold": outside,
        "masked": masked,
        "share": masked / outside if outside else 0.0,
        "notes_without_gold": _touched(by_note["touched"].to_numpy()[free]),
    }


def _touched(touched: Ints) -> dict[str, Any]:
    hits, total = int(touched.sum()), len(touched)
    return {
        "notes": total,
        "touched": hits,
        "share": _share(hits, total),
        "share_95": list(clopper_pearson(hits, total)),
    }


def _slices(names: pl.Series, gold: pl.DataFrame, by_note: pl.DataFrame) -> dict[str, Any]:
    """Figures for each kind of notes, and the largest gap in recall between kinds with enough gold."""
    at, full = names.gather(gold["note"]), gold["full"]
    each: dict[str, Any] = {}
    holds = np.zeros(names.len(), dtype=bool)
    leaks = np.zeros(names.len(), dtype=bool)
    holds[gold["note"].to_numpy()] = True
    leaks[gold["note"].to_numpy()[~full.to_numpy()]] = True
    for name in sorted(names.drop_nulls().unique().to_list()):
        mine, spans = (names == name).fill_null(False).to_numpy(), (at == name).fill_null(False)
        hits, total = int((full & spans).sum()), int(spans.sum())
        outside, masked = (int(by_note[c].to_numpy()[mine].sum()) for c in ("outside", "masked_outside"))
        each[name] = {
            "notes": int(mine.sum()), "gold": total, "full_cover": hits, "full_cover_recall": _share(hits, total),
            "full_cover_recall_95": list(clopper_pearson(hits, total)), "notes_leaking": int((mine & leaks).sum()),
            "over_masking": _share(masked, outside),
            "notes_without_gold": _touched(by_note["touched"].to_numpy()[mine & ~holds]),
        }  # fmt: skip
    recalls = {name: s["full_cover_recall"] for name, s in each.items() if s["gold"] >= FEWEST_IN_A_SLICE}
    gap = None
    if len(recalls) > 1:
        low, high = min(recalls, key=recalls.__getitem__), max(recalls, key=recalls.__getitem__)
        gap = {"gap": recalls[high] - recalls[low], "lowest": low, "highest": high}
    return {"each": each, "largest_gap": gap, "fewest_spans": FEWEST_IN_A_SLICE}


def _draw_notes(drawn: _Drawn, result: dict[str, Any], compared: Compared, clusters: Ints) -> None:
    """Intervals by patient of the figures that are counted by note."""
    by_note, gold = compared.by_note, compared.gold

    def summed(values: Any) -> Ints:
        return np.bincount(clusters, weights=values, minlength=drawn.count).astype(np.int64)

    found, missed, wrong, outside, masked = (
        summed(by_note[name].to_numpy())
        for name in ("tokens_found", "tokens_missed", "tokens_wrong", "outside", "masked_outside")
    )
    tokens = result["hipaa_tokens"]
    drawn.add_sums(tokens, "recall_95_patients", found, found + missed)
    drawn.add_sums(tokens, "precision_95_patients", found, found + wrong)
    drawn.add_sums(tokens, "f1_95_patients", 2 * found, 2 * found + missed + wrong)
    drawn.add_sums(result["over_masking"], "share_95_patients", masked, outside)
    ones = np.bincount(clusters, minlength=drawn.count)
    at, left = gold["note"].to_numpy(), ~gold["full"].to_numpy()
    for kind, chosen in (("any", left), ("direct", left & gold["identifier"].is_in(list(DIRECT)).to_numpy())):
        leaking = (np.bincount(at[chosen], minlength=len(clusters)) > 0).astype(np.int64)
        drawn.add_sums(result["leaks"][f"notes_with_{kind}_leak"], "share_95_patients", summed(leaking), ones)
