"""Tokens that really went through the model, counted where they enter it, against what the data say."""

from __future__ import annotations

import math
from typing import Any

import torch
from transformers import TrainerCallback

from clinicorpus_errors import UserError


class TokenLedger(TrainerCallback):
    """Counts the input and loss tokens of every training step of this call, over all processes.

    A token is an input token unless the attention mask leaves it out, a loss token if its label is predicted.
    """

    def __init__(self) -> None:
        self.inputs: Any = 0
        self.losses: Any = 0
        self.first_step = self.last_step = 0
        self.in_step = False
        self.handle: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        self.first_step = self.last_step = state.global_step
        self.handle = model.register_forward_pre_hook(self.count, with_kwargs=True)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.in_step = True

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.in_step = False
        self.last_step = state.global_step

    def count(self, module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Forward pre-hook of the model."""
        if self.in_step:
            mask, ids = kwargs.get("attention_mask"), kwargs["input_ids"]
            self.inputs = self.inputs + (ids.numel() if mask is None else mask.sum())
            self.losses = self.losses + (kwargs["labels"][:, 1:] != -100).sum()

    def close(self) -> None:
        if self.handle is not None:
            self.handle.remove()

    def totals(self) -> tuple[int, int]:
        """(input tokens, loss tokens) of all processes."""
        counts = torch.tensor([int(self.inputs), int(self.losses)], dtype=torch.int64)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            counts = counts.to(
                torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else "cpu"
            )
            torch.distributed.all_reduce(counts)
        return int(counts[0]), int(counts[1])


def expected(
    per_row: tuple[list[int], list[int]], steps: tuple[int, int], *, batch: int, accumulation: int, processes: int
) -> tuple[int, int]:
    """(input, loss) tokens that steps first to last hold, rows taken in their order.

    Several processes need full batches each: accelerate fills the last ones up with rows from the beginning.
    """
    inputs, losses = per_row
    rows = len(inputs)
    together = batch * processes
    available = math.ceil(rows / together) * together if processes > 1 else rows
    first, last = (min(step * together * accumulation, available) for step in steps)
    taken = [i % rows for i in range(first, last)]
    return sum(inputs[i] for i in taken), sum(losses[i] for i in taken)


def check(found: tuple[int, int], wanted: tuple[int, int]) -> None:
    """Raises UserError if what was trained on is not what the rows hold: no model may be published then."""
    if found != wanted:
        raise UserError(
            "the tokens trained on are not the tokens of the corpus",
            value=f"{found[0]} in, {found[1]} in the loss; expected {wanted[0]} and {wanted[1]}",
            cause="another version of trl or accelerate than the pinned one",
            next="pip install -c constraints.txt -e '.[train]'",
        )
