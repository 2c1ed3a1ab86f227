"""Which of the model's finds to believe: boosted trees that weigh what stands for and against each (`deid.evidence`).

Boosted trees (Friedman 2001), grown by `deid calibrate` on annotated notes and kept as arrays beside the model; here they
are only read, with numpy.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import asdict, dataclass, fields
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clinicorpus_errors import UserError
from deid.evidence import FEATURES


@dataclass(frozen=True, eq=False)
class Judge:
    """Boosted trees as arrays of (trees, nodes); a leaf is its own child, and its value is what the tree adds."""

    feature: NDArray[np.int16]
    threshold: NDArray[np.float64]
    left: NDArray[np.int16]
    right: NDArray[np.int16]
    value: NDArray[np.float32]
    base: NDArray[np.float32]
    depth: NDArray[np.int16]

    def probabilities(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """For each row of FEATURES, how probable it is that an identifier stands there."""
        out = np.empty(len(rows), dtype=np.float32)
        root, children = self._nodes
        feature, threshold, value = self.feature.ravel(), self.threshold.ravel(), self.value.ravel()
        for first in range(0, len(rows), 256):  # 256 rows by 300 trees: what a cache holds
            part = rows[first : first + 256]
            width = np.arange(len(part), dtype=np.intp)[:, None] * part.shape[1]
            flat = np.ascontiguousarray(part).ravel()
            node = np.broadcast_to(root, (len(part), len(root)))
            for _ in range(int(self.depth[0])):
                less = flat.take(feature.take(node) + width) <= threshold.take(node)
                node = children.take(2 * node + less)
            total = self.base[0] + value.take(node).sum(axis=1)
            out[first : first + len(part)] = 1 / (1 + np.exp(-np.clip(total, -80, 80)))
        return out

    @cached_property
    def _nodes(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Of the trees laid end to end, the root of each, and the right and the left child of each node in turn."""
        trees, nodes = self.feature.shape
        root = np.arange(trees, dtype=np.intp) * nodes
        both = np.stack([self.right, self.left], axis=-1).astype(np.intp) + root[:, None, None]
        return root, both.ravel()


FILE = "judge.npz"


@cache
def load_judge(folder: Path) -> Judge:
    """The trees beside a model. Raises UserError where there are none, or they were grown for other features."""
    path = folder / FILE
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if str(arrays["features"]) != digest():
                raise UserError("the model's judge is of another version", value=path.name, next="clinicorpus deid calibrate MODEL")  # fmt: skip
            return Judge(*(arrays[field.name] for field in fields(Judge)))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error):
        raise UserError(
            "the model has no judge that can be read", value=path.name, cause="`deid train` ended before it, or the file is damaged",
            next="clinicorpus deid calibrate MODEL",
        ) from None  # fmt: skip


def save_judge(judge: Judge, folder: Path) -> None:
    """Write the trees beside the model they were grown for."""
    partial = folder / f".partial-{FILE}"
    with partial.open("wb") as file:
        np.savez_compressed(file, features=np.array(digest()), **asdict(judge))
    partial.rename(folder / FILE)


def digest() -> str:
    """What the trees were grown on, so that others are refused."""
    return hashlib.sha256("\n".join(FEATURES).encode()).hexdigest()[:16]
