"""Continued pretraining: no token lost, no document read through another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from train import base_model, cpt, hardware, load_recipe, measure, offline, trainer
from train.bound_corpus import bind

torch = pytest.importorskip("torch", reason="needs the train extra")


@pytest.fixture
def load(shared_workspace: Path, recipe: dict[str, Any]) -> Callable[[], tuple[Any, Any]]:
    offline.pin(shared_workspace)
    offline.quiet()
    folder = base_model.resolve(load_recipe(recipe), shared_workspace).folder
    return lambda: (base_model.load_model(folder), base_model.load_tokenizer(folder))


@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=30), row=st.integers(16, 40))
@settings(max_examples=10, deadline=None)
def test_packing_keeps_every_token_once(lengths: list[int], row: int) -> None:
    from datasets import Dataset
    from trl import pack_dataset

    documents = [[1000 * i + j for j in range(n)] for i, n in enumerate(lengths)]
    packed = pack_dataset(Dataset.from_dict({"input_ids": documents, "labels": documents}), row, "bfd_split")
    assert sorted(t for ids in packed["input_ids"] for t in ids) == sorted(t for ids in documents for t in ids)
    figures = cpt.packing(packed, sum(lengths), row)
    assert figures["tokens"] == sum(lengths)
    assert figures["loss_tokens"] == sum(lengths) - figures["segments"]
    assert 0 < figures["fill"] <= 1
    with pytest.raises(UserError, match="packing lost tokens"):
        cpt.packing(packed, sum(lengths) + 1, row)


def test_a_run_trains_on_the_tokenizers_tokens_and_one_end_token_a_document(
    load: Callable[[], tuple[Any, Any]], shared_workspace: Path, recipe: dict[str, Any], tmp_path: Path
) -> None:
    recipe["cpt"] |= {"max_tokens": None, "max_length": 100}
    model, tokenizer = load()
    corpus = bind("demo", shared_workspace)
    data, run = cpt.train_cpt(model, tokenizer, corpus, load_recipe(recipe), hardware.detect(), tmp_path)
    texts = corpus.read("pretrain", "train", ["record", "text"])["text"]
    expected = sum(len(measure.encode(tokenizer, text)) for text in texts) + len(texts)
    assert data["tokens_in"] == data["packing"]["tokens"] == run["tokens_seen"] == expected
    assert (data["documents_taken"], data["documents_left"]) == (len(texts), 0)
    assert data["packing"]["fill"] > 0.9
    assert data["packing"]["segments"] > len(texts)
    assert run["losses"][-1]["loss"] < run["losses"][0]["loss"]


def test_documents_are_taken_in_seeded_order_up_to_the_budget(load: Callable[[], tuple[Any, Any]]) -> None:
    _, tokenizer = load()
    texts = pl.Series(["the river runs " * n for n in range(1, 20)])
    everything, _ = cpt.take(texts, tokenizer, None, 3)
    some, counts = cpt.take(texts, tokenizer, 300, 3)
    assert some == everything[: len(some)]
    assert counts["tokens_in"] == sum(map(len, some)) <= 300 < counts["tokens_in"] + len(everything[len(some)])
    assert counts["documents_taken"] + counts["documents_left"] == len(texts)
    assert all(ids[-1] == tokenizer.eos_token_id and tokenizer.eos_token_id not in ids[:-1] for ids in everything)
    assert cpt.take(texts, tokenizer, 300, 4)[0] != some
    assert len(cpt.take(texts, tokenizer, 1, 3)[0]) == 1


def test_packed_documents_are_scored_as_if_alone(load: Callable[[], tuple[Any, Any]], tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import SFTTrainer

    model, tokenizer = load()
    documents = [[*measure.encode(tokenizer, text), tokenizer.eos_token_id] for text in ("a mill", "the sea and on")]
    part = load_recipe({"name": "t", "cpt": {"max_length": 64}}).cpt
    args = trainer.settings(part, 1, tmp_path, hardware.detect(), rows=1, packing=True, packing_strategy="bfd_split")
    dataset = Dataset.from_dict({"input_ids": documents, "labels": documents})
    loop = SFTTrainer(model=model, args=args, train_dataset=dataset, processing_class=tokenizer)
    assert len(loop.train_dataset) == 1
    loop.model.eval()
    batch = next(iter(loop.get_train_dataloader()))
    with torch.no_grad():
        packed = loop.compute_loss(loop.model, batch).item() * sum(len(ids) - 1 for ids in documents)
        alone = 0.0
        for ids in documents:
            row = torch.tensor([ids])
            logits = model(input_ids=row, use_cache=False).logits
            alone += torch.nn.functional.cross_entropy(logits[0, :-1], row[0, 1:], reduction="sum").item()
    assert packed == pytest.approx(alone, rel=1e-5)


def test_a_cpu_trains_in_fp32_without_checkpointing(tmp_path: Path) -> None:
    part = load_recipe({"name": "t"}).cpt
    args = trainer.settings(part, 1, tmp_path, hardware.Hardware("cpu", False, 2), rows=9)
    assert (args.bf16, args.fp16, args.gradient_checkpointing, args.use_cpu) == (False, False, False, True)
    assert args.save_strategy == "no"
    assert args.report_to == []
