"""trl.SFTTrainer with this machine's settings: what both stages have in common."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from train import divergence, forgetting, hardware, metrics, processes, progress, session
from train.recipe import Checkpoints, Forgetting, Optimisation

FEWEST = 11
"""Documents of a kind below which a manifest does not name it."""


def settings(
    part: Optimisation,
    seed: int,
    out: Path,
    machine: hardware.Hardware,
    *,
    rows: int,
    every: int | None = None,
    report_to: tuple[str, ...] = (),
    **stage: Any,
) -> Any:
    """SFTConfig for one stage over `rows` rows of the whole run, evaluated `every` so many steps. Weights stay fp32; TRL's own defaults (bf16 autocast
    and gradient checkpointing) cost 15x and 1.2x on a CPU without bf16."""
    from trl import SFTConfig

    on_cpu = machine.device == "cpu"
    args = SFTConfig(
        output_dir=str(out),
        seed=seed,
        data_seed=seed,
        max_length=part.max_length,
        num_train_epochs=1,  # the rows hold every epoch
        train_sampling_strategy="sequential",
        per_device_train_batch_size=min(part.batch_size, rows),
        per_device_eval_batch_size=part.batch_size,
        gradient_accumulation_steps=processes.share(part.gradient_accumulation),
        learning_rate=part.learning_rate,
        adam_beta1=part.adam_betas[0],
        adam_beta2=part.adam_betas[1],
        max_grad_norm=part.max_grad_norm,
        lr_scheduler_type=part.schedule,
        warmup_steps=part.warmup,
        weight_decay=part.weight_decay,
        use_cpu=on_cpu,
        bf16=machine.bf16,
        gradient_checkpointing=machine.of(part.checkpointing).checkpointing,
        dataloader_pin_memory=not on_cpu,
        eval_strategy="steps" if every else "no",
        eval_steps=every,
        save_strategy="no",  # train/checkpoints.py says when
        eval_on_start=every is not None,
        report_to=list(report_to) or "none",
        trackio_static_space_id=False,  # else trackio would publish the run when training ends
        push_to_hub=False,
        disable_tqdm=True,
        logging_steps=1,
        logging_nan_inf_filter=False,  # or a loss that is no number would be logged as the mean of the others
        completion_only_loss=False,
        dataset_kwargs={"skip_prepare_dataset": True},  # tokenised, packed and counted already
        **stage,
    )
    total = steps(rows, args)
    args.max_steps = min(part.max_steps or total, total)
    args.lr_scheduler_kwargs = schedule_kwargs(part, args.max_steps)
    return args


def steps(rows: int, args: Any) -> int:
    """Optimizer steps that `rows` rows make, over all processes."""
    batches = math.ceil(rows / (args.per_device_train_batch_size * args.world_size))
    return math.ceil(batches / args.gradient_accumulation_steps)


def passes(done: int, args: Any, rows: int, epochs: float) -> float:
    """Epochs that `done` steps make of the `epochs` that `rows` hold: fewer after max_steps."""
    taken = done * args.per_device_train_batch_size * args.world_size * args.gradient_accumulation_steps
    return round(min(1.0, taken / rows) * epochs, 4)


def schedule_kwargs(part: Optimisation, total: int) -> dict[str, Any]:
    """What transformers' scheduler of that name wants beside the warm-up."""
    if part.schedule == "cosine_with_min_lr":
        return {"min_lr_rate": part.min_lr}
    if part.schedule == "warmup_stable_decay":
        return {"num_decay_steps": max(1, round(part.decay * total)), "min_lr_ratio": part.min_lr}
    return {}


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
    rows: Any,
    args: Any,
    stage: str,
    machine: hardware.Hardware,
    saving: Checkpoints,
    documents: divergence.Documents,
    *,
    neftune_alpha: float = 0.0,
    ceftune_weight: float = 0.0,
    eval_sets: dict[str, Any] | None = None,
    optimizer: Any = None,
    forget: Forgetting | None = None,
) -> dict[str, Any]:
    """Run SFTTrainer over rows in their order (`input_ids`, perhaps `labels`, `seq_lengths` if packed), or go on with it:
    see `train.session.run`.

    Returns the run record. Raises UserError if other tokens went through the model than the rows hold.
    """
    from transformers import PrinterCallback
    from trl import SFTTrainer

    from train import ledger, packing
    from train.ceftune import CEFTuneCallback
    from train.neftune import NEFTuneCallback

    if args.packing and next(model.parameters()).device.type != "meta":
        packing.check_isolation(model)
    bar, noise, counted = progress.callback(stage), NEFTuneCallback(neftune_alpha, args.seed), ledger.TokenLedger()
    consistency, guard = CEFTuneCallback(ceftune_weight, noise), forgetting.callback(stage, forget)
    noisy = [noise, *([consistency] if ceftune_weight else [])] if neftune_alpha else []

    def make(callbacks: list[Any]) -> Any:
        trainer = SFTTrainer(
            model=model, args=args, train_dataset=rows, eval_dataset=eval_sets, processing_class=tokenizer,
            optimizers=(optimizer, None), callbacks=[
                counted, *noisy, bar, metrics.callback(), guard, *callbacks
            ],
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.evaluate = random_state_kept(trainer.evaluate)  # type: ignore[method-assign]
        return trainer

    try:
        trainer, figures = session.run(make, args, stage, saving, documents, ended=lambda: guard.stopped)
    finally:
        bar.close()
        noise.remove()
        consistency.remove()
        counted.close()
    per_row = packing.row_counts(rows)
    shape = {
        "batch": args.per_device_train_batch_size, "accumulation": args.gradient_accumulation_steps,
        "processes": args.world_size,
    }  # fmt: skip
    ledger.check(counted.totals(), ledger.expected(per_row, (counted.first_step, counted.last_step), **shape))
    log, steps_done = trainer.state.log_history, trainer.state.global_step
    if processes.is_main():
        metrics.write(Path(args.output_dir), log, timed=False)
    return {
        "steps": steps_done,
        "tokens_seen": trainer.state.num_input_tokens_seen,
        "loss_tokens_seen": ledger.expected(per_row, (0, steps_done), **shape)[1],
        "stopped": forgetting.verdict(log, forget),
        "neftune": neftune_figures(log, neftune_alpha),
        "ceftune": ceftune_figures(log, ceftune_weight),
        "losses": [
            {"step": line["step"], "loss": line["loss"], "learning_rate": line["learning_rate"]}
            for line in log
            if "loss" in line
        ],
        "evaluations": [
            {"step": line["step"]} | {k: v for k, v in line.items() if k.startswith("eval_") and k.endswith("_loss")}
            for line in log
            if any(k.startswith("eval_") and k.endswith("_loss") for k in line)
        ],
        **figures,
        **machine.record(),
    }


def random_state_kept(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    """`evaluate` without a trace in torch's random state: a DataLoader draws a seed from it each time it is read, so
    that dropout of the steps after would follow from how often the model is evaluated."""
    import torch

    @wraps(evaluate)
    def kept(*args: Any, **kwargs: Any) -> Any:
        device = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices=device):
            return evaluate(*args, **kwargs)

    return kept


def neftune_figures(log: list[dict[str, Any]], alpha: float) -> dict[str, float] | None:
    """Alpha asked for, alpha that the noise amounted to, and what a scale by the row's length would have; None if off."""
    lines = [line for line in log if "neftune_alpha" in line]
    if not lines:
        return None
    return {
        "alpha": alpha,
        "effective_alpha": round(sum(line["neftune_alpha"] for line in lines) / len(lines), 4),
        "stock_alpha": round(sum(line["neftune_stock_alpha"] for line in lines) / len(lines), 4),
    }


def ceftune_figures(log: list[dict[str, Any]], weight: float) -> dict[str, float] | None:
    """Weight asked for and the mean distance over the steps, before the weight; None if off."""
    each = [line["ceftune_distance"] for line in log if "ceftune_distance" in line]
    return {"weight": weight, "mean_distance": sum(each) / len(each)} if each else None
