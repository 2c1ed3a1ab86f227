"""A recipe is checked as a whole before any work."""

import json
from pathlib import Path

import pytest

from clinicorpus_errors import UserError
from corpus.recipe import Recipe, json_schema, load, override

ROOT = Path(__file__).parents[2]


def _write(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return path


def test_all_mistakes_are_told_at_once_with_key_value_and_what_is_allowed(tmp_path):
    path = _write(
        tmp_path,
        "name: Bad Name\nsource: {kind: xml}\nshards: 0\nstages: {filters: {min_word: 3}, split: {test: 2.0}}\n",
    )
    with pytest.raises(UserError) as error:
        load(path)
    told = error.value.cause
    assert "5 mistakes" in error.value.what
    assert "'Bad Name'" in told
    assert "source.kind: 'xml'" in told
    assert "'parquet'" in told
    assert "shards: 0" in told
    assert "did you mean min_words?" in told
    assert "stages.split.test: 2.0" in told


def test_an_unknown_key_lists_what_is_allowed(tmp_path):
    with pytest.raises(UserError) as error:
        load(_write(tmp_path, "name: a\nsource: {kind: synthetic}\nstage: {}\n"))
    assert "did you mean stages?" in error.value.cause


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nsource: {kind: jsonl}\n", "path is missing"),
        ("name: a\nsource: {kind: synthetic, path: x}\n", "has none"),
        ("name: a\nsource: {kind: jsonl, path: x}\ncrosswalk_seed: 1\n", "nonces of patients must be random"),
        ("name: a\nsource: {kind: jsonl, path: x}\nkey: demo\n", "refused for any source"),
        (
            "name: a\nsource: {kind: synthetic}\nstages: {split: {test: 0.5, validation: 0.5}}\n",
            "nothing would be left",
        ),
    ],
)
def test_keys_that_do_not_go_together_are_refused(tmp_path, text, said):
    with pytest.raises(UserError) as error:
        load(_write(tmp_path, text))
    assert said in error.value.cause


@pytest.mark.parametrize(("text", "said"), [("a: [1\n", "line 2"), ("- 1\n", "holds no keys")])
def test_what_is_no_recipe_is_explained(tmp_path, text, said):
    with pytest.raises(UserError, match=said):
        load(_write(tmp_path, text))


def test_overrides_reach_keys_below_stage_names_that_hold_a_dot():
    data = override({"stages": {"filters": {"min_words": 3}}}, ["stages.dedupe.near.threshold=0.9", "shards=2"])
    assert data == {"stages": {"filters": {"min_words": 3}, "dedupe.near": {"threshold": 0.9}}, "shards": 2}


def test_an_override_without_equals_is_explained():
    with pytest.raises(UserError, match="key=value"):
        override({}, ["shards"])


def test_what_is_recorded_of_a_recipe_names_no_path(tmp_path):
    path = _write(
        tmp_path,
        "name: a\nsource: {kind: jsonl, path: MRN123.jsonl}\ngold: [{name: g, path: s.jsonl, origin: public}]\n",
    )
    recipe, given = load(path)
    assert "MRN123" not in json.dumps([recipe.resolved(), given])
    assert "s.jsonl" not in json.dumps([recipe.resolved(), given])


@pytest.mark.parametrize("name", ["demo", "mtsamples", "openi"])
def test_shipped_recipes_are_valid(name):
    extra = [] if name == "demo" else ["source.path=notes.jsonl"]
    assert load(ROOT / "recipes" / f"{name}.yaml", extra)[0].name == name


def test_the_schema_for_editors_is_the_one_in_the_tree():
    path = ROOT / "recipes" / "schema" / "corpus.json"
    assert json.loads(path.read_text()) == json_schema(), "clinicorpus corpus schema > recipes/schema/corpus.json"


BASE = "name: x\nsource: {kind: jsonl, path: n.jsonl, agreement: 2019-01-01}\n"


def test_a_recipe_is_a_plain_document(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(BASE + "stages: {instruct: {tasks: !!set {impression, diagnosis}}}\n")
    with pytest.raises(UserError) as error:
        load(path)
    assert "stages.instruct.tasks" in error.value.cause
    path.write_text(BASE + "gold: &a [*a]\n")
    with pytest.raises(UserError, match="no plain document"):
        load(path)
    path.write_text(BASE)
    assert load(path)[0].source.agreement == "2019-01-01"


@pytest.mark.parametrize("name", ["tmp", "cache", "lock"])
def test_a_name_that_work_needs_is_refused(tmp_path, name):
    path = tmp_path / "r.yaml"
    path.write_text(BASE.replace("name: x", f"name: {name}"))
    with pytest.raises(UserError) as error:
        load(path)
    assert f"work/{name} is taken" in error.value.cause


def test_no_path_of_a_recipe_is_told(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(BASE + "release: {tokenizer: MRN4410001/tokenizer.json}\n")
    recipe, given = load(path)
    assert "4410001" not in str(recipe.resolved()) + str(given)
    assert (
        Recipe.model_validate({"name": "x", "source": {"kind": "synthetic"}}).resolved()["release"]["tokenizer"]
        == "smollm2"
    )


def test_names_of_machines_and_accounts_stay_out_of_manifests(tmp_path):
    text = "name: a\nsource: {kind: synthetic}\nengine: slurm\ncluster: {partition: oncology, sbatch: {account: icu}}\n"
    recipe, given = load(_write(tmp_path, text), ["cluster.memory_gb=8"])
    assert (recipe.cluster.partition, recipe.cluster.memory_gb) == ("oncology", 8)
    assert "cluster" not in {*recipe.resolved(), *given}
    assert given["engine"] == "slurm"
