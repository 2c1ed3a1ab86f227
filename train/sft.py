"""Instruction tuning: conversations, loss on the assistant's words and on the token that ends its turn.

Tokenised here rather than by TRL, which cuts long conversations at the right, answer first, and does not
say how many; here they are dropped and counted. Packed or padded, no conversation reads another, and NEFTune's
noise follows the length of each (`train.neftune`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import TemplateError

from clinicorpus_errors import UserError
from train import adapters, chat, hardware, measure, mixture, packing, trainer
from train.bound_corpus import BoundCorpus
from train.recipe import InstructionTuning, TrainRecipe

EVAL_CONVERSATIONS = 50
"""Conversations of validation patients whose loss is shown while training."""


def tokenise(tokenizer: Any, messages: list[dict[str, str]], template: str) -> tuple[list[int], list[int]]:
    """(input ids, labels) of one conversation; labels are -100 outside the assistant's turns.

    Raises UserError if the template refuses the conversation.
    """
    try:
        out = tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
    except TemplateError:  # its text may quote the conversation
        raise UserError(
            "the chat template refuses a conversation of the corpus",
            value=" ".join(message["role"] for message in messages),
            cause="many templates want user and assistant in turn, some take no system message",
            next="--set sft.chat_template=<file.jinja> with one that takes these roles",
        ) from None
    ids = list(out["input_ids"])
    return ids, [i if mine else -100 for i, mine in zip(ids, out["assistant_masks"], strict=True)]


def take(
    frame: pl.DataFrame, tokenizer: Any, template: str, part: InstructionTuning, seed: int
) -> tuple[dict[str, list[list[int]]], dict[str, Any]]:
    """Conversations in seeded order until `max_examples` or `max_tokens` is reached.

    `frame` has columns task and messages. Dropped and counted: `sft.too_long` (over max_length),
    `sft.special_token` (a control token spelled out in the text would end the turn there),
    `sft.no_assistant` (nothing to learn). Returns (columns input_ids and labels, figures).
    """
    order = list(range(len(frame)))
    random.Random(seed).shuffle(order)
    control = [str(token) for token in tokenizer.all_special_tokens]
    columns: dict[str, list[list[int]]] = {"input_ids": [], "labels": []}
    dropped: Counter[str] = Counter()
    tasks: Counter[str] = Counter()
    taken: list[str] = []
    total = looked_at = 0
    for index in order:
        if part.max_examples is not None and len(columns["input_ids"]) == part.max_examples:
            break
        messages, task = frame["messages"][index], frame["task"][index]
        messages = messages.to_list() if isinstance(messages, pl.Series) else messages
        if any(token in message["content"] for message in messages for token in control):
            reason = "sft.special_token"
        else:
            ids, labels = tokenise(tokenizer, messages, template)
            if len(ids) > part.max_length:
                reason = "sft.too_long"
            elif all(label == -100 for label in labels):
                reason = "sft.no_assistant"
            elif columns["input_ids"] and part.max_tokens is not None and total + len(ids) > part.max_tokens:
                break
            else:
                columns["input_ids"].append(ids)
                columns["labels"].append(labels)
                tasks[task] += 1
                taken.append(task)
                total += len(ids)
                reason = None
        looked_at += 1
        if reason:
            dropped[reason] += 1
    if not taken and set(dropped) == {"sft.no_assistant"}:
        raise UserError(
            "no conversation has a token of the assistant to learn from",
            value=f"{dropped.total()} conversations",
            cause="the corpus' instructions end with the user's turn, or the chat template marks nothing",
            next="--set sft.chat_template=<file.jinja> with {% generation %} around the assistant's text",
        )
    if not taken:
        raise UserError(
            "no conversation is left to train on",
            value=", ".join(f"{reason}: {count}" for reason, count in sorted(dropped.items())),
            next="--set sft.max_length=... with a higher value",
        )
    figures = {
        "examples_taken": len(columns["input_ids"]),
        "examples_left": len(frame) - looked_at,
        "dropped": dict(sorted(dropped.items())),
        "tasks": dict(sorted(tasks.items())),
        "token_shares": trainer.shares(taken, columns["input_ids"]),
        "tokens_in": total,
        # The first token of a row has nothing before it to be predicted from.
        "loss_tokens": sum(label != -100 for labels in columns["labels"] for label in labels[1:]),
    }
    return columns, figures


def train_sft(
    model: Any,
    tokenizer: Any,
    corpus: BoundCorpus,
    recipe: TrainRecipe,
    machine: hardware.Hardware,
    out: Path,
    root: Path = Path(),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train `model` in place on the corpus' conversations. Returns (data figures, run record)."""
    from datasets import Dataset

    part = recipe.sft
    template = chat.training_template(tokenizer)
    frame = corpus.read("instruct", "train", ["record", "task", "messages", *part.where])
    columns, data = take(mixture.matching(frame, part, "sft"), tokenizer, template, part, recipe.seed)

    def rows_of(columns: dict[str, list[list[int]]]) -> Any:
        if part.packing:
            return packing.pack(columns["input_ids"], part.max_length, labels=columns["labels"])
        return Dataset.from_dict(columns)

    epoch = rows_of(columns)
    # Rows of like length together mean little padding at a batch size above 1.
    together = part.batch_size if part.batch_size > 1 and not part.packing else None
    rows = packing.in_order([epoch], part.epochs, recipe.seed, shuffle=True, group_by_length=together)
    if part.packing:
        data["packing"] = packing.figures(epoch, part.max_length)
    args = trainer.settings(
        part, recipe.seed, out, machine, rows=len(rows), every=recipe.evaluate.every,
        report_to=recipe.report_to,
        packing=part.packing, packing_strategy="bfd_split",
        include_num_input_tokens_seen="all" if part.packing else "non_padding",
    )  # fmt: skip
    sets = None
    if recipe.evaluate.every:
        limited = part.model_copy(update={"max_examples": EVAL_CONVERSATIONS, "max_tokens": None})
        held = corpus.read("instruct", "validation", ["record", "task", "messages"])
        sets = {"clinical": rows_of(take(held, tokenizer, template, limited, recipe.seed)[0])}
        ids = measure.encode(
            tokenizer, measure.general_text(recipe.evaluate.general_text, root, limit=recipe.evaluate.general_bytes)
        )
        pieces = [ids[i : i + part.max_length] for i in range(0, len(ids), part.max_length)]
        sets["general"] = rows_of({"input_ids": pieces, "labels": pieces})

    def by_record() -> Iterator[tuple[str, list[int]]]:
        for record, messages in frame.select("record", "messages").iter_rows():
            yield record, tokenise(tokenizer, messages, template)[0]

    run = trainer.train(
        model,
        tokenizer,
        rows,
        args,
        "sft",
        machine,
        recipe.checkpoints,
        by_record,
        neftune_alpha=part.neftune_noise_alpha,
        ceftune_weight=part.ceftune_weight,
        eval_sets=sets,
        optimizer=adapters.optimizer(model, part),
        forget=recipe.evaluate.forgetting,
    )
    return data, run | {"epochs": trainer.passes(run["steps"], args, len(rows), part.epochs)}
