"""NEFTune (2310.05914), exact however documents share a row.

The authors add uniform noise of magnitude alpha / sqrt(L d) to the input embeddings, L being the number of tokens of
the sample, d the embedding's width. transformers' hook takes the row for the sample (transformers #34659): padded, the
noise depends on the longest neighbour; packed, on everything that shares the flattened batch, and alpha 5 acts like
0.88 for four rows of 2,048 tokens that hold notes of 256. Here L is the length of the document a token belongs to, read
from what the model is given anyway: `attention_mask`, `position_ids`, `cu_seq_lens_q`. Padding gets no noise.

Noise is drawn token by token in the order of the documents, from a generator that (seed, optimizer step, micro-batch
of the step over all processes) determines alone. Hence the same documents get the same noise padded, packed or
flattened; a resumed run draws what the uninterrupted one drew; two processes draw what one with twice the accumulation
drew; a re-computed forward pass repeats it; and dropout and sampling see the random numbers they would see without.
"""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from transformers import TrainerCallback


def document_numbers(
    shape: torch.Size | tuple[int, int],
    *,
    position_ids: torch.Tensor | None = None,
    cu_seq_lens: torch.Tensor | None = None,
) -> torch.Tensor:
    """Number of the document each token of a batch belongs to, from 0 in their order; int64 (rows, tokens).

    `shape` is (rows, tokens). A document begins with each row, where `position_ids` (rows, tokens) do not go on by
    one, and at each of `cu_seq_lens` of a single flattened row. Raises ValueError for positions of another shape.
    """
    given = [t for t in (position_ids, cu_seq_lens) if t is not None]
    if position_ids is not None and tuple(position_ids.shape) != tuple(shape):
        raise ValueError(f"position_ids has shape {tuple(position_ids.shape)}, the embeddings have {tuple(shape)}")
    begins = torch.zeros(tuple(shape), dtype=torch.bool, device=given[0].device if given else None)
    begins[:, 0] = True
    if position_ids is not None:
        begins[:, 1:] |= position_ids.diff(dim=1) != 1
    if cu_seq_lens is not None:
        if shape[0] != 1:
            raise ValueError(f"cu_seq_lens describes one flattened row, the batch has {shape[0]}")
        begins[0, cu_seq_lens[:-1].long()] = True
    return (begins.flatten().cumsum(0) - 1).view(begins.shape)


def document_lengths(
    shape: torch.Size | tuple[int, int],
    *,
    attention_mask: torch.Tensor | None = None,
    position_ids: torch.Tensor | None = None,
    cu_seq_lens: torch.Tensor | None = None,
) -> torch.Tensor:
    """Length of the document each token of a batch belongs to (see `document_numbers`), 0 on padding.

    `attention_mask` (rows, tokens) is 0 on padding. Returns int64 (rows, tokens). Raises ValueError for a mask or
    positions of another shape.
    """
    if attention_mask is not None and tuple(attention_mask.shape) != tuple(shape):
        raise ValueError(f"attention_mask has shape {tuple(attention_mask.shape)}, the embeddings have {tuple(shape)}")
    document = document_numbers(shape, position_ids=position_ids, cu_seq_lens=cu_seq_lens)
    real = torch.ones_like(document, dtype=torch.bool)
    if attention_mask is not None:
        real, document = attention_mask != 0, document.to(attention_mask.device)
    lengths = torch.zeros(document.numel(), dtype=torch.int64, device=document.device)
    lengths.scatter_add_(0, document.flatten(), real.flatten().long())
    return lengths[document] * real


def uniform_noise(
    embeddings: torch.Tensor, lengths: torch.Tensor, alpha: float, generator: torch.Generator, *, padded: bool
) -> torch.Tensor:
    """Noise for `embeddings` (rows, tokens, width): uniform within alpha / sqrt(length x width), 0 on padding.

    `lengths` as `document_lengths` returns them; `padded` says that some may be 0.
    """
    width = embeddings.shape[-1]
    real = lengths > 0 if padded else None
    each = lengths[real] if real is not None else lengths.flatten()
    drawn = torch.empty(each.numel(), width, device=embeddings.device, dtype=torch.float32)
    drawn.uniform_(-1, 1, generator=generator)
    noise = drawn.mul_((alpha / (each * width).float().sqrt())[:, None]).to(embeddings.dtype)
    if real is None:
        return noise.view_as(embeddings)
    return torch.zeros_like(embeddings).masked_scatter_(real[..., None].expand_as(embeddings), noise)


class NEFTuneCallback(TrainerCallback):
    """Adds the noise while a transformers Trainer trains; `neftune_noise_alpha` of its arguments must be unset.

    Every log line with a loss gets `neftune_alpha`, the alpha that the noise of this process since the last line
    amounts to, and `neftune_stock_alpha`, what a scale by the row's length would have amounted to.
    Evaluation, and generation between steps, see no noise; after training the model carries no hook.
    Raises ValueError if the stock hook is on as well, or if processes share a batch (tensor, context or sequence
    parallelism): their noise would differ.
    """

    def __init__(self, alpha: float, seed: int) -> None:
        self.alpha, self.seed = alpha, seed
        self.handles: list[Any] = []
        self.in_step = False
        self.batch: dict[str, torch.Tensor | None] = {}
        self.reset()

    def reset(self) -> None:
        """Begin a new log line. Sums stay on the device until it is written."""
        self.tokens: Any = 0
        self.squares: Any = 0.0
        self.row_scale: Any = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if args.neftune_noise_alpha:
            raise ValueError("neftune_noise_alpha is set as well: the noise would be added twice")
        parallel = getattr(args, "parallelism_config", None)
        if parallel is not None and parallel.non_data_parallel_size > 1:
            raise ValueError("processes that share a batch would draw different noise for it")
        self.remove()
        self.reset()
        self.processes, self.process = args.world_size, args.process_index
        self.handles = [
            model.register_forward_pre_hook(self.read_batch, with_kwargs=True),
            model.get_input_embeddings().register_forward_hook(self.add_noise),
        ]

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.in_step, self.step, self.micro_batch = True, state.global_step, 0

    def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.micro_batch += 1

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.in_step = False

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.remove()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if self.tokens and logs and "loss" in logs:
            tokens = int(self.tokens)
            line = {
                # The mean square of a uniform draw is a third of its bound's square.
                "neftune_alpha": (3 * float(self.squares) / tokens) ** 0.5,
                "neftune_stock_alpha": self.alpha * float(self.row_scale) / tokens,
            }
            logs.update(line)
            state.log_history[-1].update(line)
            self.reset()

    def remove(self) -> None:
        """Take the hooks off, also after an error."""
        for handle in self.handles:
            handle.remove()
        self.handles, self.batch, self.in_step = [], {}, False

    def read_batch(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Forward pre-hook of the model: what tells documents apart."""
        if self.in_step:
            if len(args) > 1:
                raise ValueError("attention_mask and position_ids must be given by name")
            self.batch = {key: kwargs.get(key) for key in ("attention_mask", "position_ids", "cu_seq_lens_q")}

    def add_noise(self, module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor | None:
        """Forward hook of the input embeddings."""
        if not (self.in_step and module.training):
            return None
        mask = self.batch["attention_mask"]
        lengths = document_lengths(
            output.shape[:2],
            attention_mask=mask,
            position_ids=self.batch["position_ids"],
            cu_seq_lens=self.batch["cu_seq_lens_q"],
        ).to(output.device)
        generator = torch.Generator(device=output.device).manual_seed(self.noise_seed())
        noise = uniform_noise(output.detach(), lengths, self.alpha, generator, padded=mask is not None)
        self.measure(noise, lengths)
        return output + noise

    def noise_seed(self) -> int:
        number = self.micro_batch * self.processes + self.process
        return int.from_bytes(hashlib.sha256(f"{self.seed}:{self.step}:{number}".encode()).digest()[:8], "big")

    def measure(self, noise: torch.Tensor, lengths: torch.Tensor) -> None:
        norms = torch.linalg.vector_norm(noise, dim=-1, dtype=torch.float32)
        self.squares = self.squares + (norms.square() * lengths).sum()
        self.row_scale = self.row_scale + (lengths.float() / lengths.shape[1]).sqrt().sum()
        self.tokens = self.tokens + (lengths > 0).sum()
