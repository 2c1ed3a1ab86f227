"""Recipes: checked as a whole, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import train
from clinicorpus_errors import UserError

RECIPES = Path(__file__).parents[2] / "recipes"


def test_an_unknown_key_of_an_optional_part_names_the_keys_there_are() -> None:
    with pytest.raises(UserError) as caught:
        train.load_recipe({"name": "a", "cpt": {"replay": {"text": "x.parquet", "rate": 1}}})
    assert "cpt.replay.rate: unknown key; allowed: text, share" in (caught.value.cause or "")


def test_all_mistakes_are_told_at_once_with_key_value_and_what_is_allowed() -> None:
    with pytest.raises(UserError) as caught:
        train.load_recipe(
            {
                "name": "a/b",
                "cpt": {"learning_rate": -1, "shedule": "cosine", "schedule": "square"},
                "sft": {"neftune_noise_alpha": "many"},
                "evaluate": {"window": 3},
            }
        )
    assert "6 mistakes" in caught.value.what
    text = caught.value.cause or ""
    for line in (
        "name: 'a/b'",
        "cpt.learning_rate: -1: allowed: greater than 0",
        "cpt.schedule: 'square': allowed: 'cosine_with_min_lr', 'warmup_stable_decay', 'linear' or 'constant_with_warmup'",
        "sft.neftune_noise_alpha: 'many'",
        "evaluate.window: 3: allowed: greater than or equal to 16",
    ):
        assert line in text
    assert "cpt.shedule: unknown key; allowed: max_tokens, " in text


def test_missing_name_is_told() -> None:
    with pytest.raises(UserError) as caught:
        train.load_recipe({})
    assert "name: is missing" in (caught.value.cause or "")


def test_a_learning_rate_that_yaml_reads_as_text_is_a_number() -> None:
    assert train.load_recipe({"name": "a", "cpt": yaml.safe_load("{learning_rate: 2e-5}")}).cpt.learning_rate == 2e-5


def test_name_of_the_base_folder_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        train.load_recipe({"name": "base"})
    assert "models/base/ holds the base models" in (caught.value.cause or "")


@pytest.mark.parametrize("path", sorted(RECIPES.glob("train_*.yaml")), ids=lambda p: p.stem)
def test_shipped_recipe_loads_and_opens_with_its_command_and_an_override(path: Path) -> None:
    text = path.read_text()
    recipe = train.load_recipe(yaml.safe_load(text))
    assert recipe.name == path.stem
    head = text.split("\nname:")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    assert f"clinicorpus train cpt recipes/{path.name}" in head
    assert "--set " in head


def test_importing_the_room_imports_no_torch() -> None:
    code = "import sys, train; bad = {'torch', 'transformers', 'datasets'} & set(sys.modules); sys.exit(bool(bad))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
