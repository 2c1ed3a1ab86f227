"""Two processes train what one trains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import train
from clinicorpus_errors import UserError
from manifests.training import TrainingManifest
from train import processes

torch = pytest.importorskip("torch", reason="needs the train extra")

RUN = """
import json, sys
from pathlib import Path
import train
for stage in (train.run_cpt, train.run_sft):
    stage(json.loads(sys.argv[1]), Path(sys.argv[2]), {})
"""


def _results(root: Path) -> list[tuple[TrainingManifest, dict[str, Any]]]:
    from safetensors.torch import load_file

    folders = [root / "models/t" / stage for stage in ("cpt", "sft")]
    return [
        (TrainingManifest.model_validate_json((f / "training.json").read_bytes()), load_file(f / "model.safetensors"))
        for f in folders
    ]


@pytest.mark.slow
def test_two_processes_train_what_one_trains(workspace: Path, recipe: dict[str, Any], tmp_path: Path) -> None:
    """torchrun, which is also what `accelerate launch` starts on GPUs; on CPUs alone that wants MPI."""
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
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, str(tmp_path / "run.py"), json.dumps(recipe), str(workspace)],
        check=False, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
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
