"""Continued pretraining: no token lost, no document read through another."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import manifests
from clinicorpus_errors import UserError
from train import cpt, hardware, ledger, load_recipe, measure, mixture, packing, trainer
from train.bound_corpus import bind
from train.recipe import ContinuedPretraining, Quality

torch = pytest.importorskip("torch", reason="needs the train extra")


@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=30), row=st.integers(16, 40))
@settings(max_examples=10, deadline=None)
def test_packing_keeps_every_token_once(lengths: list[int], row: int) -> None:
    documents = [[1000 * i + j for j in range(n)] for i, n in enumerate(lengths)]
    packed = packing.pack(documents, row)
    assert sorted(t for ids in packed["input_ids"] for t in ids) == sorted(t for ids in documents for t in ids)
    figures = packing.figures(packed, row)
    assert figures["tokens"] == sum(lengths)
    assert figures["loss_tokens"] == sum(lengths) - figures["segments"]
    assert 0 < figures["fill"] <= 1
    for ids, pieces in zip(packed["input_ids"], packed["seq_lengths"], strict=True):
        begin = 0
        for length in pieces:  # a piece is a run of one document
            piece = ids[begin : begin + length]
            assert piece == list(range(piece[0], piece[0] + length))
            assert piece[0] // 1000 == piece[-1] // 1000
            begin += length
    with pytest.raises(UserError, match="packing lost tokens"):
        packing.check(packed, sum(lengths) + 1)


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    passes=st.floats(0.1, 4),
    group=st.sampled_from([None, 2]),
)
@settings(max_examples=20, deadline=None)
def test_rows_of_all_epochs_stand_in_one_order(counts: list[int], passes: float, group: int | None) -> None:
    from datasets import Dataset

    epochs = [
        Dataset.from_dict({"input_ids": [[100 * e + i] * (i + 1) for i in range(n)]}) for e, n in enumerate(counts)
    ]
    rows = packing.in_order(epochs, passes, 3, shuffle=True, group_by_length=group)
    assert rows["input_ids"] == packing.in_order(epochs, passes, 3, shuffle=True, group_by_length=group)["input_ids"]
    begin = 0
    for number in range(math.ceil(passes)):
        epoch = epochs[number % len(counts)]["input_ids"]
        taken = math.ceil(len(epoch) * min(1.0, passes - number))
        mine = rows["input_ids"][begin : begin + taken]
        assert len(mine) == len({tuple(ids) for ids in mine})
        assert all(ids in list(epoch) for ids in mine)
        begin += taken
    assert begin == len(rows)


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
    assert run["loss_tokens_seen"] == data["packing"]["loss_tokens"] == expected - data["packing"]["segments"]
    assert run["losses"][-1]["loss"] < run["losses"][0]["loss"]


def test_documents_are_taken_in_order_up_to_the_budget(load: Callable[[], tuple[Any, Any]]) -> None:
    _, tokenizer = load()
    texts = pl.Series(["the river runs " * n for n in range(1, 20)])
    order = mixture.order(pl.DataFrame({"text": texts}), ContinuedPretraining(), 3)
    everything, all_taken = cpt.take(texts, tokenizer, None, order)
    some, taken = cpt.take(texts, tokenizer, 300, order)
    assert some == everything[: len(some)]
    assert (taken, all_taken) == (order[: len(some)], order)
    assert sum(map(len, some)) <= 300 < sum(map(len, some)) + len(everything[len(some)])
    assert all(ids[-1] == tokenizer.eos_token_id and tokenizer.eos_token_id not in ids[:-1] for ids in everything)
    assert mixture.order(pl.DataFrame({"text": texts}), ContinuedPretraining(), 4) != order
    assert len(cpt.take(texts, tokenizer, 1, order)[0]) == 1


FRAME = pl.DataFrame(
    {"record": list("abcdef"), "year": [3, 1, 2, 2, 5, 4], "note_type": ["x", "y"] * 3, "tokens": [1] * 6}
)


def test_quality_curriculum_and_where_follow_columns_of_the_corpus() -> None:
    part = ContinuedPretraining(quality=Quality(by="year", top=0.5), curriculum="-year", where={"note_type": "x"})
    assert mixture.best(FRAME, part.quality)["record"].to_list() == ["a", "e", "f"]
    assert mixture.best(FRAME, Quality(by="-year", top=0.5))["record"].to_list() == ["b", "c", "d"]
    assert mixture.order(FRAME, part, 1) == [4, 5, 0, 2, 3, 1]
    assert mixture.order(FRAME, ContinuedPretraining(curriculum="year"), 1) == [1, 2, 3, 0, 5, 4]
    assert mixture.matching(FRAME, part, "cpt")["record"].to_list() == ["a", "c", "e"]
    copies = [[{"start": 0, "end": n}] if n else [] for n in (4, 0, 9, 2, 1, 3)]
    copied = FRAME.with_columns(pl.Series("copied", copies), text=pl.lit("ten letters"))
    assert mixture.best(copied, Quality(by="-copied", top=0.5))["record"].to_list() == ["b", "d", "e"]
    for wrong in ({"where": {"site": "1"}}, {"where": {"note_type": "z"}}):
        with pytest.raises(UserError, match=r"cpt\.where"):
            mixture.matching(FRAME, ContinuedPretraining(**wrong), "cpt")
    with pytest.raises(UserError, match="no column of the corpus"):
        mixture.order(FRAME, ContinuedPretraining(curriculum="perplexity"), 1)
    with pytest.raises(UserError, match="no column of numbers"):
        mixture.best(FRAME, Quality(by="note_type", top=0.5))


@given(main=st.integers(1, 30), extra=st.integers(1, 30))
def test_replay_is_spread_and_the_order_of_both_stays(main: int, extra: int) -> None:
    mixed = mixture.spread([[i] for i in range(main)], [[-1 - i] for i in range(extra)])
    assert [d for d in mixed if d[0] >= 0] == [[i] for i in range(main)]
    assert [d for d in mixed if d[0] < 0] == [[-1 - i] for i in range(extra)]
    half = sum(d[0] < 0 for d in mixed[: len(mixed) // 2])
    assert abs(half - extra / 2) <= 1.5


def _epochs(tokenizer: Any, corpus: Any, recipe: Any, root: Path) -> tuple[list[Any], dict[str, Any]]:
    return cpt.epochs(tokenizer, corpus, recipe, root, cpt.notes(corpus, recipe))


def _replay(root: Path, texts: list[str]) -> Path:
    pl.DataFrame({"text": texts}).write_parquet(root / "replay.parquet")
    return root / "replay.parquet"


def test_replay_has_its_share_of_the_tokens(
    load: Callable[[], tuple[Any, Any]], shared_workspace: Path, recipe: dict[str, Any]
) -> None:
    _, tokenizer = load()
    path = _replay(shared_workspace, [f"number {i} of the old songs that the miller sang" for i in range(300)])
    recipe["cpt"] |= {"replay": {"text": str(path), "share": 0.25}, "epochs": 2, "resample": True, "max_tokens": 1500}
    rows, data = _epochs(tokenizer, bind("demo", shared_workspace), load_recipe(recipe), shared_workspace)
    assert data["replay"]["share"] == pytest.approx(0.25, abs=0.02)
    assert data["packing"]["tokens"] == data["tokens_in"] + data["replay"]["tokens"]
    assert len(rows) == data["epochs_drawn"] == 2
    assert set(map(tuple, rows[0]["input_ids"])) != set(map(tuple, rows[1]["input_ids"]))


def test_a_replay_that_would_spoil_the_measure_or_runs_dry_is_refused(
    load: Callable[[], tuple[Any, Any]], shared_workspace: Path, recipe: dict[str, Any]
) -> None:
    _, tokenizer = load()
    corpus = bind("demo", shared_workspace)
    measured = "The river runs past the old mill and on to the sea."
    for texts, message in (
        ([measured], "forgetting is measured on"),
        (["too little"], "not enough replay"),
        ([" "], "empty"),
    ):
        recipe["cpt"]["replay"] = {"text": str(_replay(shared_workspace, texts))}
        with pytest.raises(UserError, match=message):
            _epochs(tokenizer, corpus, load_recipe(recipe), shared_workspace)
    recipe["cpt"]["replay"] = {"text": "none.parquet"}
    with pytest.raises(UserError, match="no Parquet or JSON lines"):
        _epochs(tokenizer, corpus, load_recipe(recipe), shared_workspace)


def test_a_count_of_the_corpus_that_does_not_hold_is_refused(
    load: Callable[[], tuple[Any, Any]], shared_workspace: Path, recipe: dict[str, Any]
) -> None:
    _, tokenizer = load()
    frame = pl.DataFrame({"tokens": [2, 3]})
    documents = [[7, 8, tokenizer.eos_token_id], [7, 8, 9, tokenizer.eos_token_id]]
    digest = manifests.sha256_file(Path(tokenizer.name_or_path) / "tokenizer.json")
    corpus = bind("demo", shared_workspace)._replace(tokenizer=("local file", digest))
    figures = cpt.check_counts(documents, frame, [0, 1], tokenizer, corpus, "tiny")
    assert (figures["tokens_in"], figures["tokens_in_manifest"], figures["end_tokens"]) == (7, 5, 2)
    with pytest.raises(UserError, match="counts other tokens"):
        cpt.check_counts(documents, frame, [0, 0], tokenizer, corpus, "tiny")
    other = corpus._replace(tokenizer=("local file", "0"))
    assert cpt.check_counts(documents, frame, [0, 0], tokenizer, other, "tiny")["tokens_in_manifest"] is None


def test_tokens_that_went_through_the_model_are_checked(
    load: Callable[[], tuple[Any, Any]], shared_workspace: Path, recipe: dict[str, Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling as Collator

    whole = Collator.torch_call

    def cuts(self: Any, examples: Any) -> Any:
        return whole(
            self, [{k: v[:-1] if k != "seq_lengths" else [*v[:-1], v[-1] - 1] for k, v in e.items()} for e in examples]
        )

    monkeypatch.setattr(Collator, "torch_call", cuts)
    model, tokenizer = load()
    with pytest.raises(UserError, match="not the tokens of the corpus"):
        cpt.train_cpt(
            model, tokenizer, bind("demo", shared_workspace), load_recipe(recipe), hardware.detect(), tmp_path
        )


@given(rows=st.integers(1, 20), batch=st.integers(1, 3), accumulation=st.integers(1, 3), processes=st.integers(1, 3))
def test_what_a_run_must_count_is_every_row_once_and_what_fills_up(
    rows: int, batch: int, accumulation: int, processes: int
) -> None:
    per_row = list(range(1, rows + 1)), [1] * rows
    shape = {"batch": batch, "accumulation": accumulation, "processes": processes}
    tokens, count = ledger.expected(per_row, (0, 1000), **shape)
    filled = count - rows
    assert filled == (0 if processes == 1 else -rows % (batch * processes))
    assert tokens == sum(per_row[0]) + sum(per_row[0][i % rows] for i in range(filled))
    parts = [ledger.expected(per_row, (a, b), **shape) for a, b in ((0, 2), (2, 5), (5, 1000))]
    assert tuple(map(sum, zip(*parts, strict=True))) == (tokens, count)


SHAPES = {
    "cosine_with_min_lr": (1.0, 0.1), "warmup_stable_decay": (1.0, 0.1), "linear": (1.0, 0.0),
    "constant_with_warmup": (1.0, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("schedule", SHAPES)
def test_the_learning_rate_warms_up_and_ends_where_the_recipe_says(tmp_path: Path, schedule: str) -> None:
    from transformers import get_scheduler

    part = load_recipe({"name": "t", "cpt": {"schedule": schedule, "warmup": 0.1, "decay": 0.25, "batch_size": 1}}).cpt
    args = trainer.settings(part, 1, tmp_path, hardware.Hardware("cpu", False, 1), rows=400)
    assert args.max_steps == 100
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = get_scheduler(
        args.lr_scheduler_type, optimizer, args.get_warmup_steps(100), 100, dict(args.lr_scheduler_kwargs)
    )
    rates = []
    for _ in range(101):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    top, end = SHAPES[schedule]
    assert rates[0] < 0.2
    assert rates[10] == pytest.approx(top)
    assert rates[100] == pytest.approx(end, abs=1e-6)
    if schedule == "warmup_stable_decay":
        assert rates[10:75] == [1.0] * 65
        assert rates[80] < 1.0


def test_losses_on_both_texts_stand_beside_the_training(
    load: Callable[[], tuple[Any, Any]], shared_workspace: Path, recipe: dict[str, Any], tmp_path: Path
) -> None:
    model, tokenizer = load()
    recipe["evaluate"]["every"] = 2
    _, run = cpt.train_cpt(
        model, tokenizer, bind("demo", shared_workspace), load_recipe(recipe), hardware.detect(), tmp_path,
        shared_workspace,
    )  # fmt: skip
    both: dict[int, set[str]] = {}
    for line in run["evaluations"]:
        both.setdefault(line["step"], set()).update(line.keys() - {"step"})
    assert both
    assert all(keys == {"eval_clinical_loss", "eval_general_loss"} for keys in both.values())


def test_packed_documents_are_scored_as_if_alone(load: Callable[[], tuple[Any, Any]], tmp_path: Path) -> None:
    from trl import SFTTrainer

    model, tokenizer = load()
    documents = [[*measure.encode(tokenizer, text), tokenizer.eos_token_id] for text in ("a mill", "the sea and on")]
    part = load_recipe({"name": "t", "cpt": {"max_length": 64}}).cpt
    args = trainer.settings(part, 1, tmp_path, hardware.detect(), rows=1, packing=True, packing_strategy="bfd_split")
    loop = SFTTrainer(model=model, args=args, train_dataset=packing.pack(documents, 64), processing_class=tokenizer)
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


def test_a_model_that_mixes_packed_documents_is_refused(load: Callable[[], tuple[Any, Any]]) -> None:
    model, _ = load()
    packing.check_isolation(model)

    def forget_positions(module: Any, args: Any, kwargs: Any) -> Any:
        ids = kwargs["input_ids"]
        return args, {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False}

    model.register_forward_pre_hook(forget_positions, with_kwargs=True)
    with pytest.raises(UserError, match="through one another"):
        packing.check_isolation(model)


def test_a_cpu_trains_in_fp32_without_checkpointing(tmp_path: Path) -> None:
    part = load_recipe({"name": "t"}).cpt
    args = trainer.settings(part, 1, tmp_path, hardware.Hardware("cpu", False, 2), rows=9)
    assert (args.bf16, args.fp16, args.gradient_checkpointing, args.use_cpu) == (False, False, False, True)
    assert args.save_strategy == "no"
    assert args.report_to == []
