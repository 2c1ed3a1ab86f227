"""Losses of 20 steps of the tiny model, kept: a change of a version or of this code that changes training shows here.

GOLDEN=write python -m pytest tests/train/test_train_golden.py     # after a change that is meant to
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from train import base_model, cpt, hardware, load_recipe, offline, sft
from train.bound_corpus import bind

torch = pytest.importorskip("torch", reason="needs the train extra")

KEPT = Path(__file__).with_name("golden_losses.json")


def _processor() -> str:
    """Its name, family, model and stepping, as Linux tells them: a cloud calls several by one name."""
    told = Path("/proc/cpuinfo")
    rows = [line.split(":") for line in told.read_text().split("\n\n")[0].splitlines()] if told.is_file() else []
    facts = {row[0].strip(): row[1].strip() for row in rows if len(row) == 2}
    return " ".join(facts.get(name, "") for name in ("model name", "cpu family", "model", "stepping")).strip()


def test_losses_of_twenty_steps_are_those_kept(shared_workspace: Path, recipe: dict[str, Any], tmp_path: Path) -> None:
    recipe["cpt"] |= {"max_tokens": None, "max_steps": 20, "epochs": 4, "gradient_accumulation": 2}
    recipe["sft"] |= {"max_examples": 40, "max_steps": 20, "epochs": 4, "packing": True, "gradient_accumulation": 1}
    offline.pin(shared_workspace)
    offline.quiet()
    folder = base_model.resolve(load_recipe(recipe), shared_workspace).folder
    corpus, tokenizer = bind("demo", shared_workspace), base_model.load_tokenizer(folder)
    losses = {}
    for name, train in (("cpt", cpt.train_cpt), ("sft", sft.train_sft)):
        model = base_model.load_model(folder)
        _, run = train(model, tokenizer, corpus, load_recipe(recipe), hardware.detect(), tmp_path)
        losses[name] = [line["loss"] for line in run["losses"]]
    assert [len(each) for each in losses.values()] == [20, 20]
    here = {
        "torch": torch.__version__,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "processor": _processor(),
    }
    if os.environ.get("GOLDEN") == "write":
        KEPT.write_text(json.dumps({"made_with": here} | losses, indent=1) + "\n")
    kept = json.loads(KEPT.read_text())
    for name, each in losses.items():
        # Another processor, even one of the same instructions (1.5e-7 seen), or another version of torch adds up in another order.
        same = kept["made_with"] == here
        assert each == kept[name] if same else each == pytest.approx(kept[name], rel=1e-4)
