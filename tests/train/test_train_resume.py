"""Interrupted and resumed equals uninterrupted, bit for bit; and what does not count is not gone on from."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import manifests
from clinicorpus_errors import UserError
from train import base_model, checkpoints, cpt, hardware, load_recipe, offline, session, sft
from train.bound_corpus import bind
from train.checkpoints import Checkpoint

torch = pytest.importorskip("torch", reason="needs the train extra")


class Killed(BaseException):
    """What no `except Exception` sees."""


@pytest.fixture
def base(shared_workspace: Path, recipe: dict[str, Any]) -> Path:
    """The tiny model, with dropout."""
    offline.pin(shared_workspace)
    offline.quiet()
    folder = base_model.resolve(load_recipe(recipe), shared_workspace).folder
    mine = shared_workspace / "with-dropout"
    if not mine.exists():
        shutil.copytree(folder, mine)
        config = json.loads((mine / "config.json").read_bytes())
        (mine / "config.json").write_text(json.dumps(config | {"attention_dropout": 0.1}))
    return mine


@pytest.fixture
def train(base: Path, shared_workspace: Path, recipe: dict[str, Any]) -> Callable[..., Any]:
    """Train one stage in folder `out`; `at_forward` is called with the number of each training forward pass."""
    corpus = bind("demo", shared_workspace)

    def call(
        out: Path, stage: str = "cpt", *, lora: bool = False, at_forward: Callable[[int], None] | None = None,
        change: dict[str, Any] | None = None, **saving: Any,
    ) -> dict[str, Any]:  # fmt: skip
        model, tokenizer = base_model.load_model(base), base_model.load_tokenizer(base)
        if lora:
            from peft import LoraConfig, get_peft_model

            torch.manual_seed(1)
            model = get_peft_model(model, LoraConfig(lora_dropout=0.1, target_modules="all-linear"))
        passes: list[int] = []

        def see(module: Any, *_: Any) -> None:
            if module.training:
                passes.append(1)
                if at_forward:
                    at_forward(len(passes))

        model.register_forward_pre_hook(see)
        part = {"epochs": 2, "gradient_accumulation": 3, "max_length": 64, "max_tokens": 700} if stage == "cpt" else {"epochs": 2}
        merged = recipe | {stage: recipe[stage] | part | (change or {})}
        checked = load_recipe(merged | {"checkpoints": {"every_minutes": None, "keep": 2} | saving})
        run = {"cpt": cpt.train_cpt, "sft": sft.train_sft}[stage]
        _, record = run(model, tokenizer, corpus, checked, hardware.detect(), out)
        return record

    return call


@pytest.fixture
def stop_after(train: Callable[..., Any]) -> Callable[..., None]:
    """Train until SIGTERM comes in the given forward pass."""

    def call(out: Path, *args: Any, forward: int = 1, **how: Any) -> None:
        def tell(number: int) -> None:
            if number == forward:
                os.kill(os.getpid(), signal.SIGTERM)

        with pytest.raises(UserError, match="nothing is lost") as caught:
            train(out, *args, at_forward=tell, **how)
        assert caught.value.exit_code == 75

    return call


def _bits(out: Path) -> dict[str, Any]:
    """All that training leaves: weights, optimizer, schedule, random states as bytes; losses and tokens as figures."""
    found = checkpoints.newest(out)
    assert found
    files = {name: c.sha256 for name, c in found.record.files.items() if name.endswith((".safetensors", ".pt", ".pth"))}
    state = json.loads((found.folder / "trainer_state.json").read_bytes())
    keys = ("epoch", "loss", "grad_norm", "learning_rate", "step")
    losses = [{key: line[key] for key in keys} for line in state["log_history"] if "loss" in line]
    return {
        "files": files, "losses": losses, "tokens": state["num_input_tokens_seen"], "flos": state["total_flos"],
        "step": found.record.step, "finished": found.record.finished,
    }  # fmt: skip


@pytest.mark.parametrize(("stage", "lora"), [("cpt", False), ("sft", False), ("sft", True)])
def test_stopped_after_every_step_and_resumed_equals_uninterrupted(
    train: Callable[..., Any], stop_after: Callable[..., None], tmp_path: Path, stage: str, lora: bool
) -> None:
    whole = train(tmp_path / "whole", stage, lora=lora)
    steps = whole["steps"]
    assert steps >= 4
    assert len(whole["sessions"]) == 1
    for step in range(1, steps):
        stop_after(tmp_path / "parts", stage, lora=lora)
        found = checkpoints.newest(tmp_path / "parts")
        assert found
        assert (found.record.step, found.record.finished) == (step, False)
    parts = train(tmp_path / "parts", stage, lora=lora)
    assert _bits(tmp_path / "parts") == _bits(tmp_path / "whole")
    for timed in ("tokens_per_second", "sessions", "checkpoints"):
        whole.pop(timed), parts.pop(timed)
    assert parts == whole


def test_when_it_is_saved_changes_nothing(train: Callable[..., Any], tmp_path: Path) -> None:
    train(tmp_path / "once")
    record = train(tmp_path / "often", every_steps=1)
    assert [saved["step"] for saved in record["checkpoints"]] == list(range(1, record["steps"] + 1))
    assert _bits(tmp_path / "often") == _bits(tmp_path / "once")
