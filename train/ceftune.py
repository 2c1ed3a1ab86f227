"""CEFTune (2311.15876): what the model makes of a document under NEFTune's noise stays what it makes of it without.

The paper, as far as its abstract and introduction tell, regularises NEFTune's loss by the distance between a sentence
encoder's features of the clean and of the noisy prediction. Taken here instead of the encoder: the model's own last hidden state, averaged over the positions that predict
the document's loss tokens (the answer, without prompt and padding). No further model is needed, and the gradient reaches
the weights without a detour over sampled words. No gradient flows through the clean side. The distance is 1 - cosine.

The clean pass is a second call of the decoder with the same inputs inside the first one's forward hook: no gradient, no
head, no noise, the same dropout masks. The random stream goes on as if it had not been.

The loss becomes the mean, over the loss tokens of an optimizer step, of nats + weight x distance of the token's document.
The term travels in the log-probability of each token, so whatever the trainer divides by (accumulation, processes, a last
small batch) it divides both by, and one large batch weighs documents as many small ones do.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.checkpoint import get_device_states, set_device_states
from transformers import TrainerCallback

from train.neftune import NEFTuneCallback, document_numbers


def distances(clean: torch.Tensor, noisy: torch.Tensor, documents: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """1 - cosine between clean and noisy features of the document that each position belongs to, 0 where `mask` is off.

    `clean` and `noisy` are hidden states (rows, tokens, width), `documents` the rising numbers of their documents and
    `mask` the positions that count (rows, tokens). A feature is the mean over a document's positions that count. Computed in
    fp32, as half the squared difference of the directions: 1 - cosine itself would be lost in rounding below 1e-7.
    """
    each = torch.zeros_like(mask, dtype=torch.float32)
    if not mask.any():
        return each
    _, number, counts = documents[mask].unique_consecutive(return_inverse=True, return_counts=True)
    before, after = (
        torch.nn.functional.normalize(torch.segment_reduce(hidden[mask].float(), "mean", lengths=counts), dim=-1)
        for hidden in (clean.detach(), noisy)
    )
    return each.masked_scatter(mask, ((after - before).square().sum(-1) / 2)[number])


class CEFTuneCallback(TrainerCallback):
    """Adds the term to the loss that trl.SFTTrainer computes, in training steps in which `noise` is on.

    Every log line with a loss gets `ceftune_distance`, the mean over this process' loss tokens since the last line,
    before `weight`. Evaluation and generation see one pass; after training the model carries no hook. Raises ValueError
    where the term would be wrong or missing: soft prompts, a cache, several GPUs in one process, a loss that is not
    made from TRL's log-probabilities.
    """

    def __init__(self, weight: float, noise: NEFTuneCallback) -> None:
        self.weight, self.noise = weight, noise
        self.handles: list[Any] = []
        self.passes: tuple[torch.Tensor, torch.Tensor] | None = None
        self.reset()

    def reset(self) -> None:
        """Begin a new log line. Sums stay on the device until it is written."""
        self.tokens: Any = 0
        self.sum: Any = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if args.n_gpu > 1:
            raise ValueError("threads of one process would mix up one another's hidden states")
        self.remove()
        self.reset()
        self.decoder = (model.get_base_model() if hasattr(model, "get_base_model") else model).base_model
        self.handles = [
            self.decoder.register_forward_pre_hook(self.remember),
            self.decoder.register_forward_hook(self.pass_again, with_kwargs=True),
            model.register_forward_hook(self.add_term),
        ]

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.remove()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if self.tokens and logs and "loss" in logs:
            line = {"ceftune_distance": float(self.sum) / int(self.tokens)}
            logs.update(line)
            state.log_history[-1].update(line)
            self.reset()

    def remove(self) -> None:
        """Take the hooks off, also after an error."""
        for handle in self.handles:
            handle.remove()
        self.handles, self.passes = [], None

    def remember(self, module: Any, args: tuple[Any, ...]) -> None:
        """Forward pre-hook of the decoder: where the random stream stands before dropout draws from it."""
        if self.noise.in_step and module.training:
            self.random_state = _random_state(next(module.parameters()))

    def pass_again(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """Forward hook of the decoder: the clean pass, which the noise and these hooks do not see."""
        if not (self.noise.in_step and module.training):
            return
        if kwargs.get("inputs_embeds") is not None or kwargs.get("past_key_values") is not None:
            raise ValueError("embeddings or a cache given to the model cannot be passed through it again without noise")
        noisy = output.last_hidden_state
        after = _random_state(noisy)  # a kernel may draw otherwise where no gradient is asked for
        self.noise.in_step = False
        try:
            _set_random_state(self.random_state, noisy.device)
            with torch.no_grad():
                clean = module(*args, **kwargs).last_hidden_state
        finally:
            self.noise.in_step = True
            _set_random_state(after, noisy.device)
        self.passes = clean, noisy

    def add_term(self, module: Any, args: tuple[Any, ...], output: Any) -> None:
        """Forward hook of the model: the distance of its document goes into each token's log-probability."""
        if not (self.noise.in_step and module.training):
            return
        if self.passes is None or getattr(output, "log_probs", None) is None:
            raise ValueError(
                "the loss is not made from log-probabilities of tokens: there is nothing to add the term to"
            )
        clean, noisy = self.passes
        self.passes = None
        mask = output.label_mask
        if mask.shape != (noisy.shape[0], noisy.shape[1] - 1):
            raise ValueError(f"labels have shape {tuple(mask.shape)}, hidden states {tuple(noisy.shape[:2])}")
        batch = self.noise.batch
        documents = document_numbers(
            noisy.shape[:2], position_ids=batch["position_ids"], cu_seq_lens=batch["cu_seq_lens_q"]
        ).to(noisy.device)
        # A position predicts the token after it; the last one predicts nothing.
        each = distances(clean[:, :-1], noisy[:, :-1], documents[:, :-1], mask)
        self.sum = self.sum + each.detach().sum()
        self.tokens = self.tokens + mask.sum()
        output.log_probs = output.log_probs - self.weight * each


def _random_state(tensor: torch.Tensor) -> tuple[torch.Tensor, Any]:
    """Of the CPU, and of the device that `tensor` is on."""
    return torch.get_rng_state(), get_device_states(tensor)


def _set_random_state(state: tuple[torch.Tensor, Any], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    set_device_states(*state[1], device_type=device.type)
