"""Continued pretraining: every token of whole notes, packed without cutting any off and without mixing them.

TRL's default packing (`bfd`) throws away what does not fit a row; a user of it lost 99.8 % of the tokens
(trl #5076). `bfd_split` keeps all of them and attention stays inside a document. NEFTune is off here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from clinicorpus_errors import UserError
from train import hardware, measure, trainer
from train.bound_corpus import BoundCorpus
from train.recipe import TrainRecipe


def order(count: int, seed: int) -> list[int]:
    """The order in which documents are taken."""
    numbers = list(range(count))
    random.Random(seed).shuffle(numbers)
    return numbers


def take(texts: pl.Series, tokenizer: Any, max_tokens: int | None, seed: int) -> tuple[list[list[int]], dict[str, int]]:
    """Documents in seeded order, tokenised, each with its end token, until the next would pass `max_tokens`.

    At least one is taken. Returns (token ids, counts).
    """
    taken: list[list[int]] = []
    total = 0
    for index in order(len(texts), seed):
        ids = [*measure.encode(tokenizer, texts[index]), tokenizer.eos_token_id]
        if taken and max_tokens is not None and total + len(ids) > max_tokens:
            break
        taken.append(ids)
        total += len(ids)
    counts = {
        "documents_taken": len(taken),
        "documents_left": len(texts) - len(taken),
        "end_tokens": len(taken),
        "tokens_in": total,
    }
    return taken, counts


def packing(rows: Any, tokens_in: int, max_length: int) -> dict[str, Any]:
    """Figures of the packed rows. Raises UserError if the packing lost or made up a token."""
    tokens = sum(len(ids) for ids in rows["input_ids"])
    segments = sum(len(lengths) for lengths in rows["seq_lengths"])
    if tokens != tokens_in or sum(map(sum, rows["seq_lengths"])) != tokens_in:
        raise UserError(
            "packing lost tokens",
            value=f"{tokens_in} in, {tokens} out",
            cause="another version of trl than the pinned one",
            next="pip install -c constraints.txt -e '.[train]'",
        )
    return {
        "strategy": "bfd_split",
        "map_batch": trainer.map_batch(),
        "rows": len(rows),
        "row_length": max_length,
        "fill": round(tokens / (len(rows) * max_length), 4),
        "segments": segments,
        "tokens": tokens,
        "loss_tokens": tokens - segments,
    }


def train_cpt(
    model: Any, tokenizer: Any, corpus: BoundCorpus, recipe: TrainRecipe, machine: hardware.Hardware, out: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train `model` in place on the corpus' pretraining texts. Returns (data figures, run record)."""
    from datasets import Dataset

    part = recipe.cpt
    frame = corpus.read("pretrain", "train", ["record", "note_type", "text"])
    documents, data = take(frame["text"], tokenizer, part.max_tokens, recipe.seed)
    kinds = frame["note_type"].gather(order(len(frame), recipe.seed)[: len(documents)])
    shares = trainer.shares(kinds.to_list(), documents)
    dataset = Dataset.from_dict({"input_ids": documents, "labels": documents})
    args = trainer.settings(
        part, recipe.seed, out, machine, rows=len(documents),
        packing=True, packing_strategy="bfd_split", completion_only_loss=False,
        # Packed rows hold no padding. `non_padding` would leave out the end tokens where pad is the end token.
        include_num_input_tokens_seen="all",
    )  # fmt: skip

    def by_record() -> Iterator[tuple[str, list[int]]]:
        for record, text in frame.select("record", "text").iter_rows():
            yield record, [*measure.encode(tokenizer, text), tokenizer.eos_token_id]

    rows, run = trainer.train(model, tokenizer, dataset, args, "cpt", machine, recipe.checkpoints, by_record)
    return {**data, "token_shares": shares, "packing": packing(rows, data["tokens_in"], part.max_length)}, run
