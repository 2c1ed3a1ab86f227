"""Talk to a model folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from clinicorpus_errors import UserError
from train import base_model, hardware, offline


def answer(model: Any, tokenizer: Any, messages: list[dict[str, str]], *, max_new_tokens: int) -> str:
    """The model's next turn, greedy. A model without a chat template continues the last message's text."""
    import torch

    if tokenizer.chat_template:
        inputs = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
    else:
        inputs = tokenizer(messages[-1]["content"], return_tensors="pt")
    inputs = {key: inputs[key].to(model.device) for key in ("input_ids", "attention_mask")}
    prompt = inputs["input_ids"].shape[1]
    room = model.config.max_position_embeddings - prompt
    if room < 1:
        raise UserError(
            "the prompt fills the model's context",
            value=f"{prompt} tokens of {model.config.max_position_embeddings}",
            next="shorten it",
        )
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            out = model.generate(
                **inputs,
                max_new_tokens=min(max_new_tokens, room),
                do_sample=False,
                use_cache=True,
                pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
            )
    finally:
        model.train(training)
    return str(tokenizer.decode(out[0, prompt:], skip_special_tokens=True)).strip()


def generate(
    model_dir: Path, prompt: str | None = None, *, root: Path = Path(), max_new_tokens: int = 200
) -> str | None:
    """Answer `prompt` with the model in `model_dir`, or, without one, hold a conversation on standard input.

    Caches and temporary files go to `root`/work. Returns the answer; None after a conversation, which ends with an empty line or end of file.
    Raises UserError if the folder holds no model.
    """
    offline.need_training_packages()
    base_model.check_folder(model_dir)
    offline.pin(root)
    offline.quiet()
    tokenizer = base_model.load_tokenizer(model_dir)
    model = base_model.load_model(model_dir, root).to(hardware.detect().device)
    if prompt is not None:
        return answer(model, tokenizer, [{"role": "user", "content": prompt}], max_new_tokens=max_new_tokens)
    messages: list[dict[str, str]] = []
    while line := _ask():
        messages.append({"role": "user", "content": line})
        said = answer(model, tokenizer, messages, max_new_tokens=max_new_tokens)
        messages.append({"role": "assistant", "content": said})
        sys.stdout.write(said + "\n")
        sys.stdout.flush()
    return None


def _ask() -> str:
    if sys.stdin.isatty():
        sys.stderr.write("> ")
        sys.stderr.flush()
    return sys.stdin.readline().strip()
