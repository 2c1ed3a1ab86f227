"""Two processes train what one trains, stop together, and go on as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import train
from clinicorpus_errors import UserError
from manifests.training import TrainingManifest
from train import base_model, checkpoints, load_recipe, offline, processes, publish

torch = pytest.importorskip("torch", reason="needs the train extra")

RUN = """
import json, sys
from pathlib import Path
import train
for stage in (train.run_cpt, train.run_sft):
    stage(json.loads(sys.argv[1]), Path(sys.argv[2]), {})
"""


HERE = Path(__file__)
LAUNCHERS = {
    "torchrun": ("torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
    # Without --multi_gpu, accelerate starts one process where there is no GPU.
    "accelerate": ("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--mixed_precision", "no"),
    "fsdp2": (
        "accelerate.commands.launch", "--config_file", str(HERE.parents[2] / "recipes/launch/fsdp2.yaml"),
        "--num_processes", "2", "--mixed_precision", "no",
    ),
}  # fmt: skip


def _launch(launcher: str, cwd: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *LAUNCHERS[launcher], *args], cwd=cwd, check=False, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(HERE.parents[2]), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def _results(root: Path) -> list[tuple[TrainingManifest, dict[str, Any]]]:
    from safetensors.torch import load_file

    folders = [root / "models/t" / stage for stage in ("cpt", "sft")]
    return [
        (TrainingManifest.model_validate_json((f / "training.json").read_bytes()), load_file(f / "model.safetensors"))
        for f in folders
    ]


@pytest.mark.slow
def test_two_processes_train_what_one_trains(workspace: Path, recipe: dict[str, Any], tmp_path: Path) -> None:
    """Under accelerate; that torchrun gives the same bits, the next test says, which changes between the two."""
    recipe["cpt"] |= {"gradient_accumulation": 2, "learning_rate": 1e-3}
    recipe["sft"] |= {
        "gradient_accumulation": 2, "packing": True, "neftune_noise_alpha": 15, "ceftune_weight": 0.1, "max_examples": 12,
        "learning_rate": 1e-3,
    }  # fmt: skip
    train.run_cpt(recipe, workspace, {})
    train.run_sft(recipe, workspace, {})
    alone = _results(workspace)
    (workspace / "models/t").rename(workspace / "models/alone")
    (tmp_path / "run.py").write_text(RUN)
    done = _launch("accelerate", tmp_path, str(tmp_path / "run.py"), json.dumps(recipe), str(workspace))
    assert done.returncode == 0, done.stderr
    for (one, weights), (two, others) in zip(alone, _results(workspace), strict=True):
        assert (one.run.processes, two.run.processes) == (1, 2)
        assert one.data == two.data
        # Only a last batch that one process alone has is filled up with rows from the beginning, and counted.
        whole = one.run.tokens_seen == two.run.tokens_seen
        same = one.run.losses if whole else one.run.losses[:-1]
        for left, right in zip(same, two.run.losses, strict=whole):
            assert left.loss == pytest.approx(right.loss, rel=1e-4)
        if whole:
            for name, weight in weights.items():
                torch.testing.assert_close(weight, others[name], rtol=1e-4, atol=3e-4)  # a third of one step of Adam
    assert any(
        one.run.tokens_seen == two.run.tokens_seen
        for (one, _), (two, _) in zip(alone, _results(workspace), strict=True)
    )
    assert sorted(p.name for p in (workspace / "models/t").iterdir()) == [
        ".lock",
        "README.md",
        "bom.cdx.json",
        "cpt",
        "report.html",
        "sft",
    ]


def test_batches_are_shared_out_over_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert processes.share(8) == 2
    with pytest.raises(UserError, match="6 batches, 4 processes") as caught:
        processes.share(6)
    assert "=8" in (caught.value.next or "")


@pytest.fixture
def two(workspace: Path, recipe: dict[str, Any]) -> Callable[..., tuple[list[str], str]]:
    """Instruction tuning by two processes: dropout, NEFTune, LoRA, packing. Gives their exit codes and what they said."""
    offline.pin(workspace)
    offline.quiet()
    folder = base_model.resolve(load_recipe(recipe), workspace).folder
    shutil.copytree(folder, workspace / "with-dropout")
    config = json.loads((folder / "config.json").read_bytes())
    (workspace / "with-dropout/config.json").write_text(json.dumps(config | {"attention_dropout": 0.1}))
    recipe["sft"] |= {
        "max_examples": 12, "epochs": 3, "gradient_accumulation": 2, "packing": True, "neftune_noise_alpha": 15,
        "adapter": {"kind": "lora", "r": 4, "dropout": 0.1},
    }  # fmt: skip
    (workspace / "recipe.json").write_text(
        json.dumps(recipe | {"base": "with-dropout", "checkpoints": {"every_minutes": None}})
    )

    def call(launcher: str, plan: dict[str, Any] | None, *changes: str) -> tuple[list[str], str]:
        codes = [workspace / f"exit-{rank}" for rank in range(2)]
        for path in codes:
            path.unlink(missing_ok=True)
        change = [word for one in changes for word in ("--set", one)]
        rank = str(HERE.with_name("rank.py"))
        done = _launch(launcher, workspace, rank, json.dumps(plan), "train", "sft", "recipe.json", *change)
        assert done.returncode == (plan is not None), done.stderr
        return [path.read_text() if path.exists() else "killed" for path in codes], done.stderr

    return call


@pytest.mark.slow
def test_two_processes_stopped_or_killed_and_resumed_equal_uninterrupted(
    two: Callable[..., tuple[list[str], str]], workspace: Path
) -> None:
    assert two("torchrun", None, "name=whole")[0] == ["0", "0"]
    run = workspace / "work/train/t/sft"

    def stands_at() -> int:
        found = checkpoints.newest(run)
        assert found
        return found.record.step

    one = {"rank": 1, "at": "step 2", "signal": "SIGTERM", "whom": "self"}
    codes, said = two("torchrun", one)
    assert (codes, stands_at()) == (["75", "75"], 2)
    assert said.count("nothing is lost") == 1
    launcher = {"rank": 0, "at": "step 4", "signal": "SIGTERM", "whom": "launcher"}
    codes, _ = two("accelerate", launcher)
    assert codes == ["75", "75"]
    assert stands_at() >= 4
    step = stands_at() + 2
    kill = {"rank": 1, "at": f"random state of checkpoint-{step}", "signal": "SIGKILL", "whom": "self"}
    codes, said = two("torchrun", kill, "checkpoints.every_steps=1")
    assert (codes[1], stands_at()) == ("killed", step - 1)
    assert codes[0] != "0"
    assert "unforeseen" not in said
    assert (run / f"broken-checkpoint-{step}").is_dir()
    assert not (workspace / "models/t/sft").exists()
    assert two("accelerate", None)[0] == ["0", "0"]
    whole, parts = (workspace / "models" / name / "sft" for name in ("whole", "t"))
    for name in ("adapter_model.safetensors", "metrics.jsonl"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()
    manifest = TrainingManifest.model_validate_json((parts / "training.json").read_bytes())
    assert [session.to_step for session in manifest.run.sessions][:2] == [2, step - 2]


@pytest.mark.slow
def test_spread_over_two_processes_it_trains_what_one_trains_and_goes_on(
    workspace: Path, recipe: dict[str, Any]
) -> None:
    """FSDP2, on CPUs: rank.py gets accelerate to do it there."""
    from safetensors.torch import load_file

    recipe["cpt"] |= {"gradient_accumulation": 2, "learning_rate": 1e-3, "max_steps": 6}  # no batch to be filled up
    train.run_cpt(recipe | {"name": "alone"}, workspace, {})
    (workspace / "recipe.json").write_text(json.dumps(recipe))
    run, rank = workspace / "work/train/t/cpt", str(HERE.with_name("rank.py"))
    plan = {"rank": 1, "at": "step 3", "signal": "SIGTERM", "whom": "self"}
    _launch("fsdp2", workspace, rank, json.dumps(plan), "train", "cpt", "recipe.json")
    assert [(workspace / f"exit-{rank}").read_text() for rank in range(2)] == ["75", "75"]
    held = [float((workspace / f"held-{rank}").read_text()) for rank in range(2)]
    assert sum(held) == pytest.approx(1)
    assert 0.4 < held[0] < 0.6
    found = checkpoints.newest(run)
    assert found
    assert found.record.step == 3
    done = _launch("fsdp2", workspace, rank, "null", "train", "cpt", "recipe.json")
    assert done.returncode == 0, done.stderr
    folders = [workspace / "models" / name / "cpt" for name in ("alone", "t")]
    one, two = (TrainingManifest.model_validate_json((f / "training.json").read_bytes()) for f in folders)
    assert (two.run.processes, [session.to_step for session in two.run.sessions]) == (2, [3, one.run.steps])
    assert one.run.tokens_seen == two.run.tokens_seen
    for left, right in zip(one.run.losses, two.run.losses, strict=True):
        assert right.loss == pytest.approx(left.loss, rel=1e-4)
    for text, score in one.bits_per_byte.items():
        assert two.bits_per_byte[text].after == pytest.approx(score.after, rel=1e-4)
    weights, others = (load_file(folder / "model.safetensors") for folder in folders)
    assert weights.keys() == others.keys()
    for name, weight in weights.items():
        torch.testing.assert_close(weight, others[name], rtol=1e-4, atol=3e-4)  # a third of one step of Adam


def test_spreading_a_model_where_accelerate_would_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate.state import AcceleratorState

    if torch.cuda.is_available():
        pytest.skip("there is a GPU to spread it over")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    AcceleratorState._reset_state(reset_partial_state=True)
    with pytest.raises(UserError, match="over GPUs only"):
        processes.start()
    AcceleratorState._reset_state(reset_partial_state=True)


def test_a_lost_process_is_told_as_what_it_is() -> None:
    text = "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:3281: Connection reset"
    with pytest.raises(UserError, match="another process of this run is gone"), publish.clean_exit():
        raise RuntimeError(text)
