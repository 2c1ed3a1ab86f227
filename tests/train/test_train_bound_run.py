"""Whole runs that are interrupted: what they are bound to, what they leave, what they refuse."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import manifests
import train
from clinicorpus_errors import UserError
from manifests.training import TrainingManifest
from tests.command import run_command
from train import base_model, hardware, run_manifest, stage

pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.slow  # whole runs of the tiny model

UNFINISHED = Path("work/train/t/cpt")


@pytest.fixture
def run(workspace: Path, recipe: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    def call(name: str = "cpt", *, force: bool = False, override: str | None = None, **change: Any) -> dict[str, Any]:
        merged = recipe | {k: recipe.get(k, {}) | v if isinstance(v, dict) else v for k, v in change.items()}
        function = {"cpt": train.run_cpt, "sft": train.run_sft}[name]
        return function(merged, workspace, change, force=force, override=override)

    return call


@pytest.fixture
def stop(run: Callable[..., Any]) -> Callable[..., None]:
    """Run until SIGTERM in the given micro-batch."""
    from trl import SFTTrainer

    def call(*args: Any, batch: int = 5, **how: Any) -> None:
        real, batches = SFTTrainer.training_step, []

        def step(self: Any, *inputs: Any) -> Any:
            batches.append(1)
            if len(batches) == batch:
                os.kill(os.getpid(), signal.SIGTERM)
            return real(self, *inputs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SFTTrainer, "training_step", step)
            with pytest.raises(UserError, match="nothing is lost") as caught:
                run(*args, **how)
        assert caught.value.exit_code == 75
        assert caught.value.next == "run the same command again; it goes on from there"

    return call


def _manifest(workspace: Path, name: str = "cpt") -> dict[str, Any]:
    """The training manifest without what a clock says."""
    done = TrainingManifest.model_validate_json((workspace / "models/t" / name / "training.json").read_bytes()).dump()
    for timed in ("created_at", "wall_seconds", "cpu_seconds", "peak_memory_bytes", "parent"):
        done.pop(timed)
    for timed in ("tokens_per_second", "sessions", "checkpoints"):
        done["run"].pop(timed)
    return done


@pytest.mark.parametrize("name", ["cpt", "sft"])
def test_a_stopped_run_goes_on_to_the_same_manifest_and_files(
    run: Callable[..., Any], stop: Callable[..., None], workspace: Path, name: str
) -> None:
    run(name)
    whole = _manifest(workspace, name)
    shutil.rmtree(workspace / "models/t")
    stop(name, batch=2)
    assert not (workspace / "models/t" / name).exists()
    summary = run(name)
    assert _manifest(workspace, name) == whole
    done = stage.finished(workspace / "models/t" / name)
    assert done
    first, last = done.run.sessions
    assert (first.from_step, last.from_step) == (0, first.to_step)
    assert last.to_step == done.run.steps == done.run.checkpoints[-1].step
    assert done.wall_seconds > first.wall_seconds
    assert done.overrides == []
    assert not summary["up_to_date"]
    assert not (workspace / "work/train/t" / name).exists()
    assert run(name)["up_to_date"]


def test_what_was_measured_before_is_not_measured_again(
    run: Callable[..., Any], stop: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stop()
    assert "measuring the model before training" in capsys.readouterr().err
    run()
    said = capsys.readouterr().err
    assert "going on from step 2 of" in said
    assert "measuring the model before training" not in said


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "recipe": ({"cpt": {"learning_rate": 2e-3}}, "cpt.learning_rate: 0.01 → 0.002"),
    "seed and model": ({"seed": 6}, "seed: 5 → 6"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_recipe_is_refused_unless_a_reason_is_given(
    run: Callable[..., Any], stop: Callable[..., None], workspace: Path, what: str
) -> None:
    change, told = CHANGES[what]
    stop()
    before = {p: p.read_bytes() for p in (workspace / UNFINISHED).rglob("*") if p.is_file()}
    with pytest.raises(UserError, match="bound to something else") as caught:
        run(**change)
    assert told in str(caught.value.value)
    assert "--override" in str(caught.value.next)
    assert before == {p: p.read_bytes() for p in (workspace / UNFINISHED).rglob("*") if p.is_file()}
    run(**change, override="the ward asked for it")
    done = stage.finished(workspace / "models/t/cpt")
    assert done
    (override,) = done.overrides
    assert (override.rule, override.reason, override.step) == ("resume", "the ward asked for it", 2)
    assert told in override.changed


def test_another_corpus_model_machine_or_world_size_is_refused(
    run: Callable[..., Any],
    stop: Callable[..., None],
    workspace: Path,
    seal: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run()
    shutil.move(workspace / "models/base/tiny-5", workspace / "mine")
    stop(base="mine", cpt={"learning_rate": 2e-2})
    again = {"base": "mine", "cpt": {"learning_rate": 2e-2}}
    real = hardware.detect()
    for field, value, told in (
        ("processes", 2, "machine.processes: 1 → 2"),
        ("threads", 64, f"machine.threads: {real.threads} → 64"),
        ("kernels", "none", f"machine.kernels: {real.kernels} → none"),
    ):
        with monkeypatch.context() as patch:
            other = real._replace(**{field: value})
            patch.setattr(hardware, "detect", lambda other=other: other)
            with pytest.raises(UserError, match=told):
                run(**again)
    config = workspace / "mine/config.json"
    kept = config.read_bytes()
    config.write_bytes(kept + b"\n")
    with pytest.raises(UserError, match=r"base\.config\.json: "):
        run(**again)
    config.write_bytes(kept)
    seal(workspace, version="0.1.1", seed=2)
    with pytest.raises(UserError, match=r"corpus\.version: demo 0\.1\.0 → demo 0\.1\.1"):
        run(**again)
    assert not run(**again, corpus="manifests/versions/demo/0.1.0/manifest.json")["up_to_date"]


def test_what_changes_no_weight_is_not_refused(run: Callable[..., Any], stop: Callable[..., None]) -> None:
    stop()
    summary = run(checkpoints={"every_steps": 1}, evaluate={"general_bytes": 300})
    assert summary["bits_per_byte"]["general"]["bytes"] <= 300


def test_force_begins_anew(run: Callable[..., Any], stop: Callable[..., None], workspace: Path) -> None:
    stop()
    run(cpt={"learning_rate": 2e-3}, force=True)
    done = stage.finished(workspace / "models/t/cpt")
    assert done
    assert [session.from_step for session in done.run.sessions] == [0]
    assert done.overrides == []


def test_a_model_of_another_shape_cannot_be_gone_on_with(
    run: Callable[..., Any], stop: Callable[..., None], workspace: Path
) -> None:
    stop()
    base = workspace / "wider"
    shutil.copytree(workspace / "models/base/tiny-5", base)
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig.from_pretrained(base)
    config.intermediate_size = 96
    LlamaForCausalLM(config).save_pretrained(base)
    with pytest.raises(UserError, match="does not fit this model"):
        run(base="wider", override="try")


def test_a_lost_record_of_the_run_is_refused(
    run: Callable[..., Any], stop: Callable[..., None], workspace: Path
) -> None:
    stop()
    (workspace / UNFINISHED / run_manifest.NAME).write_text("{")
    with pytest.raises(UserError, match="gone or damaged") as caught:
        run()
    assert caught.value.next == "begin anew: --force"


def test_training_that_ended_is_not_done_again_when_the_model_could_not_be_written(
    run: Callable[..., Any], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import SFTTrainer

    run()
    whole = _manifest(workspace)
    shutil.rmtree(workspace / "models/t")
    with monkeypatch.context() as patch:
        patch.setattr(base_model, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(UserError, match="the disk is full"):
            run()
    monkeypatch.setattr(SFTTrainer, "train", lambda *_, **__: pytest.fail("trained again"))
    run()
    assert _manifest(workspace) == whole


def test_a_kill_after_the_model_appeared_leaves_nothing_that_stands_in_the_way(
    run: Callable[..., Any], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(stage.checkpoints, "discard", lambda _: None)
        run()
    assert (workspace / UNFINISHED).exists()
    run(cpt={"learning_rate": 2e-3})
    assert not (workspace / UNFINISHED).exists()


CHILD = """
import json, os, signal, sys
from pathlib import Path
import torch
import train
from clinicorpus_errors import UserError
save, saved = torch.save, []
def save_and_die(thing, path, *args, **how):
    save(thing, path, *args, **how)
    saved.append(path)
    if len(saved) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
torch.save = save_and_die
train.run_cpt(json.loads(sys.argv[1]), Path(sys.argv[2]), {})
"""


def test_a_killed_process_goes_on_from_its_last_whole_checkpoint(
    run: Callable[..., Any], workspace: Path, recipe: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    saving = {"every_steps": 1, "every_minutes": None, "keep": 1}
    run(checkpoints=saving)
    whole = _manifest(workspace)
    shutil.rmtree(workspace / "models/t")
    # Each save calls torch.save four times: the tenth is in the middle of the third.
    command = [sys.executable, "-c", CHILD, json.dumps(recipe | {"checkpoints": saving}), str(workspace), "10"]
    killed = subprocess.run(command, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert sorted(p.name for p in (workspace / UNFINISHED).glob("check*")) == ["checkpoint-2", "checkpoint-3"]
    capsys.readouterr()
    run(checkpoints=saving)
    said = " ".join(capsys.readouterr().err.split())
    assert "checkpoint-3 does not count: the save was cut short; set aside as broken-checkpoint-3" in said
    assert "going on from step 2 of" in said
    assert _manifest(workspace) | {"recipe": 0} == whole | {"recipe": 0}


def test_the_command_tells_a_stopped_run_by_its_exit_code(
    workspace: Path, recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import SFTTrainer

    path, real = workspace / "t.yaml", SFTTrainer.training_step
    path.write_text(json.dumps(recipe))
    with monkeypatch.context() as patch:
        patch.setattr(SFTTrainer, "training_step", lambda *a: os.kill(os.getpid(), signal.SIGTERM) or real(*a))
        done = run_command(workspace, "train", "cpt", path)
    assert done.returncode == 75
    assert "goes on from there" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    path.write_text(json.dumps(recipe | {"seed": 6}))
    assert run_command(workspace, "train", "cpt", path).returncode == 2
    done = run_command(workspace, "train", "cpt", path, "--override", "a reason", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["model"] == "models/t/cpt"


def test_a_signal_in_the_last_step_stops_before_measuring(
    run: Callable[..., Any], stop: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stop(cpt={"max_steps": 2})
    assert "after training" not in capsys.readouterr().err
    assert run(cpt={"max_steps": 2})["tokens_seen"] > 0


def test_shares_of_tokens_are_achieved_ones_and_small_kinds_are_not_named(
    run: Callable[..., Any], workspace: Path
) -> None:
    run("cpt", cpt={"max_tokens": None})
    assert _manifest(workspace)["data"]["token_shares"] == {"progress": 1.0}
    run("sft")
    assert _manifest(workspace, "sft")["data"]["token_shares"] == {"other": 1.0}  # six conversations


def test_checkpoints_in_the_manifest_are_named_by_digest(run: Callable[..., Any], workspace: Path) -> None:
    kept: list[str] = []
    real = stage.checkpoints.discard

    def discard(folder: Path) -> None:
        kept.extend(manifests.sha256_file(p) for p in folder.glob("checkpoint-*/COMPLETE"))
        real(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.checkpoints, "discard", discard)
        run(checkpoints={"every_steps": 2})
    done = stage.finished(workspace / "models/t/cpt")
    assert done
    assert [saved.step for saved in done.run.checkpoints][:2] == [2, 4]
    assert kept == [done.run.checkpoints[-1].sha256]
