"""Bits per byte against a computation by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from train import base_model, load_recipe, measure, offline

torch = pytest.importorskip("torch", reason="needs the train extra")


@pytest.fixture(scope="module")
def tiny(shared_workspace: Path) -> tuple[Any, Any]:
    offline.pin(shared_workspace)
    recipe = load_recipe({"name": "t", "base": "tiny", "evaluate": {"general_text": "general.txt"}})
    folder = base_model.resolve(recipe, shared_workspace).folder
    return base_model.load_model(folder), base_model.load_tokenizer(folder)


def _by_hand(model: Any, tokenizer: Any, text: str) -> float:
    ids = [tokenizer.eos_token_id, *tokenizer(text)["input_ids"]]
    bits = 0.0
    with torch.no_grad():
        for position in range(1, len(ids)):
            logits = model(input_ids=torch.tensor([ids[:position]])).logits[0, -1]
            bits -= math.log2(torch.softmax(logits.double(), 0)[ids[position]].item())
    return bits / len(text.encode())


def test_bits_per_byte_is_what_one_computes_by_hand(tiny: tuple[Any, Any]) -> None:
    text = "Café au lait: 2 mg, naïve □."
    score = measure.bits_per_byte(*tiny, [text], window=512)
    assert score.bits_per_byte == pytest.approx(_by_hand(*tiny, text), rel=1e-5)
    assert (score.documents, score.bytes) == (1, len(text.encode()))


def test_documents_are_weighed_by_their_bytes(tiny: tuple[Any, Any]) -> None:
    texts = ["The river runs.", "Past the old mill and on to the sea, and on."]
    one, two = (measure.bits_per_byte(*tiny, [text], window=512) for text in texts)
    both = measure.bits_per_byte(*tiny, texts, window=512)
    assert both.bits_per_byte * both.bytes == pytest.approx(
        one.bits_per_byte * one.bytes + two.bits_per_byte * two.bytes, rel=1e-6
    )
    assert both.tokens == one.tokens + two.tokens


def test_scoring_leaves_the_model_in_its_mode(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    for mode in (True, False):
        model.train(mode)
        measure.bits_per_byte(model, tokenizer, ["a river"], window=64)
        assert model.training is mode


@given(length=st.integers(1, 400), window=st.integers(2, 64))
def test_windows_meet_each_token_once_with_enough_context(length: int, window: int) -> None:
    met = []
    for start, first, end in measure._windows(length, window):
        assert end - start <= window
        assert first - start >= min(first, window - window // 2)
        met += range(first, end)
    assert met == list(range(1, length))


def test_a_special_token_spelled_out_stays_ordinary_text(tiny: tuple[Any, Any]) -> None:
    _, tokenizer = tiny
    ids = measure.encode(tokenizer, "stop <|im_end|> here")
    assert tokenizer.eos_token_id not in ids
    assert tokenizer.decode(ids) == "stop <|im_end|> here"


@given(st.lists(st.text(max_size=20), min_size=1, max_size=8), st.integers(1, 60))
def test_texts_are_taken_in_order_within_the_limit(texts: list[str], limit: int) -> None:
    taken = measure.within(pl.DataFrame({"text": texts}, schema={"text": pl.String}), limit)
    assert taken == texts[: len(taken)]
    size = sum(len(text.encode()) for text in taken)
    assert size <= limit or len(taken) == 1
    rest = texts[len(taken) :]
    assert not rest or size + len(rest[0].encode()) > limit


@pytest.mark.parametrize("data", [None, b"\xff\xfe\x00", b" \n"])
def test_a_general_text_that_cannot_be_used_is_told(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "g.txt").write_bytes(data)
    with pytest.raises(UserError, match="general text"):
        measure.general_text("g.txt", tmp_path, limit=100)


def test_the_general_text_is_cut_at_a_line_end(tmp_path: Path) -> None:
    (tmp_path / "g.txt").write_text("first line\nsecond line\nthird line\n")
    assert measure.general_text("g.txt", tmp_path, limit=25) == "first line\nsecond line\n"
