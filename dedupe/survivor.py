"""Which of several notes with the same text is kept: the rule that `exact` and `near` share.

A frame of notes has `note_id` (text or integer, unique) and any of the columns in `POLICY_COLUMNS`. What is missing
or null does not decide. Best first:

1. signed before unsigned (`status` "preliminary" is unsigned; no status counts as signed);
2. fewest later versions of the same document: nothing present amends it, directly or through a chain;
3. latest `signed_at` (compared as ISO 8601 text; none is last);
4. longest (`n_chars`);
5. lowest `note_id`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import TypeVar

import polars as pl

from clinicorpus_errors import UserError

Key = TypeVar("Key", str, int)

POLICY_COLUMNS = ("patient_id", "charted_at", "signed_at", "status", "amends", "n_chars")


def policy_columns(frame: pl.DataFrame) -> list[str]:
    """Columns of `POLICY_COLUMNS` that `frame` has, in their fixed order."""
    return [name for name in POLICY_COLUMNS if name in frame.columns]


def check_notes(frame: pl.DataFrame, required: Iterable[str]) -> None:
    """Raise UserError unless `frame` has `required` columns and one row for each `note_id`."""
    missing = [name for name in ("note_id", *required) if name not in frame.columns]
    if missing:
        raise UserError(
            "columns are missing",
            value=", ".join(missing),
            cause="note_id and text are the two columns every note needs",
            next="rename the columns of the input",
        )
    ids = frame["note_id"]
    if not (ids.dtype in (pl.String, pl.Null) or ids.dtype.is_integer()):
        raise UserError("note_id must be text or an integer", value=ids.dtype, next="cast the column")
    if ids.null_count() or ids.n_unique() < len(ids):
        raise UserError(
            "note_id is empty or repeated on this many rows",
            value=len(ids) - ids.drop_nulls().n_unique(),
            cause="two files were joined, or the id is one of the visit, not of the note",
            next="give each note an id of its own",
        )
    if "amends" in frame.columns and frame["amends"].dtype not in (ids.dtype, pl.Null):
        raise UserError("amends must be of the same type as note_id", value=frame["amends"].dtype, next="cast it")


def ranked(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` in the order of the rule, best first, with the columns `row` (its position before) and `document`.

    `document` is the smallest id among a note's versions, and null for a note that has no other version. The versions
    of a document are the notes that `amends` joins, present or not.
    """
    amends = _amends(frame)
    later = later_versions(frame)
    root = components(amends.items())
    ids = frame["note_id"].to_list() if amends else []
    versions = pl.DataFrame(
        {"note_id": ids, "later": [later.get(i, 0) for i in ids], "document": [root.get(i) for i in ids]},
        schema={"note_id": frame["note_id"].dtype, "later": pl.UInt32, "document": frame["note_id"].dtype},
    )
    unsigned = pl.col("status").eq("preliminary").fill_null(False) if "status" in frame.columns else pl.lit(False)
    return (
        frame.with_row_index("row")
        .join(versions, on="note_id", how="left", maintain_order="left")
        .with_columns(unsigned.alias("unsigned"), pl.col("later").fill_null(0))
        .with_columns(pl.lit(None, pl.String).alias(name) for name in ("signed_at",) if name not in frame.columns)
        .with_columns(pl.lit(0).alias(name) for name in ("n_chars",) if name not in frame.columns)
        .sort(
            "unsigned",
            "later",
            "signed_at",
            "n_chars",
            "note_id",
            descending=[False, False, True, True, False],
            nulls_last=True,
        )
        .select(*frame.columns, "row", "document")
    )


def components(pairs: Iterable[tuple[Key, Key]]) -> dict[Key, Key]:
    """Connected components of a graph: each node of `pairs` with the smallest node it is joined to."""
    parent: dict[Key, Key] = {}

    def find(node: Key) -> Key:
        root = node
        while parent.setdefault(root, root) != root:
            root = parent[root]
        while parent[node] != root:
            parent[node], node = root, parent[node]
        return root

    for a, b in pairs:
        low, high = sorted((find(a), find(b)))
        parent[high] = low
    return {node: find(node) for node in parent}


def _amends(frame: pl.DataFrame) -> dict:
    if "amends" not in frame.columns or frame["amends"].dtype == pl.Null:
        return {}
    return dict(frame.filter(pl.col("amends").is_not_null()).select("note_id", "amends").iter_rows())


def later_versions(frame: pl.DataFrame) -> dict:
    """Length of the longest chain of notes that amend each amended note; notes in a cycle keep what leads into it."""
    amends = _amends(frame)
    later: dict = {}
    waiting = Counter(amends.values())
    ready = deque(note for note in amends if note not in waiting)
    while ready:
        note = ready.popleft()
        if note not in amends:
            continue
        amended = amends[note]
        later[amended] = max(later.get(amended, 0), later.get(note, 0) + 1)
        waiting[amended] -= 1
        if waiting[amended] == 0:
            ready.append(amended)
    return later


def mended(frame: pl.DataFrame, dropped: pl.DataFrame) -> pl.DataFrame:
    """New `amends` for the notes that stay and amend a dropped one, so that no chain of versions breaks.

    A note that amended a copy amends the note kept for the copy, if that is of the same patient and no later version of
    the note itself; else what the copy amended; else nothing.

    Args:
        frame: `note_id`, and `amends` and `patient_id` where they are known.
        dropped: `note_id`, `kept_id`.

    Returns:
        `note_id`, `amends` of the notes for which it changes, by `note_id`.
    """
    amends, keeper = _amends(frame), dict(dropped.select("note_id", "kept_id").iter_rows())
    patient = dict(frame.select("note_id", "patient_id").iter_rows()) if "patient_id" in frame.columns else {}

    def leads(start: Key | None, end: Key) -> bool:
        seen: set = set()
        while start is not None and start not in seen and start != end:
            seen.add(start)
            start = amends.get(start)
        return start == end

    rows = []
    for note, target in amends.items():
        if note in keeper or target not in keeper:
            continue
        seen = {note}
        while target in keeper and target not in seen:
            seen.add(target)
            kept = keeper[target]
            same = patient.get(kept) == patient.get(note) and not leads(kept, note)
            target = kept if same else amends.get(target)
        rows.append((note, None if target in seen else target))
    schema = {"note_id": frame["note_id"].dtype, "amends": frame["note_id"].dtype}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("note_id")
