"""metrics.jsonl: one line for each step and each evaluation, numbers only.

While a run goes on it stands beside its run.json and grows; then it goes into the model's folder, without the times, so
that a run that was interrupted leaves the same file as one that was not.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import manifests
from train import processes

NAME = "metrics.jsonl"
_KEPT = {
    "step": "step",
    "epoch": "epoch",
    "num_input_tokens_seen": "tokens",
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "neftune_alpha": "neftune_alpha",
    "ceftune_distance": "ceftune_distance",
    "train_runtime": "seconds",
    "train_tokens_per_second": "tokens_per_second",
    "eval_clinical_loss": "eval_clinical_loss",
    "eval_general_loss": "eval_general_loss",
}
"""The trainer's names to ours. `seconds` and `tokens_per_second` are of the session at hand."""
_TIMES = {"seconds", "tokens_per_second"}
_TELLING = {"loss", "eval_clinical_loss", "eval_general_loss"}


def lines(log: list[dict[str, Any]], *, timed: bool = True) -> list[str]:
    """The lines of a trainer's log that hold a loss, as JSON."""
    kept = {theirs: ours for theirs, ours in _KEPT.items() if timed or ours not in _TIMES}
    return [
        json.dumps({ours: _number(line[theirs]) for theirs, ours in kept.items() if theirs in line})
        for line in log
        if _TELLING & line.keys()
    ]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no NaN


def write(run: Path, log: list[dict[str, Any]], *, timed: bool) -> None:
    """Write the whole file into a run's folder."""
    manifests.write_atomic(run / NAME, "".join(f"{line}\n" for line in lines(log, timed=timed)).encode())


def callback() -> Any:
    """A TrainerCallback that keeps the file up to date, in the main process.

    What an interrupted session wrote after its last checkpoint is trained again, so the file begins with the lines of
    the steps that count.
    """
    from transformers import TrainerCallback

    class Metrics(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if processes.is_main():
                Path(args.output_dir).mkdir(parents=True, exist_ok=True)
                write(Path(args.output_dir), state.log_history, timed=True)

        def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if processes.is_main():
                with (Path(args.output_dir) / NAME).open("a") as file:
                    file.writelines(f"{line}\n" for line in lines(state.log_history[-1:]))

    return Metrics()
