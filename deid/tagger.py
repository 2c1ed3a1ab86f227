"""Our model as the detector runs it: what spaCy's tagger gives, in a fraction of the time.

The vector of a word depends on its spelling alone, so it is computed once and kept. What follows, convolutions and a
softmax, numpy does over as many tokens as a processor's cache holds. Measured on dense notes, one core: 50 microseconds a
token through spaCy's `Doc` and `predict`, of which the products of matrices took 16; here 15 in all.
"""

from __future__ import annotations

import zlib
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

# Words of which is kept what only their spelling decides: 3.5 KB each, 115 MB in all. One more, and all are forgotten.
_KEPT = 1 << 15
_ROWS = 768  # tokens at once, what a second-level cache of 2 MB holds
_BLOCK = 16  # words whose vectors are computed together


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
        self._out, self._bias = _transposed(softmax.get_param("W")), softmax.get_param("b")
        # The first convolution is a sum over three words, so these products are kept beside the vector of a word: where it
        # stands before a token, at it, and behind it. Row 0 is no word's. Memory is taken as it is written.
        width = len(self._out)
        self._row: dict[str, int] = {}
        self._vectors, *self._products = (np.zeros((_KEPT + 1, n), dtype=np.float32) for n in (width, *3 * [2 * width]))

    def read(self, parts: Sequence[str]) -> list[Tagged]:
        """The parts of one text with their tokens and the probabilities of these.

        A product of matrices may sum a row in another order when it stands elsewhere in the matrix (OpenBLAS does on AMD's
        processors), so what a row gets depends on its neighbours in the seventh digit. What is found in a text must not
        depend on the texts read with it: each is computed by itself.
        """
        cut = [self.tokenizer.cut(part) for part in parts]
        words = [words for words, _ in cut]
        found: list[Floats] = []
        with one_thread():
            for held in self._held(words):
                self._learn(held)
                found += self._compute(held)
        return [
            Tagged(starts, [start + len(word) for start, word in zip(starts, said, strict=True)], probabilities)
            for (said, starts), probabilities in zip(cut, found, strict=True)
        ]

    def _held(self, parts: Sequence[list[str]]) -> Iterator[list[list[str]]]:
        """As many parts as are computed at once."""
        held: list[list[str]] = []
        rows = 0
        for words in parts:
            if held and rows + len(words) > _ROWS:
                yield held
                held, rows = [], 0
            held.append(words)
            rows += len(words) + len(self._layers)
        if held:
            yield held

    def _compute(self, texts: Sequence[Sequence[str]]) -> list[Floats]:
        gap = [0] * len(self._layers)  # no convolution reaches from one text into another
        rows = [*gap]
        starts = []
        for words in texts:
            starts.append(len(rows))
            rows += [self._row[word] for word in words]
            rows += gap
        n, width = len(rows), self._vectors.shape[1]
        at = np.zeros(n + 2, dtype=np.intp)
        at[1:-1] = rows
        room = self._vectors.take(at, axis=0)
        x = room[1:-1]
        # Row i as rows i - 1, i and i + 1 of x side by side.
        threes = np.lib.stride_tricks.as_strided(room, (n, 3 * width), room.strides, writeable=False)
        window, pieces, y = (np.empty((n, k * width), dtype=np.float32) for k in (3, 2, 1))
        for i, layer in enumerate(self._layers):
            if i:
                np.copyto(window, threes)
                np.matmul(window, layer.weights, out=pieces)
            else:
                before, own, behind = (
                    kept.take(at[first : first + n], axis=0) for first, kept in enumerate(self._products)
                )
                pieces = np.add(before, own, out=own)
                pieces += behind
            pieces += layer.bias
            np.maximum(pieces[:, :width], pieces[:, width:], out=y)
            y -= np.add.reduce(y, axis=1, keepdims=True) / width
            y *= 1 / np.sqrt(np.einsum("ij,ij->i", y, y)[:, None] / width + 1e-8)
            y *= layer.scale
            y += layer.shift
            x += y
        x = x @ self._out + self._bias
        x -= x.max(axis=1, keepdims=True)
        np.exp(x, out=x)
        x /= x.sum(axis=1, keepdims=True)
        return [x[start : start + len(words)] for start, words in zip(starts, texts, strict=True)]

    def _learn(self, parts: Sequence[Sequence[str]]) -> None:
        """Compute the vectors of words that are not yet known, each at a place that its letters tell, whatever it is learnt with."""
        if len(self._row) + sum(map(len, parts)) > _KEPT:
            self._row.clear()
        at: dict[int, list[str]] = {}
        for word in sorted({word for words in parts for word in words}.difference(self._row)):
            at.setdefault(zlib.crc32(word.encode()) % _BLOCK, []).append(word)
        hashed, mixed = self._embed
        weights = np.split(self._layers[0].weights, 3)
        while at:
            block = {place: words.pop() for place, words in at.items()}
            at = {place: words for place, words in at.items() if words}
            ids = np.zeros((_BLOCK, len(self._attributes)), dtype=np.uint64)
            for place, word in block.items():
                ids[place] = [self._strings[attribute(word)] for attribute in self._attributes]
            vectors = mixed.predict(hashed.predict(ids))
            rows = [self._row.setdefault(word, len(self._row) + 1) for word in block.values()]
            for kept, found in zip(
                (self._vectors, *self._products), (vectors, *(vectors @ of_place for of_place in weights)), strict=True
            ):
                kept[rows] = found[list(block)]


def _layer(maxout: Any, norm: Any) -> _Layer:
    """thinc keeps the pieces of each unit side by side; here all first pieces come before all second ones."""
    weights, bias = maxout.get_param("W"), maxout.get_param("b")
    wide = weights.transpose(1, 0, 2).reshape(-1, weights.shape[2])
    return _Layer(_transposed(wide), bias.T.ravel(), norm.get_param("G"), norm.get_param("b"))


def _transposed(matrix: Any) -> Floats:
    return np.ascontiguousarray(matrix.T, dtype=np.float32)
