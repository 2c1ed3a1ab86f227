"""Bits per byte: what a model needs to write a text down. Comparable across tokenizers, unlike perplexity.

Sum of -log2 p(token) over all tokens of a document, the first conditioned on the end token (or on the
model's own begin token), divided by the document's UTF-8 bytes. Text longer than the window slides by half
of it, so that every token after the first window has at least half a window of context. `use_cache=False`
as in training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from clinicorpus_errors import UserError


class Score(NamedTuple):
    documents: int
    tokens: int
    bytes: int
    bits_per_byte: float
    each: tuple[tuple[float, int], ...] = ()
    """(bits, bytes) of each document."""


def _windows(length: int, window: int) -> list[tuple[int, int, int]]:
    """(start of input, first target, end) over `length` tokens whose token 0 is given; targets meet exactly once."""
    out, done = [], 1
    while done < length:
        end = min(length, window if done == 1 else done + window // 2)
        out.append((max(0, end - window), done, end))
        done = end
    return out


def bits_per_byte(model: Any, tokenizer: Any, texts: list[str], *, window: int) -> Score:
    """Score `texts` one by one on the model's device; leaves the model in the mode it was in."""
    import torch

    each: list[tuple[float, int]] = []
    tokens = 0
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for text in texts:
                nats = 0.0
                ids = encode(tokenizer, text)
                if ids[:1] != [tokenizer.bos_token_id]:
                    ids = [tokenizer.eos_token_id, *ids]
                row = torch.tensor([ids], device=model.device)
                for start, first, end in _windows(len(ids), window):
                    # Counted from the end: before it, a soft prompt may stand.
                    logits = model(input_ids=row[:, start : end - 1], use_cache=False).logits[0, first - end :]
                    nats += torch.nn.functional.cross_entropy(logits.float(), row[0, first:end], reduction="sum").item()
                tokens += len(ids) - 1
                each.append((nats / math.log(2), len(text.encode())))
    finally:
        model.train(training)
    size = sum(length for _, length in each)
    return Score(len(texts), tokens, size, sum(bits for bits, _ in each) / size, tuple(each))


FEWEST_GROUPS = 8
"""Patients below which no interval is told: drawn from fewer, it would be too narrow."""
_DRAWS = 2000


def interval(over: Sequence[float], under: Sequence[float], groups: Sequence[Any]) -> list[float] | None:
    """95% interval of sum(over) / sum(under) by drawing `groups` (patients) with replacement; one entry a document.

    Percentiles of 2,000 draws from a fixed seed. None for fewer than `FEWEST_GROUPS` groups.
    """
    names = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    if len(names) < FEWEST_GROUPS:
        return None
    sums = np.zeros((2, len(names)))
    for a, b, group in zip(over, under, groups, strict=True):
        sums[:, names[group]] += a, b
    drawn = np.random.default_rng(0).multinomial(len(names), [1 / len(names)] * len(names), size=_DRAWS)
    above, below = sums @ drawn.T
    return [round(float(bound), 6) for bound in np.percentile(above / below, [2.5, 97.5])]


def encode(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a note. A special token spelled out in the text stays ordinary text."""
    return list(tokenizer(text, split_special_tokens=True)["input_ids"])


def within(frame: pl.DataFrame, limit: int) -> list[str]:
    """Texts in record order until the next would pass `limit` UTF-8 bytes; at least one."""
    sizes = frame["text"].str.len_bytes().cum_sum()
    return frame["text"][: max(1, int((sizes <= limit).sum()))].to_list()


def general_text(name: str, root: Path, *, limit: int | None) -> str:
    """Text that is not clinical: the embedded one or a file, cut at the last line end before `limit` bytes."""
    if name == "embedded":
        spec = find_spec("evals")  # found, not imported: its folder holds the text
        assert spec is not None
        assert spec.submodule_search_locations
        path = Path(spec.submodule_search_locations[0]) / "general_en_v1.txt"
    else:
        path = root / name
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "the general text cannot be read",
            value=name,
            cause=type(error).__name__,
            next="--set evaluate.general_text=embedded, or a UTF-8 text file",
        ) from None
    data = text.encode()
    if limit is not None and len(data) > limit:
        text = data[: data.rfind(b"\n", 0, limit) + 1 or limit].decode(errors="ignore")
    if not text.strip():
        raise UserError("the general text is empty", value=name, next="--set evaluate.general_text=embedded")
    return text
