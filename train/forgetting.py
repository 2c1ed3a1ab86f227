"""Stop when the model forgets: its loss on general text has risen too far above where it began."""

from __future__ import annotations

from typing import Any

from train.progress import say
from train.recipe import Forgetting

LOSS = "eval_general_loss"


def verdict(log: list[dict[str, Any]], want: Forgetting | None) -> dict[str, Any] | None:
    """What `run.stopped` in the manifest says if the last evaluations in a trainer's log lie beyond the bound, else None.

    The first evaluation is of the model as training found it.
    """
    measured = [(line["step"], line[LOSS]) for line in log if LOSS in line]
    if want is None or len(measured) <= want.patience:
        return None
    (_, before), *later = measured
    if not all(loss > before * (1 + want.bound) for _, loss in later[-want.patience :]):
        return None
    step, after = later[-1]
    return {"rule": "forgetting", "step": step, "loss_before": before, "loss": after, "bound": want.bound}


def callback(stage: str, want: Forgetting | None) -> Any:
    """A TrainerCallback that ends the training after an evaluation beyond the bound; `stopped` says whether it did."""
    from transformers import TrainerCallback

    class Guard(TrainerCallback):
        stopped = False

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
            if LOSS not in (metrics or {}):  # called once for each set
                return
            found = verdict(state.log_history, want)
            if found:
                self.stopped = control.should_training_stop = True
                say(
                    f"{stage}: stopped after step {found['step']}: loss on general text {found['loss_before']:.3f} → "
                    f"{found['loss']:.3f}, more than {found['bound']:.1%} above the beginning"
                )

    return Guard()
