"""trl.SFTTrainer with this machine's settings: what both stages have in common."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from train import divergence, hardware, progress, session
from train.recipe import Checkpoints, Optimisation

FEWEST = 11
"""Documents of a kind below which a manifest does not name it."""


def map_batch() -> int:
    """Documents that TRL packs at a time: the default of datasets' map. Another size gives other rows."""
    from datasets import Dataset

    return int(inspect.signature(Dataset.map).parameters["batch_size"].default)


def settings(part: Optimisation, seed: int, out: Path, machine: hardware.Hardware, *, rows: int, **stage: Any) -> Any:
    """SFTConfig for one stage over `rows` rows. Weights stay fp32; TRL's own defaults (bf16 autocast and
    gradient checkpointing) cost 15x and 1.2x on a CPU without bf16."""
    from trl import SFTConfig

    on_cpu = machine.device == "cpu"
    return SFTConfig(
        output_dir=str(out),
        seed=seed,
        data_seed=seed,
        max_length=part.max_length,
        num_train_epochs=part.epochs,
        max_steps=part.max_steps or -1,
        per_device_train_batch_size=min(part.batch_size, rows),
        gradient_accumulation_steps=part.gradient_accumulation,
        learning_rate=part.learning_rate,
        lr_scheduler_type=part.schedule,
        lr_scheduler_kwargs={"min_lr_rate": 0.1} if part.schedule == "cosine_with_min_lr" else None,
        warmup_steps=part.warmup,
        weight_decay=part.weight_decay,
        use_cpu=on_cpu,
        bf16=machine.bf16,
        gradient_checkpointing=not on_cpu,
        dataloader_pin_memory=not on_cpu,
        save_strategy="no",  # train/checkpoints.py says when
        report_to="none",
        push_to_hub=False,
        disable_tqdm=True,
        logging_steps=1,
        logging_nan_inf_filter=False,  # or a loss that is no number would be logged as the mean of the others
        **stage,
    )


def shares(kinds: Sequence[str | None], documents: list[list[int]]) -> dict[str, float]:
    """Share of the tokens that documents of each kind really have. Kinds of fewer than 11 documents are one, `other`."""
    tokens: Counter[str] = Counter()
    number = Counter(kind or "none" for kind in kinds)
    for kind, ids in zip(kinds, documents, strict=True):
        name = kind or "none"
        tokens[name if number[name] >= FEWEST else "other"] += len(ids)
    return {kind: round(count / tokens.total(), 4) for kind, count in sorted(tokens.items())}


def train(
    model: Any,
    tokenizer: Any,
    dataset: Any,
    args: Any,
    stage: str,
    machine: hardware.Hardware,
    saving: Checkpoints,
    documents: divergence.Documents,
) -> Any:
    """Run SFTTrainer over a tokenised dataset (`input_ids`, `labels`), or go on with it: see `train.session.run`.

    Returns (rows trained on, run record); the rows are the trainer's own dataset
    after packing, with `seq_lengths` where it packed.
    """
    from transformers import PrinterCallback
    from trl import SFTTrainer

    bar = progress.callback(stage)

    def make(callbacks: list[Any]) -> Any:
        trainer = SFTTrainer(
            model=model, args=args, train_dataset=dataset, processing_class=tokenizer, callbacks=[bar, *callbacks]
        )
        trainer.remove_callback(PrinterCallback)
        return trainer

    try:
        trainer, figures = session.run(make, args, stage, saving, documents)
    finally:
        bar.close()
    run = {
        "steps": trainer.state.global_step,
        "epochs": round(trainer.state.epoch, 4),
        "tokens_seen": trainer.state.num_input_tokens_seen,
        "losses": [
            {"step": line["step"], "loss": line["loss"], "learning_rate": line["learning_rate"]}
            for line in trainer.state.log_history
            if "loss" in line
        ],
        **figures,
        **machine.record(),
    }
    return trainer.train_dataset, run
