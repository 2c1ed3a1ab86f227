"""What the card and the report share: the template engine and figures as rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from manifests.corpus_manifest import CorpusManifest

TEMPLATES = Path(__file__).parent / "templates"


def engine(*, html: bool) -> Environment:
    """Templates of this room; an unknown field is an error, not an empty cell."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=html, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.globals |= {
        "figure": figure, "flat": flat, "percent": percent, "interval": interval, "deid_rows": deid_rows,
        "deid_tables": deid_tables, "check_line": check_line, "redundancy": redundancy,
    }  # fmt: skip
    return environment


def svg(chart: Any) -> str:
    """An altair chart as SVG text, the same for the same chart."""
    import vl_convert

    text = str(vl_convert.vegalite_to_svg(chart.to_json()))
    # Clip paths are numbered on through a process; numbered anew, the same manifest always gives the same page.
    numbers: dict[str, str] = {}
    return re.sub(r"\bclip\d+\b", lambda found: numbers.setdefault(found[0], f"clip{len(numbers) + 1}"), text)


def figure(value: Any) -> str:
    """A figure as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return " – ".join(figure(item) for item in value)
    return str(value)


def percent(value: float | None) -> str:
    """A share as a percentage with up to two decimals; only nothing is 0% and only all is 100%."""
    if value is None:
        return "–"
    if 0 < value < 0.00005:
        return "<0.01%"
    if 0.99995 < value < 1:
        return ">99.99%"
    return f"{100 * value:.2f}".rstrip("0").rstrip(".") + "%"


def interval(value: list[float] | None) -> str:
    """Two bounds of a share."""
    return f"{value[0]:.4f} – {value[1]:.4f}" if value else "–"


def flat(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested figures as (name, value) rows."""
    rows: list[tuple[str, str]] = []
    for name, value in figures.items():
        title = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, dict):
            rows += flat(value, f"{title} · ")
        else:
            rows.append((title, figure(value)))
    return rows


class DeidRow(NamedTuple):
    """One identifier of a de-identification measurement."""

    name: str
    safe_harbor: str
    gold: Any
    recall: float | None
    interval: list[float] | None
    any_cover: float | None
    strict: float | None
    precision: float | None
    claim: str
    """Whether a recall of 0.99 is shown: yes, no, or how many more examples that takes (insufficient evidence)."""


def deid_rows(figures: dict[str, Any]) -> list[DeidRow]:
    """`overall` and each identifier, also of manifests whose measurements had fewer figures."""
    rows = []
    pooled = figures.get("identifiers_pooled")
    named = [("all", figures["overall"]), *figures["identifiers"].items()]
    for name, s in [*named, *([(", ".join(pooled["of"]), pooled)] if pooled else [])]:
        claim = s.get("claim") or {}
        told = {"shown": "yes", "not reached": "no"}.get(claim.get("verdict", ""), "–")
        if claim.get("verdict") == "insufficient evidence":
            told = f"+{claim['missing']:,}"
        rows.append(
            DeidRow(
                name, s.get("safe_harbor", ""), s["gold"], s["full_cover_recall"],
                s["full_cover_recall_95"] if s["gold"] else None, s["any_cover_recall"], s.get("strict_recall"),
                s["precision"], told,
            )
        )  # fmt: skip
    return rows


class Table(NamedTuple):
    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""


def deid_tables(figures: dict[str, Any]) -> list[Table]:
    """What is left of a de-identification measurement beside its table of identifiers: leaks first."""
    leaks = figures["leaks"]
    rows = []
    for what in ("notes", "patients"):
        for kind, told in (("direct", "a direct identifier"), ("any", "any identifier")):
            if rate := leaks.get(f"{what}_with_{kind}_leak"):
                rows.append(
                    [f"{what} with {told} left", f"{rate['leaking']:,} of {rate[what]:,}", percent(rate["share"]),
                     f"at most {percent(rate['upper_95'])}"]
                )  # fmt: skip
    tables = [Table("What is left", ["", "count", "share", "95% bound"], rows)]
    rows = []
    for key, title in (("strict_spans", "strict spans"), ("relaxed_spans", "relaxed spans"), ("hipaa_tokens", "tokens of HIPAA classes")):  # fmt: skip
        if part := figures.get(key):
            rows.append([title, *(figure(part[name]) for name in ("recall", "precision", "f1"))])
    if rows:
        note = "Strict: exact offsets and class. Relaxed: the end may differ by 2. Tokens without clinicians and facilities."
        tables.append(Table("For comparison with i2b2/UTHealth 2014", ["", "recall", "precision", "F1"], rows, note))
    if entities := figures.get("entities"):
        named = [("all", entities["overall"]), ("in more than one note", entities["in_more_than_one_note"])]
        tables.append(
            Table(
                "All mentions of one entity in a patient's notes", ["", "entities", "all masked", "95% interval"],
                [
                    [name, figure(e["entities"]), figure(e["recall"]), interval(e["recall_95"] if e["entities"] else None)]
                    for name, e in [*named, *entities["identifiers"].items()]
                ],
            )
        )  # fmt: skip
    over = figures["over_masking"]
    rows = [["letters and digits outside gold", f"{over['characters_outside_gold']:,}", percent(over["share"])]]
    if (free := over.get("notes_without_gold")) and free["notes"]:
        rows.append(["notes without any identifier, touched", f"{free['notes']:,}", percent(free["share"])])
    tables.append(Table("Harmless text that was masked", ["", "of", "masked"], rows))
    kinds = (figures.get("slices") or {}).get("kind")
    if kinds and kinds["each"]:
        gap = kinds["largest_gap"]
        note = f"Kinds with {kinds['fewest_spans']} spans or more"
        note += (
            f": recall differs by {gap['gap']:.4f} at most, between {gap['lowest']} and {gap['highest']}."
            if gap
            else ": fewer than two, so no gap is told."
        )
        tables.append(
            Table(
                "By kind of note", ["kind", "notes", "in gold", "fully masked", "95% interval"],
                [
                    [name, figure(k["notes"]), figure(k["gold"]), figure(k["full_cover_recall"]),
                     interval(k["full_cover_recall_95"] if k["gold"] else None)]
                    for name, k in kinds["each"].items()
                ],
                note,
            )
        )  # fmt: skip
    return tables


def detected(manifest: CorpusManifest) -> dict[str, dict[str, str]]:
    """What detection counted: `rules`, and what is flagged for `review`; empty in versions that did not count it."""
    details = next((stage.details for stage in manifest.stages if stage.name == "deid.detect"), {})
    return {name: dict(details.get(name, {})) for name in ("rules", "review")}


def redundancy(manifest: CorpusManifest) -> list[Table]:
    """What stood in an earlier note of the same patient, by type of note, role of the author and year; none if not counted."""
    details = next((stage.details for stage in manifest.stages if stage.name == "dedupe.copy_forward"), {})
    counted = details.get("redundancy", {})
    tables = {"": {"all notes": counted["all"]} if counted.get("all") else {}}
    tables |= {name: counted.get(name, {}) for name in ("note_type", "author_role", "year")}
    return [
        Table(
            name.replace("_", " "), [name.replace("_", " "), "words", "copied", "copied, but stay", "changed"],
            [
                [value, figure(row["words"]), *(percent(row[part]) for part in ("copied", "exempt", "changed"))]
                for value, row in sorted(table.items())
            ],
        )
        for name, table in tables.items()
        if table
    ]  # fmt: skip


def check_line(what: str, figures: dict[str, Any]) -> str | None:
    """A selfcheck, an attack or a search for evaluation items in one line; None for other measurements."""
    if what == "contamination":
        return _contamination(figures)
    if what not in ("selfcheck", "attack"):
        return None
    if figures.get("measured") is False:
        return f"Not measured: {figures['cause']}."
    sample = figures.get("sample", {})
    drawn = f"{figure(figures['notes'])} notes"
    if sample.get("patients") is not None:
        drawn += f" of {figure(sample['patients'])} patients"
    if sample and sample["notes"] != sample["of_notes"]:
        drawn += f", drawn from {figure(sample['of_notes'])} notes"
    return f"{_selfcheck(figures) if what == 'selfcheck' else _attack(figures)} ({drawn})."


def _contamination(figures: dict[str, Any]) -> str:
    if figures.get("measured") is False:
        return f"Not measured: {figures['cause']}."
    told = figures["items"] - figures["too_short_to_tell"]
    short = (
        f" ({figure(figures['too_short_to_tell'])} more are too short to tell)" if figures["too_short_to_tell"] else ""
    )
    if figures["clean"]:
        near = figures["closest_not_found"]
        closest = f"; the closest is there to {percent(near)}" if near else ""
        return f"Clean: of {figure(told)} items{short} none stands in a record{closest}."
    parts = []
    for product in ("notes", "instruction_records"):
        done = [f"{figure(n)} {act}" for act in ("dropped", "trimmed") if (n := figures.get(f"{product}_{act}"))]
        parts.append(f"{figure(figures[f'{product}_with_items'])} {product.replace('_', ' ')} ({', '.join(done) or 'left as they are'})")  # fmt: skip
    return f"Not clean: {figure(figures['items_found'])} of {figure(told)} items{short} stood in {' and '.join(parts)}."


def _selfcheck(figures: dict[str, Any]) -> str:
    known, leak = figures["overall"], figures["leaks"]["patients_with_direct_leak"]
    if not known["places"]:
        return "No value of the patient table stands in the notes"
    bounds = interval(known["recall_95_patients"] or known["recall_95"])
    return (
        f"Without the patient table, detection masks {percent(known['recall'])} of {figure(known['places'])} places of its values "
        f"(95%: {bounds}); a direct identifier of the table is left of {percent(leak['share'])} of patients, at most "
        f"{percent(leak['upper_95'])}"
    )


def _attack(figures: dict[str, Any]) -> str:
    parts = []
    if left := figures["left"]:
        row = left["direct"]["patients"]
        parts.append(
            f"a direct identifier of the patient table is left of {percent(row['share'])} of patients, at most {percent(row['upper_95'])}"
        )
    dates = figures["dates"]
    parts.append(
        f"dates in full are left of {figure(dates['patients_with_dates_in_full'])}, and the shift is given away of "
        f"{percent(dates['shift_inferred']['share'])}"
    )
    rare = figures["rare_names"]
    if known := rare.get("patients_real"):
        parts.append(f"a rare name that is theirs is left of {percent(known['share'])}")
    else:
        parts.append(f"what looks like a rare name is left of {percent(rare['patients']['share'])}")
    if linking := figures["linking"]:
        row = linking["names_and_numbers"]
        if row["rank1"] is not None:
            parts.append(
                f"by names and numbers the nearest note is of the same patient in {percent(row['rank1'])} (chance {percent(row['chance'])})"
            )
    told = "; ".join(parts)
    return told[0].upper() + told[1:]
