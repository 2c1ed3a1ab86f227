"""Our model as the detector runs it: what spaCy's tagger gives, in a fraction of the time.

The vector of a word depends on its spelling alone, so it is computed once and kept. What follows, convolutions and a
softmax, numpy does over as many tokens as a processor's cache holds. Measured on dense notes, one core: 50 microseconds a
token through spaCy's `Doc` and `predict`, of which the products of matrices took 16; here 15 in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from deid.torchless import without_torch

with without_torch():
    from spacy.attrs import IDS
    from thinc.api import NumpyOps

if TYPE_CHECKING:
    from spacy.language import Language

Floats = NDArray[np.float32]

_KEPT = 1 << 15  # words whose vectors are kept: 16 MB. One more, and all are forgotten
_ROWS = 768  # tokens at once, what a second-level cache of 2 MB holds
# Products of matrices are padded to a multiple of so many rows, and to as many columns as there are units: small ones are
# summed in another order, and what is found in a note must not depend on the notes read with it.
_STEP = 64


def use_numpy(model: Language) -> None:
    """Let numpy multiply the matrices: 72 against 47 GFLOP/s of spaCy's own BLIS, measured on one core at our shapes."""
    ops = NumpyOps(use_blis=False)
    for name in model.pipe_names:
        for node in model.get_pipe(name).model.walk():  # type: ignore[attr-defined]
            node.ops = ops


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Matrices on one thread: notes are shared out to processes, and the sums come out the same whatever the machine has."""
    limit: AbstractContextManager[Any] = _threads().limit(limits=1, user_api="blas")
    return limit


class _Layer(NamedTuple):
    """A convolution: the weights of its two maxout pieces side by side, their bias, scale and shift of its norm."""

    weights: Floats
    bias: Floats
    scale: Floats
    shift: Floats


class Tagged(NamedTuple):
    """A text as the model sees it: where its tokens begin and end, and their probabilities (tokens, labels)."""

    starts: list[int]
    ends: list[int]
    probabilities: Floats


class Tagger:
    """The tagger of a pipeline that `deid.training` made. `labels` are those of the columns."""

    def __init__(self, nlp: Language) -> None:
        pipe: Any = nlp.get_pipe("identifiers")
        use_numpy(nlp)
        self.labels: tuple[str, ...] = pipe.labels
        self.tokenizer: Any = nlp.tokenizer
        tok2vec, softmax = pipe.model.get_ref("tok2vec"), pipe.model.get_ref("softmax")
        embed, encode = tok2vec.layers
        features, _, hashed, mixed, _ = embed.layers
        getters = nlp.vocab.lex_attr_getters  # type: ignore[attr-defined]
        self._attributes = [getters[IDS[name]] for name in features.attrs["columns"]]
        self._strings = nlp.vocab.strings
        self._embed = (hashed.layers[0], mixed.layers[0])
        nodes = list(encode.walk())
        maxouts, norms = ([node for node in nodes if node.name == name] for name in ("maxout", "layernorm"))
        self._layers = [_layer(*pair) for pair in zip(maxouts, norms, strict=True)]
        out = _transposed(softmax.get_param("W"))
        self._out, self._bias = np.zeros((len(out), len(out)), dtype=np.float32), softmax.get_param("b")
        self._out[:, : out.shape[1]] = out
        # Row 0 is no token's.
        self._row: dict[str, int] = {}
        self._vectors: Floats = np.zeros((1024, len(out)), dtype=np.float32)

    def read(self, texts: Sequence[str]) -> Iterator[Tagged]:
        """Each text with its tokens and their probabilities, which do not depend on the other texts."""
        held: list[list[str]] = []
        places: list[tuple[list[int], list[int]]] = []
        rows = 0
        for text in texts:
            words, starts = self.tokenizer.cut(text)
            if held and rows + len(words) > _ROWS:
                yield from map(Tagged, *zip(*places, strict=True), self._probabilities(held))
                held, places, rows = [], [], 0
            held.append(words)
            places.append((starts, [start + len(word) for start, word in zip(starts, words, strict=True)]))
            rows += len(words) + len(self._layers)
        if held:
            yield from map(Tagged, *zip(*places, strict=True), self._probabilities(held))

    def _probabilities(self, texts: Sequence[Sequence[str]]) -> list[Floats]:
        with one_thread():
            self._learn(texts)
            return self._compute(texts)

    def _compute(self, texts: Sequence[Sequence[str]]) -> list[Floats]:
        gap = [0] * len(self._layers)  # no convolution reaches from one text into another
        at = [*gap]
        starts = []
        for words in texts:
            starts.append(len(at))
            at += [self._row[word] for word in words]
            at += gap
        at += [0] * (-len(at) % _STEP)
        n, width = len(at), self._vectors.shape[1]
        room = np.zeros((n + 2, width), dtype=np.float32)
        x = room[1:-1]
        self._vectors.take(at, axis=0, out=x, mode="clip")
        # Row i as rows i - 1, i and i + 1 of x side by side.
        threes = np.lib.stride_tricks.as_strided(room, (n, 3 * width), room.strides, writeable=False)
        window, pieces = np.empty((n, 3 * width), dtype=np.float32), np.empty((n, 2 * width), dtype=np.float32)
        for layer in self._layers:
            np.copyto(window, threes)
            np.matmul(window, layer.weights, out=pieces)
            pieces += layer.bias
            y = np.maximum(pieces[:, :width], pieces[:, width:])
            y -= y.mean(axis=1, keepdims=True)
            y *= layer.scale / np.sqrt(np.einsum("ij,ij->i", y, y)[:, None] / width + 1e-8)
            y += layer.shift
            x += y
        x = (x @ self._out)[:, : len(self._bias)] + self._bias
        x -= x.max(axis=1, keepdims=True)
        np.exp(x, out=x)
        x /= x.sum(axis=1, keepdims=True)
        return [x[start : start + len(words)] for start, words in zip(starts, texts, strict=True)]

    def _learn(self, texts: Sequence[Sequence[str]]) -> None:
        """Compute the vectors of words that are not yet known."""
        if len(self._row) + sum(map(len, texts)) > _KEPT:
            self._row.clear()
        new = sorted({word for words in texts for word in words}.difference(self._row))
        if not new:
            return
        ids = np.zeros((len(new) + -len(new) % _STEP, len(self._attributes)), dtype=np.uint64)
        for i, word in enumerate(new):
            ids[i] = [self._strings[attribute(word)] for attribute in self._attributes]
        hashed, mixed = self._embed
        vectors = mixed.predict(hashed.predict(ids))
        first = len(self._row) + 1
        if first + len(new) > len(self._vectors):
            self._vectors = np.concatenate(
                [self._vectors, np.zeros((max(len(new), first), vectors.shape[1]), dtype=np.float32)]
            )
        self._vectors[first : first + len(new)] = vectors[: len(new)]
        self._row.update((word, first + i) for i, word in enumerate(new))


def _layer(maxout: Any, norm: Any) -> _Layer:
    """thinc keeps the pieces of each unit side by side; here all first pieces come before all second ones."""
    weights, bias = maxout.get_param("W"), maxout.get_param("b")
    wide = weights.transpose(1, 0, 2).reshape(-1, weights.shape[2])
    return _Layer(_transposed(wide), bias.T.ravel(), norm.get_param("G"), norm.get_param("b"))


def _transposed(matrix: Any) -> Floats:
    return np.ascontiguousarray(matrix.T, dtype=np.float32)
