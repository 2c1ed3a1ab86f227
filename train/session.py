"""One process' share of a run: it goes on from the newest checkpoint, saves, and stops when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clinicorpus_errors import UserError
from train import checkpoints, divergence, processes
from train.recipe import Checkpoints


def run(
    make: Callable[[list[Any]], Any],
    args: Any,
    stage: str,
    want: Checkpoints,
    documents: divergence.Documents,
    *,
    ended: Callable[[], bool] = lambda: False,
) -> tuple[Any, dict[str, Any]]:
    """Train with the SFTTrainer that `make` builds from callbacks, to the end or until told to stop.

    documents: to name those at which the loss is no number. ended: whether an evaluation ended the training for good.
    Returns (trainer, figures of the whole run, earlier sessions included). Raises UserError with exit code
    `checkpoints.STOPPED` when it was told to stop and saved.
    """
    start = processes.from_main(lambda: checkpoints.newest(Path(args.output_dir)))
    with checkpoints.stop_requests() as stop:
        keeper = checkpoints.keeper(want, start, stop, ended)
        args.eval_on_start = args.eval_on_start and start is None  # else it would be measured at the resumed step again
        watch = divergence.callback(stage, documents, args.max_length, keeper)
        trainer = make([watch, keeper])
        try:
            _train(trainer, start)
        finally:
            watch.close()
        stopped = any(processes.from_all(stop.asked))
    assert keeper.last
    if stopped:  # in the last step too: what is left takes longer than a machine that goes away waits
        processes.raise_together(checkpoints.stopped(stage, keeper.last))
    sessions = keeper.last.record.sessions
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    seconds = sum(session.wall_seconds for session in sessions)
    return trainer, {
        # The trainer's own counts know nothing of earlier sessions.
        "loss_mean": sum(losses) / len(losses),
        "tokens_per_second": round(trainer.state.num_input_tokens_seen / max(seconds, 0.1), 1),
        "checkpoints": [saved.model_dump() for saved in keeper.lineage()],
        "sessions": [session.model_dump() for session in sessions],
    }


def _train(trainer: Any, start: checkpoints.Checkpoint | None) -> None:
    """Train, go on, or only load what is trained already.

    Resumed at its last step, transformers would train one more unless that step also ended an epoch.
    """
    from transformers import TrainerState

    if start is None:
        trainer.train()
        return
    folder, record = str(start.folder), start.record
    planned = trainer.set_initial_training_values(trainer.args, trainer.get_train_dataloader())[-1]
    try:
        if record.step >= planned or (record.finished and record.planned == planned):
            trainer._load_from_checkpoint(folder)
            trainer.state = TrainerState.load_from_json(str(start.folder / "trainer_state.json"))
        else:
            trainer.train(resume_from_checkpoint=folder)
    except (RuntimeError, ValueError) as error:
        if "size mismatch" not in str(error) and "parameter group" not in str(error):
            raise
        raise UserError(
            "the checkpoint does not fit this model",
            value=start.folder.name,
            cause="it was saved of a model of another shape, or with other parameters trained",
            next="take the model it was saved of, or begin anew: --force",
        ) from None
