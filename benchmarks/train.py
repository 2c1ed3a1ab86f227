"""What exactness costs in training, and what packing saves.

    python benchmarks/train.py [--write benchmarks/results/train.md] [--rounds 5]

One model (2 million weights, random), one thread, short notes: the paragraphs of the synthetic hospital. Settings of a side
by side are run in turn, round after round, in one process; what counts is the least CPU time of a setting, since other work
on the machine only ever adds. Three tables:

- overhead: a bare `SFTTrainer` and ours in turn, of each optimizer step the least CPU time over all rounds (single runs differ
  by 20% on a machine at work); besides, the share of the callbacks and hooks inside the loop. Saving is left out: a bare
  loop with `save_strategy="no"` saves nothing;
- packing: rows of 512 tokens against TRL's default of padded batches of 8, the same notes and as many tokens a step, with
  the loss on held-out notes after it;
- `train plan`: estimated memory against the peak of a process that trains.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TOKENS, ROW, PADDED = 8_000, 512, 8
SHAPE = {
    "vocab_size": 512, "hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 8,
    "num_key_value_heads": 4, "max_position_embeddings": 2048, "tie_word_embeddings": True, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


def short_notes(work: Path) -> tuple[list[list[int]], list[list[int]], Any]:
    """(training documents, held-out documents, tokenizer): paragraphs of synthetic notes as token ids."""
    import polars as pl

    import synthetic
    from train import base_model, load_recipe, measure

    synthetic.build(work / "hospital", seed=7, patients=40)
    notes = pl.read_parquet(work / "hospital" / "notes.parquet").sort("note_id")["text"].drop_nulls().to_list()
    paragraphs = list(dict.fromkeys(p.strip() for note in notes for p in note.split("\n\n") if len(p.split()) >= 8))
    folder = base_model.resolve(load_recipe({"name": "b", "base": "tiny"}), work).folder
    tokenizer = base_model.load_tokenizer(folder)
    documents = [[*measure.encode(tokenizer, p), tokenizer.eos_token_id] for p in paragraphs]
    documents = [ids for ids in documents if len(ids) <= ROW]
    held, taken, total = documents[:20], [], 0
    for ids in documents[20:]:
        if total + len(ids) > TOKENS:
            break
        taken.append(ids)
        total += len(ids)
    return taken, held, tokenizer


def fresh_model() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    return LlamaForCausalLM(LlamaConfig(**SHAPE))


class Clock:
    """CPU seconds inside SFTTrainer.train, whoever calls it, without those in which a checkpoint is saved."""

    def __init__(self) -> None:
        from trl import SFTTrainer

        from train import checkpoints

        self.cpu = self.saving = 0.0

        def timed(plain: Any, spend: Any) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                began, before = time.process_time(), self.saving
                try:
                    return plain(*args, **kwargs)
                finally:
                    within = self.saving - before if spend is save else 0.0  # sealed inside _save_checkpoint: once
                    spend(time.process_time() - began - within)

            return call

        def whole(seconds: float) -> None:
            self.cpu, self.saving = seconds - self.saving, 0.0

        def save(seconds: float) -> None:
            self.saving += seconds

        checkpoints.seal = timed(checkpoints.seal, save)
        SFTTrainer.train = timed(SFTTrainer.train, whole)  # type: ignore[method-assign]
        SFTTrainer._save_checkpoint = timed(SFTTrainer._save_checkpoint, save)  # type: ignore[method-assign]


def packed_settings(work: Path, rows: int, accumulation: int) -> Any:
    from train import hardware, load_recipe, trainer

    part = load_recipe({
        "name": "b", "cpt": {"max_length": ROW, "gradient_accumulation": accumulation, "learning_rate": 1e-3}
    }).cpt  # fmt: skip
    return trainer.settings(
        part, 1, work / "out", hardware.detect(), rows=rows, packing=True, packing_strategy="bfd_split",
        include_num_input_tokens_seen="all",
    )  # fmt: skip


class Inside:
    """CPU seconds in what this project adds to a training loop: its callbacks and hooks, saving left out."""

    def __init__(self) -> None:
        from trl import SFTTrainer

        self.spent = 0.0
        plain = SFTTrainer.__init__

        def watched(method: Any) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                began = time.thread_time()
                try:
                    return method(*args, **kwargs)
                finally:
                    self.spent += time.thread_time() - began

            return call

        def begin(trainer: Any, *args: Any, **kwargs: Any) -> None:
            plain(trainer, *args, **kwargs)
            for callback in trainer.callback_handler.callbacks:
                if type(callback).__module__.startswith("train."):
                    for name in dir(callback):
                        if (name.startswith("on_") and name != "on_save") or name in HOOKS:
                            setattr(callback, name, watched(getattr(callback, name)))

        SFTTrainer.__init__ = begin  # type: ignore[method-assign]


class Steps:
    """CPU seconds of each optimizer step of the last training, from the end of one to the end of the next."""

    def __init__(self) -> None:
        from transformers import TrainerCallback
        from trl import SFTTrainer

        steps = self
        plain = SFTTrainer.__init__

        class Stamp(TrainerCallback):
            def on_train_begin(self, *_: Any, **__: Any) -> None:
                steps.at = [time.process_time()]

            def on_step_end(self, *_: Any, **__: Any) -> None:
                steps.at.append(time.process_time())

        def begin(trainer: Any, *args: Any, **kwargs: Any) -> None:
            plain(trainer, *args, **kwargs)
            trainer.add_callback(Stamp())

        self.at: list[float] = []
        SFTTrainer.__init__ = begin  # type: ignore[method-assign]

    def seconds(self) -> list[float]:
        return [b - a for a, b in itertools.pairwise(self.at)]


HOOKS = ("count", "read_batch", "add_noise", "_see")


def overhead(work: Path, rounds: int) -> list[str]:
    """Bare loop and ours in turn, the order turned round each time; the part of ours inside the loop is timed besides."""
    from trl import SFTTrainer

    from train import hardware, load_recipe, packing, trainer

    documents, _, tokenizer = short_notes(work)
    rows = packing.in_order([packing.pack(documents, ROW)], 1, 1, shuffle=True)
    tokens = sum(map(len, documents))
    clock, inside, steps = Clock(), Inside(), Steps()

    def bare() -> None:
        args = packed_settings(work, len(rows), 2)
        args.save_strategy = "no"
        SFTTrainer(model=fresh_model(), args=args, train_dataset=rows, processing_class=tokenizer).train()

    def ours(alpha: float) -> None:
        args = packed_settings(work, len(rows), 2)
        trainer.train(
            fresh_model(), tokenizer, rows, args, "cpt", hardware.detect(), load_recipe({"name": "b"}).checkpoints,
            lambda: [], neftune_alpha=alpha,
        )  # fmt: skip

    runs = {"bare SFTTrainer": bare, "ours": lambda: ours(0.0), "ours with NEFTune": lambda: ours(5.0)}
    seconds: dict[str, list[list[float]]] = {name: [] for name in runs}
    shares: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name in list(runs)[:: 1 if turn % 2 else -1]:
            shutil.rmtree(work / "out", ignore_errors=True)
            inside.spent = 0.0
            runs[name]()
            if turn:  # the first round warms up
                seconds[name].append(steps.seconds())
                shares[name].append(inside.spent / (clock.cpu - inside.spent))
    lines = [
        f"{tokens:,} tokens in {len(rows)} packed rows, {rounds} rounds in turn. The least CPU time of each of the "
        f"{len(seconds['ours'][0])} optimizer steps over all rounds, added up: other work on the machine only ever adds.", "",
        "| | CPU ms a 1,000 tokens | over bare | share inside the loop |", "|---|---|---|---|",
    ]  # fmt: skip
    least = {name: sum(map(min, zip(*found, strict=True))) for name, found in seconds.items()}
    for name, spent in least.items():
        over = spent / least["bare SFTTrainer"] - 1
        lines.append(f"| {name} | {spent / tokens * 1e6:.1f} | {over:+.2%} | {statistics.median(shares[name]):.2%} |")
    return lines


def packing_gain(work: Path, rounds: int) -> list[str]:
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from train import packing

    documents, held, tokenizer = short_notes(work)
    tokens, clock = sum(map(len, documents)), Clock()
    rows = packing.in_order([packing.pack(documents, ROW)], 1, 1, shuffle=True)
    mean = tokens / len(documents)
    accumulation = max(1, round(PADDED * mean / ROW * 1.02))

    def held_out(model: Any) -> float:
        model.eval()
        nats = count = 0
        with torch.inference_mode():
            for ids in held:
                row = torch.tensor([ids])
                logits = model(input_ids=row, use_cache=False).logits[0, :-1]
                nats += float(torch.nn.functional.cross_entropy(logits, row[0, 1:], reduction="sum"))
                count += len(ids) - 1
        return nats / count

    def padded() -> Any:
        args = SFTConfig(
            str(work / "out"), per_device_train_batch_size=PADDED, learning_rate=1e-3, max_length=ROW, bf16=False,
            lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs={"min_lr_rate": 0.1}, warmup_steps=0.1,
            use_cpu=True, gradient_checkpointing=False, save_strategy="no", report_to="none", disable_tqdm=True, seed=1,
            num_train_epochs=1, dataloader_pin_memory=False, logging_steps=1, completion_only_loss=False,
        )  # fmt: skip
        data = Dataset.from_dict({"input_ids": documents, "labels": documents})
        return SFTTrainer(model=fresh_model(), args=args, train_dataset=data, processing_class=tokenizer)

    def packed() -> Any:
        args = packed_settings(work, len(rows), accumulation)
        return SFTTrainer(model=fresh_model(), args=args, train_dataset=rows, processing_class=tokenizer)

    runs = {f"padded, batches of {PADDED} (TRL's default)": padded, f"packed, rows of {ROW}": packed}
    least: dict[str, float] = dict.fromkeys(runs, float("inf"))
    loss: dict[str, float] = {}
    steps: dict[str, int] = {}
    for _ in range(rounds):
        for name, make in runs.items():
            loop = make()
            loop.train()
            least[name] = min(least[name], clock.cpu)
            loss[name], steps[name] = held_out(loop.model), loop.state.global_step
    slow = max(least.values())
    lines = [
        f"{len(documents)} notes of {mean:.0f} tokens on average (the longest {max(map(len, documents))}).", "",
        "| | tokens a CPU-second, padding left out | ratio | steps | held-out loss |", "|---|---|---|---|---|",
    ]  # fmt: skip
    return lines + [
        f"| {n} | {tokens / s:,.0f} | {slow / s:.2f} | {steps[n]} | {loss[n]:.3f} |" for n, s in least.items()
    ]


def memory_child(work: Path) -> None:
    """Train a wider model for two steps in this process and print estimate and peak."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from train import base_model, estimate, hardware, load_recipe, offline, packing, trainer

    offline.pin(work)
    offline.quiet()
    shape = SHAPE | {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 8}
    folder = work / "wide"
    LlamaConfig(**shape).save_pretrained(folder)
    recipe = load_recipe({"name": "b", "base": str(folder), "cpt": {"max_length": ROW, "gradient_accumulation": 1}})
    plan = estimate.of_stage(recipe, "cpt", folder, estimate.this_device())
    tokenizer = base_model.load_tokenizer(base_model.resolve(load_recipe({"name": "b", "base": "tiny"}), work).folder)
    documents = [list(range(3, 3 + n)) for n in (180, 240, 90)] * 2
    rows = packing.in_order([packing.pack(documents, ROW)], 1, 1, shuffle=True)
    torch.manual_seed(1)
    model = LlamaForCausalLM(LlamaConfig(**shape))
    args = packed_settings(work, len(rows), 1)
    saving = load_recipe({"name": "b"}).checkpoints
    trainer.train(model, tokenizer, rows, args, "cpt", hardware.detect(), saving, lambda: [])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sys.stdout.write(json.dumps({"parameters": plan.parameters, "estimate": plan.need.total, "peak": peak}) + "\n")


def memory(work: Path) -> list[str]:
    command = [sys.executable, __file__, "--memory-child", str(work)]
    out = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return [
        "| parameters | estimated GiB | peak GiB | estimate / peak |", "|---|---|---|---|",
        f"| {out['parameters'] / 1e6:.1f} M | {out['estimate'] / 2**30:.2f} | {out['peak'] / 2**30:.2f} "
        f"| {out['estimate'] / out['peak']:.2f} |",
    ]  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--write", type=Path)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--memory-child", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--only", choices=["memory", "overhead", "packing"])
    given = options.parse_args()
    if given.memory_child:
        memory_child(given.memory_child)
        return
    from train import offline

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        offline.pin(work)
        offline.quiet()
        load = os.getloadavg()[0]
        tables = {
            "memory": lambda: memory(work),
            "overhead": lambda: overhead(work / "a", given.rounds),
            "packing": lambda: packing_gain(work / "b", given.rounds),
        }
        parts = {name.capitalize(): make() for name, make in tables.items() if given.only in (None, name)}
    versions = ", ".join(f"{name} {__import__(name).__version__}" for name in ("torch", "transformers", "trl"))
    text = f"# Training: cost and gain\n\n`python benchmarks/train.py`, {platform.machine()}, one thread, {versions}; "
    text += f"load of the machine {load:.1f} at the beginning, {os.getloadavg()[0]:.1f} at the end.\n"
    for title, lines in parts.items():
        text += f"\n## {title}\n\n" + "\n".join(lines) + "\n"
    sys.stdout.write(text)
    if given.write:
        given.write.write_text(text)


if __name__ == "__main__":
    main()
