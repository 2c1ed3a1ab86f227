"""Bill of materials of a model: CycloneDX 1.6 with a machine-learning-model component, from its manifests.

Written as JSON by hand: cyclonedx-python-lib knows neither model cards nor data components. A test holds it against
the schema that library ships.
"""

from __future__ import annotations

import uuid
from typing import Any

from manifests.canonical import canonical
from manifests.model_card import SCORED
from manifests.training import Base, Trained, TrainingManifest, follows

_HASH = "SHA-256"
_LIMITS = (
    "Not a medical device; not evaluated for any task in care.",
    "Can repeat its training text, with identifiers that de-identification left there.",
)


def _properties(**values: Any) -> list[dict[str, str]]:
    return [{"name": f"clinicorpus:{name}", "value": str(value)} for name, value in values.items() if value is not None]


def _files(files: dict[str, str], owner: str) -> list[dict[str, Any]]:
    return [
        {"type": "file", "bom-ref": f"{owner}/{name}", "name": name, "hashes": [{"alg": _HASH, "content": digest}]}
        for name, digest in sorted(files.items())
    ]


def _model_ref(one: Trained) -> str:
    return f"model:{one.manifest.name}/{one.manifest.stage}@{one.sha256[:16]}"


def _corpus_ref(manifest: TrainingManifest) -> str:
    return f"corpus:{manifest.corpus.name}@{manifest.corpus.version}"


def _base_ref(base: Base) -> str:
    return f"base:{base.name}"


def _metrics(manifest: TrainingManifest) -> list[dict[str, Any]]:
    out = []
    for what, score in manifest.bits_per_byte.items():
        for when, value, bounds in (("before", score.before, score.before_95), ("after", score.after, score.after_95)):
            if value is not None:
                out.append(
                    {"type": "bits per byte", "value": f"{value:.6f}", "slice": f"{SCORED[what]}, {when}"}
                    | (
                        {"confidenceInterval": {"lowerBound": str(bounds[0]), "upperBound": str(bounds[1])}}
                        if bounds
                        else {}
                    )
                )
    return out


def _model(one: Trained) -> dict[str, Any]:
    m = one.manifest
    stopped = m.run.stopped
    return {
        "type": "machine-learning-model",
        "bom-ref": _model_ref(one),
        "name": f"{m.name}/{m.stage}",
        "version": one.sha256[:16],
        "description": {"cpt": "Continued pretraining on clinical notes", "sft": "Instruction tuning on clinical tasks"}[
            m.stage
        ],
        "modelCard": {
            "modelParameters": {
                "approach": {"type": "self-supervised" if m.stage == "cpt" else "supervised"},
                "task": "text-generation",
                "architectureFamily": "transformer",
                "datasets": [{"ref": _corpus_ref(m)}],
                "inputs": [{"format": "text"}],
                "outputs": [{"format": "text"}],
            },
            "quantitativeAnalysis": {"performanceMetrics": _metrics(m)},
            "considerations": {
                "users": ["Researchers of the institution that may use the corpus"],
                "useCases": ["Research on clinical language", "Further training"],
                "technicalLimitations": list(_LIMITS),
            },
        },
        "properties": _properties(
            training_manifest_sha256=one.sha256, key=m.key, seed=m.seed, steps=m.run.steps, tokens=m.run.tokens_seen,
            adapter=m.recipe.resolved[m.stage]["adapter"]["kind"], tokenizer_sha256=m.tokenizer_sha256,
            chat_template_sha256=m.chat_template_sha256, ended_early=stopped and f"{stopped.rule}, step {stopped.step}",
            overrides="; ".join(o.reason for o in m.overrides) or None,
        ),
        "components": _files({file.path: file.sha256 for file in m.files}, _model_ref(one)),
    }  # fmt: skip


def _base(base: Base) -> dict[str, Any]:
    return {
        "type": "machine-learning-model", "bom-ref": _base_ref(base), "name": base.name, "description": base.source,
        "components": _files(base.files, _base_ref(base)),
    }  # fmt: skip


def _corpus(one: Trained) -> dict[str, Any]:
    named, c = one.manifest.corpus, one.corpus
    facts: dict[str, Any] = {"manifest_sha256": named.manifest_sha256}
    data: dict[str, Any] = {"type": "dataset", "name": named.name, "contents": {}}
    if c:
        facts |= {
            "policy": c.policy.name, "determination": c.policy.determination.status,
            "gate": c.gate.verdict if c.gate else "sealed without one", "status": c.gate and c.gate.status,
            "overrides": "; ".join(f"{line['rule']}: {line['reason']}" for line in c.overrides) or None,
        }  # fmt: skip
        data["classification"] = "synthetic" if c.source.kind == "synthetic" else "public" if c.source.public else "confidential"  # fmt: skip
        for product in ("pretrain", "instruct"):
            files = [f for f in c.files if f.product == product and f.split == "train"]
            facts[f"{product}_train_records"] = sum(f.rows or 0 for f in files)
            facts[f"{product}_train_tokens"] = sum(f.tokens or 0 for f in files)
    data["contents"] = {"properties": _properties(**facts)}
    return {
        "type": "data", "bom-ref": _corpus_ref(one.manifest), "name": named.name, "version": named.version,
        "hashes": [{"alg": _HASH, "content": named.manifest_sha256}], "data": [data],
    }  # fmt: skip


def _library(name: str, version: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{version.replace('+', '%2B')}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def render_bom(stages: list[Trained]) -> str:
    """bom.cdx.json of models/<name>: the model of the last stage, what it was trained from, on, and with.

    Without a clock and a random number of its own: the same manifests give the same bytes.
    """
    last = stages[-1]
    # An earlier stage that this one was not trained from is no material of it.
    parents = [stages[-2]] if follows(stages) else []
    bases = {_base_ref(one.manifest.base): _base(one.manifest.base) for one in (*parents, last)}
    corpora = {_corpus_ref(one.manifest): _corpus(one) for one in (*parents, last)}
    libraries = [
        _library(name, version) for name, version in sorted(last.manifest.environment.get("packages", {}).items())
    ]
    used = [library["bom-ref"] for library in libraries]

    def depends(one: Trained, start: str) -> dict[str, Any]:
        return {"ref": _model_ref(one), "dependsOn": [start, _corpus_ref(one.manifest), *used]}

    base = _base_ref(last.manifest.base)
    dependencies = [depends(one, base) for one in parents]
    dependencies.append(depends(last, _model_ref(parents[0]) if parents else base))
    leaves = [*bases, *corpora, *used]
    return canonical(
        {
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, last.sha256)}",
            "version": 1,
            "metadata": {
                "timestamp": last.manifest.created_at,
                "tools": {
                    "components": [
                        {
                            "type": "application", "name": "clinicorpus",
                            "version": last.manifest.environment.get("packages", {}).get("clinicorpus", "unknown"),
                        }
                    ]
                },
                "component": _model(last),
            },
            "components": [*map(_model, parents), *bases.values(), *corpora.values(), *libraries],
            "dependencies": [*dependencies, *({"ref": leaf} for leaf in leaves)],
        }
    ).decode()  # fmt: skip
