"""NEFTune's noise: how large on each token, which tokens, and who draws it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train import hardware, load_recipe, packing, trainer

torch = pytest.importorskip("torch", reason="needs the train extra")

from transformers.trainer_utils import IntervalStrategy, SaveStrategy  # noqa: E402

from train.neftune import NEFTuneCallback, document_lengths  # noqa: E402

ALPHA, WIDTH = 5.0, 16


class Toy(torch.nn.Module):
    """Embeddings behind a forward pass that takes what a causal language model takes."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = torch.nn.Embedding(50, WIDTH)
        torch.nn.init.zeros_(self.embeddings.weight)

    def get_input_embeddings(self) -> Any:
        return self.embeddings

    def forward(self, input_ids: Any, **_: Any) -> Any:
        return self.embeddings(input_ids)


ARGS = SimpleNamespace(neftune_noise_alpha=None, world_size=1, process_index=0, parallelism_config=None)


def noise_of(batch: dict[str, Any], *, step: int = 3, seed: int = 1, **args: Any) -> Any:
    """Noise (rows, tokens, width) that one training step adds to a batch."""
    model, callback = Toy(), NEFTuneCallback(ALPHA, seed)
    callback.on_train_begin(SimpleNamespace(**vars(ARGS) | args), None, None, model=model)
    callback.on_step_begin(ARGS, SimpleNamespace(global_step=step), None)
    out = model(**batch).detach()
    callback.on_train_end(ARGS, None, None)
    return out


def flat(lengths: list[int]) -> dict[str, Any]:
    """Padding-free, as TRL's collator flattens packed rows."""
    positions = torch.cat([torch.arange(n) for n in lengths])[None]
    ends = torch.tensor([0, *lengths]).cumsum(0).int()
    return {"input_ids": torch.zeros_like(positions), "position_ids": positions, "cu_seq_lens_q": ends}


def padded(lengths: list[int], *, left: bool = False, positions: bool = False) -> dict[str, Any]:
    width = max(lengths) + 2
    rows = [([0] * (width - n) + [1] * n) if left else [1] * n + [0] * (width - n) for n in lengths]
    mask = torch.tensor(rows)
    batch = {"input_ids": torch.zeros_like(mask), "attention_mask": mask}
    return batch | ({"position_ids": (mask.cumsum(1) - 1).clamp(min=0)} if positions else {})


def packed(lengths: list[int]) -> dict[str, Any]:
    """Two documents a row, positions that start anew, the short rows padded."""
    pairs = [lengths[i : i + 2] for i in range(0, len(lengths), 2)]
    width = max(map(sum, pairs)) + 1
    positions = [[p for n in pair for p in range(n)] + [0] * (width - sum(pair)) for pair in pairs]
    mask = [[1] * sum(pair) + [0] * (width - sum(pair)) for pair in pairs]
    ids = torch.tensor(positions)
    return {"input_ids": ids * 0, "position_ids": ids, "attention_mask": torch.tensor(mask)}


LAYOUTS: dict[str, Callable[[list[int]], dict[str, Any]]] = {
    "flat": flat,
    "flat by positions": lambda n: {k: v for k, v in flat(n).items() if k != "cu_seq_lens_q"},
    "flat by boundaries": lambda n: {k: v for k, v in flat(n).items() if k != "position_ids"},
    "padded right": padded,
    "padded left": lambda n: padded(n, left=True),
    "padded left, positions": lambda n: padded(n, left=True, positions=True),
    "packed": packed,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=7))
@settings(max_examples=25, deadline=None)
def test_noise_follows_each_documents_own_length(layout: str, lengths: list[int]) -> None:
    batch = LAYOUTS[layout](lengths)
    noise = noise_of(batch)
    real = batch["attention_mask"].bool() if "attention_mask" in batch else torch.ones(noise.shape[:2]).bool()
    assert not noise[~real].any()
    by_document = noise[real].split(lengths)
    for document in by_document:
        bound = ALPHA / (len(document) * WIDTH) ** 0.5
        assert 0.5 * bound < document.abs().max() <= bound * (1 + 1e-6)
    assert torch.equal(noise[real], noise_of(flat(lengths))[0])  # whatever the layout


def authors(embeddings: Any, attention_mask: Any, uniform: Any) -> Any:
    """The definition of neelsjain/NEFTune: magnitude by the sample's mask, noise under the mask."""
    lengths = attention_mask.sum(1)
    magnitude = ALPHA / torch.sqrt(lengths * embeddings.shape[-1])
    return uniform * attention_mask[..., None] * magnitude.view(-1, 1, 1)


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_noise_is_the_authors(lengths: list[int]) -> None:
    batch = padded(lengths)
    mask = batch["attention_mask"]
    noise = noise_of(batch)
    callback = NEFTuneCallback(ALPHA, 1)
    callback.step, callback.micro_batch, callback.processes, callback.process = 3, 0, 1, 0
    uniform = torch.zeros(*mask.shape, WIDTH)
    drawn = torch.empty(sum(lengths), WIDTH)
    drawn.uniform_(-1, 1, generator=torch.Generator().manual_seed(callback.noise_seed()))
    uniform[mask.bool()] = drawn
    torch.testing.assert_close(noise, authors(noise, mask, uniform))


def test_transformers_own_hook_is_wrong_where_documents_share_a_row() -> None:
    """Fails when transformers #34659 is mended: then this module may go."""
    from transformers.integrations.neftune import neftune_post_forward_hook

    module = SimpleNamespace(training=True, neftune_noise_alpha=ALPHA)
    stock = neftune_post_forward_hook(module, None, torch.zeros(1, 4096, WIDTH)).abs().max()
    exact = noise_of(flat([256] * 16)).abs().max()
    assert exact / stock == pytest.approx(4, rel=0.02)


def test_the_same_step_draws_the_same_noise_and_another_another() -> None:
    batch = flat([5, 9])
    assert torch.equal(noise_of(batch), noise_of(batch))
    others = [noise_of(batch, step=4), noise_of(batch, seed=2), noise_of(batch, process_index=1, world_size=2)]
    assert not any(torch.equal(noise_of(batch), other) for other in others)


def test_two_processes_draw_what_one_with_twice_the_accumulation_draws() -> None:
    batch, model, callback = flat([5, 9]), Toy(), NEFTuneCallback(ALPHA, 1)
    callback.on_train_begin(ARGS, None, None, model=model)
    callback.on_step_begin(ARGS, SimpleNamespace(global_step=3), None)
    one = [model(**batch)]
    callback.on_substep_end(ARGS, None, None)
    one.append(model(**batch))
    two = [noise_of(batch, world_size=2, process_index=i) for i in (0, 1)]
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert not torch.equal(one[0], one[1])


def test_no_noise_outside_a_training_step() -> None:
    batch, model, callback = flat([5, 9]), Toy(), NEFTuneCallback(ALPHA, 1)
    callback.on_train_begin(ARGS, None, None, model=model)
    assert not model(**batch).any()  # before the first step
    callback.on_step_begin(ARGS, SimpleNamespace(global_step=0), None)
    before = torch.get_rng_state()
    assert model(**batch).any()
    assert torch.equal(before, torch.get_rng_state())  # dropout sees the numbers it would see without
    model.eval()
    assert not model(**batch).any()
    model.train()
    callback.on_step_end(ARGS, None, None)
    assert not model(**batch).any()  # a callback that generates between steps
    callback.on_train_end(ARGS, None, None)
    callback.in_step = True
    assert not model(**batch).any()


def test_what_would_be_wrong_silently_is_refused() -> None:
    model, callback = Toy(), NEFTuneCallback(ALPHA, 1)
    with pytest.raises(ValueError, match="twice"):
        callback.on_train_begin(SimpleNamespace(**vars(ARGS) | {"neftune_noise_alpha": 5}), None, None, model=model)
    shared = SimpleNamespace(non_data_parallel_size=2)
    with pytest.raises(ValueError, match="share a batch"):
        callback.on_train_begin(SimpleNamespace(**vars(ARGS) | {"parallelism_config": shared}), None, None, model=model)
    with pytest.raises(ValueError, match="attention_mask has shape"):
        document_lengths((1, 4), attention_mask=torch.ones(1, 1, 4, 4))
    with pytest.raises(ValueError, match="one flattened row"):
        document_lengths((2, 4), cu_seq_lens=torch.tensor([0, 4]))
    callback.on_train_begin(ARGS, None, None, model=model)
    callback.on_step_begin(ARGS, SimpleNamespace(global_step=0), None)
    with pytest.raises(ValueError, match="by name"):
        model(torch.zeros(1, 3).long(), torch.ones(1, 3))


class Watch:
    """Noise that enters the first layer, per forward pass in training mode."""

    def __init__(self, model: Any) -> None:
        self.seen: list[Any] = []
        self.weight = model.get_input_embeddings().weight
        model.register_forward_pre_hook(self._ids, with_kwargs=True)
        next(m for n, m in model.named_modules() if n.endswith("layers.0")).register_forward_pre_hook(
            self._enter, with_kwargs=True
        )

    def _ids(self, module: Any, args: Any, kwargs: Any) -> None:
        self.kwargs = kwargs

    def _enter(self, module: Any, args: Any, kwargs: Any) -> None:
        entered = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        clean = torch.nn.functional.embedding(self.kwargs["input_ids"], self.weight)
        lengths = document_lengths(entered.shape[:2], position_ids=self.kwargs.get("position_ids"))
        self.seen.append((module.training, (entered - clean).detach(), lengths))


def _loop(load: Any, out: Path, watch: list[Watch], *, lora: bool = False, **more: Any) -> Any:
    """An SFTTrainer over 12 documents of three lengths, two packed rows a micro-batch, two micro-batches a step."""
    from trl import SFTTrainer

    model, tokenizer = load()
    for module in model.modules():
        if hasattr(module, "attention_dropout"):  # read from the configuration when the model is built
            module.attention_dropout = 0.1  # draws from the global generator
    documents = [[5 + i] * n for i, n in enumerate([7, 20, 60] * 4)]
    part = load_recipe({"name": "t", "sft": {"max_length": 64, "batch_size": 2, "gradient_accumulation": 2}}).sft
    rows = packing.in_order([packing.pack(documents, 64)], 2, 1, shuffle=True)
    args = trainer.settings(part, 1, out, hardware.detect(), rows=len(rows), packing=True, packing_strategy="bfd_split")
    for key, value in more.items():
        setattr(args, key, value)
    config = None
    if lora:
        from peft import LoraConfig

        config = LoraConfig(target_modules="all-linear", lora_dropout=0.1)
    loop = SFTTrainer(
        model=model, args=args, train_dataset=rows, eval_dataset=rows, processing_class=tokenizer,
        callbacks=[NEFTuneCallback(ALPHA, 9)], peft_config=config,
    )  # fmt: skip
    watch.append(Watch(loop.model))
    return loop


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_a_packed_run_is_noisy_by_the_document_and_silent_in_evaluation(load: Any, tmp_path: Path, lora: bool) -> None:
    watch: list[Watch] = []
    loop = _loop(load, tmp_path, watch, lora=lora, eval_strategy=IntervalStrategy.STEPS, eval_steps=1)
    loop.train()
    trained = [(noise, lengths) for training, noise, lengths in watch[0].seen if training]
    evaluated = [noise for training, noise, _ in watch[0].seen if not training]
    assert len(trained) >= 4
    for noise, lengths in trained:
        assert set(lengths.flatten().tolist()) <= {7, 20, 60}
        width = noise.shape[-1]
        for length in lengths.unique().tolist():
            bound = ALPHA / (length * width) ** 0.5
            assert 0.9 * bound < noise[lengths == length].abs().max() <= bound * (1 + 1e-3)
    assert len({tuple(noise.flatten()[:4].tolist()) for noise, _ in trained}) == len(trained)
    assert evaluated
    assert max(noise.abs().max() for noise in evaluated) < 1e-6
    lines = [line for line in loop.state.log_history if "loss" in line]
    for line in lines:
        assert line["neftune_alpha"] == pytest.approx(ALPHA, rel=0.05)
        assert 0 < line["neftune_stock_alpha"] < ALPHA
    assert not any(hook for module in loop.model.modules() for hook in module._forward_hooks.values()
                   if getattr(hook, "__self__", None).__class__ is NEFTuneCallback)  # fmt: skip


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_a_resumed_run_draws_the_noise_of_the_uninterrupted_one(load: Any, tmp_path: Path, lora: bool) -> None:
    watch: list[Watch] = []
    options: dict[str, Any] = {"save_strategy": SaveStrategy.STEPS, "save_steps": 1}
    whole = _loop(load, tmp_path / "a", watch, lora=lora, **options)
    whole.train()
    resumed = _loop(load, tmp_path / "b", watch, lora=lora, **options)
    resumed.train(resume_from_checkpoint=str(tmp_path / "a/checkpoint-2"))
    tail = watch[1].seen
    assert 0 < len(tail) < len(watch[0].seen)
    for (_, left, _), (_, right, _) in zip(watch[0].seen[-len(tail) :], tail, strict=True):
        assert torch.equal(left, right)
    ours, theirs = whole.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
