"""Rows of whole documents that do not read one another, no token lost.

TRL's default packing (`bfd`) throws away what does not fit a row; a user of it lost 99.8 % of the tokens (trl #5076).
`bfd_split` keeps all of them: a document longer than a row goes on in another one. Attention, positions and NEFTune's
noise stay inside each piece. Packed here rather than inside SFTTrainer, so that each epoch is packed by itself and what
came out is checked before a step is made.
"""

from __future__ import annotations

import inspect
import math
import random
from typing import Any

from clinicorpus_errors import UserError


def map_batch() -> int:
    """Documents that TRL packs at a time: the default of datasets' map. Another size gives other rows."""
    from datasets import Dataset

    return int(inspect.signature(Dataset.map).parameters["batch_size"].default)


def pack(documents: list[list[int]], max_length: int, *, labels: list[list[int]] | None = None) -> Any:
    """Dataset of rows of at most `max_length` tokens: input_ids, labels where given, seq_lengths.

    Rows stand as TRL leaves them, inside each batch of `map_batch()` documents by falling length.
    Raises UserError if a token is lost or made up.
    """
    from datasets import Dataset
    from trl import pack_dataset

    columns = {"input_ids": documents} | ({"labels": labels} if labels is not None else {})
    rows = pack_dataset(Dataset.from_dict(columns), max_length, "bfd_split", {"keep_in_memory": True})
    check(rows, sum(map(len, documents)))
    return rows


def check(rows: Any, tokens_in: int) -> None:
    """Raises UserError if packed rows hold other than `tokens_in` tokens."""
    tokens = sum(map(len, rows["input_ids"]))
    if not tokens_in == tokens == sum(map(sum, rows["seq_lengths"])):
        raise UserError(
            "packing lost tokens",
            value=f"{tokens_in} in, {tokens} out",
            cause="another version of trl than the pinned one",
            next="pip install -c constraints.txt -e '.[train]'",
        )


def check_isolation(model: Any) -> None:
    """Raises UserError if `model` reads one document of a packed row through another.

    Whether it does depends on its architecture and attention kernel, and nothing else would say so: with the cache
    on, for one, transformers' mask lets packed documents read one another.
    """
    import torch

    first, second = torch.arange(3, 15), torch.arange(15, 24)
    ids = torch.cat([first, second])[None].to(model.device) % model.config.get_text_config().vocab_size
    positions = torch.cat([torch.arange(len(first)), torch.arange(len(second))])[None].to(model.device)
    bounds = torch.tensor([0, len(first), len(first) + len(second)], dtype=torch.int32, device=model.device)
    longest = {"max_length_q": len(first), "max_length_k": len(first)}
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            packed = model(
                input_ids=ids, position_ids=positions, cu_seq_lens_q=bounds, cu_seq_lens_k=bounds, **longest,
                use_cache=False,
            ).logits[0, len(first) :]  # fmt: skip
            alone = model(input_ids=ids[:, len(first) :], use_cache=False).logits[0]
    finally:
        model.train(training)
    apart = float((packed - alone).float().norm() / alone.float().norm())
    if not apart < (1e-4 if alone.dtype == torch.float32 else 2e-2):
        raise UserError(
            "this model reads packed documents through one another",
            value=f"logits differ by {apart:.1%}",
            cause="its architecture or its attention kernel does not keep packed documents apart",
            next="--set sft.packing=false; continued pretraining needs a model with sdpa or flash attention",
        )


def row_counts(rows: Any) -> tuple[list[int], list[int]]:
    """(input tokens, loss tokens) of each row. The first token of a segment is not predicted; label -100 neither."""
    packed, labelled = "seq_lengths" in rows.column_names, "labels" in rows.column_names
    inputs, losses = [], []
    if packed and not labelled:
        lengths = rows.select_columns(["seq_lengths"])["seq_lengths"]
        inputs = [sum(each) for each in lengths]
        return inputs, [total - len(each) for total, each in zip(inputs, lengths, strict=True)]
    for row in rows:
        pieces = row["seq_lengths"] if packed else [len(row["input_ids"])]
        labels = row["labels"] if labelled else row["input_ids"]
        inputs.append(sum(pieces))
        learned, begin = 0, 0
        for length in pieces:
            learned += sum(label != -100 for label in labels[begin + 1 : begin + length])
            begin += length
        losses.append(learned)
    return inputs, losses


def in_order(epochs: list[Any], passes: float, seed: int, *, shuffle: bool, group_by_length: int | None = None) -> Any:
    """Every row of the run, in the order it is trained on: `passes` epochs, the last one perhaps in part.

    `epochs` holds the rows of each epoch; where there are fewer than passes, they come again in turn. `shuffle` draws
    the order of each epoch from `seed`; `group_by_length` is the batch size for which rows of like length are put
    together. Nothing is copied: the result is a view.
    """
    import torch
    from datasets import concatenate_datasets
    from transformers.trainer_pt_utils import get_length_grouped_indices

    begins = [0]
    for rows in epochs:
        begins.append(begins[-1] + len(rows))
    lengths = [[len(ids) for ids in rows["input_ids"]] for rows in epochs] if group_by_length else []
    order: list[int] = []
    for number in range(math.ceil(passes)):
        which = number % len(epochs)
        count = len(epochs[which])
        mine = list(range(count))
        if group_by_length:
            generator = torch.Generator().manual_seed(seed + number)
            mine = get_length_grouped_indices(lengths[which], group_by_length, generator=generator)
        elif shuffle:
            random.Random(seed + number).shuffle(mine)
        share = min(1.0, passes - number)
        order += [begins[which] + i for i in mine[: math.ceil(count * share)]]
    together = epochs[0] if len(epochs) == 1 else concatenate_datasets(epochs)
    return together.select(order, keep_in_memory=True)


def figures(rows: Any, max_length: int) -> dict[str, Any]:
    """What the manifest says of the packed rows of one epoch."""
    inputs, losses = row_counts(rows)
    return {
        "strategy": "bfd_split",
        "map_batch": map_batch(),
        "rows": len(rows),
        "row_length": max_length,
        "fill": round(sum(inputs) / (len(rows) * max_length), 4),
        "segments": sum(map(len, rows["seq_lengths"])),
        "tokens": sum(inputs),
        "loss_tokens": sum(losses),
    }
