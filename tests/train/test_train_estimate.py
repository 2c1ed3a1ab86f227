"""What a recipe needs, before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import train
from clinicorpus_errors import UserError
from train import load_recipe

torch = pytest.importorskip("torch", reason="needs the train extra")

from train import estimate  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Configs alone, no weights."""
    from transformers import LlamaConfig, MistralConfig, MixtralConfig

    made = {}
    small = LlamaConfig(
        vocab_size=512, hidden_size=128, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2,
    )  # fmt: skip
    for name, config in (("small", small), ("mistral", MistralConfig()), ("mixtral", MixtralConfig())):
        made[name] = tmp_path_factory.mktemp(name)
        config.save_pretrained(made[name])
    return made


def _plan(folder: Path, gpu: str = "h100", processes: int = 1, sharding: Any = "none", **cpt: Any) -> estimate.Plan:
    recipe = load_recipe({"name": "t", "base": str(folder), "cpt": {"max_length": 4096} | cpt})
    return estimate.of_stage(
        recipe, "cpt", folder, estimate.a_gpu(gpu), processes=processes, sharding=sharding, corpus_tokens=10**9
    )


def test_parameters_are_those_of_the_published_models(folders: dict[str, Path]) -> None:
    mistral, mixtral = _plan(folders["mistral"]), _plan(folders["mixtral"])
    assert mistral.parameters == mistral.trained == mistral.active == 7_241_732_096
    assert mixtral.parameters == 46_702_792_704
    assert mixtral.active == pytest.approx(12.9e9, rel=0.01)


def test_full_training_holds_sixteen_bytes_a_weight_and_shards_share_them(folders: dict[str, Path]) -> None:
    one = _plan(folders["mistral"])
    states = one.need.weights + one.need.gradients + one.need.optimizer
    assert states == pytest.approx(18 * one.parameters)  # and autocast's copies
    many = _plan(folders["mistral"], processes=8, sharding="fsdp2").need
    assert many.gradients * 8 == one.need.gradients
    assert many.optimizer * 8 == one.need.optimizer
    zero = _plan(folders["mistral"], processes=8, sharding="zero2").need
    assert (zero.weights, zero.optimizer * 8) == (one.need.weights, one.need.optimizer)


def test_adapters_need_less_and_quantised_ones_least(folders: dict[str, Path]) -> None:
    totals = [_plan(folders["mistral"], adapter={"kind": kind}).need.total for kind in ("full", "lora", "qlora")]
    assert totals == sorted(totals, reverse=True)
    assert totals[2] < 24 * estimate.GIB < totals[0]


@pytest.mark.parametrize("tokens", [96, 256])
def test_activations_are_what_autograd_keeps(folders: dict[str, Path], tokens: int) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folders["small"])).train()
    weights = {p.untyped_storage()._cdata for p in model.parameters()}
    sizes, held = {}, []

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            sizes[storage._cdata] = storage.nbytes()
            held.append(tensor)
        return tensor

    half = tokens // 2
    positions = torch.cat([torch.arange(half), torch.arange(tokens - half)])[None]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        model.base_model(input_ids=torch.ones(1, tokens, dtype=torch.long), position_ids=positions, use_cache=False)
    guess = estimate.activations(folders["small"], tokens, bf16=False, checkpointing=False)
    assert guess == pytest.approx(sum(sizes.values()), rel=0.15)
    assert estimate.activations(folders["small"], tokens, bf16=False, checkpointing=True) < guess / 2


def test_time_follows_tokens_epochs_replay_and_steps(folders: dict[str, Path]) -> None:
    one = _plan(folders["small"])
    assert (one.tokens, one.steps) == (10**9, round(10**9 / 4096 / 4))
    assert one.hours == pytest.approx(10**9 / one.tokens_per_second / 3600)
    more = _plan(folders["small"], epochs=2, replay={"text": "x.parquet", "share": 0.2})
    assert more.tokens == 2.5 * 10**9
    assert _plan(folders["small"], max_tokens=10**6, max_steps=3).tokens == 3 * 4 * 4096
    assert _plan(folders["small"], processes=4).hours == pytest.approx((one.hours or 0) / 4)


def test_a_recipe_for_more_memory_than_there_is_is_refused_with_figures(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = estimate.a_gpu("h100")
    with pytest.raises(UserError, match="more memory than there is") as caught:
        estimate.check(_plan(folders["mistral"]), device, "cpt")
    assert "GiB on each device" in str(caught.value)
    assert "optimizer 54.0" in (caught.value.cause or "")
    assert "cpt.adapter.kind=lora" in (caught.value.next or "")
    estimate.check(_plan(folders["mistral"], processes=8, sharding="fsdp2"), device, "cpt")
    data = {"name": "t", "base": str(folders["mistral"]), "sft": {"adapter": {"kind": "lora"}}}
    figures = train.plan(data, tmp_path, gpu="h100")
    assert (figures["stages"]["cpt"]["fits"], figures["stages"]["sft"]["fits"]) == (False, True)
    train.show_plan(figures)
    out = capsys.readouterr().out
    assert "7,241.7" in out
    assert "fits" in out
    with pytest.raises(UserError, match="no such GPU"):
        estimate.a_gpu("h1000")
    with pytest.raises(UserError, match="no such sharding"):
        train.plan(data, tmp_path, sharding="zero9")


@pytest.mark.slow
def test_a_stage_that_does_not_fit_never_loads_the_model(
    workspace: Path, recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from train import base_model

    monkeypatch.setattr(estimate, "free_memory", lambda: 10**8)
    monkeypatch.setattr(base_model, "load_model", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(UserError, match="more memory than there is"):
        train.run_cpt(recipe, workspace, {})
    assert not (workspace / "models/t/cpt").exists()


def test_the_recipes_for_large_models_fit_where_they_say(folders: dict[str, Path], tmp_path: Path) -> None:
    import yaml

    for name, gpus in (("mistral_7b", 8), ("mixtral_8x7b", 16)):
        data = yaml.safe_load((ROOT / f"recipes/train_{name}.yaml").read_text())
        assert f"--gpus {gpus}" in (ROOT / f"recipes/train_{name}.yaml").read_text()
        data["base"] = str(folders[name.split("_")[0]])
        figures = train.plan(data, tmp_path, gpu="h100", processes=gpus, sharding="fsdp2")
        assert all(stage["fits"] for stage in figures["stages"].values()), figures
        assert load_recipe(data).cpt.gradient_accumulation % gpus == 0
    load_recipe(yaml.safe_load((ROOT / "recipes/train_stability_gap.yaml").read_text()))
