"""Token counts without torch: what a text costs a model, by that model's own tokenizer."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from clinicorpus_errors import UserError

SHIPPED = Path(__file__).parent / "tokenizers"
DEFAULT = "smollm2"
TEXTS_AT_A_TIME = 256  # an encoding holds about 100 bytes a token until it is counted


class Counter:
    """Counts tokens as a model sees plain text: no token is put before or after, none is cut off."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def count(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text, in order."""
        counts: list[int] = []
        for start in range(0, len(texts), TEXTS_AT_A_TIME):
            part = list(texts[start : start + TEXTS_AT_A_TIME])
            counts += map(len, self._tokenizer.encode_batch_fast(part, add_special_tokens=False))
        return counts


def tokenizer_file(spec: str | Path = DEFAULT) -> Path:
    """The file of a tokenizer: "smollm2" (shipped), a tokenizer.json, or a folder that holds one.

    Raises:
        UserError: there is none.
    """
    if spec == DEFAULT:
        return SHIPPED / f"{DEFAULT}.json.gz"
    path = Path(spec)
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise UserError(
            "no tokenizer here",
            value=spec,
            cause="the folder holds no tokenizer.json" if path.is_dir() else "no such file or folder",
            next=f'name a folder with a tokenizer.json, or "{DEFAULT}"; save_pretrained of a fast tokenizer writes one',
        )
    return file


def load_counter(spec: str | Path = DEFAULT) -> Counter:
    """The counter of the tokenizer that `spec` names, as in `tokenizer_file`.

    Raises:
        UserError: there is no tokenizer, or the file does not hold one.
    """
    file = tokenizer_file(spec)
    data = file.read_bytes()
    try:
        text = gzip.decompress(data) if file.suffix == ".gz" else data
        return Counter(Tokenizer.from_str(text.decode()))
    except Exception as error:  # noqa: BLE001 - the library raises a bare Exception
        raise UserError(
            "the file is not a tokenizer of the tokenizers library",
            value=file,
            cause=f"it could not be read ({type(error).__name__})",
            next="save the tokenizer again with save_pretrained",
        ) from None
