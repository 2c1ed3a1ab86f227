"""Grows the judge of a model: the trees that say which of its finds, and of the patterns', to believe (`deid.judge`).

They are grown on annotated notes, never on those that measure. A find inside what a person marked is an identifier, any
other is not. What the patterns have already is left out: there the judge decides nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clinicorpus_errors import UserError
from deid.detect import DetectParams, load_detector
from deid.evidence import FEATURES, doubts
from deid.folding import fold, unfold
from deid.gold import load_gold
from deid.judge import Judge, save_judge
from deid.recognizers import ner
from deid.spans import Span
from deid.tagger import Tagger

if TYPE_CHECKING:
    from spacy.language import Language

# A word too much masked in a note that is full of identifiers costs little, one in a text without any the trust of its
# reader: 0.05 against 1. With 0.4 a tenth of the words that the patterns leave over were lost in dense notes.
BESIDE = 0.05
WHOLE = 400  # letters from which a text is a note
# A model of one round doubts twice as much as a finished one; the trees take a millisecond a find, and no more than these.
MOST = 100_000
SETTINGS: dict[str, Any] = {
    "n_estimators": 300, "learning_rate": 0.06, "max_leaf_nodes": 12, "max_depth": 6, "min_samples_leaf": 25,
    "subsample": 0.6, "max_features": 0.3,
}  # fmt: skip


def examples(
    reader: Tagger | Language, texts: Sequence[str], gold: Sequence[Sequence[tuple[int, int]]]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
    """Rows of FEATURES, whether an identifier stands there, and the weight of each, of all finds in the texts."""
    patterns = load_detector(DetectParams(ner="none", link_names=False))
    rows: list[NDArray[np.float32]] = []
    truth: list[bool] = []
    weights: list[float] = []
    folded = [fold(text) for text in texts]
    plain = [text for text, _ in folded]
    for text, (_, offsets), spans, entities in zip(plain, folded, gold, ner.finds(reader, plain), strict=True):
        alone, weak, some = doubts(text, entities, patterns.by_patterns(text))
        places = [(e.start, e.end, ner.possible(text, e)) for e in alone] + [(s.start, s.end, True) for s in weak]
        for (start, end, possible), row in zip(places, some, strict=True):
            if possible:
                at = unfold([Span(start, end, "NAME", 1.0, "")], offsets)[0]
                is_one = any(a < at.end and at.start < b for a, b in spans)
                rows.append(row)
                truth.append(is_one)
                weights.append(1.0 if is_one or not spans else BESIDE)
    return (
        np.array(rows, dtype=np.float32).reshape(-1, len(FEATURES)),
        np.array(truth, dtype=bool),
        np.array(weights, dtype=np.float32),
    )


def in_other_case(text: str) -> list[str]:
    """A whole note in small letters and in capitals, where every letter keeps its place.

    Those who typed the notes wrote few so, and of unread visit notes in small letters 5% of the names were missed, in capitals
    4%, as written 1%. Snippets have such among them.
    """
    copies = (text.lower(), text.upper()) if len(text) >= WHOLE else ()
    return [copy for copy in copies if len(copy) == len(text) and copy != text]


def need_library() -> None:
    """Raise UserError where scikit-learn is missing: before half an hour of training, not after."""
    if find_spec("sklearn") is None:
        raise UserError(
            "the judge is grown by scikit-learn, which is not installed", next="pip install 'clinicorpus[model]'"
        )


def calibrate(folder: Path, golds: Sequence[Path], *, seed: int = 1) -> dict[str, Any]:
    """Grow the judge of the model in `folder` on files or folders of gold (`deid.gold`); returns what its card says."""
    texts: list[str] = []
    marks: list[list[tuple[int, int]]] = []
    sources: list[str] = []
    for path in golds:
        notes, gold = load_gold(path)
        spans: dict[str, list[tuple[int, int]]] = {}
        for note, start, end in gold.select("note_id", "start", "end").iter_rows():
            spans.setdefault(note, []).append((start, end))
        texts += notes["text"].to_list()
        marks += [spans.get(note, []) for note in notes["note_id"]]
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        digest = hashlib.sha256(
            b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files if file.is_file())
        )
        sources.append(f"{path.name}, sha256 {digest.hexdigest()[:16]}")
    cased = [(copy, spans) for text, spans in zip(texts, marks, strict=True) for copy in in_other_case(text)]
    texts += [copy for copy, _ in cased]
    marks += [spans for _, spans in cased]
    rows, truth, weights = examples(ner.load_model(str(folder)), texts, marks)
    kept = drawn(len(rows), seed=seed)
    judge = grow(rows[kept], truth[kept], weights[kept], seed=seed)
    save_judge(judge, folder)
    return {
        "texts": len(texts), "finds": len(rows), "drawn": len(kept), "identifiers": int(truth.sum()), "trees": len(judge.feature), "seed": seed,
        "source": "; ".join(sources),
        "scikit_learn": version("scikit-learn"),
    }  # fmt: skip


def drawn(finds: int, *, seed: int) -> NDArray[np.intp]:
    """Which of so many finds the trees are grown on: all, or MOST of them by lot, in their order."""
    if finds <= MOST:
        return np.arange(finds)
    return np.sort(np.random.default_rng(seed).choice(finds, MOST, replace=False))


def grow(rows: NDArray[np.float32], truth: NDArray[np.bool_], weights: NDArray[np.float32], *, seed: int) -> Judge:
    """The trees, by scikit-learn; the same for the same rows, seed and version."""
    from sklearn.ensemble import GradientBoostingClassifier

    if truth.all() or not truth.any():
        raise UserError(
            "the gold holds nothing to tell apart", value=f"{len(truth):,} finds, {int(truth.sum()):,} identifiers",
            cause="no marks in it, or nothing that the model doubts",
        )  # fmt: skip
    forest = GradientBoostingClassifier(**SETTINGS, random_state=seed).fit(rows, truth, sample_weight=weights)
    trees = [tree.tree_ for tree in forest.estimators_[:, 0]]
    nodes = max(tree.node_count for tree in trees)
    shape = (len(trees), nodes)
    judge = Judge(
        feature=np.zeros(shape, np.int16), threshold=np.zeros(shape), left=np.zeros(shape, np.int16), right=np.zeros(shape, np.int16),
        value=np.zeros(shape, np.float32), base=np.zeros(1, np.float32), depth=np.array([max(tree.max_depth for tree in trees)], np.int16),
    )  # fmt: skip
    for i, tree in enumerate(trees):
        own, leaf = np.arange(tree.node_count), tree.children_left < 0
        judge.feature[i, own] = np.where(leaf, 0, tree.feature)
        judge.threshold[i, own] = tree.threshold
        judge.left[i, own] = np.where(leaf, own, tree.children_left)
        judge.right[i, own] = np.where(leaf, own, tree.children_right)
        judge.value[i, own] = np.where(leaf, forest.learning_rate * tree.value[:, 0, 0], 0)
    ours = judge.probabilities(rows[:1])[0]
    judge.base[0] = forest.decision_function(rows[:1])[0] - np.log(ours / (1 - ours))
    return judge
