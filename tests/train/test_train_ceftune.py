"""CEFTune's term: what it is made of, through which pass it is learned, and what it leaves alone."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clinicorpus_errors import UserError
from train import (
    adapters,
    base_model,
    estimate,
    hardware,
    load_recipe,
    metrics,
    neftune,
    packing,
    sft,
    trainer,
)
from train.bound_corpus import bind
from train.recipe import Adapter, InstructionTuning

torch = pytest.importorskip("torch", reason="needs the train extra")

from transformers.trainer_utils import IntervalStrategy, SaveStrategy  # noqa: E402

from train.ceftune import CEFTuneCallback, distances  # noqa: E402
from train.neftune import NEFTuneCallback  # noqa: E402

ALPHA, WEIGHT = 15.0, 40.0
ARGS = SimpleNamespace(neftune_noise_alpha=None, world_size=1, process_index=0, parallelism_config=None, n_gpu=0)
DOCUMENTS = [[5 + i, *range(20, 20 + n)] for i, n in enumerate([6, 25, 11, 40])]
ANSWERS = [3, 9, 11, 20]
"""Tokens at the end of each document that are learned."""


def _labels(ids: list[int], learned: int) -> list[int]:
    return [-100] * (len(ids) - learned) + ids[-learned:]


def alone(which: int = 1) -> dict[str, Any]:
    ids = DOCUMENTS[which]
    labels = torch.tensor([_labels(ids, ANSWERS[which])])
    return {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids)).long(), "labels": labels}


def padded(*, left: bool = False) -> dict[str, Any]:
    width = max(map(len, DOCUMENTS)) + 2

    def row(real: list[int], filler: int) -> list[int]:
        gap = [filler] * (width - len(real))
        return gap + real if left else real + gap

    rows = {
        "input_ids": [row(ids, 0) for ids in DOCUMENTS],
        "attention_mask": [row([1] * len(ids), 0) for ids in DOCUMENTS],
        "labels": [row(_labels(ids, n), -100) for ids, n in zip(DOCUMENTS, ANSWERS, strict=True)],
    }
    batch = {name: torch.tensor(each) for name, each in rows.items()}
    return batch | ({"position_ids": (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)} if left else {})


def flat() -> dict[str, Any]:
    """Padding-free, as TRL's collator flattens packed rows."""
    labels = [_labels(ids, min(n, len(ids) - 1)) for ids, n in zip(DOCUMENTS, ANSWERS, strict=True)]
    return {
        "input_ids": torch.tensor([list(chain(*DOCUMENTS))]),
        "position_ids": torch.cat([torch.arange(len(ids)) for ids in DOCUMENTS])[None],
        "labels": torch.tensor([list(chain(*labels))]),
    }


LAYOUTS = {"alone": alone, "padded": padded, "padded left": lambda: padded(left=True), "packed": flat}


def _step(model: Any, weight: float = WEIGHT) -> tuple[NEFTuneCallback, CEFTuneCallback]:
    """Both callbacks on a model with TRL's loss, inside a training step."""
    from trl.trainer.utils import add_fused_lm_head

    add_fused_lm_head(model, outputs=("log_probs",))
    noise = NEFTuneCallback(ALPHA, 9)
    consistency = CEFTuneCallback(weight, noise)
    for callback in (noise, consistency):
        callback.on_train_begin(ARGS, None, None, model=model)
    noise.on_step_begin(ARGS, SimpleNamespace(global_step=3), None)
    return noise, consistency


def _gradients(model: Any, loss: Any) -> list[Any]:
    return list(torch.autograd.grad(loss, list(model.parameters())))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_loss_and_its_gradient_are_those_written_by_hand_for_each_document(load: Any, layout: str) -> None:
    batch = LAYOUTS[layout]()
    model = load()[0].train()
    _step(model)
    entered = []
    model.get_input_embeddings().register_forward_hook(lambda m, i, o: entered.append(o))
    found = -model(**batch, fused_lm_head=True, use_cache=False).log_probs.sum()
    gradients = _gradients(model, found)
    assert len(entered) == 2
    real = batch.get("attention_mask", torch.ones_like(batch["input_ids"])).bool()
    assert torch.equal(entered[1], model.get_input_embeddings().weight[batch["input_ids"]])

    by_hand = load()[0].train()
    noise = (entered[0] - entered[1]).detach()[real]
    lengths = [len(DOCUMENTS[1])] if layout == "alone" else [len(ids) for ids in DOCUMENTS]
    pieces = (each.split(lengths) for each in (batch["input_ids"][real], noise, batch["labels"][real]))
    wanted = torch.zeros(())
    for ids, added, labels in zip(*pieces, strict=True):
        embedded = by_hand.get_input_embeddings()(ids)
        hidden = by_hand.model(inputs_embeds=(embedded + added)[None], use_cache=False).last_hidden_state[0]
        clean = by_hand.model(inputs_embeds=embedded[None], use_cache=False).last_hidden_state[0].detach()
        learned = labels[1:] != -100
        nats = torch.nn.functional.cross_entropy(
            by_hand.lm_head(hidden)[:-1][learned], labels[1:][learned], reduction="sum"
        )
        cosine = torch.cosine_similarity(clean[:-1][learned].mean(0), hidden[:-1][learned].mean(0), dim=0)
        assert 1 - cosine > 1e-4  # or the test would not see the term
        wanted = wanted + nats + WEIGHT * learned.sum() * (1 - cosine)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-4)
    for ours, theirs in zip(gradients, _gradients(by_hand, wanted), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=2e-4 * float(theirs.abs().max()))


def test_no_noise_is_no_distance_and_no_document_is_none() -> None:
    hidden, mask = torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    numbers = torch.arange(2)[:, None].expand(2, 5)
    assert not distances(hidden, hidden, numbers, mask).any()
    assert torch.allclose(distances(hidden, -hidden, numbers, mask), torch.tensor(2.0))
    assert not distances(hidden, -hidden, numbers, ~mask).any()


def _loop(load: Any, out: Path, weight: float | None, *, lora: bool = False, packed: bool = True, **more: Any) -> Any:
    """An SFTTrainer over 12 documents of three lengths, padded or two packed rows a micro-batch, with dropout."""
    from datasets import Dataset
    from trl import SFTTrainer

    model, tokenizer = load()
    documents = [[5 + i] * n for i, n in enumerate([7, 20, 60] * 4)]
    part = {"max_length": 64, "batch_size": 2, "gradient_accumulation": 2} | more.pop("part", {})
    part = load_recipe({"name": "t", "sft": part}).sft
    rows = packing.pack(documents, 64) if packed else Dataset.from_dict({"input_ids": documents, "labels": documents})
    rows = packing.in_order([rows], 2, 1, shuffle=True)
    args = trainer.settings(
        part, 1, out, hardware.detect(), rows=len(rows), packing=packed, packing_strategy="bfd_split"
    )
    for module in model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = more.get("dropout", 0.1)  # draws from the global generator
    for key in more.keys() - {"alpha", "dropout"}:
        setattr(args, key, more[key])
    config = None
    if lora:
        from peft import LoraConfig

        config = LoraConfig(target_modules="all-linear", lora_dropout=0.1)
    torch.manual_seed(1)  # a LoRA begins from it
    noise = NEFTuneCallback(more.get("alpha", ALPHA), 9)
    return SFTTrainer(
        model=model, args=args, train_dataset=rows, eval_dataset=rows, processing_class=tokenizer, peft_config=config,
        callbacks=[noise, *([CEFTuneCallback(weight, noise)] if weight is not None else [])],
    )  # fmt: skip


def _trained(*args: Any, **options: Any) -> Any:
    loop = _loop(*args, **options)
    loop.train()  # at once: building another would set the random stream back
    return loop


def _same(ours: Any, theirs: Any) -> bool:
    left, right = ours.model.state_dict(), theirs.model.state_dict()
    return all(torch.equal(left[name], right[name]) for name in left)


def _losses(loop: Any) -> list[float]:
    return [line["loss"] for line in loop.state.log_history if "loss" in line]


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_a_term_that_weighs_nothing_leaves_the_run_that_neftune_alone_makes(
    load: Any, tmp_path: Path, lora: bool
) -> None:
    """So the clean pass takes nothing from the random stream, from the noise, or from what evaluation sees."""
    options = {"lora": lora, "eval_strategy": IntervalStrategy.STEPS, "eval_steps": 1}
    plain, idle, loud = (_trained(load, tmp_path, weight, **options) for weight in (None, 1e-30, 1.0))
    kept = {"loss", "eval_loss", "entropy", "mean_token_accuracy", "num_tokens", "neftune_alpha", "eval_entropy"}
    logs = [[{k: v for k, v in line.items() if k in kept} for line in x.state.log_history] for x in (plain, idle)]
    assert logs[0] == logs[1]
    assert _same(plain, idle)
    assert not _same(plain, loud)
    for line in loud.state.log_history:
        assert ("ceftune_distance" in line) == ("loss" in line)
    assert not any(hook for module in loud.model.modules() for hook in module._forward_hooks.values()
                   if getattr(hook, "__self__", None).__class__ is CEFTuneCallback)  # fmt: skip


def test_both_passes_have_the_same_dropout(load: Any, tmp_path: Path) -> None:
    """So the distance is that of the noise: hardly any noise, hardly any distance."""
    loop = _trained(load, tmp_path, 1.0, lora=True, alpha=1e-4)
    assert max(line["ceftune_distance"] for line in loop.state.log_history if "loss" in line) < 1e-6


def test_a_clean_pass_that_draws_otherwise_leaves_the_random_stream(load: Any) -> None:
    """Kernels may draw dropout in another way where no gradient is asked for."""
    model = load()[0].train()
    _step(model)

    def draw(*_: Any) -> None:
        if not torch.is_grad_enabled():
            torch.rand(3)

    model.model.layers[0].register_forward_pre_hook(draw)
    before = torch.get_rng_state()
    model(**alone(), fused_lm_head=True, use_cache=False)
    assert torch.equal(before, torch.get_rng_state())


def test_evaluation_makes_one_pass(load: Any, tmp_path: Path) -> None:
    loop = _loop(load, tmp_path, 1.0, eval_strategy=IntervalStrategy.STEPS, eval_steps=1)
    outer: list[bool] = []
    inner: list[bool] = []
    loop.model.register_forward_hook(lambda m, *_: outer.append(m.training))
    loop.model.base_model.register_forward_hook(lambda m, *_: inner.append(m.training))
    loop.train()
    assert inner.count(True) == 2 * outer.count(True) > 0
    assert inner.count(False) == outer.count(False) > 0


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_a_resumed_run_is_the_uninterrupted_one(load: Any, tmp_path: Path, lora: bool) -> None:
    options: dict[str, Any] = {"lora": lora, "save_strategy": SaveStrategy.STEPS, "save_steps": 1}
    whole = _trained(load, tmp_path / "a", 1.0, **options)
    resumed = _loop(load, tmp_path / "b", 1.0, **options)
    resumed.train(resume_from_checkpoint=str(tmp_path / "a/checkpoint-2"))
    assert _same(whole, resumed)
    each = [[line.get("ceftune_distance") for line in loop.state.log_history] for loop in (whole, resumed)]
    assert each[0] == each[1]


@pytest.fixture
def _noise_of_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise that a document has in any batch; drawn, it follows the micro-batch."""

    def noise(embeddings: Any, lengths: Any, *_: Any, **__: Any) -> Any:
        return 0.3 * torch.sin(1e3 * embeddings) * (lengths > 0)[..., None]

    monkeypatch.setattr(neftune, "uniform_noise", noise)


@pytest.mark.usefixtures("_noise_of_the_token")
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_small_batches_accumulated_are_one_large_batch(load: Any, tmp_path: Path, packed: bool) -> None:
    runs = []
    for rows, batches in ((4, 1), (1, 4)):
        part = {"batch_size": rows, "gradient_accumulation": batches, "learning_rate": 1e-3}
        runs.append(_trained(load, tmp_path, WEIGHT, packed=packed, part=part, dropout=0.0))
    assert _losses(runs[0]) == pytest.approx(_losses(runs[1]), rel=1e-5)
    for ours, theirs in zip(runs[0].model.parameters(), runs[1].model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)  # a tenth of one step of Adam


def test_activations_computed_again_change_nothing(load: Any, tmp_path: Path) -> None:
    kept, again = (_trained(load, tmp_path, 1.0, part={"checkpointing": wanted}) for wanted in (False, True))
    assert _losses(kept) == _losses(again)
    assert _same(kept, again)


def test_the_run_record_and_the_metrics_say_how_far_apart(
    load: Any, shared_workspace: Path, recipe: dict[str, Any], tmp_path: Path
) -> None:
    recipe["sft"] |= {"ceftune_weight": 2.0, "packing": True, "gradient_accumulation": 1}
    model, tokenizer = load()
    corpus = bind("demo", shared_workspace)
    _, run = sft.train_sft(model, tokenizer, corpus, load_recipe(recipe), hardware.detect(), tmp_path / "a")
    written = (tmp_path / "a" / metrics.NAME).read_text()
    assert run["ceftune"]["weight"] == 2.0
    assert 0 < run["ceftune"]["mean_distance"] < 1
    assert run["neftune"]["effective_alpha"] == pytest.approx(5, rel=0.05)
    assert written.count('"ceftune_distance"') == run["steps"]
    recipe["sft"] |= {"ceftune_weight": 0.0}
    model, tokenizer = load()
    _, run = sft.train_sft(model, tokenizer, corpus, load_recipe(recipe), hardware.detect(), tmp_path / "b")
    assert run["ceftune"] is None


def test_what_would_be_wrong_silently_is_refused(load: Any) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe({"name": "t", "sft": {"neftune_noise_alpha": 0, "ceftune_weight": 1}})
    assert "ceftune_weight" in (caught.value.cause or "")
    for kind in adapters.PROMPTS:
        part = InstructionTuning(ceftune_weight=1.0, adapter=Adapter(kind=kind))
        with pytest.raises(UserError, match="cannot be trained with CEFTune"):
            adapters.refuse(part, "sft", hardware.Hardware("cpu", False, 1), packed=False, tied=False)
    model = load()[0].train()
    with pytest.raises(ValueError, match="threads"):
        CEFTuneCallback(1.0, NEFTuneCallback(ALPHA, 9)).on_train_begin(
            SimpleNamespace(**vars(ARGS) | {"n_gpu": 2}), None, None, model=model
        )
    noise, _ = _step(model)
    batch = alone()
    with pytest.raises(ValueError, match="nothing to add the term to"):
        model(**batch, use_cache=False)
    embedded = model.get_input_embeddings()(batch.pop("input_ids"))
    with pytest.raises(ValueError, match="again without noise"):
        model(inputs_embeds=embedded, **batch, use_cache=False, fused_lm_head=True)
    assert noise.in_step


def test_the_plan_counts_the_second_pass(load: Any, shared_workspace: Path, recipe: dict[str, Any]) -> None:
    folder = base_model.resolve(load_recipe(recipe), shared_workspace).folder
    device = estimate.a_gpu("h100")
    rates = {}
    for checkpointing in (False, True):
        for weight in (0.0, 1.0):
            recipe["sft"] |= {"ceftune_weight": weight, "checkpointing": checkpointing}
            plan = estimate.of_stage(load_recipe(recipe), "sft", folder, device, corpus_tokens=10**6)
            rates[checkpointing, weight] = plan.tokens_per_second
    assert rates[False, 0.0] / rates[False, 1.0] == pytest.approx(8 / 6)
    assert rates[True, 0.0] / rates[True, 1.0] == pytest.approx(10 / 8)
