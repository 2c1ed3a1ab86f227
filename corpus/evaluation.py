"""Evaluation sets on their way to the contamination stage, and what the stage found, set by set, for the manifest.

Items lie in one file of the PHI zone (a held-out note is a note), whose digest is part of the stage's key: another set, or
another item in one, runs the last segment again and nothing before it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from clinicorpus_errors import UserError
from corpus.recipe import EvaluationSet
from corpus.runner import ShardState, code_digest, finish, read_record
from corpus.stage import Json
from dedupe.contamination import ContaminationParams, index
from manifests.canonical import canonical, sha256_bytes, sha256_file


class Kind(NamedTuple):
    """Fields an item must have, the first of which is its first part, and fields that are parts where they are there."""

    must: tuple[str, ...]
    may: tuple[str, ...] = ()


KINDS = {
    "multiple_choice": Kind(("question", "options"), ("context",)),
    "questions": Kind(("question",), ("context", "answer")),
    "summaries": Kind(("source", "summary")),
    "notes": Kind(("text",)),
}


class Items(NamedTuple):
    """table: file of all items, with its digest. counts: of each set sha256, items and how many of them are too short to be
    told; None where its file is absent."""

    table: tuple[Path, str]
    counts: dict[str, Json | None]
    used: frozenset[str]


def items_file(sets: Sequence[EvaluationSet], params: ContaminationParams, folder: Path) -> Items | None:
    """Write the items of all sets under `folder`, unless they stand there; None where the recipe names no set.

    Raises:
        UserError: a file is missing or cannot be read, a field is not there, a set has no item.
    """
    if not sets:
        return None
    counts: dict[str, Json | None] = {one.name: _digest(one) for one in sets}
    asked = [one.model_dump(mode="json", exclude={"path", "optional", "origin"}) for one in sets]
    key = sha256_bytes(
        canonical(
            {"code": code_digest("corpus.evaluation"), "sets": asked, "files": counts, "params": params.model_dump()}
        )
    )
    target = folder / "evaluation" / key[:24]

    def write(partial: Path) -> Json:
        parts = [pl.DataFrame(schema={"set": pl.String, "item": pl.String, "text": pl.String})]
        parts += [read_items(one) for one in sets if counts[one.name] is not None]
        table = pl.concat(parts)
        table.write_parquet(partial / "items.parquet")
        sizes = index(table, params).names.group_by("set").agg(pl.len(), short=(~pl.col("checkable")).sum()).sort("set")
        return {"items": {name: {"items": size, "too_short": short} for name, size, short in sizes.iter_rows()}}

    record = read_record(target, key) or finish(target, key, write)
    for name, digest in counts.items():
        if digest is not None:
            counts[name] = {**digest, **record["items"][name]}
    return Items((target / "items.parquet", record["files"]["items.parquet"]), counts, frozenset({target.name}))


def _digest(one: EvaluationSet) -> Json | None:
    if one.path.is_file():
        return {"sha256": sha256_file(one.path)}
    if one.optional and not one.path.exists():
        return None
    raise UserError(
        "an evaluation set of the recipe is missing", value=f"{one.name}: {one.path}",
        cause="it is a folder" if one.path.is_dir() else None, next="correct evaluation.path, or mark it optional: true",
    )  # fmt: skip


def read_items(one: EvaluationSet) -> pl.DataFrame:
    """`set`, `item`, `text`: a row for each part of each item, the first part first.

    Raises:
        UserError: the file cannot be read, a field is not there, or no item is left.
    """
    kind = KINDS[one.kind]
    known = (*kind.must, *kind.may)
    if unknown := sorted(set(one.fields) - set(known)):
        raise UserError(
            "evaluation.fields names fields that this kind does not have", value=f"{one.name}: {', '.join(unknown)}",
            cause=f"{one.kind} has {', '.join(known)}", next="correct evaluation.fields",
        )  # fmt: skip
    rows: list[tuple[str, str, str]] = []
    seen: dict[str, int] = {}
    missing, skipped = dict.fromkeys(kind.must, 0), 0
    for number, record in enumerate(_records(one), 1):
        if any(str(record.get(field)) not in values for field, values in one.only.items()):
            skipped += 1
            continue
        parts = [(field, list(_texts(record.get(one.fields.get(field, field))))) for field in known]
        for field, texts in parts:
            if field in missing and not texts:
                missing[field] += 1
        name = str(record.get("id") or record.get("note_id") or number)
        seen[name] = seen.get(name, 0) + 1
        name = name if seen[name] == 1 else f"{name}#{seen[name]}"
        first, others = parts[0][1] or [""], [text for _, texts in parts[1:] for text in texts]
        rows += [(one.name, name, text) for text in (*first, *others)]
    taken = sum(seen.values())
    if not taken:
        raise UserError(
            "an evaluation set has no items", value=one.name,
            cause=f"evaluation.only passes over all {skipped} of them" if skipped else "the file is empty",
            next="correct evaluation.only" if skipped else "correct evaluation.path",
        )  # fmt: skip
    # A mistyped field would mean: nothing was looked for, and every set is clean.
    if absent := [field for field, count in missing.items() if count == taken]:
        raise UserError(
            "no item of an evaluation set has this field", value=f"{one.name}: {', '.join(absent)}",
            cause=f"{one.kind} has {', '.join(known)}", next="name theirs in evaluation.fields, for example {text: note}",
        )  # fmt: skip
    return pl.DataFrame(rows, schema={"set": pl.String, "item": pl.String, "text": pl.String}, orient="row")


def _texts(value: Any) -> Iterator[str]:
    """The texts of a field: a string, or the entries of a list or mapping (options, by letter)."""
    if isinstance(value, dict):
        value = list(value.values())
    for text in value if isinstance(value, list) else [value]:
        if text is not None and str(text).strip():
            yield str(text)


def _records(one: EvaluationSet) -> Iterator[dict[str, Any]]:
    """Rows of the file as mappings. A line that cannot be read stops: an item nobody looks for is not clean."""
    name = one.path.name.lower()
    try:
        if name.endswith((".parquet", ".pq")):
            yield from pl.read_parquet(one.path).iter_rows(named=True)
            return
        data = one.path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
        if name.removesuffix(".gz").endswith(".csv"):
            yield from pl.read_csv(text.encode(), infer_schema=False).iter_rows(named=True)
            return
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise UserError(
            "an evaluation set cannot be read", value=f"{one.name}: {type(error).__name__}",
            cause="a broken copy, or another format than its name says (.jsonl, .csv, .parquet)", next="copy it again",
        ) from None  # fmt: skip
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise UserError(
                "a line of an evaluation set is no JSON object", value=f"{one.name}, line {number}",
                cause="JSON lines are expected: one object a line", next="correct the file",
            )  # fmt: skip
        yield row


def report(sets: Sequence[EvaluationSet], counts: dict[str, Json | None], states: Sequence[ShardState]) -> list[Json]:
    """Entries of the manifest: of each set, whether it is clean, and how many items stood in how many records."""
    paths = [p for s in states for f in s.folders if (p := f / "findings-contamination.parquet").is_file()]
    found = pl.concat([pl.read_parquet(p) for p in paths]) if paths else None
    return [
        {
            "what": "contamination", "gold": one.name, "origin": one.origin,
            "figures": _figures(counts[one.name], found.filter(pl.col("set") == one.name) if found is not None else None),
        }
        for one in sets
    ]  # fmt: skip


def _figures(counted: Json | None, found: pl.DataFrame | None) -> Json:
    if counted is None:
        return {"measured": False, "cause": "file is absent"}
    if found is None or not found.height:
        held = near = pl.DataFrame(
            schema={"record": pl.String, "item": pl.String, "product": pl.String, "action": pl.String}
        )
        closest = None
    else:
        held, near = found.filter("held"), found.filter(~pl.col("held"))
        closest = near["coverage"].max() if near.height else None
    figures: Json = {
        "clean": held.height == 0,
        "items": counted["items"],
        "too_short_to_tell": counted["too_short"],
        "items_found": held["item"].n_unique(),
        "closest_not_found": closest,
    }
    for product, name in (("note", "notes"), ("instruct", "instruction_records")):
        ours = held.filter(pl.col("product") == product).unique("record")
        figures[f"{name}_with_items"] = ours.height
        for action in ("dropped", "trimmed"):
            if count := ours.filter(pl.col("action") == action).height:
                figures[f"{name}_{action}"] = count
    return figures
