"""Notes and instruction records that hold an item of an evaluation set the recipe names: dropped, trimmed or reported.

Goes last, on the very text that is released: surrogates and years are in it, and the instruction records are made. All
splits are treated alike, for validation chooses a model, and a membership audit needs non-members that differ from members
in nothing else. What holds an item, and where n and the share come from: dedupe/contamination.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import Field

from corpus.keys import Keys
from corpus.stage import Outcome, StageParams
from corpus.stages._cuts import changed
from dedupe.contamination import ContaminationParams, Index, find, index, passages
from dedupe.edits import Edit, edits, rewritten

NAME = "contamination"
SCOPE = "note"
READS = ("text", "copied")
WRITES = ("text", "copied")
LIBRARIES = ()
KEEP = False

HELD, REST, PARENT = "contamination.item", "contamination.rest", "contamination.parent"
FINDINGS = {
    "record": pl.String, "product": pl.String, "set": pl.String, "item": pl.String, "coverage": pl.Float64,
    "tokens": pl.Int64, "held": pl.Boolean, "action": pl.String,
}  # fmt: skip
DROPS = {
    "record": pl.String, "reason": pl.String, "similarity": pl.Float64, "item": pl.String, "parent": pl.String,
}  # fmt: skip


class Params(StageParams):
    policy: Literal["drop", "trim", "report"] = "drop"
    """What becomes of a note that holds an item: it goes, the passage goes, or it is only told. Instruction records that hold
    one go in either case: a question without its half teaches nothing."""
    ngram: int = Field(default=8, ge=4, le=64)
    """Tokens in a row that a record and an item must share to count."""
    share: float = Field(default=0.8, gt=0, le=1)
    """Share of a question, option, summary or note that must stand in such n-grams."""
    min_tokens: int = Field(default=13, ge=4)
    """Tokens that must be found; a shorter question counts with its options only."""
    gap: int = Field(default=4, ge=0)
    """Tokens between two shared n-grams that count as found: a masked name, a typing error."""
    min_words_left: int = Field(default=20, ge=1)
    """A note that trimming leaves with fewer words goes."""


def room(params: StageParams) -> ContaminationParams:
    """The parameters as the room `dedupe` names them."""
    return ContaminationParams(**params.model_dump(exclude={"policy", "min_words_left"}))


def load(params: Params, keys: Keys, table: Path | None = None) -> Index | None:
    """The items of all evaluation sets, indexed; None where the recipe names none."""
    if table is None:
        return None
    return index(pl.read_parquet(table), room(params))


def apply(batch: pl.DataFrame, params: Params, resources: Index | None) -> Outcome:
    """Find items in the notes and do with them what the policy says."""
    if resources is None:
        return Outcome(batch)
    found = _found(batch["record"], batch["text"], resources)
    held = found.filter("held")
    texts = dict(batch.join(held, on="record", how="semi").select("record", "text").iter_rows())
    drops = []
    trimmed: dict[str, list[Edit]] = {}
    for (record,), named in sorted(held.group_by("record"), key=lambda group: str(group[0])):
        text, reason = texts[str(record)], HELD
        if params.policy == "report":
            continue
        if params.policy == "trim":
            changes = _trimmed(text, named, resources)
            reason = REST if changes else HELD
            if changes and len(rewritten(text, changes).split()) >= params.min_words_left:
                trimmed[str(record)] = changes
                continue
        best = named.row(0, named=True)
        drops.append(
            {
                "record": record, "reason": reason, "similarity": best["coverage"],
                "item": f"{best['set']}/{best['item']}", "parent": None,
            }
        )  # fmt: skip
    gone = pl.DataFrame(drops, schema=DROPS)
    kept, account = changed(batch.join(gone, on="record", how="anti", maintain_order="left"), trimmed, f"{NAME}.trim")
    actions = {**dict.fromkeys(gone["record"], "dropped"), **dict.fromkeys(trimmed, "trimmed")}
    return Outcome(kept, gone, account, findings=_findings(found, "note", actions))


def screen(created: pl.DataFrame, outcome: Outcome, params: Params, resources: Index | None) -> Outcome:
    """The same for records that were made from the notes: one that holds an item goes, and so do those of a note that went."""
    if resources is None:
        return Outcome(created)
    found = _found(created["record"], created["prompt"] + "\n" + created["completion"], resources)
    if params.policy == "report":
        return Outcome(created, findings=_findings(found, "instruct", {}))
    best = found.filter("held").unique("record", keep="first", maintain_order=True)
    lost = outcome.drops if outcome.drops is not None else pl.DataFrame(schema=DROPS)
    gone = (
        created.select("record", "parent")
        .join(best.select("record", "coverage", item=pl.col("set") + "/" + pl.col("item")), on="record", how="left")
        .join(lost.select(parent="record", _of="item"), on="parent", how="left")
        .filter(pl.col("coverage").is_not_null() | pl.col("_of").is_not_null())
        .select(
            "record", reason=pl.when(pl.col("coverage").is_not_null()).then(pl.lit(HELD)).otherwise(pl.lit(PARENT)),
            similarity="coverage", item=pl.coalesce("item", "_of"), parent="parent",
        )
    )  # fmt: skip
    kept = created.join(gone, on="record", how="anti")
    return Outcome(kept, gone, findings=_findings(found, "instruct", dict.fromkeys(gone["record"], "dropped")))


def _found(records: pl.Series, texts: pl.Series, items: Index) -> pl.DataFrame:
    found = find(texts, items)
    return found.with_columns(record=records.gather(found["row"])).drop("row")


def _trimmed(text: str, named: pl.DataFrame, items: Index) -> list[Edit]:
    """What to take out of the note; nothing where that cannot be told, or where an item still stands in what is left."""
    changes = edits(text, passages(text, named, items) or [])
    return [] if find(pl.Series([rewritten(text, changes)]), items)["held"].any() else changes


def _findings(found: pl.DataFrame, product: str, actions: dict[str, str]) -> pl.DataFrame:
    done = pl.DataFrame(
        {"record": list(actions), "action": list(actions.values())}, schema={"record": pl.String, "action": pl.String}
    )
    told = found.with_columns(product=pl.lit(product)).join(done, on="record", how="left")
    return told.select(pl.col(name).cast(dtype) for name, dtype in FINDINGS.items()).sort("record", "set", "item")
