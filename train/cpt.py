"""Continued pretraining: every token of whole notes, packed without cutting any off and without mixing them.

What an epoch holds follows `train.mixture`, how rows come about `train.packing`. Tokens of an epoch are those of the
manifest, one end token a document (and the begin token of tokenizers that put one); loss tokens are these less one a
segment. Both are checked before training, and again against what went through the model. NEFTune is off here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

import manifests
from clinicorpus_errors import UserError
from train import adapters, base_model, hardware, measure, mixture, packing, trainer
from train.bound_corpus import BoundCorpus
from train.recipe import TrainRecipe


def take(
    texts: pl.Series, tokenizer: Any, max_tokens: int | None, order: list[int]
) -> tuple[list[list[int]], list[int]]:
    """Documents in `order`, tokenised, each with its end token, until the next would pass `max_tokens`.

    At least one is taken. Returns (token ids, positions taken).
    """
    taken: list[list[int]] = []
    total = 0
    for index in order:
        ids = [*measure.encode(tokenizer, texts[index]), tokenizer.eos_token_id]
        if taken and max_tokens is not None and total + len(ids) > max_tokens:
            break
        taken.append(ids)
        total += len(ids)
    return taken, order[: len(taken)]


def check_counts(
    documents: list[list[int]], frame: pl.DataFrame, taken: list[int], tokenizer: Any, corpus: BoundCorpus, base: str
) -> dict[str, Any]:
    """Figures of the tokens taken. Where the corpus was counted by this very tokenizer, its count must hold.

    Raises UserError if a note has other tokens than the corpus says: the tokenizer has changed since.
    """
    tokens = sum(map(len, documents))
    begins = sum(ids[0] == tokenizer.bos_token_id for ids in documents if len(ids) > 1)
    counted = int(frame["tokens"].gather(taken).sum())
    same = _same_tokenizer(tokenizer, corpus, base)
    if same and counted != tokens - len(documents) - begins:
        raise UserError(
            "the corpus counts other tokens than the model's tokenizer gives",
            value=f"{counted} in the corpus, {tokens - len(documents) - begins} now",
            cause="the tokenizer or the library under it has changed since the corpus was built",
            next="make corpus",
        )
    return {
        "documents_taken": len(documents),
        "documents_left": len(frame) - len(documents),
        "end_tokens": len(documents),
        "begin_tokens": begins,
        "tokens_in": tokens,
        "tokens_in_manifest": counted if same else None,
    }


def _same_tokenizer(tokenizer: Any, corpus: BoundCorpus, base: str) -> bool:
    name, digest = corpus.tokenizer
    if name == "smollm2":
        return base == base_model.SMOLLM2
    path = Path(tokenizer.name_or_path) / "tokenizer.json"
    return path.is_file() and manifests.sha256_file(path) == digest


def notes(corpus: BoundCorpus, recipe: TrainRecipe) -> pl.DataFrame:
    """The notes that may be trained on, sorted by record."""
    part = recipe.cpt
    columns = ["record", "text", "tokens", "note_type", *part.where]
    columns += [c.removeprefix("-") for c in (part.quality.by if part.quality else "", part.curriculum or "") if c]
    frame = corpus.read("pretrain", "train", list(dict.fromkeys(columns)))
    return mixture.best(mixture.matching(frame, part, "cpt"), part.quality)


def epochs(
    tokenizer: Any, corpus: BoundCorpus, recipe: TrainRecipe, root: Path, frame: pl.DataFrame
) -> tuple[list[Any], dict[str, Any]]:
    """Packed rows of each epoch that differs, and the figures of the first. See `train.mixture`."""
    part = recipe.cpt
    replayed = None
    if part.replay:
        measured = measure.general_text(recipe.evaluate.general_text, root, limit=None)
        texts = mixture.replay_texts(part.replay, root, measured, recipe.seed)
        replayed = ([*measure.encode(tokenizer, text), tokenizer.eos_token_id] for text in texts)
    rows: list[Any] = []
    data: dict[str, Any] = {}
    for number in range(math.ceil(part.epochs) if part.resample else 1):
        order = mixture.order(frame, part, recipe.seed + number)
        documents, taken = take(frame["text"], tokenizer, part.max_tokens, order)
        figures = check_counts(documents, frame, taken, tokenizer, corpus, recipe.base)
        figures["token_shares"] = trainer.shares(frame["note_type"].gather(taken).to_list(), documents)
        if part.replay and replayed is not None:
            share = part.replay.share
            drawn = mixture.draw(replayed, share / (1 - share) * figures["tokens_in"])
            tokens = sum(map(len, drawn))
            figures["replay"] = {
                "documents": len(drawn), "tokens": tokens, "share": round(tokens / (tokens + figures["tokens_in"]), 4)
            }  # fmt: skip
            documents = mixture.spread(documents, drawn)
        rows.append(packing.pack(documents, part.max_length))
        data = data or figures | {"packing": packing.figures(rows[0], part.max_length)}
    return rows, data | {"epochs_drawn": len(rows)}


def train_cpt(
    model: Any,
    tokenizer: Any,
    corpus: BoundCorpus,
    recipe: TrainRecipe,
    machine: hardware.Hardware,
    out: Path,
    root: Path = Path(),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train `model` in place on the corpus' pretraining texts. Returns (data figures, run record)."""
    part = recipe.cpt
    frame = notes(corpus, recipe)
    each, data = epochs(tokenizer, corpus, recipe, root, frame)
    rows = packing.in_order(each, part.epochs, recipe.seed, shuffle=part.curriculum is None)
    args = trainer.settings(
        part, recipe.seed, out, machine, rows=len(rows), every=recipe.evaluate.every,
        report_to=recipe.report_to,
        packing=True, packing_strategy="bfd_split",
        # Packed rows hold no padding. `non_padding` would leave out the end tokens where pad is the end token.
        include_num_input_tokens_seen="all",
    )  # fmt: skip
    sets = eval_sets(tokenizer, corpus, recipe, root) if recipe.evaluate.every else None

    def by_record() -> Iterator[tuple[str, list[int]]]:
        for record, text in frame.select("record", "text").iter_rows():
            yield record, [*measure.encode(tokenizer, text), tokenizer.eos_token_id]

    run = trainer.train(
        model, tokenizer, rows, args, "cpt", machine, recipe.checkpoints, by_record, eval_sets=sets,
        optimizer=adapters.optimizer(model, part), forget=recipe.evaluate.forgetting,
    )  # fmt: skip
    return data, run | {"epochs": trainer.passes(run["steps"], args, len(rows), part.epochs)}


def eval_sets(tokenizer: Any, corpus: BoundCorpus, recipe: TrainRecipe, root: Path) -> dict[str, Any]:
    """Packed rows of validation patients' notes and of general text: losses while training."""
    want = recipe.evaluate
    texts = {
        "clinical": measure.within(corpus.read("pretrain", "validation", ["record", "text"]), want.heldout_bytes),
        "general": [measure.general_text(want.general_text, root, limit=want.general_bytes)],
    }
    return {
        what: packing.pack(
            [[*measure.encode(tokenizer, t), tokenizer.eos_token_id] for t in each], recipe.cpt.max_length
        )
        for what, each in texts.items()
    }
