"""A loss or a gradient that is no number any more stops the run, before anything of it is saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from clinicorpus_errors import UserError
from train import processes

_NAMED = 20

Documents = Callable[[], Iterable[tuple[str, list[int]]]]
"""Record key and token ids of every document that may be trained on. Called only when something went wrong."""


def callback(stage: str, documents: Documents, row_length: int, keeper: Any) -> Any:
    """A TrainerCallback that raises UserError naming the records of the step.

    keeper: the callback that knows the last good checkpoint. The loss is logged before a checkpoint of the same step
    would be saved.
    """
    from transformers import TrainerCallback

    class Divergence(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            self.batches: list[dict[str, Any]] = []
            self.hook = model.register_forward_pre_hook(self._see, with_kwargs=True)

        def _see(self, module: Any, args: Any, kwargs: Any) -> None:
            if module.training:
                self.batches.append({k: kwargs.get(k) for k in ("input_ids", "position_ids", "attention_mask")})

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.batches.clear()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            for what, name in (("loss", "training loss"), ("grad_norm", "gradient")):
                if what in (logs or {}) and not math.isfinite(logs[what]):
                    error = UserError(
                        f"the {name} is no number any more",
                        value=f"step {state.global_step} of {stage}, records {self._records()}",
                        cause="the learning rate is too high for this model, or these notes are like no others; "
                        + kept(keeper),
                        next=f"--set {stage}.learning_rate=... with a lower value, and --override "
                        '"lower learning rate" to go on from the checkpoint or --force to begin anew',
                    )
                    processes.raise_together(error)

        def _records(self) -> str:
            mine = matching(self.batches, documents(), row_length)
            found = sorted(set().union(*processes.from_all(mine)))
            return ", ".join(found[:_NAMED]) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.close()

        def close(self) -> None:
            """Take the hook off the model, also after an error."""
            if hasattr(self, "hook"):
                self.hook.remove()

    return Divergence()


def kept(keeper: Any) -> str:
    """What is left after a run that failed, in words."""
    return f"the checkpoint of step {keeper.last.record.step} is kept" if keeper.last else "no step was saved before"


def matching(batches: list[dict[str, Any]], documents: Iterable[tuple[str, list[int]]], row_length: int) -> set[str]:
    """Keys of the documents whose tokens went through the model in `batches`.

    A document longer than a row was cut at multiples of `row_length`.
    """
    segments = {tuple(ids) for batch in batches for ids in _segments(batch)}
    return {
        record
        for record, ids in documents
        if any(tuple(ids[i : i + row_length]) in segments for i in range(0, len(ids), row_length))
    }


def _segments(batch: dict[str, Any]) -> Iterator[list[int]]:
    """Token ids of each document, or piece of one, in a batch: flattened rows by position, padded ones by mask."""
    ids, positions, mask = batch["input_ids"], batch["position_ids"], batch["attention_mask"]
    if positions is not None:
        flat, starts = ids.flatten().tolist(), [i for i, p in enumerate(positions.flatten().tolist()) if p == 0]
        for start, end in zip(starts, [*starts[1:], len(flat)], strict=True):
            yield flat[start:end]
    else:
        for row, keep in zip(ids, mask if mask is not None else [None] * len(ids), strict=True):
            yield (row if keep is None else row[keep.bool()]).tolist()
