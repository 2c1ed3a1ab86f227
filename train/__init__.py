"""Continued pretraining and instruction tuning on TRL, bound to a sealed corpus.

Importing this package imports no torch: `clinicorpus --help` answers in under half a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from train.recipe import TrainRecipe, load_recipe

__all__ = ["TrainRecipe", "generate", "load_recipe", "merge", "plan", "run_cpt", "run_sft", "show", "show_plan"]


def run_cpt(
    recipe: dict[str, Any], root: Path, given: dict[str, Any], *, force: bool = False, override: str | None = None
) -> dict[str, Any]:
    """Continue pretraining on the recipe's corpus; the model appears in `root`/models/<name>/cpt/.

    `recipe` is the parsed recipe, overrides merged; `given` what the user wrote of it, for the record.
    Unchanged since the last run, nothing is trained unless `force`. A run that was interrupted goes on; if its inputs
    have changed since, only with `override`, the reason. Returns a summary that `show` prints. Raises UserError for
    everything a user can put right, and with exit code 75 when the run was told to stop and saved.
    """
    from train import stage

    return stage.run("cpt", recipe, root, given, force=force, override=override)


def run_sft(
    recipe: dict[str, Any], root: Path, given: dict[str, Any], *, force: bool = False, override: str | None = None
) -> dict[str, Any]:
    """Instruction-tune, from models/<name>/cpt/ if that was made by this recipe on this corpus, else from the base.

    The rest as for `run_cpt`; the model appears in `root`/models/<name>/sft/.
    """
    from train import stage

    return stage.run("sft", recipe, root, given, force=force, override=override)


def generate(
    model_dir: Path, prompt: str | None = None, *, root: Path = Path(), max_new_tokens: int = 200
) -> str | None:
    """See `train.talk.generate`."""
    from train import talk

    return talk.generate(model_dir, prompt, root=root, max_new_tokens=max_new_tokens)


def merge(model_dir: Path, out: Path, *, root: Path = Path(), base: Path | None = None) -> dict[str, Any]:
    """See `train.adapters.merge`."""
    from train import adapters, offline

    offline.need_training_packages()
    offline.pin(root)
    offline.quiet()
    return adapters.merge(model_dir, out, root, base)


def plan(
    recipe: dict[str, Any], root: Path, *, gpu: str | None = None, processes: int = 1, sharding: str = "none"
) -> dict[str, Any]:
    """See `train.estimate.for_recipe`."""
    from clinicorpus_errors import UserError
    from train import estimate, offline

    if sharding not in ("none", "zero2", "fsdp2"):
        raise UserError("no such sharding", value=sharding, next="--sharding none, zero2 or fsdp2")
    offline.need_training_packages()
    offline.pin(root)
    offline.quiet()
    return estimate.for_recipe(recipe, root, gpu=gpu, processes=processes, sharding=sharding)  # type: ignore[arg-type]


def show_plan(figures: dict[str, Any]) -> None:
    """Print a plan as a table on standard output."""
    from train import estimate

    estimate.show(figures)


def show(summary: dict[str, Any]) -> None:
    """Print a summary as a table on standard output."""
    from train import report

    report.show(summary)
