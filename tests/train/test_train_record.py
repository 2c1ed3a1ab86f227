"""What a run leaves behind: metrics, stamps, card, page, bill of materials, and an early end on forgetting."""

from __future__ import annotations

import json
import os
import re
import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import manifests
import train
from clinicorpus_errors import UserError
from manifests.ml_bom import render_bom
from manifests.model_card import render_model_card
from manifests.model_report import POINTS, render_model_report
from manifests.training import Trained, TrainingManifest
from train import forgetting, measure, metrics, record, stamp, tracking
from train.recipe import Forgetting, load_recipe

pytest.importorskip("torch", reason="needs the train extra")

LOSSES = st.lists(st.floats(0.1, 10), max_size=8)


@given(LOSSES, st.floats(0.001, 1), st.integers(1, 3))
def test_forgetting_is_a_row_of_evaluations_above_the_bound(losses: list[float], bound: float, patience: int) -> None:
    log = [{"step": i, "eval_general_loss": loss} for i, loss in enumerate(losses)]
    log += [{"step": 99, "loss": 50.0}, {"step": 99, "eval_clinical_loss": 50.0}]
    found = forgetting.verdict(log, Forgetting(bound=bound, patience=patience))
    tail = losses[1:][-patience:]
    assert (found is not None) == (len(tail) == patience and min(tail) > losses[0] * (1 + bound))
    if found:
        assert (found["step"], found["loss_before"], found["loss"]) == (len(losses) - 1, losses[0], losses[-1])
    assert forgetting.verdict(log, None) is None


def test_forgetting_without_evaluation_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        load_recipe({"name": "a", "evaluate": {"forgetting": {"bound": 0.05}}})
    assert "evaluate.every" in (caught.value.cause or "")


def test_a_tracker_that_is_not_installed_is_refused_before_anything_starts(
    workspace: Path, recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.util import find_spec

    monkeypatch.setattr(tracking, "find_spec", lambda name: None if name == "wandb" else find_spec(name))
    with pytest.raises(UserError, match="not installed") as caught:
        train.run_cpt(recipe | {"report_to": ["wandb"]}, workspace, {})
    assert caught.value.value == "wandb"
    assert "pip install wandb" in (caught.value.next or "")
    assert not (workspace / "models").exists()


def test_trackers_stay_on_this_machine_unless_the_user_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    sends = ["TRACKIO_BUCKET_ID", "TRACKIO_DATASET_ID", "TRACKIO_SERVER_URL", "TRACKIO_SPACE_ID", "TRACKIO_WEBHOOK_URL"]
    for name in sends:
        monkeypatch.setenv(name, "somebody/somewhere")
    monkeypatch.setenv("WANDB_LOG_MODEL", "end")
    tracking.pin((), "t", tmp_path)
    assert "WANDB_MODE" not in os.environ  # transformers says so on standard output if it is
    tracking.pin(("wandb", "trackio", "tensorboard"), "t", tmp_path)
    assert (os.environ["WANDB_MODE"], os.environ["WANDB_LOG_MODEL"]) == ("offline", "false")
    assert not os.environ.keys() & set(sends)  # an empty one is a space without a name to trackio
    for name in ("TENSORBOARD_LOGGING_DIR", "TRACKIO_DIR", "WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        assert Path(os.environ[name]).is_relative_to(tmp_path / "work")
    monkeypatch.setenv("WANDB_MODE", "online")
    tracking.pin(("wandb",), "t", tmp_path)
    assert os.environ["WANDB_MODE"] == "online"


@pytest.mark.slow
def test_trackers_get_the_losses_through_transformers(tmp_path: Path) -> None:
    from train import hardware, trainer

    part = load_recipe({"name": "a"}).cpt
    for asked, given_on in (((), []), (("tensorboard",), ["tensorboard"])):
        args = trainer.settings(part, 1, tmp_path, hardware.detect(), rows=4, report_to=asked)
        assert args.report_to == given_on
        assert args.trackio_static_space_id is False


def test_a_line_of_metrics_holds_known_numbers_only() -> None:
    log = [
        {"loss": float("nan"), "step": 1, "num_input_tokens_seen": 9, "text": "a note", "total_flos": 3},
        {"train_runtime": 3.0, "step": 1},
        {"eval_general_loss": 2.0, "eval_runtime": 1.0, "step": 1},
    ]
    assert [json.loads(line) for line in metrics.lines(log)] == [
        {"loss": None, "step": 1, "tokens": 9}, {"eval_general_loss": 2.0, "step": 1},
    ]  # fmt: skip


@given(st.lists(st.tuples(st.floats(1, 50), st.integers(1, 50), st.integers(0, 30)), min_size=1, max_size=30))
def test_an_interval_holds_the_ratio_and_knows_no_order(rows: list[tuple[float, int, int]]) -> None:
    over, under, groups = zip(*rows, strict=True)
    found = measure.interval(over, under, groups)
    assert (found is None) == (len(set(groups)) < measure.FEWEST_GROUPS)
    if found:
        assert min(a / b for a, b, _ in rows) - 1e-6 <= found[0] <= found[1] <= max(a / b for a, b, _ in rows) + 1e-6


def test_an_interval_is_wider_where_documents_of_a_patient_are_alike() -> None:
    bits, sizes = [float(10 + 5 * (i // 10 % 2)) for i in range(200)], [10.0] * 200
    alone, of_patients = (measure.interval(bits, sizes, g) for g in (range(200), [i // 10 for i in range(200)]))
    assert alone
    assert of_patients
    assert of_patients[1] - of_patients[0] > 2 * (alone[1] - alone[0])


def _tensors(path: Path) -> bytes:
    data = path.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]


def test_a_stamp_changes_no_byte_of_a_tensor(tmp_path: Path) -> None:
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    weights = {"a": torch.arange(7, dtype=torch.bfloat16), "b": torch.rand(3, 5)}
    for name in ("model-1.safetensors", "model-2.safetensors"):
        save_file(weights, tmp_path / name, metadata={"format": "pt"})
        before = _tensors(tmp_path / name)
        for corpus in ("ü" * 3, "x" * 100):  # again: stamped anew, not twice
            stamp.write(tmp_path, {"corpus": corpus})
            assert _tensors(tmp_path / name) == before
            with safe_open(tmp_path / name, "pt") as file:
                assert file.metadata() == {"format": "pt", "clinicorpus.corpus": corpus}
        loaded = load_file(tmp_path / name)
        assert all(torch.equal(loaded[k], weights[k]) for k in weights)
        assert int.from_bytes((tmp_path / name).read_bytes()[:8], "little") % 8 == 0
    assert stamp.read(tmp_path) == {"corpus": "x" * 100}
    assert not list(tmp_path.glob("*.partial"))


def _recipe(recipe: dict[str, Any], **evaluate: Any) -> dict[str, Any]:
    return recipe | {"evaluate": recipe["evaluate"] | {"every": 2, "heldout_bytes": 4000} | evaluate}


@pytest.fixture
def trained(shared_workspace: Path, recipe: dict[str, Any]) -> Path:
    """models/t of a workspace with cpt and sft, trained by whichever test comes first."""
    wanted = _recipe(recipe)
    for stage in (train.run_cpt, train.run_sft):
        stage(wanted, shared_workspace, wanted)
    return shared_workspace / "models" / "t"


def _stages(model: Path) -> list[Trained]:
    corpus = manifests.newest(model.parents[1])
    found = [record._read(model / stage / "training.json", corpus) for stage in ("cpt", "sft")]
    return [one for one in found if one]


@pytest.mark.slow
def test_every_step_stands_in_metrics_and_in_the_manifest(trained: Path, canary: str) -> None:
    for one in _stages(trained):
        text = (trained / one.manifest.stage / "metrics.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        run = one.manifest.run
        assert [(x["step"], x["loss"]) for x in lines if "loss" in x] == [(s.step, s.loss) for s in run.losses]
        assert [x["step"] for x in lines if "eval_general_loss" in x] == list(range(0, run.steps + 1, 2))
        assert {k for x in lines for k in x} <= set(metrics._KEPT.values())
        assert max(x["tokens"] for x in lines) == run.tokens_seen
        assert canary not in text


@pytest.mark.slow
def test_weight_files_name_what_they_were_trained_on(trained: Path) -> None:
    cpt, sft = _stages(trained)
    for one, found in ((cpt, stamp.read(trained / "cpt")), (sft, stamp.read(trained / "sft"))):
        m = one.manifest
        assert found["corpus_sha256"] == m.corpus.manifest_sha256
        assert found["base_sha256"] == manifests.sha256_bytes(manifests.canonical(m.base.files))
        assert re.fullmatch("[0-9a-f]{64}", found["recipe_sha256"])
        assert found.get("parent_key") == (cpt.manifest.key if m.parent else None)


@pytest.mark.slow
def test_the_card_says_what_the_manifests_say(trained: Path, canary: str) -> None:
    text = (trained / "README.md").read_text()
    cpt, sft = _stages(trained)
    assert text == render_model_card([cpt, sft])
    for said in (
        cpt.sha256[:16], sft.sha256[:16], cpt.manifest.corpus.manifest_sha256, "base tiny-5",
        "the cpt model of this folder", f"{cpt.manifest.bits_per_byte['heldout'].after:.4f}", "sealed without one",
    ):  # fmt: skip
        assert said in text
    assert canary not in text
    low, high = cpt.manifest.bits_per_byte["heldout"].after_95 or (9, 0)
    assert low <= cpt.manifest.bits_per_byte["heldout"].after <= high
    assert sft.manifest.bits_per_byte["heldout"].before_95 == [low, high]
    assert cpt.manifest.bits_per_byte["general"].after_95 is None


@pytest.mark.slow
def test_an_override_of_the_gate_and_of_a_resume_stand_in_card_and_bill(trained: Path) -> None:
    *_, one = _stages(trained)
    assert one.corpus
    line = {"rule": "gate", "reason": "the board\nagreed <b>", "by": "A. Person"}
    went_on = {"rule": "resume", "reason": "node 7 died", "changed": ["sft.learning_rate: 1 → 2"], "step": 3}
    manifest = TrainingManifest.model_validate(one.manifest.dump() | {"overrides": [went_on]})
    changed = one._replace(corpus=one.corpus.model_copy(update={"overrides": [line]}), manifest=manifest)
    card = render_model_card([changed])
    assert "the board agreed <b>" in card
    assert "node 7 died" in card
    assert "does not stand here any more" in card  # trained from a cpt that is not among these
    assert "gate: the board" in render_bom([changed])
    page = render_model_report([changed])
    assert "node 7 died" in page
    without = one._replace(corpus=None)
    assert "manifest is not at hand" in render_model_card([without])
    assert render_bom([without])
    assert render_model_report([without])


@pytest.mark.slow
def test_the_page_needs_no_network_and_shows_every_curve(trained: Path, canary: str) -> None:
    page = (trained / "report.html").read_text()
    assert page.count("<svg") == 2
    assert not re.search(r"<script|<link|<iframe|@import|src=|url\((?!#)", page)
    assert set(re.findall(r'href="([^"]+)"', page)) - {"README.md"} == set(re.findall(r'href="(#[^"]+)"', page))
    for name in ("training", "validation patients", "general text"):
        assert page.count(f">{name}</text>") == 2
    assert canary not in page
    cpt, sft = _stages(trained)
    assert render_model_report([cpt, sft]) == page
    step = cpt.manifest.run.losses[0].model_dump()
    long = cpt.manifest.model_copy(
        update={"run": cpt.manifest.run.model_validate(
            cpt.manifest.run.model_dump() | {"losses": [step | {"step": i} for i in range(5 * POINTS)]}
        )}
    )  # fmt: skip
    assert len(render_model_report([cpt._replace(manifest=long)])) < len(page) + 30_000


@pytest.mark.slow
def test_the_bill_of_materials_names_everything_and_every_reference_leads_somewhere(trained: Path) -> None:
    text = (trained / "bom.cdx.json").read_text()
    cpt, sft = _stages(trained)
    assert text == render_bom([cpt, sft])
    bom = json.loads(text)
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert uuid.UUID(bom["serialNumber"].removeprefix("urn:uuid:"))
    model = bom["metadata"]["component"]
    assert model["type"] == "machine-learning-model"
    listed = {c["name"]: c["hashes"][0]["content"] for c in model["components"]}
    assert listed == {f.path: f.sha256 for f in sft.manifest.files}
    kinds = [c["type"] for c in bom["components"]]
    assert kinds.count("data") == 1
    assert kinds.count("machine-learning-model") == 2  # cpt and the base
    packages = {c["name"]: c["version"] for c in bom["components"] if c["type"] == "library"}
    assert packages == sft.manifest.environment["packages"]
    refs = [c["bom-ref"] for c in (model, *bom["components"])]
    refs += [f["bom-ref"] for c in (model, *bom["components"]) for f in c.get("components", [])]
    assert len(set(refs)) == len(refs)
    pointed = {d["ref"] for d in bom["dependencies"]} | {r for d in bom["dependencies"] for r in d.get("dependsOn", [])}
    assert pointed <= set(refs)
    assert model["modelCard"]["modelParameters"]["datasets"][0]["ref"] in refs


@pytest.mark.slow
def test_the_bill_of_materials_follows_the_published_schema(trained: Path) -> None:
    pytest.importorskip("cyclonedx", reason="needs the dev extra")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    cpt, sft = _stages(trained)
    for stages in ([cpt], [cpt, sft], [sft._replace(corpus=None)]):
        assert validator.validate_str(render_bom(stages)) is None
    assert validator.validate_str(render_bom([cpt]).replace("machine-learning-model", "model")) is not None


@pytest.mark.slow
def test_what_is_lost_or_changed_is_made_again_without_training(
    trained: Path, recipe: dict[str, Any], shared_workspace: Path
) -> None:
    wanted = _recipe(recipe)
    before = {p.name: p.read_bytes() for p in trained.iterdir() if p.is_file() and p.name != ".lock"}
    assert set(before) == {"README.md", "report.html", "bom.cdx.json"}
    (trained / "README.md").unlink()
    (trained / "report.html").write_text("half")
    assert train.run_sft(wanted, shared_workspace, wanted)["up_to_date"]
    assert {name: (trained / name).read_bytes() for name in before} == before


@pytest.fixture
def run(workspace: Path, recipe: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    def call(name: str = "t", **change: Any) -> dict[str, Any]:
        wanted = _recipe(recipe, every=1, forgetting={"bound": 1e-6, "patience": 2}) | {"name": name} | change
        wanted["cpt"] = wanted["cpt"] | {"max_tokens": 6000}
        return train.run_cpt(wanted, workspace, wanted)

    return call


@pytest.mark.slow
def test_training_that_forgets_ends_there_and_says_so(
    run: Callable[..., dict[str, Any]], workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = run()
    done = _stages(workspace / "models/t")[0].manifest
    assert done.run.stopped
    assert summary["stopped"]["step"] == done.run.stopped.step == done.run.steps == done.run.losses[-1].step
    assert done.run.steps < 12
    general = [line["eval_general_loss"] for line in done.run.evaluations if "eval_general_loss" in line]
    assert general[0] == done.run.stopped.loss_before
    assert min(general[-2:]) > general[0] * (1 + 1e-6)
    assert "ended early" in (workspace / "models/t/README.md").read_text()
    train.show(summary)
    assert f"ended early, after step {done.run.steps}" in capsys.readouterr().out
    assert run()["up_to_date"]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["the one before", "the last"])
def test_training_that_forgets_and_is_interrupted_ends_at_the_same_step(
    run: Callable[..., dict[str, Any]], workspace: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    whole = run("whole")
    last = whole["stopped"]["step"]
    at = last - (step == "the one before")
    lines = metrics.lines

    def told(log: list[dict[str, Any]], **how: Any) -> list[str]:
        if log and log[-1].get("step") == at and "loss" in log[-1]:
            os.kill(os.getpid(), signal.SIGTERM)
        return lines(log, **how)

    monkeypatch.setattr(metrics, "lines", told)
    with pytest.raises(UserError, match="nothing is lost"):
        run("parts")
    monkeypatch.setattr(metrics, "lines", lines)
    assert run("parts")["stopped"] == whole["stopped"]
    measured = [_stages(workspace / "models" / name)[0].manifest.run.evaluations for name in ("whole", "parts")]
    assert measured[0] == measured[1]  # none of them twice
    one, other = (workspace / "models" / name / "cpt/model.safetensors" for name in ("whole", "parts"))
    assert manifests.sha256_file(one) == manifests.sha256_file(other)
