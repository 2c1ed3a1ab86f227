"""Writes smollm2.json.gz from the metadata of a GGUF model. Used once; README.md has the command.

python corpus/tokenizers/make.py SmolLM2-135M-Instruct.Q4_1.gguf corpus/tokenizers/smollm2.json.gz
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

CONTROL = 3  # gguf.TokenType.CONTROL: special tokens


def tokenizer_of(model: Path) -> Tokenizer:
    """The byte-level BPE in the metadata of `model`, which must name "smollm" as its pre-tokenizer.

    llama.cpp's name stands for: every digit alone, then the byte-level split of GPT-2 with no space put in front.
    """
    fields = GGUFReader(model).fields
    kind = fields["tokenizer.ggml.model"].contents(), fields["tokenizer.ggml.pre"].contents()
    if kind != ("gpt2", "smollm"):
        raise SystemExit(f"not a SmolLM tokenizer: {kind}")
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    types = fields["tokenizer.ggml.token_type"].contents()
    tokenizer = Tokenizer(BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, type in zip(tokens, types, strict=True)
            if type == CONTROL
        ]
    )
    return tokenizer


if __name__ == "__main__":
    model, out = map(Path, sys.argv[1:])
    out.write_bytes(gzip.compress(tokenizer_of(model).to_str().encode(), mtime=0))
