"""The model card, rendered from training and corpus manifests and never written by hand."""

from __future__ import annotations

from typing import Any

from manifests.rendering import engine
from manifests.training import Trained, follows

SCORED = {"heldout": "held-out patients' notes", "general": "general text"}


def percent_signed(value: float) -> str:
    return f"{value:+.1%}"


def scores(stages: list[Trained]) -> list[dict[str, Any]]:
    """A row for each stage and text: bits per byte before and after with their intervals, and the change."""
    rows = []
    for one in stages:
        for what, label in SCORED.items():
            score = one.manifest.bits_per_byte[what]
            change = None if score.before is None else score.after / score.before - 1
            rows.append({"stage": one.manifest.stage, "text": label, "score": score, "change": change})
    return rows


def started_from(stages: list[Trained], position: int) -> str:
    """What a stage started from, in words."""
    one = stages[position].manifest
    if one.parent is None:
        return f"base {one.base.name}"
    if follows(stages[: position + 1]):
        return "the cpt model of this folder"
    return f"a cpt model that does not stand here any more (training.json {one.parent.training_sha256[:16]}…)"


def context(stages: list[Trained]) -> dict[str, Any]:
    """What card and page have in common."""
    corpora = {one.manifest.corpus.manifest_sha256: one for one in stages}
    return {
        "stages": stages,
        "last": stages[-1].manifest,
        "scores": scores(stages),
        "origins": [started_from(stages, position) for position in range(len(stages))],
        "corpora": list(corpora.values()),
        "signed": percent_signed,
        "total": lambda corpus, product, split, field: sum(
            getattr(file, field) or 0 for file in corpus.files if (file.product, file.split) == (product, split)
        ),
    }


def render_model_card(stages: list[Trained]) -> str:
    """README.md of models/<name>: what it is, what it was made of, what was measured, and what it is not for."""
    return engine(html=False).get_template("model_card.md.j2").render(**context(stages))
