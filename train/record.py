"""Model card, page of losses and bill of materials of a model, made from the training manifests that stand beside them.

They hold nothing that these do not, so a run that finds its model done makes them again if they are lost or stale.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

import manifests
from manifests.ml_bom import render_bom
from manifests.model_card import render_model_card
from manifests.model_report import render_model_report
from manifests.training import Trained, TrainingManifest


def write(model: Path, corpus: Path | None) -> None:
    """Write README.md, report.html and bom.cdx.json into models/<name>, where they are not so already.

    corpus: manifest.json of the corpus; used for the stages that were trained on that very one.
    """
    stages = [_read(model / stage / "training.json", corpus) for stage in ("cpt", "sft")]
    there = [stage for stage in stages if stage]
    for name, text in (
        ("README.md", render_model_card(there)),
        ("report.html", render_model_report(there)),
        ("bom.cdx.json", render_bom(there)),
    ):
        path = model / name
        if not path.is_file() or path.read_bytes() != text.encode():
            manifests.write_atomic(path, text.encode())


def _read(path: Path, corpus: Path | None) -> Trained | None:
    try:
        manifest = TrainingManifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):  # not trained yet, or by a release that wrote another schema
        return None
    of = manifest.corpus
    sealed = manifests.version_folder(path.parents[3], of.name, of.version) / "manifest.json"
    found = [p for p in (corpus, sealed) if p and p.is_file() and manifests.sha256_file(p) == of.manifest_sha256]
    return Trained(manifest, manifests.sha256_file(path), manifests.load(found[0]) if found else None)
