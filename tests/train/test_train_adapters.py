"""Adapters: what is trained, what stands in the folder, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import manifests
import train
from clinicorpus_errors import UserError
from manifests.training import TrainingManifest
from train import load_recipe
from train.hardware import Hardware
from train.recipe import Adapter, Optimisation

torch = pytest.importorskip("torch", reason="needs the train extra")

from train import adapters, base_model, measure, offline, stage  # noqa: E402

CPU = Hardware("cpu", False, 1)
GPU = Hardware("cuda", True, 1, checkpointing=True)


@pytest.fixture
def run(workspace: Path, recipe: dict[str, Any]) -> Callable[..., TrainingManifest]:
    def call(name: str, **adapter: Any) -> TrainingManifest:
        recipe[name] |= {"adapter": adapter, "learning_rate": 1e-2, "epochs": 2}
        {"cpt": train.run_cpt, "sft": train.run_sft}[name](recipe, workspace, {}, force=True)
        done = stage.finished(workspace / "models/t" / name)
        assert done
        return done

    return call


def _bits(model: Any, folder: Path, workspace: Path, recipe: dict[str, Any]) -> float:
    tokenizer = base_model.load_tokenizer(folder)
    texts = [measure.general_text("general.txt", workspace, limit=recipe["evaluate"]["general_bytes"])]
    return measure.bits_per_byte(model, tokenizer, texts, window=128).bits_per_byte


KINDS: dict[str, dict[str, Any]] = {
    "lora": {"r": 4},
    "rslora": {"r": 4},
    "dora": {"r": 4},
    "pissa": {"r": 4},
    "osf": {},
    "prompt_tuning": {"virtual_tokens": 5},
    "prefix_tuning": {"virtual_tokens": 5},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_folder_gives_the_model_that_was_trained(
    run: Callable[..., TrainingManifest], workspace: Path, recipe: dict[str, Any], kind: str
) -> None:
    done = run("sft", kind=kind, **KINDS[kind])
    folder = workspace / "models/t/sft"
    names = {file.path for file in done.files}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= names
    assert "model.safetensors" not in names
    assert str(workspace) not in (folder / "adapter_config.json").read_text()
    after = done.bits_per_byte["general"].after
    assert after != done.bits_per_byte["general"].before
    loaded = base_model.load_model(folder, workspace)
    assert _bits(loaded, folder, workspace, recipe) == pytest.approx(after, rel=1e-4)
    assert isinstance(train.generate(folder, "Where?", root=workspace, max_new_tokens=3), str)
    out = workspace / "merged"
    if kind in adapters.PROMPTS:
        with pytest.raises(UserError, match="cannot be merged"):
            train.merge(folder, out, root=workspace)
        assert not out.exists()
        return
    train.merge(folder, out, root=workspace)
    merged = stage.finished(out)
    assert merged
    assert merged.merged_from == manifests.sha256_file(folder / "training.json")
    assert _bits(base_model.load_model(out), out, workspace, recipe) == pytest.approx(after, rel=1e-4)
    with pytest.raises(UserError, match="there already"):
        train.merge(folder, out, root=workspace)
    with pytest.raises(UserError, match="no adapter to merge"):
        train.merge(out, workspace / "again", root=workspace)


@pytest.mark.slow
def test_an_adapter_stands_on_an_adapter_and_knows_its_base(
    run: Callable[..., TrainingManifest], workspace: Path, recipe: dict[str, Any]
) -> None:
    run("cpt", kind="lora", r=4)
    done = run("sft", kind="lora", r=4, lora_plus_ratio=16.0)
    assert done.parent
    folder = workspace / "models/t/sft"
    loaded = base_model.load_model(folder, workspace)
    assert _bits(loaded, folder, workspace, recipe) == pytest.approx(done.bits_per_byte["general"].after, rel=1e-4)
    run("cpt", kind="lora", r=8)
    with pytest.raises(UserError, match="another base model"):
        base_model.load_model(folder, workspace)
    (workspace / "models/t/cpt").rename(workspace / "elsewhere")
    with pytest.raises(UserError, match="not here"):
        base_model.load_model(folder, workspace)
    (folder / "training.json").unlink()
    with pytest.raises(UserError, match="manifest does not hold"):
        base_model.load_model(folder, workspace)


@pytest.fixture
def tiny(shared_workspace: Path, recipe: dict[str, Any]) -> Callable[[], Any]:
    offline.pin(shared_workspace)
    offline.quiet()
    folder = base_model.resolve(load_recipe(recipe), shared_workspace).folder
    return lambda: base_model.load_model(folder)


def test_lora_plus_gives_b_a_higher_rate(tiny: Callable[[], Any], tmp_path: Path) -> None:
    part = Optimisation(adapter=Adapter(kind="lora", lora_plus_ratio=16), learning_rate=1e-4)
    model = adapters.wrap(tiny(), part.adapter, tmp_path, 1)
    rates = {id(p): group["lr"] for group in adapters.optimizer(model, part).param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert rates.pop(id(parameter)) == pytest.approx(16e-4 if "lora_B" in name else 1e-4)
    assert not rates


def test_the_same_seed_begins_with_the_same_adapter(tiny: Callable[[], Any], tmp_path: Path) -> None:
    def begin(seed: int) -> dict[str, Any]:
        model = adapters.wrap(tiny(), Adapter(kind="lora"), tmp_path, seed)
        return {n: p.clone() for n, p in model.named_parameters() if p.requires_grad}

    one, two, other = begin(1), begin(1), begin(2)
    assert all(torch.equal(one[n], two[n]) for n in one)
    assert not all(torch.equal(one[n], other[n]) for n in one)


def test_a_target_the_model_does_not_have_is_told(tiny: Callable[[], Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not fit the model"):
        adapters.wrap(tiny(), Adapter(kind="lora", targets=("no_such_layer",)), tmp_path, 1)


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "soft prompt, packed": ({"kind": "prompt_tuning"}, {"packed": True}, "cannot be packed"),
    "prefix, packed": ({"kind": "prefix_tuning"}, {"packed": True}, "cannot be packed"),
    "prefix, checkpointing": ({"kind": "prefix_tuning"}, {"machine": GPU}, "activation checkpointing"),
    "on the head": ({"kind": "lora", "targets": ("q_proj", "lm_head")}, {}, "on the head"),
    "on tied embeddings": ({"kind": "lora", "targets": ("embed_tokens",)}, {"tied": True}, "also the head"),
    "tied embeddings whole": ({"kind": "lora", "save_whole": ("lm_head",)}, {"tied": True}, "also the head"),
    "qlora without a GPU": ({"kind": "qlora"}, {}, "QLoRA needs an NVIDIA GPU"),
    "lora+ without lora": ({"kind": "osf", "lora_plus_ratio": 4}, {}, "needs a LoRA"),
    "whole modules beside osf": ({"kind": "osf", "save_whole": ("lm_head",)}, {}, "of LoRA only"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_wrong_in_silence_is_refused(case: str) -> None:
    adapter, situation, message = REFUSED[case]
    here: dict[str, Any] = {"machine": CPU, "packed": False, "tied": False}
    with pytest.raises(UserError, match=message) as caught:
        adapters.refuse(Optimisation(adapter=Adapter(**adapter)), "sft", **(here | situation))
    assert caught.value.next


@pytest.mark.parametrize("kind", [*KINDS, "full"])
def test_what_is_right_is_not_refused(kind: str) -> None:
    adapters.refuse(Optimisation(adapter=Adapter(kind=kind)), "sft", CPU, packed=False, tied=True)


def test_pefts_cpt_is_not_continued_pretraining() -> None:
    with pytest.raises(UserError) as caught:
        load_recipe({"name": "t", "cpt": {"adapter": {"kind": "CPT"}}})
    assert "Context-aware Prompt Tuning" in (caught.value.cause or "")


@pytest.mark.slow
def test_a_refused_recipe_trains_and_writes_nothing(run: Callable[..., TrainingManifest], workspace: Path) -> None:
    with pytest.raises(UserError, match="cannot be packed"):
        run("cpt", kind="prompt_tuning")
    assert not (workspace / "models/t/cpt").exists()
