"""A small sealed corpus in a workspace of its own. No torch here: recipe and corpus tests run without it."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import manifests
from manifests.corpus_manifest import CorpusManifest

# Read when torch is first imported. The tiny model gains nothing from a second thread, and on a busy machine
# threads that wait for one another made these tests 60 times slower.
os.environ["OMP_NUM_THREADS"] = "1"

CANARY = "Zebulon Quartermaine"
"""A name that stands in every note and may be seen nowhere outside work/."""

_WORDS = "pain chest stable daily mg left right lung clear heart no edema oral dose review plan".split()


def _notes(count: int, seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    draw = random.Random(seed)
    pretrain, instruct = [], []
    for i in range(count):
        body = " ".join(draw.choices(_WORDS, k=draw.randint(20, 90)))
        text = f"HISTORY:\n{CANARY} {body}.\nPLAN:\n{draw.choice(_WORDS)}\n"
        record = f"{seed:02x}{i:06x}"
        pretrain.append(
            {"record": record, "patient": f"p{i}", "note_type": "progress", "year": "2019", "text": text, "tokens": 1}
        )
        prompt, completion = f"Which words follow?\n{CANARY} {body[:40]}", draw.choice(_WORDS)
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
        instruct.append(
            {
                "record": record, "patient": f"p{i}", "parent": record, "task": "next_word", "messages": messages,
                "prompt": prompt, "completion": completion, "tokens": 1,
            }
        )  # fmt: skip
    return pretrain, instruct


def seal(root: Path, *, version: str = "0.1.0", notes: int = 40, seed: int = 1) -> Path:
    """Write and seal a corpus `demo`; returns its manifest.json."""
    folder = manifests.corpus_folder(root, "demo", version)
    files, records, chars = [], 0, 0
    for number, split in enumerate(("train", "validation", "test")):
        for product, rows in zip(("pretrain", "instruct"), _notes(notes, 10 * seed + number), strict=True):
            path = folder / product / f"{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pl.DataFrame(rows).write_parquet(path)
            files.append(
                {
                    "path": f"{product}/{path.name}", "zone": "corpus", "product": product, "split": split,
                    "rows": len(rows), "tokens": len(rows), "bytes": path.stat().st_size,
                    "sha256": manifests.sha256_file(path),
                }
            )  # fmt: skip
            records += len(rows)
            chars += sum(len(row.get("text", row.get("prompt"))) for row in rows)
    before = manifests.predecessor(root, "demo")
    manifest = CorpusManifest.model_validate(
        {
            "corpus": {
                "name": "demo", "version": version, "created_at": "2026-01-01T00:00:00", "retain_until": "2032-01-01",
                "previous": before and {"version": before[0], "sha256": before[1]},
            },
            "recipe": {"given": {}, "resolved": {}},
            "source": {
                "kind": "synthetic", "holder": None, "legal_basis": None, "agreement": None, "purpose": None,
                "public": True, "bytes": 1, "code": "0", "patient_unit": "patient_id",
            },
            "key": {"id": "demo", "kind": "demo", "nonces": "seeded"},
            "stages": [
                {
                    "name": "reader", "scope": "source", "code": "0", "params": {}, "records_in": records,
                    "created": {}, "dropped": {}, "records_out": records, "chars_in": chars, "inserted": {},
                    "removed": {}, "chars_out": chars,
                }
            ],
            "policy": {"name": "none", "sha256": "0", "determination": {"status": "not determined"}},
            "measured": [],
            "split": {"unit": "patient_id", "shares": {}, "records": {}, "groups": {}, "groups_in_two_splits": 0},
            "tokenizer": {"name": "none", "sha256": "0"},
            "files": files,
            "statistics": {},
            "environment": {},
            "overrides": [],
        }
    )  # fmt: skip
    path = manifests.version_folder(root, "demo", version) / "manifest.json"
    path.parent.mkdir(parents=True)
    manifests.write_atomic(path, manifests.canonical(manifest.dump()))
    return path


@pytest.fixture(name="seal")
def _seal() -> Callable[..., Path]:
    return seal


def make_workspace(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    seal(root)
    (root / "general.txt").write_text("The river runs past the old mill and on to the sea.\n" * 40)
    return root


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "ws")


@pytest.fixture(scope="session")
def shared_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For tests that only read what an earlier run left there."""
    return make_workspace(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def recipe() -> dict[str, Any]:
    """The smallest run: a few optimizer steps of the tiny model."""
    return {
        "name": "t",
        "base": "tiny",
        "seed": 5,
        "cpt": {"max_tokens": 2000, "max_length": 128, "learning_rate": 1e-2},
        "sft": {"max_examples": 6, "max_length": 256, "learning_rate": 1e-2},
        "evaluate": {
            "heldout_bytes": 600, "general_bytes": 400, "general_text": "general.txt", "window": 128,
            "max_new_tokens": 4,
        },
    }  # fmt: skip


@pytest.fixture
def load(shared_workspace: Path, recipe: dict[str, Any]) -> Callable[[], tuple[Any, Any]]:
    """A function that gives the recipe's base model and its tokenizer, fresh each time."""
    from train import base_model, load_recipe, offline

    offline.pin(shared_workspace)
    offline.quiet()
    folder = base_model.resolve(load_recipe(recipe), shared_workspace).folder
    return lambda: (base_model.load_model(folder), base_model.load_tokenizer(folder))


@pytest.fixture(autouse=True)
def _own_process_state() -> Iterator[None]:
    """A run pins caches, temporary files and the umask of its process; other tests must not inherit them."""
    environ, temporary, umask = dict(os.environ), tempfile.tempdir, os.umask(0o022)
    os.umask(umask)
    yield
    os.environ.clear()
    os.environ.update(environ)
    tempfile.tempdir = temporary
    os.umask(umask)


@pytest.fixture(scope="session")
def canary() -> str:
    return CANARY
